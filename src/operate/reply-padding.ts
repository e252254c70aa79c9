// Operate: bytes that hide how long the rest of a reply is; promises that their number is random, too.

import { randomInt } from 'node:crypto'
import { randomPiece } from './random-piece.ts'

/** 1,024 to 2,047 random bytes in base64. */
export function replyPadding(): string {
  return randomPiece(randomInt(1024, 2048)).toString('base64')
}
