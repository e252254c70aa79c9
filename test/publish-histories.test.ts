// Test: random histories of uploads, revisions, downtimes and streams: a phone that reads every file knows each key once and in its final state.

import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import * as fc from 'fast-check'
import type { ReportType } from '../src/format/report-type.ts'
import { createPublisher, publishDue } from '../src/publish/publish-due.ts'
import { updateStream, type StreamChanges } from '../src/publish/streams.ts'
import { createDatabase, databaseTestOnce, type TestDatabase } from './database.ts'
import { makeKeys, type TestAuthority, type TestKey } from './key-zone.ts'
import { digestFolder, readIndex, readPublished } from './published-files.ts'
import {
  assertLogIsClean,
  openPublishingZone,
  type PublishingZone,
  type StreamSettings,
} from './publishing-zone.ts'
import { playHistories } from './random-histories.ts'

const HOUR = 3600
const DAY = 24 * HOUR
const TYPES: Readonly<Record<ReportType, number>> = {
  confirmed: 1,
  likely: 2,
  'user-report': 3,
  negative: 5,
}
const REVOKED = TYPES.negative

const STREAMS: Readonly<Record<string, StreamSettings>> = {
  us: {},
  wide: { inputRegions: ['US', 'CA'], period: 4 * HOUR, maximum: 5 },
  narrow: { inputRegions: ['US'], excludedRegions: ['CA'], windowAge: HOUR },
  travelers: { region: 'CA', travelers: 'include', hold: 3 },
  residents: { inputRegions: ['US', 'CA'], travelers: 'exclude', period: 2 * HOUR },
  confirmed: { inputRegions: ['US', 'CA'], reportTypes: [1] },
  // What it takes changes: see the step of this name.
  changing: {},
}

/** What the changing stream takes in turn. */
const CHANGES: readonly StreamChanges[] = [
  { inputRegions: ['US'], reportTypes: [], travelers: 'regional' },
  { inputRegions: ['CA'], reportTypes: [], travelers: 'include' },
  { inputRegions: ['US', 'CA'], reportTypes: [1], travelers: 'regional' },
  { inputRegions: ['US', 'CA'], reportTypes: [2, 3], travelers: 'exclude' },
]

type Step =
  | {
      readonly do: 'upload'
      readonly who: number
      readonly days: number
      readonly today: boolean
      readonly traveler: boolean
      readonly type: ReportType
    }
  | {
      readonly do: 'revise'
      readonly which: number
      readonly who: number
      readonly traveler: boolean
      readonly type: ReportType
    }
  | {
      readonly do: 'wait'
      readonly minutes: number
      readonly publish: boolean
      readonly restart: boolean
    }
  | { readonly do: 'change'; readonly to: number }

const steps = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('upload' as const),
        who: fc.nat(2),
        days: fc.integer({ min: 1, max: 4 }),
        today: fc.boolean(),
        traveler: fc.boolean(),
        type: fc.constantFrom(
          'confirmed' as const,
          'likely' as const,
          'likely' as const,
          'user-report' as const,
        ),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('revise' as const),
        which: fc.nat(20),
        who: fc.nat(2),
        traveler: fc.boolean(),
        type: fc.constantFrom('confirmed' as const, 'negative' as const),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('change' as const),
        to: fc.nat(CHANGES.length - 1),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('wait' as const),
        minutes: fc.constantFrom(7, 20, 61, 130, 400),
        publish: fc.boolean(),
        restart: fc.boolean(),
      }),
    },
  ),
  { minLength: 8, maxLength: 30 },
)

/** One state of a key: what a report said of it. */
interface Said {
  readonly type: number
  readonly regions: readonly string[]
  readonly traveler: boolean
}

/** A key as the uploads have it. */
interface Known {
  readonly first: Said
  revised?: Said
  /** When it may be published, unix seconds. */
  readonly available: number
}

/** The rules of a stream, written down a second time. */
function belongs(settings: StreamSettings, { regions, traveler }: Said): boolean {
  const { inputRegions = [settings.region ?? 'US'], excludedRegions = [], travelers } = settings
  const isIn = regions.some((region) => inputRegions.includes(region))
  if (regions.some((region) => excludedRegions.includes(region))) return false
  if (travelers === 'include') return isIn || traveler
  return isIn && !(travelers === 'exclude' && traveler)
}

const wants = ({ reportTypes = [] }: StreamSettings, type: number) =>
  type !== REVOKED && (reportTypes.length === 0 || reportTypes.includes(type))

