// Test helper: an app of ct-diag-server that uploads; promises to send what such apps do, and nothing of ours but what a test asks for.

import { randomBytes } from 'node:crypto'
import { sql } from '../src/db/sql.ts'
import type { RunningService } from './running-service.ts'

/** A reply to an upload. */
export interface UploadReply {
  readonly status: number
  readonly text: string
  /** The code of a refusal. */
  readonly error: string | null
  readonly trackingId: string
  readonly headers: Headers
}

/** The rolling start number of a day: 0 is today, 1 yesterday. */
export function startOf(now: Date, daysAgo: number): number {
  return (Math.floor(now.getTime() / 86_400_000) - daysAgo) * 144
}

/** One record of 21 bytes. */
export function record(rollingStart: number, risk = 5, key: Uint8Array = randomBytes(16)): Buffer {
  const bytes = Buffer.alloc(21)
  bytes.set(key)
  bytes.writeUInt32BE(rollingStart, 16)
  bytes.writeUInt8(risk, 20)
  return bytes
}

/** One record of 18 bytes. */
export function dayRecord(day: number, key: Uint8Array = randomBytes(16)): Buffer {
  const bytes = Buffer.alloc(18)
  bytes.set(key)
  bytes.writeUInt16BE(day, 16)
  return bytes
}

/** Records of the last days, yesterday's first. */
export function records(now: Date, count: number): Buffer[] {
  return Array.from({ length: count }, (_, index) => record(startOf(now, index + 1)))
}

/** Uploads a body. */
export async function upload(
  service: Pick<RunningService, 'url'>,
  body: Uint8Array | readonly Uint8Array[],
  headers: Readonly<Record<string, string>> = {},
  path = '/diagnosis-keys',
): Promise<UploadReply> {
  const bytes = body instanceof Uint8Array ? body : Buffer.concat(body)
  const sent = { method: 'POST', body: Buffer.from(bytes), headers }
  const reply = await fetch(service.url + path, sent)
  return {
    status: reply.status,
    text: await reply.text(),
    error: reply.headers.get('tocsin-error'),
    trackingId: reply.headers.get('tocsin-tracking-id') ?? '',
    headers: reply.headers,
  }
}

/** What the key zone holds. */
export async function counts({ zones }: RunningService) {
  const { rows } = await zones.key.db.query<{ events: number; reports: number; keys: number }>(
    sql`select (select count(*) from event) as events, (select count(*) from report) as reports,
               (select count(*) from diagnosis_key where not padding) as keys`,
  )
  return rows[0] ?? { events: -1, reports: -1, keys: -1 }
}

/** The stored keys, by their bytes in hex. */
export async function storedKeys({ zones }: RunningService) {
  const { rows } = await zones.key.db.query<{
    key: string
    rolling_start: number
    rolling_period: number
    transmission_risk: number
    report_type: number
    source: string
    app: string
    regions: string
  }>(
    sql`select encode(k.key_data, 'hex') as key, k.rolling_start, k.rolling_period, k.transmission_risk, k.report_type,
               r.source, r.app, array_to_string(r.regions, ',') as regions
        from diagnosis_key k join report r on r.seq = k.seq where not k.padding`,
  )
  return new Map(rows.map(({ key, ...row }) => [key, row]))
}

/** The settings of a service whose health authority is the demo's. */
export function settingsOf(uploads: string): Record<string, string> {
  return {
    TOCSIN_CTDIAG_UPLOADS: uploads,
    TOCSIN_CTDIAG_APP: 'org.example.demo',
    TOCSIN_CTDIAG_REALM: 'demo',
  }
}
