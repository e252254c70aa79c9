// Operate: random bytes in small pieces; promises the system's own randomness, each byte handed out once.

import { randomFillSync } from 'node:crypto'

// Asking the system costs several microseconds each time, however few bytes are wanted.
const POOL_BYTES = 65_536
const pool = Buffer.allocUnsafeSlow(POOL_BYTES)
let used = POOL_BYTES

/** Random bytes, as from `randomBytes`, at most 65,536: a copy that nobody else has. */
export function randomPiece(length: number): Buffer {
  if (used + length > POOL_BYTES) {
    randomFillSync(pool)
    used = 0
  }
  // Not out of the slab that small buffers share: a few bytes that live long would keep all of it.
  const piece = Buffer.allocUnsafeSlow(length)
  pool.copy(piece, 0, used, used + length)
  // What was handed out is not left lying here.
  pool.fill(0, used, used + length)
  used += length
  return piece
}
