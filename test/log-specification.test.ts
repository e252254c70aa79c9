// Test: docs/log.md; promises that its worked example is right, by code that shares nothing with the log, and that it names every field.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { noteLookUp } from '../src/correct/look-ups.ts'
import { addOperator, revokeOperator, type OpenKeyZone } from '../src/correct/operators.ts'
import { sql } from '../src/db/sql.ts'
import { appendEvents } from '../src/log/append-event.ts'
import { amend } from '../src/correct/amend.ts'
import { reinstate } from '../src/correct/reinstate.ts'
import { withdraw } from '../src/correct/withdraw.ts'
import type { CorrectedZone } from '../src/correct/zone.ts'
import type { OpenZone } from '../src/operate/open-zones.ts'
import {
  decodeArchiveHeader,
  encodeArchiveHeader,
  itemLength,
  type ArchiveHeader,
} from '../src/log/archive-format.ts'
import { recoveredEvent, type LogRecoveredContent } from '../src/log/recovered-event.ts'
import { decodeEvent, encodeEvent, erasePart, type StoredEvent } from '../src/log/record.ts'
import { appendLeaf, EMPTY_FRONTIER, encodeFrontier, rootOf } from '../src/log/tree.ts'
import { STREAM_ADDED } from '../src/publish/earlier-events.ts'
import { publishDue } from '../src/publish/publish-due.ts'
import { setHealthAuthorityDisabled, setJwksUrl } from '../src/submit/health-authorities.ts'
import {
  addAuthorityKey,
  reinstateAuthorityKey,
  refreshAuthorityKeys,
  revokeAuthorityKey,
} from '../src/submit/health-authority-keys.ts'
import { packSeqs } from '../src/submit/marks.ts'
import { eraseDue } from '../src/submit/retention.ts'
import type { StandingAtPoint, UndoneCorrections } from '../src/submit/undone-corrections.ts'
import { historyTest } from './authority-history.ts'
import { storeNumbers } from './cen-zone.ts'
import { databaseTestOnce } from './database.ts'
import { makeAuthority } from './key-zone.ts'
import { openPublishingZone } from './publishing-zone.ts'

const TEXT = readFileSync(new URL('../docs/log.md', import.meta.url), 'utf8')
const HEX = new Map(
  [...TEXT.matchAll(/```hex ([a-z0-9-]+)\n([0-9a-f\n]*)```/g)].map(([, name = '', digits = '']) => [
    name,
    Buffer.from(digits.replaceAll('\n', ''), 'hex'),
  ]),
)

/** The bytes that the example calls so. */
function example(name: string): Buffer {
  const bytes = HEX.get(name)
  assert.ok(bytes !== undefined && bytes.length > 0, `docs/log.md has no example ${name}`)
  return bytes
}

/** A value in the notation of the page: JSON, and h'00ff' for bytes. */
function readNotation(text: string): unknown {
  return JSON.parse(text.replaceAll(/h'([0-9a-f]*)'/g, '{"h":"$1"}'), (_, value: unknown) =>
    typeof value === 'object' && value !== null && 'h' in value
      ? Uint8Array.from(Buffer.from(String(value.h), 'hex'))
      : value,
  )
}

