// Authorize: how often codes may be tried; promises that guessing is slow for each prefix and each realm, and that only HMACs of prefixes under a key of this process are kept, in memory.

import { createHmac, createSecretKey, type BinaryLike } from 'node:crypto'
import { createRealmBrake, type RealmBrake } from './guess-brake.ts'
import { createGuessMemory, type PrefixRecord } from './guess-memory.ts'

/** Wrong codes of a prefix that cost no wait. */
const FREE_WRONGS = 10
/** One wrong code is forgiven in this time; so 10 free ones, and in the long run 96 a day. */
const FORGIVEN_AFTER_MS = 15 * 60_000
/** What a right code forgives. Half: who owns one right code has not bought more than half a guess with it. */
const FORGIVEN_BY_RIGHT = 0.5
const FIRST_WAIT_MS = 1_000
const LONGEST_WAIT_MS = 15 * 60_000
/** Beyond this level no wait grows, and none is owed for longer than a night. */
const HIGHEST_LEVEL = FREE_WRONGS + 11
/** A try that nobody told the result of counts no longer than this. */
const PENDING_MS = 30_000
const MINUTE_MS = 60_000
/** Tries a minute of one prefix without a right code in a braked realm. */
const BRAKED_TRIES = 3

/** Whether a code may be tried now. */
export type Leave =
  | { readonly allowed: true }
  | {
      readonly allowed: false
      /** Whole, 1 or more. */
      readonly retryAfterSeconds: number
    }

/** A realm in which more codes are wrong than typing errors explain. */
export interface Brake {
  readonly realm: string
  /** Milliseconds of the clock that was handed in. */
  readonly since: number
}

/**
 * Slows those who guess codes. Each try that was allowed ends with exactly one of the three counts; until then it counts as wrong,
 * so that a thousand guesses at once are no way around. Chaff neither asks nor counts.
 */
export interface GuessLimits {
  /** @param prefix of the address, see `prefixOf` */
  mayTry(realm: string, prefix: string): Leave
  /** The try's code was none of the realm's. */
  countWrong(realm: string, prefix: string): void
  /**
   * The try's code was right for the first time. A repetition is `countNeither`: else whoever owns one right code could have a
   * guess forgiven as often as he sends it.
   */
  countRight(realm: string, prefix: string): void
  /** The try was no guess: a code tried before, one that only expired, a request that failed for another reason. */
  countNeither(realm: string, prefix: string): void
  /** The realms that are braked. */
  brakes(): readonly Brake[]
}

/** What the limits need. */
export interface GuessLimitsOptions {
  /** Milliseconds of a clock that never leaps. */
  readonly now: () => number
  /** 32 random bytes that no other process has and nobody stores. */
  readonly key: BinaryLike
  /** Called once when a realm's brake comes on and once when it goes off. */
  readonly alarm?: (realm: string, isBraked: boolean) => void
}

