// Test helper: a key zone in which things are uploaded, corrected and erased; promises that after each erasing the log's check finds nothing wrong.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { TestContext } from 'node:test'
import type { Transaction } from '../src/db/database.ts'
import { sql } from '../src/db/sql.ts'
import { appendEvents } from '../src/log/append-event.ts'
import { decodeEvent, type NewEvent, type StoredEvent } from '../src/log/record.ts'
import {
  amendmentEvent,
  packSeqs,
  reinstatementEvent,
  withdrawalEvent,
  type CorrectionNote,
} from '../src/submit/corrections.ts'
import { eraseDue, type KeyZoneKind } from '../src/submit/retention.ts'
import { dumpZone } from './authority-zone.ts'
import { databaseTestOnce, type TestDatabase } from './database.ts'
import type { makeRequest, TestKey } from './key-zone.ts'
import { makeKeys } from './key-zone.ts'
import { assertLogIsClean, openPublishingZone, type PublishingZone } from './publishing-zone.ts'
import { openKeyZone } from './open-key-zone.ts'

export const HOUR = 3_600
export const DAY = 86_400

/** A report as the tests keep it. */
export interface SentReport {
  readonly seq: number
  /** Whatever of it must be gone in the end: its keys, its names, its handle. */
  readonly secrets: readonly Uint8Array[]
  readonly keys: readonly TestKey[]
  readonly revisionToken: string
}

/** The zone, and what is done to it. */
export interface KeyRetentionZone extends PublishingZone {
  /** The same data through connections of its own. */
  readonly other: PublishingZone['zone']
  /** Sends a report with an issuer handle, which must be accepted. */
  report(
    options?: Parameters<typeof makeRequest>[3],
    keys?: readonly TestKey[],
  ): Promise<SentReport>
  append(...events: readonly NewEvent[]): Promise<number[]>
  /** Marks reports, and a key that nobody uploaded. @returns the event's number */
  withdraw(reports: readonly SentReport[], key?: Uint8Array): Promise<number>
  reinstate(reports: readonly SentReport[], withdrawal: number): Promise<number>
  amend(reports: readonly SentReport[]): Promise<number>
  /** Erases what is due, and checks the log. */
  erase(): Promise<Readonly<Record<KeyZoneKind, number>>>
  check(): Promise<void>
  /** Every row of every table. */
  dump(): Promise<string>
  events(): Promise<StoredEvent[]>
  /** How many rows a table has. */
  count(table: string): Promise<number>
}

type Body = (zone: KeyRetentionZone, database: TestDatabase, t: TestContext) => Promise<void>

/** A test in such a zone, which begins at 2026-03-10 08:07:30 UTC. */
export function keyRetentionTest(name: string, body: Body): void {
  databaseTestOnce(name, async (database, t) => {
    await using town = await openPublishingZone(database, t)
    town.clock.set('2026-03-10T08:07:30Z')
    await using other = await openKeyZone(database.url, town.folder, town.clock.now)
    const zone = actionsIn(town, other)
    await body(zone, database, t)
    await zone.check()
  })
}

function actionsIn(town: PublishingZone, other: PublishingZone['zone']): KeyRetentionZone {
  const { zone, clock } = town
  const { db, writer } = zone
  const append = async (...events: readonly NewEvent[]) => {
    const stored = await db.transaction((tx: Transaction) =>
      appendEvents(tx, writer, events, clock.now()),
    )
    return stored.map(({ seq }) => seq)
  }
  const appendOne = async (event: NewEvent) => (await append(event))[0] ?? -1
  const check = () => assertLogIsClean(town)
  return {
    ...town,
    other,
    append,
    check,
    async report(options = {}, keys = makeKeys(clock.now(), 3)) {
      const handle = randomBytes(16)
      const { body } = await town
        .send(keys, {
          ...options,
          claims: { issuerHandle: handle.toString('base64url'), ...options.claims },
        })
        .then((reply) => (assert.equal(reply.status, 200, JSON.stringify(reply.body)), reply))
      const { rows } = await db.query<
        Record<'tracking_id' | 'fingerprint', Buffer> & { seq: number }
      >(sql`select seq, tracking_id, fingerprint from report where issuer_handle = ${handle}`)
      const row = rows[0]
      assert.ok(row !== undefined)
      return {
        seq: row.seq,
        keys,
        revisionToken: body.revisionToken ?? '',
        secrets: [
          handle,
          row.tracking_id,
          row.fingerprint,
          ...keys.map(({ key }) => Buffer.from(key, 'base64')),
        ],
      }
    },
    withdraw: (reports, key) =>
      appendOne(
        withdrawalEvent(
          {
            id: randomBytes(16),
            selection: {},
            reports: packSeqs(reports.map(({ seq }) => seq)),
            padding: new Uint8Array(),
            keys: key ?? new Uint8Array(),
          },
          newNote(),
        ),
      ),
    reinstate: (reports, withdrawal) =>
      appendOne(
        reinstatementEvent(
          {
            id: randomBytes(16),
            selection: {},
            reports: packSeqs(reports.map(({ seq }) => seq)),
            reportWithdrawals: packSeqs(reports.map(() => withdrawal)),
            keys: new Uint8Array(),
            keyWithdrawals: new Uint8Array(),
          },
          newNote(),
          [],
        ),
      ),
    amend: (reports) =>
      appendOne(
        amendmentEvent(
          {
            id: randomBytes(16),
            selection: {},
            reports: packSeqs(reports.map(({ seq }) => seq)),
            reportType: 'likely',
            onsetDay: null,
          },
          newNote(),
        ),
      ),
    async erase() {
      const { erased, failures } = await eraseDue(zone, clock.now())
      assert.deepEqual([...failures], [])
      await check()
      return erased
    },
    dump: () => dumpZone(zone),
    async events() {
      const { rows } = await db.query<{ record: Uint8Array }>(
        sql`select record from event order by seq`,
      )
      return rows.map(({ record }) => decodeEvent(record))
    },
    async count(table) {
      const text = `select count(*) as n from ${table}`
      return (await db.query<{ n: number }>({ text, values: [] })).rows[0]?.n ?? -1
    },
  }
}

function newNote(): CorrectionNote {
  return {
    id: randomBytes(16),
    by: 'command',
    reason: 'the laboratory mixed up its samples',
    scope: null,
    reports: 1,
    keys: 3,
    published: 0,
    padding: 0,
  }
}

/** How many of some bytes a dump shows, in a column of their own or inside a record. */
export function shown(dump: string, secrets: readonly Uint8Array[]): number {
  return secrets.filter((bytes) => dump.includes(Buffer.from(bytes).toString('hex'))).length
}
