// Submit: the keys of revision tokens and when they change; promises that every token can be read until its youngest key is too old, and that all processes come to the same keys.

import { setTimeout as sleep } from 'node:timers/promises'
import { MasterKey } from '../db/secrets.ts'
import type { Queryable } from '../db/database.ts'
import {
  addSecretVersion,
  destroySecretVersions,
  secretVersions,
  zoneSecret,
  type SecretVersion,
} from '../db/zone-secrets.ts'
import { TocsinError } from '../errors.ts'
import { createTokenKey, type TokenKey, type TokenKeys } from './revision-token.ts'

const DAY = 86_400

/** When keys are made, destroyed and read again, in seconds. */
export const KEY_SCHEDULE = {
  /** A version is replaced when it is this old. */
  rotateAfter: 7 * DAY,
  /**
   * A version is destroyed when the one after it is this old. A token may have been sealed with it on the day on which the
   * other was made, for a key that ended up to a day later and can be sent again for 15 days: counted from the beginning of
   * the first of these days that is 17. One more is for processes that learn late of the new version.
   */
  destroyAfter: 18 * DAY,
  readEvery: 60,
  /** When a token names a version that is not known yet, as much as this must lie between two readings. */
  readEarlyAfter: 10,
  /** With keys that were read longer ago than this, submissions wait until they are read again. */
  outdatedAfter: 3600,
  /** They wait no longer than this: a database that does not answer must not hold up what needs none. */
  patience: 1,
} as const

/** The keys as one process hands them to a thread. */
export interface RevisionKeySettings {
  /** Opens what is read later. */
  readonly masterKey: Uint8Array
  /** 32 bytes that stay the same while keys change. */
  readonly deployment: Uint8Array
  /** The live versions, the newest last. */
  readonly versions: readonly SecretVersion[]
  /** When they were read, unix seconds. */
  readonly readAt: number
}

/** The live keys, as they are known here. */
export interface RevisionKeys extends TokenKeys {
  /**
   * Reads the keys again when it is time to, and makes or destroys a version when that is due. Never rejects: what is known
   * stays when the database is away.
   *
   * @returns what to wait for before the next token; undefined when the known keys can be used meanwhile
   */
  refresh(): Promise<void> | undefined
}

const SECRET = 'revision token'

/**
 * Reads the keys for the first time, and makes what is missing.
 *
 * @throws TocsinError `master_key_wrong`, `unavailable`
 */
export async function openRevisionKeys(
  db: Queryable,
  masterKey: MasterKey,
  now: Date,
): Promise<RevisionKeySettings> {
  return {
    masterKey: Uint8Array.from(masterKey.reveal()),
    deployment: Uint8Array.from(await zoneSecret(db, masterKey, `${SECRET} deployment`)),
    versions: await keepVersions(db, masterKey, now),
    readAt: secondsOf(now),
  }
}

/** Keys that follow the database. @param now the clock that their ages are judged by */
export function createRevisionKeys(
  db: Queryable,
  settings: RevisionKeySettings,
  now: () => Date,
): RevisionKeys {
  const masterKey = new MasterKey(settings.masterKey)
  let known = importVersions(settings.versions, settings.deployment)
  let triedAt = settings.readAt
  let readAt = settings.readAt
  let reading: Promise<void> | undefined
  let lastTry = 0
  let lastRead = 0
  const read = async (time: Date, number: number) => {
    try {
      const versions = await keepVersions(db, masterKey, time)
      // One that was given up may end after the one that followed it.
      if (number < lastRead) return
      known = importVersions(versions, settings.deployment)
      lastRead = number
      readAt = secondsOf(time)
    } catch (error) {
      if (error instanceof TocsinError && error.code === 'unavailable') return
      const reason = error instanceof TocsinError ? error.code : 'internal_error'
      process.emitWarning(`The keys of revision tokens could not be read again: ${reason}.`)
    }
  }
  /**
   * None when the one before was begun less than `seconds` ago, whichever way the clock has moved; and one at a time, unless
   * the one before has taken so long that no answer will come.
   */
  const readAfter = (seconds: number): Promise<void> | undefined => {
    const time = now()
    const elapsed = Math.abs(secondsOf(time) - triedAt)
    if (elapsed < (reading === undefined ? seconds : KEY_SCHEDULE.readEvery)) return reading
    triedAt = secondsOf(time)
    const number = ++lastTry
    reading = read(time, number).finally(() => {
      if (number === lastTry) reading = undefined
    })
    return reading
  }
  return {
    newest: () => known.newest,
    find(version) {
      const key = known.byVersion.get(version)
      // An older one was destroyed; a newer one may have been made by another process just now.
      if (key === undefined && version > known.newest.version)
        void readAfter(KEY_SCHEDULE.readEarlyAfter)
      return key
    },
    refresh() {
      const done = readAfter(KEY_SCHEDULE.readEvery)
      const age = Math.abs(secondsOf(now()) - readAt)
      if (done === undefined || age <= KEY_SCHEDULE.outdatedAfter) return undefined
      return Promise.race([done, sleep(KEY_SCHEDULE.patience * 1000, undefined, { ref: false })])
    },
  }
}

/** The live versions, the newest last, after making the one that is due and destroying those whose time is over. */
async function keepVersions(
  db: Queryable,
  masterKey: MasterKey,
  now: Date,
): Promise<SecretVersion[]> {
  const read = () => secretVersions(db, masterKey, SECRET)
  const isOlder = ({ made }: SecretVersion, age: number) => made + age <= secondsOf(now)
  let versions = await read()
  const newest = versions.at(-1)
  // By a clock that has moved back nothing is old: the newest version stays the newest.
  if (newest === undefined || isOlder(newest, KEY_SCHEDULE.rotateAfter)) {
    await addSecretVersion(db, masterKey, SECRET, newest?.version ?? 0, now)
    // Whoever made it: all use what is stored.
    versions = await read()
  }
  const oldest = versions.findLastIndex((each) => isOlder(each, KEY_SCHEDULE.destroyAfter))
  if (oldest <= 0) return versions
  await destroySecretVersions(db, SECRET, versions[oldest]?.version ?? 0)
  return versions.slice(oldest)
}

interface KnownKeys {
  readonly newest: TokenKey
  readonly byVersion: ReadonlyMap<number, TokenKey>
}

function importVersions(versions: readonly SecretVersion[], deployment: Uint8Array): KnownKeys {
  const keys = versions.map(({ version, secret }) => createTokenKey(version, secret, deployment))
  const newest = keys.at(-1)
  if (newest === undefined) throw new Error('there is no version of the key')
  return { newest, byVersion: new Map(keys.map((key) => [key.version, key])) }
}

function secondsOf(time: Date): number {
  return Math.floor(time.getTime() / 1000)
}
