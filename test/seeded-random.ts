// Test helper: random numbers that are the same in every run.

import type { RandomSource } from '../src/publish/padding-random.ts'

/** A source for a seed (xorshift, George Marsaglia 2003, 32 bits at a time). */
export function seededRandom(seed: number): RandomSource {
  let state = (seed * 2_654_435_761 + 1) >>> 0 || 1
  const next = () => {
    state ^= state << 13
    state >>>= 0
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    return state
  }
  for (let n = 0; n < 16; n++) next()
  return {
    number: () => next() / 2 ** 32,
    bytes: (length) => Uint8Array.from({ length }, () => next() >>> 24),
  }
}
