// Publish: the randomness of padding; promises that nobody can guess it, and that a test can choose it.

import { randomPiece } from '../operate/random-piece.ts'

/** Where padding takes its randomness from. */
export interface RandomSource {
  /** Uniform, 0 inclusive to 1 exclusive. */
  number(): number
  /** At most 65,536. */
  bytes(length: number): Uint8Array
}

/** Unpredictable: whoever could foretell it would know the padding. */
export const SECURE_RANDOM: RandomSource = {
  number: () => randomPiece(6).readUIntBE(0, 6) / 2 ** 48,
  bytes: randomPiece,
}

/** An item, each as likely as the others; undefined of none. */
export function pick<Item>(items: readonly Item[], random: RandomSource): Item | undefined {
  return items[Math.floor(random.number() * items.length)]
}

/** A whole number from 0 on, below `limit`. */
export function below(limit: number, random: RandomSource): number {
  return Math.floor(random.number() * limit)
}
