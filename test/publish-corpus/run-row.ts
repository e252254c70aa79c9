// Test helper: runs a row against a running service and checks what it says; promises to look at status, headers, body and tables each time, and to send every request twice.

import assert from 'node:assert/strict'
import { byteaArray } from '../../src/db/binary-array.ts'
import { EXPORT_REPORT_TYPES, type ReportType } from '../../src/format/report-type.ts'
import {
  addHealthAuthority,
  setHealthAuthorityDisabled,
} from '../../src/submit/health-authorities.ts'
import { makeAuthority, type TestAuthority } from '../key-zone.ts'
import type { RunningService } from '../running-service.ts'
import { makePool, makeRequest, placeOf, send, type Sent } from './request.ts'
import { NOW, type Change, type Row, type Stored, type Expected } from './row.ts'

/** The service with the health authorities of the rows. */
export interface Corpus {
  readonly service: RunningService
  readonly authorities: ReadonlyMap<string, TestAuthority>
}

/** A reply, its body parsed; the body of a reply to HEAD is undefined. */
export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly body: Readonly<Record<string, unknown>> | undefined
}

/** Registers the health authorities of the rows. */
export async function openCorpus(service: RunningService): Promise<Corpus> {
  const { db, writer } = service.zones.key
  const health = makeAuthority('org.example.health', ['US', 'ca'])
  const publicKey = health.keys[0]?.publicKey ?? ''
  health.keys.push(
    { kid: 'ended', publicKey, validFrom: 0, validThrough: NOW } as (typeof health.keys)[number],
    { kid: 'not-begun', publicKey, validFrom: NOW + 1 },
  )
  const other = makeAuthority('org.example.other', ['GB'])
  const publicKeyOfOther = other.keys[0]?.publicKey ?? ''
  other.keys.push({ kid: 'other-v1', publicKey: publicKeyOfOther, validFrom: 0 })
  const disabled = makeAuthority('org.example.disabled')
  const regionless = makeAuthority('org.example.regionless', [])
  const authorities = [health, other, disabled, regionless]
  await db.transaction(async (tx) => {
    for (const authority of authorities)
      await addHealthAuthority(tx, writer, authority, service.clock.now(), 'ZZ')
    await setHealthAuthorityDisabled(tx, writer, disabled.app, true, service.clock.now())
  })
  return { service, authorities: new Map(authorities.map((each) => [each.app, each])) }
}

/** Runs a row: its uploads before, its request, and the same request again. */
export async function runRow(corpus: Corpus, { given = [], when, expect }: Row): Promise<void> {
  const pool = makePool()
  const tokens: (string | undefined)[] = []
  const make = (change: Change): Sent =>
    makeRequest(change, { authority: authorityOf(corpus, change), pool, tokens })
  for (const change of given) {
    const reply = await exchange(corpus, make(change))
    assert.equal(reply.status, 200, `given: ${JSON.stringify(reply.body?.['error'])}`)
    tokens.push(reply.body?.['revisionToken'] as string | undefined)
  }
  const sent = make(when)
  const before = await readState(corpus, pool)
  const reply = await exchange(corpus, sent)
  checkReply(reply, when, expect)
  const after = await readState(corpus, pool)
  assert.equal(
    after.events - before.events,
    expect.status === 200 ? 1 : 0,
    'what is accepted makes one event, a refusal none',
  )
  if (expect.status !== 200) assert.deepEqual(after, before, 'a refusal changes nothing')
  checkStored(after.stored, given.length === 0 ? when : undefined, expect)
  if (expect.report !== undefined) await checkReport(corpus, reply, expect.report)

  const again = await exchange(corpus, sent)
  assert.deepEqual(answerOf(again), answerOf(reply), 'the same again gets the same')
  assert.deepEqual(await readState(corpus, pool), after, 'the same again changes nothing')
}

/** How many events there are, and what is stored of these keys. */
async function readState(corpus: Corpus, pool: readonly Uint8Array[]) {
  const [events, stored] = await Promise.all([countEvents(corpus), readStored(corpus, pool)])
  return { events, stored }
}

function authorityOf({ authorities }: Corpus, { app = 'org.example.health' }: Change) {
  const authority = authorities.get(app)
  assert.ok(authority, app)
  return authority
}

/** Sends and reads a reply, and checks what all replies have in common. */
export async function exchange({ service }: Corpus, sent: Sent): Promise<Reply> {
  const response = await send(`${service.url}/v1/publish`, sent)
  const text = await response.text()
  const { headers, status } = response
  assert.equal(headers.get('content-type'), 'application/json')
  assert.equal(headers.get('x-api-version'), 'v1')
  assert.match(headers.get('tocsin-tracking-id') ?? '', /^[0-9a-f]{32}$/)
  assert.equal(headers.has('retry-after'), status === 503)
  assert.equal(headers.get('allow'), status === 405 ? 'POST' : null)
  if (sent.method === 'HEAD') return { status, headers, body: undefined }
  const body = JSON.parse(text) as Record<string, unknown>
  const padding = String(body['padding'])
  assert.match(padding, /^[A-Za-z0-9+/]+={0,2}$/, 'padding is base64')
  const { length } = Buffer.from(padding, 'base64')
  assert.ok(length >= 1024 && length <= 2047, `${length} bytes of padding`)
  assert.equal(Buffer.from(padding, 'base64').toString('base64'), padding)
  return { status, headers, body }
}

