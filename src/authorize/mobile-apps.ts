// Authorize: the apps of a realm, which links open; promises that each change is an event and that no app's field can leave the place it is written to.

import { isDeepStrictEqual } from 'node:util'
import type { Queryable, Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { TocsinError } from '../errors.ts'
import { appendEvents } from '../log/append-event.ts'
import type { Projection } from '../log/projection.ts'
import { lockRealm } from './realms.ts'
import { configured, type Actor, type AuthorityZone } from './zone.ts'

/** An app that links of a realm open. */
export interface MobileApp {
  /** Unique in its realm: 1 to 40 lower-case letters, digits and hyphens. */
  readonly name: string
  /** As people read it. */
  readonly displayName: string
  readonly platform: 'ios' | 'android'
  /** iOS: the team's id, a dot and the bundle id. Android: the package. */
  readonly appId: string
  /** Where it is installed from, https; empty when it is in no store. */
  readonly storeUrl: string
  /** Android: SHA-256 of each certificate that it is signed with, hexadecimal bytes in upper case with colons between. None for iOS. */
  readonly fingerprints: readonly string[]
  /** Whether browsers are sent to it; phones that have it open it from links all the same. */
  readonly redirects: boolean
  /** Android: whether it is a part of the system that has no screens before it was turned on. */
  readonly headless: boolean
}

interface SetContent {
  readonly realm: string
  readonly app: MobileApp
  readonly by: Actor
}

interface RemovedContent {
  readonly realm: string
  readonly name: string
  readonly by: Actor
}

const SET = 'mobile-app.set'
const REMOVED = 'mobile-app.removed'

/**
 * Adds an app to a realm, or replaces the one of that name. What is there already makes no event.
 *
 * @param app a {@link MobileApp} that nobody has checked yet
 * @throws TocsinError `app_invalid`, `realm_unknown`
 */
export async function setMobileApp(
  zone: Pick<AuthorityZone, 'db' | 'writer'>,
  realmName: string,
  app: unknown,
  by: Actor,
  now: Date,
): Promise<MobileApp> {
  const checked = checkMobileApp(app)
  await zone.db.transaction(async (tx) => {
    const { name: realm } = await lockRealm(tx, realmName)
    if (isDeepStrictEqual(await findApp(tx, realm, checked.name), checked)) return
    const content: SetContent = { realm, app: checked, by }
    await appendEvents(tx, zone.writer, [configured(SET, { ...content })], now)
  })
  return checked
}

/**
 * Removes an app from a realm.
 *
 * @throws TocsinError `app_unknown`, `realm_unknown`
 */
export async function removeMobileApp(
  zone: Pick<AuthorityZone, 'db' | 'writer'>,
  realmName: string,
  name: string,
  by: Actor,
  now: Date,
): Promise<void> {
  await zone.db.transaction(async (tx) => {
    const { name: realm } = await lockRealm(tx, realmName)
    if ((await findApp(tx, realm, name)) === undefined) throw new TocsinError('app_unknown')
    const content: RemovedContent = { realm, name, by }
    await appendEvents(tx, zone.writer, [configured(REMOVED, { ...content })], now)
  })
}

/** All apps of a realm, by name; none when there is no such realm. @param realmName not its number */
export async function listMobileApps(db: Queryable, realmName: string): Promise<MobileApp[]> {
  const { rows } = await db.query<{ app: MobileApp }>(
    // By bytes: which of two apps browsers are sent to must not depend on the server's language.
    sql`select app from mobile_app where realm = ${realmName} order by name collate "C"`,
  )
  return rows.map(({ app }) => app)
}

/**
 * Takes an app as it came.
 *
 * @param value must have every field of {@link MobileApp} and no other; letters of fingerprints may be small
 * @throws TocsinError `app_invalid` with a sentence that names the field
 */
export function checkMobileApp(value: unknown): MobileApp {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid('The app must be an object.')
  const given = value as Readonly<Record<string, unknown>>
  const unknown = Object.keys(given).find((field) => !FIELDS.has(field))
  if (unknown !== undefined) throw invalid('The app has a field that there is none of.')
  const platform = given['platform']
  if (platform !== 'ios' && platform !== 'android')
    throw invalid('platform must be "ios" or "android".')
  const app: MobileApp = {
    name: checkText(given, 'name', NAME, '1 to 40 lower-case letters, digits or hyphens'),
    displayName: checkText(given, 'displayName', DISPLAY_NAME, '1 to 100 printable characters'),
    platform,
    appId:
      platform === 'ios'
        ? checkText(given, 'appId', IOS_ID, "the team's id, a dot and the bundle id")
        : checkText(given, 'appId', ANDROID_ID, 'the name of a package, with a dot'),
    storeUrl: checkStoreUrl(given),
    fingerprints: checkFingerprints(given['fingerprints'], platform),
    redirects: checkBoolean(given, 'redirects'),
    headless: checkBoolean(given, 'headless'),
  }
  if (platform === 'ios' && app.headless) throw invalid('headless must be false for iOS.')
  return app
}

/** Writes the table of apps. */
export const mobileAppProjection: Projection = {
  types: [SET, REMOVED],
  tables: ['mobile_app'],
  async apply(tx, events) {
    for (const { type, parts } of events)
      if (type === SET) await upsertApp(tx, parts[0]?.content as SetContent)
      else await deleteApp(tx, parts[0]?.content as RemovedContent)
  },
}

async function upsertApp(tx: Transaction, { realm, app }: SetContent): Promise<void> {
  await tx.query(
    sql`insert into mobile_app (realm, name, app) values (${realm}, ${app.name}, ${JSON.stringify(app)}::jsonb)
        on conflict (realm, name) do update set app = excluded.app`,
  )
}

async function deleteApp(tx: Transaction, { realm, name }: RemovedContent): Promise<void> {
  await tx.query(sql`delete from mobile_app where realm = ${realm} and name = ${name}`)
}

async function findApp(
  tx: Transaction,
  realm: string,
  wanted: string,
): Promise<MobileApp | undefined> {
  return (await listMobileApps(tx, realm)).find(({ name }) => name === wanted)
}

const FIELDS: ReadonlySet<string> = new Set<keyof MobileApp>([
  'name',
  'displayName',
  'platform',
  'appId',
  'storeUrl',
  'fingerprints',
  'redirects',
  'headless',
])

const NAME = /^[a-z0-9][a-z0-9-]{0,39}$/
// Marks that turn the direction of writing could make a name read as another one.
const DISPLAY_NAME = /^(?=.*\S)[^\p{Cc}\ufeff\p{Bidi_Control}\p{Zl}\p{Zp}]{1,100}$/u
const IOS_ID = /^(?=.{1,166}$)[A-Z0-9]{10}(\.[A-Za-z0-9-]+)+$/
const ANDROID_ID = /^(?=.{1,200}$)[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+$/
// What a URL may have as it is (RFC 3986), so that it can stand in a header and in an attribute; nothing before the host, which
// would be there to be taken for it.
const STORE_URL =
  /^(?=.{1,500}$)https:\/\/[A-Za-z0-9][A-Za-z0-9.-]*(:\d{1,5})?([/?#][A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=%]*)?$/
const FINGERPRINT = /^[0-9A-F]{2}(:[0-9A-F]{2}){31}$/
const MOST_FINGERPRINTS = 20

function checkText(
  given: Readonly<Record<string, unknown>>,
  field: keyof MobileApp,
  form: RegExp,
  what: string,
): string {
  const value = given[field]
  if (typeof value !== 'string' || !value.isWellFormed() || !form.test(value))
    throw invalid(`${field} must be ${what}.`)
  return value
}

function checkStoreUrl(given: Readonly<Record<string, unknown>>): string {
  const value = given['storeUrl']
  if (value === '') return value
  if (typeof value !== 'string' || !STORE_URL.test(value) || !URL.canParse(value))
    throw invalid('storeUrl must be an https URL without a user, or empty.')
  return value
}

function checkFingerprints(value: unknown, platform: MobileApp['platform']): readonly string[] {
  if (platform === 'ios') {
    if (!Array.isArray(value) || value.length > 0) throw invalid('fingerprints must be [] for iOS.')
    return []
  }
  const texts: readonly unknown[] = Array.isArray(value) ? value : []
  const fingerprints = texts.map((text) => (typeof text === 'string' ? text.toUpperCase() : ''))
  if (
    fingerprints.length === 0 ||
    fingerprints.length > MOST_FINGERPRINTS ||
    new Set(fingerprints).size < fingerprints.length ||
    !fingerprints.every((text) => FINGERPRINT.test(text))
  )
    throw invalid(
      `fingerprints must be 1 to ${MOST_FINGERPRINTS} different SHA-256 fingerprints: 32 hexadecimal bytes with colons between.`,
    )
  return fingerprints
}

function checkBoolean(
  given: Readonly<Record<string, unknown>>,
  field: 'redirects' | 'headless',
): boolean {
  const value = given[field]
  if (typeof value !== 'boolean') throw invalid(`${field} must be true or false.`)
  return value
}

function invalid(sentence: string): TocsinError {
  return new TocsinError('app_invalid', sentence)
}
