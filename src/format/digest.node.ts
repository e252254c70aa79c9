// Format: the digest of a file that comes in pieces, with what Node.js has for it; promises the same bytes as sha256.ts in a tenth of the time.

import { createHash } from 'node:crypto'
import type { Sha256 } from './sha256.ts'

/** As in sha256.ts. */
export function startSha256(): Sha256 {
  const hash = createHash('sha256')
  return {
    update: (piece) => void hash.update(piece),
    digest: () => new Uint8Array(hash.digest()),
  }
}