/** Makes the limits of one process. */
export function createGuessLimits({ now, key, alarm }: GuessLimitsOptions): GuessLimits {
  const memory = createGuessMemory(FREE_WRONGS)
  const realms = new Map<string, RealmBrake>()
  // From bytes, Node.js would make a key anew for each HMAC, which takes three times as long as the HMAC.
  const secret = typeof key === 'string' ? createSecretKey(key, 'utf8') : createSecretKey(key)
  // Realms have no NUL in their names.
  const keyOf = (realm: string, prefix: string) =>
    createHmac('sha256', secret).update(`${realm}\0${prefix}`).digest('base64url')
  const brakeOf = (realm: string) => {
    const brake = realms.get(realm) ?? createRealmBrake((isBraked) => alarm?.(realm, isBraked))
    realms.set(realm, brake)
    return brake
  }
  const settle = (
    realm: string,
    prefix: string,
    change: (record: PrefixRecord, time: number) => void,
  ) => {
    const time = now()
    const place = keyOf(realm, prefix)
    const record = broughtUpTo(time, memory.get(place, time))
    record.pending.shift()
    if (!record.hadRight) brakeOf(realm).end()
    change(record, time)
    memory.put(place, record, time)
  }
  return {
    mayTry(realm, prefix) {
      const time = now()
      const place = keyOf(realm, prefix)
      const record = broughtUpTo(time, memory.get(place, time))
      const waitMs = waitOf(record, time)
      if (waitMs > 0) return refusal(waitMs)
      const brake = brakeOf(realm)
      if (!record.hadRight) {
        if (brake.since(time) !== undefined) {
          if (!passesBrake(brake, record, time)) {
            brake.count('refused', time)
            return refusal(MINUTE_MS)
          }
        } else if (!brake.hasRoom(time)) return refusal(FIRST_WAIT_MS)
        brake.begin(time + PENDING_MS)
      }
      countTry(record, time)
      memory.put(place, record, time)
      return { allowed: true }
    },
    countWrong(realm, prefix) {
      settle(realm, prefix, addWrong)
      brakeOf(realm).count('wrong', now())
    },
    countRight(realm, prefix) {
      settle(realm, prefix, (record) => {
        record.hadRight = true
        record.level = Math.max(0, record.level - FORGIVEN_BY_RIGHT)
      })
      brakeOf(realm).count('right', now())
    },
    countNeither(realm, prefix) {
      settle(realm, prefix, () => undefined)
    },
    brakes: () =>
      Array.from(realms, ([realm, brake]) => ({ realm, since: brake.since(now()) })).filter(
        (each): each is Brake => each.since !== undefined,
      ),
  }
}

/** A record, or a new one, with what time has forgiven. */
function broughtUpTo(time: number, known: PrefixRecord | undefined): PrefixRecord {
  const record = known ?? {
    level: 0,
    levelAt: time,
    waitsUntil: time,
    hadWrong: false,
    hadRight: false,
    pending: [],
    minute: 0,
    triesInMinute: 0,
  }
  record.level = Math.max(0, record.level - (time - record.levelAt) / FORGIVEN_AFTER_MS)
  record.levelAt = time
  record.pending = record.pending.filter((until) => until > time)
  return record
}

/** How long the prefix has to wait on its own account, 0 for not at all. */
function waitOf(record: PrefixRecord, time: number): number {
  if (time < record.waitsUntil) return record.waitsUntil - time
  const mayBeWrong = record.level + record.pending.length
  // Beyond the free ones the next try begins when the one before it has ended.
  return record.pending.length > 0 && mayBeWrong >= FREE_WRONGS ? FIRST_WAIT_MS : 0
}

function passesBrake(brake: RealmBrake, record: PrefixRecord, time: number): boolean {
  const isFull =
    record.minute === Math.floor(time / MINUTE_MS) && record.triesInMinute >= BRAKED_TRIES
  const isFresh = !record.hadWrong && record.pending.length === 0
  return !isFull && brake.take(isFresh ? 'fresh' : 'suspect', time)
}

function countTry(record: PrefixRecord, time: number): void {
  const minute = Math.floor(time / MINUTE_MS)
  record.triesInMinute = record.minute === minute ? record.triesInMinute + 1 : 1
  record.minute = minute
  record.pending.push(time + PENDING_MS)
}

function addWrong(record: PrefixRecord, time: number): void {
  record.hadWrong = true
  record.level = Math.min(record.level + 1, HIGHEST_LEVEL)
  // What time forgave since the last wrong code does not make the next one free: 10.99 is the eleventh.
  const beyond = Math.ceil(record.level) - FREE_WRONGS
  if (beyond > 0)
    record.waitsUntil = time + Math.min(FIRST_WAIT_MS * 2 ** (beyond - 1), LONGEST_WAIT_MS)
}

function refusal(waitMs: number): Leave {
  return { allowed: false, retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)) }
}
