// Authorize: what is remembered of the prefixes that try codes; promises a bounded memory, in which newcomers push out newcomers only.

/** What is remembered of one prefix in one realm. Times are milliseconds of a monotonic clock. */
export interface PrefixRecord {
  /** Wrong codes that are not forgiven, as of `levelAt`. */
  level: number
  levelAt: number
  /** No try before this time. */
  waitsUntil: number
  hadWrong: boolean
  /** Whether a right code ever came from there. */
  hadRight: boolean
  /** When each try that has no result yet stops counting as one. */
  pending: number[]
  /** Tries within the minute that began last. */
  minute: number
  triesInMinute: number
}

/** Keeps records by an opaque key. */
export interface GuessMemory {
  /** @returns undefined for a prefix that is not known, or not any more */
  get(key: string, time: number): PrefixRecord | undefined
  /** Keeps a record that was made or changed. */
  put(key: string, record: PrefixRecord, time: number): void
  /** How many records there are. */
  readonly size: number
}

type Group = 'slowed' | 'proven' | 'seen'

const HOUR_MS = 3_600_000

/**
 * How many of each are kept at the most, 100,000 together, and for how long after the last try; what was touched is kept at least
 * half as long. The groups are apart so that a flood of prefixes (a provider's IPv6 network has 65,536 of them) pushes out those
 * that were only seen: to get into `slowed` a prefix must spend more wrong codes than it has free ones, and to get into `proven` it
 * needs a right one.
 */
const GROUPS: Readonly<Record<Group, { readonly most: number; readonly lifeMs: number }>> = {
  slowed: { most: 20_000, lifeMs: 24 * HOUR_MS },
  proven: { most: 40_000, lifeMs: 60 * 24 * HOUR_MS },
  seen: { most: 40_000, lifeMs: 24 * HOUR_MS },
}

/** @param slowedFrom the level above which a prefix is slowed */
export function createGuessMemory(slowedFrom: number): GuessMemory {
  const groups: Readonly<Record<Group, Generations>> = {
    slowed: createGenerations(GROUPS.slowed),
    proven: createGenerations(GROUPS.proven),
    seen: createGenerations(GROUPS.seen),
  }
  const all = Object.values(groups)
  return {
    get(key, time) {
      for (const group of all) group.age(time)
      return groups.slowed.get(key) ?? groups.proven.get(key) ?? groups.seen.get(key)
    },
    put(key, record, time) {
      for (const group of all) group.delete(key)
      const isSlowed = record.level > slowedFrom
      groups[isSlowed ? 'slowed' : record.hadRight ? 'proven' : 'seen'].put(key, record, time)
    },
    get size() {
      return all.reduce((sum, group) => sum + group.size(), 0)
    },
  }
}

type Generations = ReturnType<typeof createGenerations>

/**
 * Two maps: what is touched goes into the younger one, and when that is full or old, the older one is dropped whole. Taking the
 * oldest out of one map, one by one, costs 40 microseconds each when it is flooded: the map skips all that were taken out before.
 */
function createGenerations({ most, lifeMs }: { readonly most: number; readonly lifeMs: number }) {
  let young = new Map<string, PrefixRecord>()
  let old = new Map<string, PrefixRecord>()
  let bornAt = 0
  const turn = (time: number) => {
    old = young
    young = new Map()
    bornAt = time
  }
  const age = (time: number) => {
    const generations = Math.floor((time - bornAt) / (lifeMs / 2))
    if (generations >= 1) turn(time)
    // After a quiet time both are old.
    if (generations >= 2) old.clear()
  }
  return {
    age,
    get: (key: string) => young.get(key) ?? old.get(key),
    delete(key: string) {
      young.delete(key)
      old.delete(key)
    },
    put(key: string, record: PrefixRecord, time: number) {
      age(time)
      if (young.size >= most / 2) turn(time)
      young.set(key, record)
    },
    size: () => young.size + old.size,
  }
}
