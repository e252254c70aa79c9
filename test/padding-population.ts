// Test helper: people who upload: apps, regions, habits and times that hang together, as real reports do.

import type { NewEvent } from '../src/log/record.ts'
import type { ReportType } from '../src/format/report-type.ts'
import { appendEvents, type LogWriter } from '../src/log/append-event.ts'
import type { Database } from '../src/db/database.ts'
import { FLAG_EMBARGOED, packColumns, type PackedKey } from '../src/submit/key-columns.ts'
import { reportEvent } from '../src/submit/report.ts'
import type { RandomSource } from '../src/publish/padding-random.ts'

/** An app with its users. */
interface App {
  readonly name: string
  readonly weight: number
  readonly regions: readonly string[]
  /** What it does with today's key. */
  readonly todaysKey: 'none' | 'whole' | 'ended'
  readonly days: number
  risk(daysSinceOnset: number, age: number, type: ReportType): number
}

const BY_TYPE: Record<ReportType, number> = {
  confirmed: 2,
  likely: 4,
  'user-report': 3,
  negative: 6,
}

const APPS: readonly App[] = [
  {
    name: 'org.example.whole',
    weight: 42,
    regions: ['US'],
    todaysKey: 'whole',
    days: 14,
    risk: (_, __, type) => BY_TYPE[type],
  },
  {
    name: 'org.example.ended',
    weight: 33,
    regions: ['US'],
    todaysKey: 'ended',
    days: 13,
    risk: (onset) => Math.max(1, 8 - Math.abs(onset)),
  },
  {
    name: 'org.example.north',
    weight: 13,
    regions: ['CA'],
    todaysKey: 'none',
    days: 10,
    risk: (_, age) => (age > 7 ? 1 : 5),
  },
  {
    name: 'org.example.south',
    weight: 9,
    regions: ['MX'],
    todaysKey: 'ended',
    days: 14,
    risk: (_, __, type) => BY_TYPE[type],
  },
  {
    name: 'org.example.border',
    weight: 3,
    regions: ['CA', 'MX'],
    todaysKey: 'whole',
    days: 7,
    risk: () => 6,
  },
]

// Weights by days from the onset to the upload.
const DELAYS: Record<string, readonly number[]> = {
  confirmed: [1, 3, 8, 14, 17, 15, 11, 8, 6, 4, 3, 2, 2, 1, 1],
  likely: [2, 8, 14, 12, 8, 5, 3, 2, 1, 1, 1],
  'user-report': [12, 14, 8, 4, 2, 1],
}

/**
 * Reports of an hour, by day and by night: from several time zones. How much of a file is padding follows from how few reports its
 * hours bring, which anybody can guess; what is asked here is what else there is to see.
 */
const REPORTS_AN_HOUR = 10

/** Stores what is uploaded in an hour. @param start of the hour, unix seconds */
export async function uploadHour(
  { db, writer }: { readonly db: Database; readonly writer: LogWriter },
  start: number,
  random: RandomSource,
): Promise<void> {
  const times = poisson(REPORTS_AN_HOUR, random)
  const byGrain = new Map<number, NewEvent[]>()
  for (let n = 0; n < times; n++) {
    const time = start + Math.floor(random.number() * 3600)
    const grain = Math.floor(time / writer.timeGrain) * writer.timeGrain
    const events = byGrain.get(grain) ?? []
    events.push(makeReport(time, writer.timeGrain, random))
    byGrain.set(grain, events)
  }
  await db.transaction(async (tx) => {
    for (const [grain, events] of [...byGrain].sort(([a], [b]) => a - b))
      await appendEvents(tx, writer, events, new Date(grain * 1000))
  })
}

function makeReport(time: number, timeGrain: number, random: RandomSource): NewEvent {
  const app = APPS[
    weighted(
      APPS.map(({ weight }) => weight),
      random,
    )
  ] as App
  const types = ['confirmed', 'likely', 'user-report'] as const
  const reportType = types[weighted([75, 15, 10], random)] ?? 'confirmed'
  const today = Math.floor(time / 86_400)
  const now = Math.floor(time / 600)
  const onsetAge = weighted(DELAYS[reportType] ?? [1], random)
  const days = random.number() < 0.7 ? app.days : 1 + Math.floor(random.number() * app.days)
  const keys: PackedKey[] = []
  const add = (age: number, offset: number, end: number) => {
    const daysSinceOnset = onsetAge - age
    if (end <= offset || Math.abs(daysSinceOnset) > 14) return
    const rollingStart = (today - age) * 144 + offset
    keys.push({
      keyData: random.bytes(16),
      rollingStart,
      rollingPeriod: end - offset,
      transmissionRisk: app.risk(daysSinceOnset, age, reportType),
      daysSinceOnset,
      flags: rollingStart + end - offset > now ? FLAG_EMBARGOED : 0,
    })
  }
  for (let age = days; age >= 1; age--) {
    // A phone was set up anew: two keys on one day.
    const cut = random.number() < 0.02 ? 1 + Math.floor(random.number() * 143) : 144
    add(age, 0, cut)
    add(age, cut, 144)
  }
  if (app.todaysKey === 'whole') add(0, 0, 144)
  if (app.todaysKey === 'ended') add(0, 0, now - today * 144)
  return reportEvent(
    {
      source: 'publish-v1',
      trackingId: random.bytes(16),
      fingerprint: random.bytes(16),
      app: app.name,
      healthAuthority: 'https://health.example/',
      regions: app.regions,
      reportType,
      onset: { interval: (today - onsetAge) * 144, source: 'request' },
      traveler: random.number() < 0.04,
      issuerHandle: null,
      timeGrain,
      keys: packColumns(keys.toSorted((a, b) => Buffer.compare(a.keyData, b.keyData))),
      outcomes: new Uint8Array(keys.length),
    },
    'unknown',
  )
}

function weighted(weights: readonly number[], random: RandomSource): number {
  let left = random.number() * weights.reduce((sum, weight) => sum + weight, 0)
  return Math.max(
    0,
    weights.findIndex((weight) => (left -= weight) < 0),
  )
}

function poisson(mean: number, random: RandomSource): number {
  let count = -1
  for (let product = 1; product > Math.exp(-mean); count++) product *= random.number()
  return count
}
