// Operate: bytes that hide how long the rest of a reply is; promises that their number is random, too.

import { randomInt } from 'node:crypto'
import { randomPiece } from './random-piece.ts'

/** `least` to `most` random bytes in base64. */
export function replyPadding(least = 1_024, most = 2_047): string {
  return randomPiece(randomInt(least, most + 1)).toString('base64')
}
