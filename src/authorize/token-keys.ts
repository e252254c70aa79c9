// Authorize: the keys that sign tokens and when they change; promises that every token can be read until it expires, and that all processes come to the same keys.

import type { KeyObject } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Queryable } from '../db/database.ts'
import type { MasterKey } from '../db/secrets.ts'
import {
  addSecretVersion,
  destroySecretVersions,
  secretVersions,
  type SecretVersion,
} from '../db/zone-secrets.ts'
import { TocsinError } from '../errors.ts'
import { createJwtSigner, type JwtSigner } from './jwt.ts'
import { fingerprintOf, importKey, makePrivateKey } from './key-pairs.ts'
import type { AuthorityZone } from './zone.ts'

const HOUR = 3600

/** When keys are made, given up, destroyed and read again, in seconds. */
export const TOKEN_KEY_SCHEDULE = {
  rotateAfter: 30 * 24 * HOUR,
  /**
   * A version verifies until the one after it is this old. A token lives 24 hours; one hour is for processes whose clock or
   * database lags; and what is kept of when a version was made is the beginning of that day: 24 hours.
   */
  verifyUntil: 49 * HOUR,
  /** A version is destroyed when the one after it is this old: 36 hours, and 24 as above. */
  destroyAfter: 60 * HOUR,
  readEvery: 1,
} as const

/** As much lies between two readings for tokens of keys that are not known, in milliseconds: anybody can make up such tokens. */
const READ_EARLY_MS = 100

/** A key that signs tokens and reads back what it signed. */
export interface TokenKey extends JwtSigner {
  readonly kid: string
}

/** The keys of tokens at a moment. */
export interface TokenKeys {
  /** The one that signs. */
  newest(): TokenKey
  /** The key of that kid, when what it signed still counts. */
  find(kid: string): TokenKey | undefined
}

/** The keys of tokens as the database has them. */
export interface LiveTokenKeys {
  /**
   * The keys, read within the last second. When the database is away, those that were known.
   *
   * @param token one that is to be read. Its key may have been made by another process just now: if it is not known, the keys are read again.
   * @returns the same object as before when nothing has changed
   */
  current(token?: string): Promise<TokenKeys>
}

/** Keys that don't change. @param privateKeys P-256, the newest last */
export function tokenKeysOf(privateKeys: readonly KeyObject[]): TokenKeys {
  const keys = privateKeys.map((key): TokenKey => {
    const kid = fingerprintOf(key)
    return { kid, ...createJwtSigner(key, kid) }
  })
  const newest = keys.at(-1)
  if (newest === undefined) throw new Error('there is no key')
  const byKid = new Map(keys.map((key) => [key.kid, key]))
  return { newest: () => newest, find: (kid) => byKid.get(kid) }
}

/** The kid that a token's header names, when it looks like one of ours. */
export function kidIn(token: string): string | undefined {
  // Ours has 79 characters. What is longer need not be read.
  const end = token.indexOf('.')
  if (end <= 0 || end > 200) return undefined
  try {
    const header: unknown = JSON.parse(Buffer.from(token.slice(0, end), 'base64url').toString())
    const kid = (header as { readonly kid?: unknown } | null)?.kid
    return typeof kid === 'string' && /^[\w-]{22}$/.test(kid) ? kid : undefined
  } catch {
    return undefined
  }
}

/**
 * Reads the keys for the first time, and makes what is missing.
 *
 * @param now the clock that their ages are judged by
 * @throws TocsinError `master_key_wrong`, `unavailable`
 */
export async function createTokenKeys(
  { db, masterKey }: Pick<AuthorityZone, 'db' | 'masterKey'>,
  now: () => Date,
): Promise<LiveTokenKeys> {
  let known: KnownKeys = await readKeys(db, masterKey, now(), undefined)
  let triedAt = now().getTime()
  let lastTry = 0
  let lastRead = 0
  const read = async () => {
    const number = ++lastTry
    triedAt = now().getTime()
    try {
      const keys = await readKeys(db, masterKey, now(), known)
      // One that took long may end after the one that followed it.
      if (number > lastRead) [known, lastRead] = [keys, number]
    } catch (error) {
      // Signing goes on with what is known; the request that comes with it needs the database, and says that it is away.
      if (error instanceof TocsinError && error.code === 'unavailable') return
      const reason = error instanceof TocsinError ? error.code : 'internal_error'
      process.emitWarning(`The keys of tokens could not be read again: ${reason}.`)
    }
  }
  const readEarly = eachApart(read, READ_EARLY_MS)
  let reading: Promise<void> | undefined
  const readNow = () => (reading ??= read().finally(() => (reading = undefined)))
  return {
    async current(token) {
      // Whichever way the clock has moved.
      if (Math.abs(now().getTime() - triedAt) >= TOKEN_KEY_SCHEDULE.readEvery * 1000)
        await readNow()
      else await reading
      const kid = token === undefined ? undefined : kidIn(token)
      if (kid !== undefined && known.keys.find(kid) === undefined) await readEarly()
      return known.keys
    },
  }
}

/** Has all who ask before something begins wait for the same doing of it, and lets time pass between the end of one and the next. */
function eachApart(work: () => Promise<void>, pauseMs: number): () => Promise<void> {
  let paused: Promise<unknown> = Promise.resolve()
  let waiting: Promise<void> | undefined
  return () =>
    (waiting ??= paused.then(() => {
      waiting = undefined
      const done = work()
      paused = done.then(() => sleep(pauseMs))
      return done
    }))
}

interface KnownKeys {
  readonly versions: readonly SecretVersion[]
  readonly keys: TokenKeys
}

const SECRET = 'token key'

/** The keys as they are stored, after making the one that is due and destroying those whose time is over. */
async function readKeys(
  db: Queryable,
  masterKey: MasterKey,
  now: Date,
  before: KnownKeys | undefined,
): Promise<KnownKeys> {
  const stored = await keepVersions(db, masterKey, now)
  const first = stored.findLastIndex((each) => isOlder(each, TOKEN_KEY_SCHEDULE.verifyUntil, now))
  const versions = stored.slice(Math.max(0, first))
  const isSame =
    before?.versions.length === versions.length &&
    before.versions.every((each, at) => isEqual(each, versions[at]))
  if (isSame) return before
  return { versions, keys: tokenKeysOf(versions.map(({ secret }) => importKey(secret))) }
}

async function keepVersions(
  db: Queryable,
  masterKey: MasterKey,
  now: Date,
): Promise<SecretVersion[]> {
  const read = () => secretVersions(db, masterKey, SECRET)
  let versions = await read()
  const newest = versions.at(-1)
  // By a clock that has moved back nothing is old: the newest version stays the newest. One without a time is of an earlier
  // version of this program, and is replaced.
  if (newest === undefined || isOlder(newest, TOKEN_KEY_SCHEDULE.rotateAfter, now)) {
    await addSecretVersion(db, masterKey, SECRET, newest?.version ?? 0, now, makePrivateKey)
    // Whoever made it: all use what is stored.
    versions = await read()
  }
  const oldest = versions.findLastIndex((each) =>
    isOlder(each, TOKEN_KEY_SCHEDULE.destroyAfter, now),
  )
  if (oldest <= 0) return versions
  await destroySecretVersions(db, SECRET, versions[oldest]?.version ?? 0)
  return versions.slice(oldest)
}

function isOlder({ made }: SecretVersion, seconds: number, now: Date): boolean {
  return (made + seconds) * 1000 <= now.getTime()
}

function isEqual(one: SecretVersion, other: SecretVersion | undefined): boolean {
  return other?.version === one.version && Buffer.from(one.secret).equals(other.secret)
}