const [logStarted, report, statistics, archiveHeader] = [
  ...TEXT.matchAll(/^ {4}\{(?:.*\n)+?(?=\n)/gm),
].map(([text]) => readNotation(text))
const disabled = readNotation(
  /`authority\.disabled`, with the content `(\{.*\})`/.exec(TEXT)?.[1] ?? '',
)

const EVENTS: StoredEvent[] = [
  {
    seq: 0,
    grain: 1774000800,
    type: 'log.started',
    parts: [{ retention: 'configuration', content: logStarted }],
  },
  {
    seq: 1,
    grain: 1774000800,
    type: 'report',
    parts: [
      { retention: 'report', content: report },
      { retention: 'statistics', content: statistics },
    ],
  },
  {
    seq: 2,
    grain: 1774001700,
    type: 'authority.disabled',
    parts: [{ retention: 'configuration', content: disabled }],
  },
]
const SALTS = ['salt-0', 'salts-1', 'salt-2']

test('the worked example is what the log writes', () => {
  const encoded = EVENTS.map((event, index) => encodeEvent(event, example(SALTS[index] ?? '')))
  encoded.forEach(({ record, leafHash }, index) => {
    assert.equal(hex(record), hex(example(`record-${index}`)))
    assert.equal(hex(leafHash), hex(example(`leaf-${index}`)))
    assert.deepEqual(decodeEvent(example(`record-${index}`)), EVENTS[index])
  })
  assert.equal(hex(erasePart(example('record-1'), 'report')), hex(example('erased-1')))
  const frontier = encoded.map((each) => each.leafHash).reduce(appendLeaf, EMPTY_FRONTIER)
  assert.equal(hex(rootOf(frontier)), hex(example('root-3')))
  assert.equal(hex(encodeFrontier(frontier)), hex(example('frontier-3')))
})

test('the worked example is what the page says, computed with nothing but a hash function', () => {
  const [salt0, salts1, salt2] = SALTS.map(example) as [Buffer, Buffer, Buffer]
  const digest = (salt: Uint8Array, content: unknown) => sha256(salt, cbor(content))
  assert.equal(hex(digest(salt0, logStarted)), hex(example('digest-0')))
  const part = (retention: string, salt: Uint8Array, content: unknown) => [
    retention,
    salt,
    cbor(content),
  ]
  const record = (seq: number, grain: number, type: string, ...parts: unknown[]) =>
    hex(cbor([1, seq, grain, type, parts]))
  const leaf = (seq: number, grain: number, type: string, ...digests: unknown[]) =>
    sha256(Uint8Array.of(0), cbor([1, seq, grain, type, digests]))

  assert.equal(
    record(0, 1774000800, 'log.started', part('configuration', salt0, logStarted)),
    hex(example('record-0')),
  )
  const leaf0 = leaf(0, 1774000800, 'log.started', ['configuration', digest(salt0, logStarted)])
  assert.equal(hex(leaf0), hex(example('leaf-0')))

  const [first, second] = [salts1.subarray(0, 16), salts1.subarray(16)]
  const digests = [digest(first, report), digest(second, statistics)]
  assert.deepEqual(
    digests.map(hex),
    ['digest-1-report', 'digest-1-statistics'].map((name) => hex(example(name))),
  )
  const kept = part('statistics', second, statistics)
  assert.equal(
    record(1, 1774000800, 'report', part('report', first, report), kept),
    hex(example('record-1')),
  )
  assert.equal(
    record(1, 1774000800, 'report', ['report', digests[0]], kept),
    hex(example('erased-1')),
  )
  const named = [
    ['report', digests[0]],
    ['statistics', digests[1]],
  ]
  assert.equal(record(1, 1774000800, 'report', ...named), hex(example('preimage-1')))
  const leaf1 = leaf(1, 1774000800, 'report', ...named)
  assert.equal(hex(leaf1), hex(example('leaf-1')))

  assert.equal(
    record(2, 1774001700, 'authority.disabled', part('configuration', salt2, disabled)),
    hex(example('record-2')),
  )
  const leaf2 = leaf(2, 1774001700, 'authority.disabled', [
    'configuration',
    digest(salt2, disabled),
  ])
  assert.equal(hex(leaf2), hex(example('leaf-2')))

  const firstTwo = sha256(Uint8Array.of(1), leaf0, leaf1)
  assert.equal(hex(sha256(Uint8Array.of(1), firstTwo, leaf2)), hex(example('root-3')))
  assert.equal(hex(firstTwo) + hex(leaf2), hex(example('frontier-3')))
})

test('the header of the archive is what the page says, and what is written; the records follow as they are', () => {
  const header = cbor(archiveHeader)
  assert.equal(hex(header), hex(example('archive-header')))
  assert.equal(hex(encodeArchiveHeader(archiveHeader as ArchiveHeader)), hex(header))
  assert.deepEqual(decodeArchiveHeader(header), archiveHeader)
  const plain = Buffer.concat([header, ...['record-0', 'record-1', 'record-2'].map(example)])
  assert.equal(hex(sha256(plain)), hex(example('archive-plain-digest')))
  let count = 0
  for (let rest = plain; rest.length > 0; count++) {
    const length = itemLength(rest)
    assert.equal(itemLength(rest.subarray(0, (length ?? 0) - 1)), undefined)
    rest = rest.subarray(length)
  }
  assert.equal(count, 4)
  const listed = namesIn('### Objects', /^\| `(\w+)` \|/gm)
  assert.deepEqual(listed, Object.keys(archiveHeader as object).sort())
})

databaseTestOnce(
  'the page names every type of event of the key zone and every field of it',
  async (db, t) => {
    await using town = await openPublishingZone(db, t)
    // Few enough keys for padding; no list of its configuration is empty.
    const lists = { excludedRegions: ['FR'], reportTypes: [1] }
    await town.addStream('us', { minimum: 10, ...lists })
    await town.upload()
    await storeNumbers(town, 1, 2, { cell: 'u09' })
    town.clock.advance(7200)
    await publishDue(town.zone.publisher)
    // The file leaves the index, and then the store.
    for (const seconds of [15 * 86_400, 7200]) {
      town.clock.advance(seconds)
      await publishDue(town.zone.publisher)
    }
    for (const disabled of [true, false])
      await town.zone.db.transaction((tx) =>
        setHealthAuthorityDisabled(
          tx,
          town.zone.writer,
          'org.example.health',
          disabled,
          town.clock.now(),
        ),
      )
    await changeKeys(town.zone, 'org.example.health', town.clock.now())
    await correctAll(town.zone, town.clock.now())
    await lookAndLeave(town.zone, town.clock.now())
    await beginAnew(town.zone, town.clock.now())
    const before = await readEvents(town.zone)
    town.clock.advance(18 * 86_400 + 900)
    await eraseDue(town.zone, town.clock.now())
    // What was erased has no fields any more.
    const after = (await readEvents(town.zone)).slice(before.length)
    assertSpecifiedIn([...before, ...after], town.zone)
  },
)

historyTest(
  'the page names every type of event of the authority zone and every field of it',
  async ({ zone: { zone } }, erase) => {
    const before = await readEvents(zone)
    await erase()
    // What was erased has no fields any more.
    const after = (await readEvents(zone)).slice(before.length)
    assertSpecifiedIn([...before, ...after], zone)

    const contents = before.flatMap(({ type, parts }) =>
      parts.map(({ content }) => ({ type, ...(content as Readonly<Record<string, unknown>>) })),
    )
    const settings = contents.flatMap((each) => ('settings' in each ? [each.settings] : []))
    assert.ok(settings.length > 1)
    const listed = namesIn('#### Settings of a realm', /^\| `(\w+)` \|/gm)
    for (const each of settings) assert.deepEqual(Object.keys(each as object).sort(), listed)

    const looked = contents.flatMap((each) => (each.type === 'looked-up' ? [whatOf(each)] : []))
    const section = '### `looked-up`'
    assert.deepEqual([...new Set(looked)].sort(), namesIn(section, /`([a-z./-]+)`(?=.* \| .*$)/gm))
  },
)

function whatOf(content: Readonly<Record<string, unknown>>): string {
  return String(content['what'])
}

/** What the rows of the last table behind a heading name in their first column, sorted. */
function namesIn(heading: string, name: RegExp): string[] {
  const section = TEXT.split(`\n${heading}\n`)[1]?.split('\n##')[0] ?? ''
  const table = section.split('|---|').at(-1) ?? ''
  return [...table.matchAll(name)].map(([, found = '']) => found).sort()
}

/** One event of each type that concerns public keys, every list of a refresh filled. */
async function changeKeys(
  { db, writer }: Pick<OpenZone, 'db' | 'writer'>,
  app: string,
  now: Date,
): Promise<void> {
  const make = (kid: string) => ({
    kid,
    publicKey: makeAuthority().keys[0]?.publicKey ?? '',
    validFrom: 0,
  })
  const [added, replaced] = [make('v3'), make('v1')]
  await db.transaction((tx) => setJwksUrl(tx, writer, app, 'https://example.org/', now))
  await db.transaction((tx) => addAuthorityKey(tx, writer, app, make('v2'), now))
  await db.transaction((tx) => revokeAuthorityKey(tx, writer, app, 'v2', now))
  await db.transaction((tx) => reinstateAuthorityKey(tx, writer, app, 'v2', now))
  const change = { added: [added], replaced: [replaced], revoked: ['v2'], reinstated: ['v2'] }
  await db.transaction((tx) => refreshAuthorityKeys(tx, writer, app, () => change, now))
}

/** An operator comes, something is looked up, the operator goes. */
async function lookAndLeave(zone: OpenKeyZone, now: Date): Promise<void> {
  await addOperator(zone, { name: 'ann', role: 'look' }, 'command', now)
  await noteLookUp(zone, 'report', 'ann', now)
  await revokeOperator(zone, 'ann', 'command', now)
}

/** The event of a recovery to an earlier point, every list of it filled. */
async function beginAnew({ db, writer }: OpenZone, now: Date): Promise<void> {
  const [logId, previousLogId, id] = [Buffer.alloc(16, 1), Buffer.alloc(16, 2), Buffer.alloc(16, 3)]
  const rule = { seq: 1, id, apps: ['a'], source: 'publish-v1', regions: ['US'] }
  const times = { acceptedFrom: 1, acceptedBefore: 2 }
  const content: LogRecoveredContent & StandingAtPoint = {
    logId,
    previousLogId,
    untilSeq: 1,
    endSeq: 9,
    standing: [{ ...rule, issuerHandles: [id], ...times }],
  }
  const pairs = (seq: number) => ({
    reports: packSeqs([1]),
    reportWithdrawals: packSeqs([seq]),
    keys: id,
    keyWithdrawals: packSeqs([seq]),
  })
  const amended = [{ reports: packSeqs([1]), reportType: 1, onsetDay: null }]
  const undone: UndoneCorrections = { held: pairs(2), released: pairs(3), amended }
  const event = recoveredEvent(content, [{ retention: 'report', content: undone }])
  await db.transaction((tx) => appendEvents(tx, writer, [event], now))
}

/** One event of each type that corrects reports, every condition and every part among them. */
async function correctAll(zone: CorrectedZone, now: Date): Promise<void> {
  const note = { reason: 'a test', by: 'command' }
  const selection = {
    issuerHandles: ['A'.repeat(22)],
    healthAuthority: 'org.example.health',
    source: 'publish-v1',
    regions: ['US'],
    acceptedFrom: 1,
    acceptedBefore: 2 ** 40,
  }
  const { id } = await withdraw(zone, { selection, scope: 'both', ...note }, now)
  const trackingIds = ['ab'.repeat(16)]
  await withdraw(zone, { selection: { trackingIds }, scope: 'retroactive', ...note }, now)
  await withdraw(zone, { selection: { keys: trackingIds }, scope: 'both', ...note }, now)
  await reinstate(zone, { withdrawal: id, ...note }, now)
  await reinstate(zone, { selection: { keys: trackingIds }, ...note }, now)
  await amend(zone, { selection, reportType: 'likely', onset: '2026-03-07', ...note }, now)
}

type Logged = Pick<OpenZone, 'db' | 'writer'>

async function readEvents({ db }: Pick<Logged, 'db'>): Promise<StoredEvent[]> {
  const { rows } = await db.query<{ record: Uint8Array }>(
    sql`select record from event order by seq`,
  )
  return rows.map(({ record }) => decodeEvent(record))
}

/** Asserts that all of a zone's types were seen, and that each field seen is in the table of its type, and the other way round. */
function assertSpecifiedIn(
  events: readonly StoredEvent[],
  { writer }: Pick<Logged, 'writer'>,
): void {
  const seen = new Map<string, Set<string>>()
  for (const { type, parts } of events) {
    const fields = seen.get(type) ?? new Set()
    seen.set(type, fields)
    for (const [part, { retention, content, detached }] of parts.entries()) {
      assert.ok(sectionOf(type).includes(`\`${retention}\``), `${type}: ${retention}`)
      // What is detached is bytes, and has no fields.
      if (detached === true) continue
      for (const field of fieldsOf(type === 'stats.counted' ? [] : ELSEWHERE, '', content))
        fields.add(`${part}.${field}`)
    }
  }
  // More than one projection may follow a type.
  const named = writer.projections.flatMap((projection) => projection.types)
  const types = new Set(named.filter((type) => !type.startsWith('*')))
  // Only read: nobody writes it any more.
  types.delete(STREAM_ADDED)
  const missing = ['log.started', ...types].filter((type) => !seen.has(type))
  assert.deepEqual(missing, [], 'the test makes one event of each type')
  for (const [type, fields] of seen) {
    const specified = specifiedFields(type)
    const optional = specified.filter((each) => each.optional && !fields.has(each.field))
    const expected = specified.filter((each) => !optional.includes(each)).map((each) => each.field)
    assert.deepEqual([...fields].sort(), expected.sort(), type)
  }
}

/** The fields of the section of a type, behind the number of their part: the first columns of its tables of fields. */
function specifiedFields(type: string): { field: string; optional: boolean }[] {
  return sectionOf(type)
    .split('| field |')
    .flatMap((table, part) =>
      // Behind it there may be other tables.
      [...(table.split('\n\n')[0] ?? '').matchAll(/^\| `([A-Za-z.[\]]+)` \|(.*)$/gm)].map(
        ([, field = '', rest = '']) => ({
          field: `${part - 1}.${field}`,
          optional: rest.includes('optional'),
        }),
      ),
    )
}

function sectionOf(type: string): string {
  const section = TEXT.split(`\n### \`${type}\`\n`)[1]?.split('\n##')[0]
  assert.ok(section !== undefined, `docs/log.md has no section on ${type}`)
  return section
}

/** Maps whose fields the page lists at one place. */
const ELSEWHERE: readonly string[] = ['settings', 'counts']

/** @param whole paths whose own fields don't count */
function fieldsOf(whole: readonly string[], path: string, value: unknown): string[] {
  if (whole.includes(path)) return [path]
  if (Array.isArray(value) && value.some((item) => typeof item === 'object'))
    return value.flatMap((item) => fieldsOf(whole, `${path}[]`, item))
  // An empty list of maps shows none of their fields; some other event of the type has one that isn't empty.
  if (Array.isArray(value) && value.length === 0) return []
  if (
    typeof value !== 'object' ||
    value === null ||
    Array.isArray(value) ||
    value instanceof Uint8Array
  )
    return [path]
  return Object.entries(value).flatMap(([name, each]) =>
    fieldsOf(whole, path === '' ? name : `${path}.${name}`, each),
  )
}

/** Deterministic CBOR of what the example holds. */
function cbor(value: unknown): Buffer {
  if (typeof value === 'number') return head(0, value)
  if (value instanceof Uint8Array) return Buffer.concat([head(2, value.length), value])
  if (typeof value === 'string')
    return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)])
  if (value === false) return Buffer.of(0xf4)
  if (value === null) return Buffer.of(0xf6)
  if (Array.isArray(value)) return Buffer.concat([head(4, value.length), ...value.map(cbor)])
  const entries = Object.entries(value as object).map(
    ([key, each]) => [cbor(key), cbor(each)] as const,
  )
  entries.sort(([a], [b]) => Buffer.compare(a, b))
  return Buffer.concat([head(5, entries.length), ...entries.flat()])
}

function head(major: number, argument: number): Buffer {
  if (argument < 24) return Buffer.of((major << 5) | argument)
  if (argument < 0x100) return Buffer.of((major << 5) | 24, argument)
  if (argument < 0x10000) return Buffer.of((major << 5) | 25, argument >> 8, argument & 0xff)
  const bytes = Buffer.alloc(5)
  bytes.writeUInt8((major << 5) | 26)
  bytes.writeUInt32BE(argument, 1)
  return bytes
}

function sha256(...pieces: Uint8Array[]): Buffer {
  return createHash('sha256').update(Buffer.concat(pieces)).digest()
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