/** All of a reply but what is random, and for a refusal its tracking id. */
export function answerOf({ status, headers, body }: Reply) {
  const { padding: _, revisionToken, ...fields } = body ?? {}
  const trackingId = status === 200 ? headers.get('tocsin-tracking-id') : undefined
  return { status, trackingId, fields, hasToken: revisionToken !== undefined }
}

function checkReply({ status, body = {} }: Reply, when: Change, expect: Expected): void {
  const { padding, revisionToken, ...fields } = body
  assert.equal(status, expect.status, JSON.stringify(fields))
  if (when.method === 'HEAD') return
  assert.equal(typeof padding, 'string')
  const { error, warnings, ...plain } = fields
  assert.deepEqual(
    plain,
    withoutEmpty({
      insertedExposures: expect.inserted === 0 ? undefined : expect.inserted,
      code: expect.code,
      subCode: expect.subCode,
    }),
    String(error),
  )
  if (expect.code === undefined) assert.equal(error, undefined)
  else assert.match(String(error), expect.error ?? /^.{10,200}\.$/)
  const patterns = expect.warnings ?? []
  const texts = (warnings ?? []) as string[]
  assert.equal('warnings' in fields, patterns.length > 0, `warnings: ${texts.join(' | ')}`)
  assert.equal(texts.length, patterns.length, texts.join(' | '))
  patterns.forEach((pattern, index) => assert.match(texts[index] ?? '', pattern))
  assert.equal(typeof revisionToken === 'string', expect.token ?? expect.status === 200, 'token')
  if (revisionToken !== undefined)
    assert.match(String(revisionToken), /^[A-Za-z0-9+/]{1724}$/, 'each token is as long as any')
}

type StoredRow = Required<Omit<Stored, 'revised'>> & { readonly revised: ReportType | undefined }

function checkStored(
  stored: readonly (StoredRow | null)[],
  first: Change | undefined,
  expect: Expected,
): void {
  // Where nothing was given before, as many keys are stored as the reply says.
  const listed = (first?.keys ?? [{}, {}]).map(placeOf)
  if (first !== undefined && !(first.keys ?? []).some((key) => typeof key.key === 'string'))
    assert.equal(
      [...new Set(listed)].filter((place) => stored[place] !== null).length,
      expect.status === 200 ? expect.inserted : 0,
      'keys stored',
    )
  expect.stored?.forEach((expected, place) => {
    const found = stored[place] ?? null
    if (expected === null || found === null)
      assert.equal(found, expected, `the key at place ${place}`)
    else
      for (const name of Object.keys(expected) as (keyof Stored)[])
        assert.equal(found[name], expected[name], `${name} of the key at place ${place}`)
    if (expected !== null && !('revised' in expected))
      assert.equal(found?.revised, undefined, `the key at place ${place} was not changed`)
  })
}

const TYPE_NAMES = new Map(
  Object.entries(EXPORT_REPORT_TYPES).map(([name, number]) => [number, name as ReportType]),
)

/** What is stored of the keys by their places, what was changed taken from its change. */
async function readStored(
  { service }: Corpus,
  pool: readonly Uint8Array[],
): Promise<(StoredRow | null)[]> {
  const { rows } = await service.zones.key.db.query<{
    key: string
    rolling_start: number
    rolling_period: number
    first: number
    revised: number | null
    risk: number
    days: number
    available: number
  }>({
    text: `select encode(k.key_data, 'hex') as key, k.rolling_start, k.rolling_period, k.report_type as first,
             r.report_type as revised, coalesce(r.transmission_risk, k.transmission_risk) as risk,
             coalesce(r.days_since_onset, k.days_since_onset) as days, coalesce(r.available, k.available) as available
           from diagnosis_key k left join key_revision r using (key_data)
           where k.key_data = any($1::bytea[])`,
    values: [byteaArray(pool)],
  })
  return pool.map((bytes) => {
    const row = rows.find(({ key }) => key === Buffer.from(bytes).toString('hex'))
    return row === undefined
      ? null
      : {
          type: TYPE_NAMES.get(row.first) as ReportType,
          revised: row.revised === null ? undefined : TYPE_NAMES.get(row.revised),
          risk: row.risk,
          days: row.days,
          available: row.available,
          start: row.rolling_start,
          period: row.rolling_period,
        }
  })
}

async function checkReport(
  { service }: Corpus,
  { headers }: Reply,
  expected: NonNullable<Expected['report']>,
): Promise<void> {
  const { rows } = await service.zones.key.db.query<{ regions: string[]; traveler: boolean }>({
    text: `select regions, traveler from report where encode(tracking_id, 'hex') = $1`,
    values: [headers.get('tocsin-tracking-id')],
  })
  const [row] = rows
  assert.ok(row, 'the report is there')
  const found = { regions: row.regions.join(','), traveler: row.traveler }
  assert.deepEqual({ ...found, ...expected }, found)
}

async function countEvents({ service }: Corpus): Promise<number> {
  const { rows } = await service.zones.key.db.query<{ seq: number }>({
    text: 'select max(seq) as seq from event',
    values: [],
  })
  return rows[0]?.seq ?? 0
}

function withoutEmpty(members: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))
}
