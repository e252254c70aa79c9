// Test helper: random histories of uploads, revisions, withdrawals, reinstatements, amendments and downtimes; promises to know how each key should end.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import * as fc from 'fast-check'
import type { ReportType } from '../src/format/report-type.ts'
import { sql } from '../src/db/sql.ts'
import { appendEvents } from '../src/log/append-event.ts'
import type { NewEvent } from '../src/log/record.ts'
import { createPublisher } from '../src/publish/publish-due.ts'
import {
  amendmentEvent,
  packSeqs,
  reinstatementEvent,
  withdrawalEvent,
  type CorrectionNote,
} from '../src/submit/corrections.ts'
import { makeKeys, type TestAuthority, type TestKey } from './key-zone.ts'
import { REVOKED, type OnPhone, type Phone } from './phone.ts'
import type { PublishingZone, StreamSettings } from './publishing-zone.ts'

export const HOUR = 3600
export const DAY = 24 * HOUR
const TYPES: Readonly<Record<ReportType, number>> = {
  confirmed: 1,
  likely: 2,
  'user-report': 3,
  negative: 5,
}
export const STREAMS: Readonly<Record<string, StreamSettings>> = {
  us: {},
  wide: { inputRegions: ['US', 'CA'], period: 4 * HOUR, maximum: 5 },
  narrow: { inputRegions: ['US'], excludedRegions: ['CA'], windowAge: HOUR },
  travelers: { region: 'CA', travelers: 'include', hold: 3 },
  confirmed: { inputRegions: ['US', 'CA'], reportTypes: [1] },
}

export type Step =
  | {
      readonly do: 'upload'
      readonly who: number
      readonly days: number
      readonly today: boolean
      readonly traveler: boolean
      readonly type: Exclude<ReportType, 'negative'>
    }
  | {
      readonly do: 'revise'
      readonly which: number
      readonly who: number
      readonly type: 'confirmed' | 'negative'
    }
  | { readonly do: 'withdraw'; readonly which: readonly number[] }
  | { readonly do: 'withdraw-key'; readonly which: number }
  | { readonly do: 'withdraw-from-now-on'; readonly who: number }
  | { readonly do: 'reinstate'; readonly which: number; readonly part: boolean }
  | {
      readonly do: 'amend'
      readonly which: number
      readonly type: Exclude<ReportType, 'negative'> | null
      readonly onset: number | null
    }
  | { readonly do: 'read'; readonly phone: number }
  | {
      readonly do: 'wait'
      readonly minutes: number
      readonly publish: boolean
      readonly restart: boolean
    }

const anyType = fc.constantFrom('confirmed' as const, 'likely' as const, 'user-report' as const)

export const steps = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('upload' as const),
        who: fc.nat(2),
        days: fc.integer({ min: 1, max: 4 }),
        today: fc.boolean(),
        traveler: fc.boolean(),
        type: anyType,
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('revise' as const),
        which: fc.nat(20),
        who: fc.nat(2),
        type: fc.constantFrom('confirmed' as const, 'negative' as const),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('withdraw' as const),
        which: fc.array(fc.nat(20), { minLength: 1, maxLength: 3 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant('withdraw-key' as const), which: fc.nat(50) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant('withdraw-from-now-on' as const), who: fc.nat(2) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('reinstate' as const),
        which: fc.nat(20),
        part: fc.boolean(),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('amend' as const),
        which: fc.nat(20),
        type: fc.option(anyType),
        // Days before today: those beyond 14 leave keys out.
        onset: fc.option(fc.integer({ min: 0, max: 16 })),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant('read' as const), phone: fc.nat(1) }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('wait' as const),
        minutes: fc.constantFrom(7, 20, 61, 130, 400),
        publish: fc.boolean(),
        restart: fc.boolean(),
      }),
    },
  ),
  { minLength: 12, maxLength: 40 },
)

/** A report, as the history has it. */
export interface Reported {
  readonly seq: number
  readonly type: number
  readonly regions: readonly string[]
  readonly traveler: boolean
  /** Withdrawals that hold it, by their numbers. */
  readonly held: Set<number>
  amendedType?: number | null
  onsetDay?: number | null
}

