// Authorize: the brake of a whole realm; promises that it comes on when wrong codes are more than typing errors explain, and that it never stops those who had right ones.

const MINUTE_MS = 60_000
const WINDOW_MINUTES = 10
/** Of ten codes that people type one is wrong. */
const TYPING_ERRORS = 0.1
const SIGMAS = 6
/** Fewer wrong codes than this in 10 minutes never count as an attack: one broken sheet of cards makes dozens. */
const FLOOR = 100
/** Tries a minute for all prefixes together that never had a right code: those that had no wrong one either, and the others. */
const FRESH_TRIES = 30
const SUSPECT_TRIES = 6

/** The brake of one realm. Times are milliseconds of a monotonic clock. */
export interface RealmBrake {
  count(result: Result, now: number): void
  /** Since when the realm is braked; undefined when it is not. */
  since(now: number): number | undefined
  /** Whether the tries that have no result yet, were all of them wrong, would still be explained. */
  hasRoom(now: number): boolean
  /** A prefix without a right code begins a try; it counts as having no result until `end`, or this time. */
  begin(until: number): void
  end(): void
  /** Takes one of the tries that a braked realm has for prefixes without a right code. @returns false when there is none left */
  take(kind: 'fresh' | 'suspect', now: number): boolean
}

type Result = 'right' | 'wrong' | 'refused'

/**
 * The most wrong codes among so many tries that typing errors explain: the mean of a binomial distribution and six standard
 * deviations. Chance alone exceeds it less than once in 50 million windows.
 */
export function explainedByTyping(tries: number): number {
  const mean = tries * TYPING_ERRORS
  const deviation = Math.sqrt(mean * (1 - TYPING_ERRORS))
  return Math.max(FLOOR, mean + SIGMAS * deviation)
}

/** @param alarm called once when the brake comes on and once when it goes off */
export function createRealmBrake(alarm: (isBraked: boolean) => void): RealmBrake {
  const window = createWindow()
  const fresh = createAllowance()
  const suspect = createAllowance()
  let pending: number[] = []
  let brakedSince: number | undefined
  let exceededAt = 0
  const look = (now: number) => {
    const { right, wrong, refused } = window.sums(now)
    // Those that the brake refused would have been wrong: without them the brake would release the attack that it holds.
    const isExceeded = wrong + refused > explainedByTyping(right + wrong + refused)
    if (isExceeded) exceededAt = now
    if (isExceeded && brakedSince === undefined) {
      brakedSince = now
      alarm(true)
    } else if (brakedSince !== undefined && now - exceededAt >= WINDOW_MINUTES * MINUTE_MS) {
      brakedSince = undefined
      alarm(false)
    }
  }
  return {
    count(result, now) {
      window.add(result, now)
      look(now)
    },
    since(now) {
      look(now)
      return brakedSince
    },
    hasRoom(now) {
      pending = pending.filter((until) => until > now)
      const { right, wrong } = window.sums(now)
      return wrong + pending.length <= explainedByTyping(right + wrong + pending.length)
    },
    begin(until) {
      pending.push(until)
    },
    end() {
      pending.shift()
    },
    take(kind, now) {
      // A large realm has more newcomers, and an attacker can't make right codes.
      const newcomers = window.sums(now).right / WINDOW_MINUTES
      return kind === 'fresh' ? fresh(FRESH_TRIES + newcomers, now) : suspect(SUSPECT_TRIES, now)
    },
  }
}

/** Counts of the last 10 minutes, the running one included. */
function createWindow() {
  const slots = Array.from({ length: WINDOW_MINUTES }, () => ({
    minute: -1,
    right: 0,
    wrong: 0,
    refused: 0,
  }))
  return {
    add(result: Result, now: number) {
      const minute = Math.floor(now / MINUTE_MS)
      const slot = slots[minute % WINDOW_MINUTES]
      if (slot === undefined) return
      if (slot.minute !== minute) Object.assign(slot, { minute, right: 0, wrong: 0, refused: 0 })
      slot[result] += 1
    },
    sums(now: number) {
      const oldest = Math.floor(now / MINUTE_MS) - WINDOW_MINUTES
      const sums = { right: 0, wrong: 0, refused: 0 }
      for (const slot of slots)
        if (slot.minute > oldest) {
          sums.right += slot.right
          sums.wrong += slot.wrong
          sums.refused += slot.refused
        }
      return sums
    },
  }
}

/** So many a minute, and a minute's worth at once at the most. */
function createAllowance(): (perMinute: number, now: number) => boolean {
  let left = Number.POSITIVE_INFINITY
  let filledAt = 0
  return (perMinute, now) => {
    left = Math.min(left + ((now - filledAt) / MINUTE_MS) * perMinute, perMinute)
    filledAt = now
    if (left < 1) return false
    left -= 1
    return true
  }
}