/** Plays a history. @returns the keys as they were uploaded, by their bytes in hex */
async function play(
  test: PublishingZone,
  authorities: readonly TestAuthority[],
  history: readonly Step[],
): Promise<Map<string, Known>> {
  const { zone, clock } = test
  const known = new Map<string, Known>()
  const reports: { keys: TestKey[]; token: string | undefined }[] = []
  let publisher = createPublisher(zone.publisher, { mustHold: async () => undefined })
  const hex = (key: TestKey) => Buffer.from(key.key, 'base64').toString('hex')
  const said = (who: number, traveler: boolean, type: ReportType): Said => ({
    type: TYPES[type],
    regions: authorities[who]?.regions ?? [],
    traveler,
  })
  for (const step of history) {
    if (step.do === 'wait') {
      clock.advance(step.minutes * 60)
      if (step.restart)
        publisher = createPublisher(zone.publisher, { mustHold: async () => undefined })
      if (step.publish) await publisher()
      continue
    }
    if (step.do === 'change') {
      const changes = CHANGES[step.to] ?? {}
      await zone.db.transaction((tx) =>
        updateStream(tx, zone.writer, 'changing', () => changes, clock.now()),
      )
      continue
    }
    const authority = authorities[step.who] as TestAuthority
    const options = { authority, reportType: step.type }
    if (step.do === 'upload') {
      const keys = makeKeys(clock.now(), step.days, step.today)
      const reply = await test.send(keys, { ...options, fields: { traveler: step.traveler } })
      assert.equal(reply.status, 200, JSON.stringify(reply.body))
      const now = Math.floor(clock.now().getTime() / 1000 / 900) * 900
      for (const key of keys) {
        const end = (key.rollingStartNumber + key.rollingPeriod) * 600
        const first = said(step.who, step.traveler, step.type)
        known.set(hex(key), {
          first,
          available: end > now ? Math.floor(end / 900) * 900 + 900 : now,
        })
      }
      reports.push({ keys, token: reply.body.revisionToken })
    } else {
      const report = reports.splice(step.which % Math.max(reports.length, 1), 1)[0]
      if (report === undefined) continue
      const fields = { traveler: step.traveler, revisionToken: report.token }
      const reply = await test.send(report.keys, { ...options, fields })
      if (reply.status !== 200) continue
      for (const key of report.keys) {
        const each = known.get(hex(key)) as Known
        const revised = said(step.who, step.traveler, step.type)
        if (revised.type !== each.first.type) each.revised = revised
      }
    }
  }
  clock.advance(2 * DAY)
  await publisher()
  return known
}

/** Reads every file of a stream in order, as a phone does. @returns each key's last type */
async function read(test: PublishingZone, stream: string, known: Map<string, Known>) {
  const phone = new Map<string, number>()
  const revised = new Set<string>()
  for (const path of await readIndex(test.zone.publicFolder, stream)) {
    const file = await readPublished(test.zone.publicFolder, path)
    for (const { key_data, report_type } of file.keys) {
      const key = key_data.toString('hex')
      assert.ok(!phone.has(key), `${path}: ${key} comes twice`)
      assert.notEqual(report_type, REVOKED, `${path}: ${key} is revoked before it was known`)
      const end = file.header['end_timestamp'] as number
      assert.ok((known.get(key)?.available ?? Infinity) < end, `${path}: ${key} comes too early`)
      phone.set(key, report_type)
    }
    for (const { key_data, report_type } of file.revisedKeys) {
      const key = key_data.toString('hex')
      assert.ok(phone.has(key), `${path}: ${key} is revised before it was known`)
      assert.ok(!revised.has(key), `${path}: ${key} is revised twice`)
      assert.notEqual(report_type, phone.get(key), `${path}: ${key} is revised to what it was`)
      revised.add(key)
      phone.set(key, report_type)
    }
  }
  return phone
}

function checkPhone(name: string, phone: Map<string, number>, known: Map<string, Known>): void {
  const settings = STREAMS[name] as StreamSettings
  for (const [key, { first, revised }] of known) {
    const final = revised ?? first
    const type = phone.get(key)
    if (type !== undefined) {
      assert.equal(type, final.type, `${name}: ${key} is not in its final state`)
      if (name === 'changing') continue
      assert.ok(
        belongs(settings, first) || belongs(settings, final),
        `${name}: ${key} is a stranger`,
      )
    } else if (name !== 'changing' && wants(settings, final.type))
      assert.ok(
        !belongs(settings, first) && !belongs(settings, final),
        `${name}: ${key} is missing`,
      )
  }
  for (const key of phone.keys()) assert.ok(known.has(key), `${name}: nobody uploaded ${key}`)
}

async function checkHistory(database: TestDatabase, t: TestContext, history: readonly Step[]) {
  const own = await createDatabase(database.url)
  try {
    await using test = await openPublishingZone(own, t)
    for (const [name, settings] of Object.entries(STREAMS)) await test.addStream(name, settings)
    const authorities = [
      await test.addAuthority('us.example.health', ['US']),
      await test.addAuthority('ca.example.health', ['CA']),
      await test.addAuthority('both.example.health', ['CA', 'US']),
    ]
    const known = await play(test, authorities, history)
    for (const name of Object.keys(STREAMS)) checkPhone(name, await read(test, name, known), known)
    await assertLogIsClean(test)
    // An empty disk is filled again with the same bytes.
    const before = await digestFolder(test.zone.publicFolder)
    await rm(join(test.zone.publicFolder, 'exports'), { recursive: true })
    await publishDue(test.zone.publisher)
    assert.deepEqual(await digestFolder(test.zone.publicFolder), before)
  } finally {
    await own[Symbol.asyncDispose]()
  }
}

databaseTestOnce(
  'whatever happened, every stream tells each of its keys once, in its final state, and can be made again',
  async (database, t) => {
    await playHistories(steps, 8, (history) => checkHistory(database, t, history))
  },
)