export interface Known {
  readonly key: string
  /** Day on which it starts. */
  readonly day: number
  readonly days: number
  readonly first: Reported
  readonly held: Set<number>
  revised?: Reported
}

interface Withdrawn {
  readonly seq: number
  readonly reports: Reported[]
  readonly keys: Known[]
  readonly standing: boolean
}

const note = (): CorrectionNote => ({
  id: randomBytes(16),
  by: 'test',
  reason: 'test',
  scope: null,
  reports: 0,
  keys: 0,
  published: 0,
  padding: 0,
})

/** Plays a history. @returns the keys as they should end */
export async function play(
  test: PublishingZone,
  authorities: readonly TestAuthority[],
  phones: readonly Phone[][],
  history: readonly Step[],
): Promise<Known[]> {
  const { zone, clock } = test
  const known: Known[] = []
  const reports: Reported[] = []
  const open: { keys: TestKey[]; known: Known[]; token: string | undefined }[] = []
  const withdrawals: Withdrawn[] = []
  const standing = new Map<number, Withdrawn>()
  const newPublisher = () => createPublisher(zone.publisher, { mustHold: async () => undefined })
  let publisher = newPublisher()
  const today = () => Math.floor(clock.now().getTime() / 86_400_000)
  const append = async (event: NewEvent) => {
    const [stored] = await zone.db.transaction((tx) =>
      appendEvents(tx, zone.writer, [event], clock.now()),
    )
    return stored?.seq ?? 0
  }
  const lastReport = async (who: number, traveler: boolean, type: number): Promise<Reported> => {
    const { rows } = await zone.db.query<{ seq: number }>(
      sql`select max(seq) as seq from event where type = 'report'`,
    )
    const { app = '', regions = [] } = authorities[who] ?? {}
    const report = { seq: rows[0]?.seq ?? 0, type, regions, traveler, held: new Set<number>() }
    const rule = standing.get(who)
    if (rule !== undefined) {
      report.held.add(rule.seq)
      rule.reports.push(report)
    }
    assert.ok(app)
    reports.push(report)
    return report
  }
  const pick = <Item>(items: readonly Item[], which: number) => items[which % items.length]
  for (const step of history) {
    switch (step.do) {
      case 'wait':
        clock.advance(step.minutes * 60)
        if (step.restart) publisher = newPublisher()
        if (step.publish) await publisher()
        break
      case 'read':
        for (const each of phones) await each[step.phone]?.read(zone.publicFolder)
        break
      case 'upload': {
        const keys = makeKeys(clock.now(), step.days, step.today)
        const authority = authorities[step.who] as TestAuthority
        const reply = await test.send(keys, {
          authority,
          reportType: step.type,
          fields: { traveler: step.traveler },
        })
        assert.equal(reply.status, 200, JSON.stringify(reply.body))
        const first = await lastReport(step.who, step.traveler, TYPES[step.type])
        const { rows } = await zone.db.query<{ key: string; days: number }>(
          sql`select encode(key_data, 'hex') as key, days_since_onset as days from diagnosis_key where seq = ${first.seq}`,
        )
        const days = new Map(rows.map((row) => [row.key, row.days]))
        const mine = keys.map((key): Known => {
          const name = Buffer.from(key.key, 'base64').toString('hex')
          const day = Math.floor(key.rollingStartNumber / 144)
          return { key: name, day, days: days.get(name) ?? NaN, first, held: new Set() }
        })
        known.push(...mine)
        open.push({ keys, known: mine, token: reply.body.revisionToken })
        break
      }
      case 'revise': {
        const report = open.splice(step.which % Math.max(open.length, 1), 1)[0]
        if (report === undefined) break
        const authority = authorities[step.who] as TestAuthority
        const reply = await test.send(report.keys, {
          authority,
          reportType: step.type,
          fields: { revisionToken: report.token },
        })
        // Whoever's report was withdrawn gets the reply that anybody gets.
        if (reply.status !== 200) break
        const revised = await lastReport(step.who, false, TYPES[step.type])
        for (const each of report.known)
          if (each.first.type !== revised.type) each.revised = revised
        break
      }
      case 'withdraw': {
        const chosen = [...new Set(step.which.flatMap((which) => pick(reports, which) ?? []))]
        if (chosen.length === 0) break
        const content = {
          id: randomBytes(16),
          selection: {},
          reports: packSeqs(chosen.map(({ seq }) => seq).sort((a, b) => a - b)),
          padding: new Uint8Array(),
          keys: new Uint8Array(),
        }
        const seq = await append(withdrawalEvent(content, note()))
        for (const each of chosen) each.held.add(seq)
        withdrawals.push({ seq, reports: chosen, keys: [], standing: false })
        break
      }
      case 'withdraw-key': {
        const chosen = pick(known, step.which)
        if (chosen === undefined) break
        const none = new Uint8Array()
        const keys = Buffer.from(chosen.key, 'hex')
        const content = { id: randomBytes(16), selection: {}, reports: none, padding: none, keys }
        const seq = await append(withdrawalEvent(content, note()))
        chosen.held.add(seq)
        withdrawals.push({ seq, reports: [], keys: [chosen], standing: false })
        break
      }
      case 'withdraw-from-now-on': {
        if (standing.has(step.who)) break
        const none = new Uint8Array()
        const content = {
          id: randomBytes(16),
          selection: {},
          reports: none,
          padding: none,
          keys: none,
        }
        const app = authorities[step.who]?.app ?? ''
        const seq = await append(withdrawalEvent(content, note(), { apps: [app] }))
        const rule: Withdrawn = { seq, reports: [], keys: [], standing: true }
        standing.set(step.who, rule)
        withdrawals.push(rule)
        break
      }
      case 'reinstate': {
        const withdrawal = pick(withdrawals, step.which)
        if (withdrawal === undefined) break
        const { seq, reports: all, keys } = withdrawal
        const held = all.filter((each) => each.held.has(seq))
        const back = step.part ? held.slice(0, 1) : held
        const keysBack = step.part ? [] : keys.filter((each) => each.held.has(seq))
        const content = {
          id: randomBytes(16),
          selection: {},
          reports: packSeqs(back.map((each) => each.seq)),
          reportWithdrawals: packSeqs(back.map(() => seq)),
          keys: Buffer.concat(keysBack.map(({ key }) => Buffer.from(key, 'hex'))),
          keyWithdrawals: packSeqs(keysBack.map(() => seq)),
        }
        const ends = withdrawal.standing && !step.part ? [seq] : []
        await append(reinstatementEvent(content, note(), ends))
        for (const each of [...back, ...keysBack]) each.held.delete(seq)
        if (ends.length > 0)
          for (const [who, rule] of standing) if (rule === withdrawal) standing.delete(who)
        break
      }
      case 'amend': {
        const report = pick(reports, step.which)
        if (report === undefined) break
        const onsetDay = step.onset === null ? null : today() - step.onset
        const content = {
          id: randomBytes(16),
          selection: {},
          reports: packSeqs([report.seq]),
          reportType: step.type,
          onsetDay,
        }
        await append(amendmentEvent(content, note()))
        report.amendedType = step.type === null ? null : TYPES[step.type]
        report.onsetDay = onsetDay
      }
    }
  }
  return known
}

/** What of a key is to be told in the end: its type and days; undefined when nothing, or that it is revoked. */
export function finalOf({
  first,
  revised,
  held,
  day,
  days,
}: Known): Omit<OnPhone, 'risk'> | undefined {
  if (held.size > 0 || first.held.size > 0) return undefined
  const said = revised !== undefined && revised.held.size === 0 ? revised : first
  const told = (said.onsetDay ?? null) === null ? days : day - Number(said.onsetDay)
  const type = said.amendedType ?? said.type
  return Math.abs(told) > 14 || said.type === REVOKED ? undefined : { type, days: told }
}

export function belongs(settings: StreamSettings, { regions, traveler }: Reported): boolean {
  const { inputRegions = [settings.region ?? 'US'], excludedRegions = [], travelers } = settings
  const isIn = regions.some((region) => inputRegions.includes(region))
  if (regions.some((region) => excludedRegions.includes(region))) return false
  return travelers === 'include' ? isIn || traveler : isIn
}
