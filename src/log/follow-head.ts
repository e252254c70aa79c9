// Log: what one process knows of the head without asking; promises only a good guess, which the database judges.

import type { LockedHead } from './append-event.ts'

/** What a process knows of the head as long as it alone moves it. */
export interface FollowedHead {
  isKnown(): boolean
  /** The numbers for the next events. Only when it is known. */
  next(count: number, grain: number): LockedHead
  /** Takes note of a head that was locked, of whose numbers `used` are used. */
  observe(head: LockedHead, used: number): void
  forget(): void
}

/** Knows nothing at first, and trusts what it knows once nobody else came between two looks at the head. */
export function followHead(): FollowedHead {
  let nextSeq = -1
  let newestGrain = 0
  let alone = false
  return {
    isKnown: () => alone,
    next(count, grain) {
      const firstSeq = nextSeq
      nextSeq += count
      newestGrain = Math.max(newestGrain, grain)
      return { firstSeq, count, grain: newestGrain }
    },
    observe(head, used) {
      alone = head.firstSeq === nextSeq
      nextSeq = head.firstSeq + used
      newestGrain = head.grain
    },
    forget() {
      alone = false
    },
  }
}
