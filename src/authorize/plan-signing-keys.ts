// Authorize: when signing keys are made, used, retired and destroyed; promises that one key signs at each moment, and that key servers could learn of it before and can verify with it long after.

import { numberOf, type SigningKey } from './signing-keys.ts'

/** What changes with the age of a signing key, in seconds; and how many there may be. */
export const SIGNING_KEY_RULES = {
  /** A key that follows another signs once it has been published for so long: key servers ask for keys every few minutes, and caches answer them for some. */
  publishedBefore: 3600,
  /** The private half of a key is destroyed when it has not signed for so long: a process that learnt late of the next one is done. */
  destroyAfter: 3600,
  /** The public half is published until it has not signed for so long: what waited for a day at the key server verifies yet. */
  publishedAfter: 48 * 3600,
  /** Keys of a realm and purpose that are published or have a private half. */
  most: 5,
  /** A key that is to follow and is no further ahead than this is waited for. One further ahead was planned by a clock that was wrong. */
  waitAtMost: 86_400,
} as const

/** Something to be done to the keys of one realm and purpose. Times are unix seconds. */
export type Step =
  | { readonly do: 'make'; readonly number: number; readonly usedFrom: number }
  | { readonly do: 'retire'; readonly kid: string; readonly usedUntil: number }
  | { readonly do: 'destroy'; readonly kid: string }

/**
 * What the schedule has to do now.
 *
 * @param keys all of one realm and purpose, in any order
 * @param rotationDays how old a key gets before the next one is made; 0 for any age
 */
export function planSigningKeys(
  keys: readonly SigningKey[],
  { now, rotationDays }: { readonly now: Date; readonly rotationDays: number },
): Step[] {
  const over = keysThatAreOver(keys, now)
  // They make room for the next one.
  const left = keys.map((key) =>
    over.includes(key) ? { ...key, destroyedAt: secondsOf(now) } : key,
  )
  return [
    ...over.map(({ kid }): Step => ({ do: 'destroy', kid })),
    ...planNext(left, rotationDays, now),
  ]
}

/**
 * What has to be done so that a new key follows, however old the one in use is. Nothing when one is to follow soon anyhow.
 *
 * @param atOnce whether a new one signs from now on, before key servers can know it: the one in use has leaked
 * @returns undefined when there are as many keys as there may be
 */
export function planRotation(
  keys: readonly SigningKey[],
  now: Date,
  atOnce = false,
): Step[] | undefined {
  const inUse = keyInUse(keys, now)
  const number = Math.max(0, ...keys.map(numberOf)) + 1
  // Whoever has no key can't do worse than with one that is not known everywhere yet.
  if (inUse === undefined) return [{ do: 'make', number, usedFrom: secondsOf(now) }]
  if (!atOnce && keyToFollow(keys, now) !== undefined) return []
  if (keys.filter((key) => isLive(key, now)).length >= SIGNING_KEY_RULES.most) return undefined
  const usedFrom = secondsOf(now) + (atOnce ? 0 : SIGNING_KEY_RULES.publishedBefore)
  // One that a wrong clock planned for later is over then, too.
  const retired = keys.filter((key) => !isDestroyed(key) && endOf(key) > usedFrom)
  return [
    { do: 'make', number, usedFrom },
    ...retired.map(({ kid }): Step => ({ do: 'retire', kid, usedUntil: usedFrom })),
  ]
}

/**
 * The key that signs. By a clock that has gone back before all keys that are left it is the first of them: it was published
 * before the others.
 *
 * @param keys all of one realm and purpose, in any order
 * @returns undefined when there is none
 */
export function keyInUse(keys: readonly SigningKey[], now: Date): SigningKey | undefined {
  const seconds = secondsOf(now)
  const ahead = inOrder(keys).filter((key) => !isDestroyed(key) && seconds < endOf(key))
  return ahead.findLast((key) => key.usedFrom <= seconds) ?? ahead[0]
}

/** The key that follows the one in use within a day; undefined when there is none. */
export function keyToFollow(keys: readonly SigningKey[], now: Date): SigningKey | undefined {
  const inUse = keyInUse(keys, now)
  const seconds = secondsOf(now)
  return inOrder(keys).find(
    (key) =>
      key.kid !== inUse?.kid &&
      !isDestroyed(key) &&
      key.usedFrom > seconds &&
      key.usedFrom <= seconds + SIGNING_KEY_RULES.waitAtMost &&
      key.usedFrom < endOf(key),
  )
}

/** Whether key servers are told of a key. Not asked: when it was made, which a clock that has gone back would deny. */
export function isPublished(key: SigningKey, now: Date): boolean {
  return secondsOf(now) < endOf(key) + SIGNING_KEY_RULES.publishedAfter
}

function planNext(keys: readonly SigningKey[], rotationDays: number, now: Date): Step[] {
  const inUse = keyInUse(keys, now)
  const age = secondsOf(now) - (inUse?.usedFrom ?? 0)
  const isDue = inUse === undefined || (rotationDays > 0 && age >= rotationDays * 86_400)
  return isDue ? (planRotation(keys, now) ?? []) : []
}

function keysThatAreOver(keys: readonly SigningKey[], now: Date): SigningKey[] {
  return inOrder(keys).filter(
    (key) => !isDestroyed(key) && endOf(key) + SIGNING_KEY_RULES.destroyAfter <= secondsOf(now),
  )
}

function isLive(key: SigningKey, now: Date): boolean {
  return !isDestroyed(key) || isPublished(key, now)
}

function isDestroyed(key: SigningKey): boolean {
  return key.destroyedAt !== null
}

function endOf(key: SigningKey): number {
  return key.usedUntil ?? Infinity
}

function inOrder(keys: readonly SigningKey[]): SigningKey[] {
  return keys.toSorted((one, other) => numberOf(one) - numberOf(other))
}

function secondsOf(time: Date): number {
  return Math.floor(time.getTime() / 1000)
}
