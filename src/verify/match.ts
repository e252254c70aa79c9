// Verify: which diagnosis keys a phone was near; promises to find every one that it heard within the tolerance, and no other.

import { deriveIdentifiers, IDENTIFIER_BYTES } from '../format/gaen-derivation.ts'
import { INTERVALS_PER_DAY } from '../format/intervals.ts'

/** An identifier that a phone heard. */
export interface ObservedIdentifier {
  /** Rolling proximity identifier, 16 bytes. */
  readonly identifier: Uint8Array
  /** When it was heard, in intervals of 10 minutes. */
  readonly interval: number
}

/** A key whose identifiers are looked for. */
export interface MatchableKey {
  /** 16 bytes. */
  readonly keyData: Uint8Array
  readonly rollingStart: number
  /** 1 to 144. */
  readonly rollingPeriod: number
}

/** That an identifier of a key was heard. */
export interface Match<Observed extends ObservedIdentifier> {
  readonly observed: Observed
  /** When the key's owner was to broadcast it. */
  readonly interval: number
}

/** Looks keys up among what was heard. */
export interface Matcher<Observed extends ObservedIdentifier> {
  /** @throws RangeError when the key is none */
  match(key: MatchableKey): readonly Match<Observed>[]
}

/**
 * Two hours: how far the time of hearing may be from the time of broadcasting (cryptography specification 1.2, on matching
 * values). Beyond it, somebody replayed it.
 */
export const TOLERANCE_INTERVALS = 12

const WORDS = IDENTIFIER_BYTES / 4
const NOTHING: readonly never[] = []

/** Prepares the look-up among everything that was heard. @throws RangeError when an identifier hasn't 16 bytes */
export function createMatcher<Observed extends ObservedIdentifier>(
  observed: Iterable<Observed>,
  toleranceIntervals = TOLERANCE_INTERVALS,
): Matcher<Observed> {
  const table = buildTable([...observed])
  const { mask, starts, words, rows } = table
  const derived = new Uint8Array(INTERVALS_PER_DAY * IDENTIFIER_BYTES)
  const derivedWords = new Uint32Array(derived.buffer)
  const collect = (key: MatchableKey, index: number, matches: Match<Observed>[]) => {
    const interval = key.rollingStart + index
    const first = derivedWords[index * WORDS] as number
    const end = starts[(first & mask) + 1] as number
    for (let place = starts[first & mask] as number; place < end; place++) {
      const row = rows[place] as Observed
      if (
        sameIdentifier(words, place * WORDS, derivedWords, index * WORDS) &&
        Math.abs(row.interval - interval) <= toleranceIntervals
      )
        matches.push({ observed: row, interval })
    }
  }
  return {
    match(key) {
      deriveIdentifiers(key.keyData, key.rollingStart, key.rollingPeriod, derived)
      let matches: Match<Observed>[] | undefined
      for (let index = 0; index < key.rollingPeriod; index++) {
        const bucket = (derivedWords[index * WORDS] as number) & mask
        if (starts[bucket] !== starts[bucket + 1]) collect(key, index, (matches ??= []))
      }
      return matches ?? NOTHING
    },
  }
}

/** What was heard, sorted by bucket: a bucket is named by the identifier's first bits. */
interface Table<Observed> {
  readonly mask: number
  /** Where each bucket begins; one more, for the end of the last. */
  readonly starts: Uint32Array
  /** Four words for each place. */
  readonly words: Uint32Array
  readonly rows: readonly Observed[]
}

/**
 * Buckets lie one behind the other, rather than spilling into the next free place: then a stranger who broadcasts
 * identifiers of the same bucket slows down that one look-up only.
 */
function buildTable<Observed extends ObservedIdentifier>(
  observed: readonly Observed[],
): Table<Observed> {
  const size = 2 ** Math.min(24, Math.max(8, Math.ceil(Math.log2(observed.length * 4 + 1))))
  const mask = size - 1
  const bytes = new Uint8Array(observed.length * IDENTIFIER_BYTES)
  for (const [row, { identifier }] of observed.entries()) {
    if (identifier.length !== IDENTIFIER_BYTES)
      throw new RangeError(`an identifier has 16 bytes, not ${identifier.length}`)
    bytes.set(identifier, row * IDENTIFIER_BYTES)
  }
  const unsorted = new Uint32Array(bytes.buffer)
  const starts = new Uint32Array(size + 1)
  for (let row = 0; row < observed.length; row++) starts[bucketOf(unsorted, row, mask) + 1]!++
  for (let bucket = 0; bucket < size; bucket++) starts[bucket + 1]! += starts[bucket] as number
  const next = starts.slice()
  const words = new Uint32Array(unsorted.length)
  const rows = [...observed]
  for (const [row, each] of observed.entries()) {
    const place = next[bucketOf(unsorted, row, mask)]!++
    words.set(unsorted.subarray(row * WORDS, (row + 1) * WORDS), place * WORDS)
    rows[place] = each
  }
  return { mask, starts, words, rows }
}

function bucketOf(words: Uint32Array, row: number, mask: number): number {
  return (words[row * WORDS] as number) & mask
}

function sameIdentifier(a: Uint32Array, atA: number, b: Uint32Array, atB: number): boolean {
  return (
    a[atA] === b[atB] &&
    a[atA + 1] === b[atB + 1] &&
    a[atA + 2] === b[atB + 2] &&
    a[atA + 3] === b[atB + 3]
  )
}
