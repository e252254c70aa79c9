// Test helper: what tests of corrections share: reports with tracking ids, and what the marks say of them.

import assert from 'node:assert/strict'
import type { Queryable } from '../src/db/database.ts'
import { sql } from '../src/db/sql.ts'
import type { CorrectionResult } from '../src/correct/corrections-list.ts'
import { withdraw, type WithdrawalRequest } from '../src/correct/withdraw.ts'
import { makeKeys, type TestAuthority, type TestKey } from './key-zone.ts'
import type { PublishingZone } from './publishing-zone.ts'
import type { makeRequest } from './key-zone.ts'

/** A report that was accepted. */
export interface SentReport {
  readonly seq: number
  /** Hex. */
  readonly trackingId: string
  /** Hex. */
  readonly keys: readonly string[]
  readonly revisionToken: string
}

/** Sends a report, which must be accepted. */
export async function send(
  town: PublishingZone,
  {
    keys = makeKeys(town.clock.now(), 3),
    handle,
    ...options
  }: {
    readonly keys?: readonly TestKey[]
    readonly authority?: TestAuthority
    /** base64url. */
    readonly handle?: string
  } & NonNullable<Parameters<typeof makeRequest>[3]> = {},
): Promise<SentReport> {
  const claims = { ...options.claims, ...(handle === undefined ? {} : { issuerHandle: handle }) }
  const reply = await town.send(keys, { ...options, claims })
  assert.equal(reply.status, 200, JSON.stringify(reply.body))
  const { rows } = await town.zone.db.query<{ seq: number; tracking_id: Uint8Array }>(
    sql`select seq, tracking_id from report where source is not null order by seq desc limit 1`,
  )
  return {
    seq: rows[0]?.seq ?? -1,
    trackingId: Buffer.from(rows[0]?.tracking_id ?? []).toString('hex'),
    keys: keys.map(({ key }) => Buffer.from(key, 'base64').toString('hex')),
    revisionToken: String((reply.body as { revisionToken?: unknown }).revisionToken),
  }
}

/** The reports that are withdrawn, padding among them, ascending. */
export async function heldReports(db: Queryable): Promise<number[]> {
  const { rows } = await db.query<{ report: number }>(
    sql`select report from report_mark group by report having sum(change) > 0 order by report`,
  )
  return rows.map(({ report }) => report)
}

/** The single keys that are withdrawn, hex, sorted. */
export async function heldKeys(db: Queryable): Promise<string[]> {
  const { rows } = await db.query<{ key: string }>(
    sql`select encode(key_data, 'hex') as key from key_mark group by key_data having sum(change) > 0 order by 1`,
  )
  return rows.map(({ key }) => key)
}

/** Withdraws as an operator does. */
export function withdrawNow(
  { zone, clock }: PublishingZone,
  request: Pick<WithdrawalRequest, 'selection'> & Partial<WithdrawalRequest>,
): Promise<CorrectionResult> {
  const usual = { scope: 'retroactive', reason: 'a test', by: 'command' } as const
  return withdraw(zone, { ...usual, ...request }, clock.now())
}
