// Verify: what a client remembers of a feed between two looks; promises to know a file again, and a bound to what is kept.

import type { Limits } from './limits.ts'
import type { VerifiedExport } from './verify-export.ts'

/** What a client keeps between two looks at a feed, as JSON. */
export interface FeedState {
  /** Names of the files that need not be downloaded again, the newest last. */
  readonly seen: readonly string[]
  /** SHA-256 of each export.bin whose keys were given, in hexadecimal digits, the newest last. */
  readonly given?: readonly string[] | undefined
}

/** 14 months of hourly files. Also files that the index doesn't list are kept: it may list them again. */
const MAX_REMEMBERED = 10_000

/** What is remembered while a feed is followed. */
export interface Memory {
  hasSeen(file: string): boolean
  /** Whether the same keys were given before, under this name or another. */
  hasGiven(verified: VerifiedExport): boolean
  /** A file whose keys were given, now or before. */
  remember(file: string, verified: VerifiedExport): void
  state(): FeedState
}

/** Goes on from a state. One from before digests were kept has names only. */
export function startMemory(state: FeedState, limits: Pick<Limits, 'maxIndexFiles'>): Memory {
  const seen = new Set(state.seen)
  const given = new Set(state.given)
  // Never fewer than one index may list: they would be downloaded again with every look.
  const max = Math.max(MAX_REMEMBERED, limits.maxIndexFiles)
  return {
    hasSeen: (file) => seen.has(file),
    hasGiven: ({ digest }) => given.has(digest),
    remember(file, { digest }) {
      seen.add(file)
      given.add(digest)
    },
    state: () => ({ seen: [...seen].slice(-max), given: [...given].slice(-max) }),
  }
}
