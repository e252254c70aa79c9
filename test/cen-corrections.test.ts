// Test: reports of contact event numbers are withdrawn, looked up, erased and recovered like reports of keys; promises that numbers which are withdrawn never come back by themselves.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { amend, previewAmendment } from '../src/correct/amend.ts'
import { reinstate } from '../src/correct/reinstate.ts'
import { readReportLife } from '../src/correct/report-life.ts'
import type { Selection } from '../src/correct/selection.ts'
import { previewWithdrawal, withdraw } from '../src/correct/withdraw.ts'
import { sql } from '../src/db/sql.ts'
import { archiveThrough } from '../src/log/archiver.ts'
import { readEventRows } from '../src/log/read-events.ts'
import { decodeEvent } from '../src/log/record.ts'
import { verifyLog } from '../src/log/verify-log.ts'
import { digestTables, differingTables } from '../src/recover/compare-tables.ts'
import type { CenName } from '../src/submit/cen.ts'
import { CEN_REPORT } from '../src/submit/cen-report.ts'
import { publishDue } from '../src/publish/publish-due.ts'
import { CEN_STREAM_DEFAULTS } from '../src/publish/cen-settings.ts'
import { eraseDue } from '../src/submit/retention.ts'
import { archiveOf } from './archiving-zone.ts'
import { cenApi, certifyAs, makeCens } from './cen-phone.ts'
import { storeNumbers } from './cen-zone.ts'
import { heldReports } from './correcting-zone.ts'
import { databaseTest, databaseTestOnce, type TestDatabase } from './database.ts'
import type { TestAuthority } from './key-zone.ts'
import { openPublishingZone } from './publishing-zone.ts'
import { openSubmittingZone, type SubmittingZone } from './submitting-zone.ts'
import { openEmpty, recoverFrom, recoverUntilFrom } from './recovered-zone.ts'
import type { TestContext } from 'node:test'

const DAY = 86_400
const BY = { reason: 'a test', by: 'command' } as const

/** A zone, and an upload of numbers that must be accepted. */
async function open(database: TestDatabase, t: TestContext) {
  const town = await openSubmittingZone(database, t)
  const { zone, clock } = town
  const upload = async (
    count: number,
    options: { authority?: TestAuthority; handle?: string; api?: CenName; cell?: string } = {},
  ) => {
    const { authority = town.authority, handle, api = 'cens-v1', cell = '' } = options
    const cens = makeCens(count)
    const given = { app: authority.app, cell, cap: '1000' }
    const claims = handle === undefined ? {} : { issuerHandle: handle }
    const list = Array.from({ length: count }, (_, index) => ({
      uuid: cens.toString('hex', index * 16, index * 16 + 16),
      created_at: '2026-03-01',
    }))
    const body = api === 'cens-v1' ? cens : Buffer.from(JSON.stringify({ cens: list }))
    const proof = await certifyAs(authority, cens, clock.now(), claims)
    const reply = await cenApi(api).handle(zone.submit, body, '', { ...proof, ...given })
    assert.equal(reply.status, 200, JSON.stringify(reply.body))
    const { rows } = await zone.db.query<{ seq: number }>(
      sql`select seq from report where tracking_id = ${Buffer.from(reply.trackingId, 'hex')}`,
    )
    return { seq: rows[0]?.seq ?? -1, trackingId: reply.trackingId, cens }
  }
  return { ...town, upload, [Symbol.asyncDispose]: () => town[Symbol.asyncDispose]() }
}

databaseTest(
  'reports of numbers are withdrawn and reinstated by whatever selects reports of keys',
  async (database, t) => {
    await using town = await open(database, t)
    const { zone, clock, upload } = town
    const handle = randomBytes(16).toString('base64url')
    const first = await upload(30, { handle })
    const second = await upload(12, { api: 'covidwatch-successor', cell: 'u09' })
    assert.equal((await town.submit(await town.body())).status, 200)
    const now = Math.floor(clock.now().getTime() / 1000)
    const cases: [Selection, number, number][] = [
      [{ trackingIds: [first.trackingId] }, 1, 30],
      [{ issuerHandles: [handle] }, 1, 30],
      [{ source: 'covidwatch-successor' }, 1, 12],
      [{ healthAuthority: town.authority.app }, 3, 45],
      [{ regions: ['US'], acceptedFrom: now - 3_600, acceptedBefore: now + 3_600 }, 3, 45],
    ]
    for (const [selection, reports, keys] of cases) {
      const preview = await previewWithdrawal(zone, selection, 'both').catch(() =>
        previewWithdrawal(zone, selection, 'retroactive'),
      )
      assert.deepEqual([preview.reports, preview.keys], [reports, keys], JSON.stringify(selection))
    }
    const withdrawn = await withdraw(
      zone,
      { ...BY, selection: { source: 'cens-v1' }, scope: 'both' },
      clock.now(),
    )
    assert.deepEqual([withdrawn.reports, withdrawn.keys], [1, 30])
    // The rule holds what comes later, by this API alone.
    const later = await upload(5)
    const other = await upload(5, { api: 'covidwatch-successor' })
    assert.deepEqual(await heldReports(zone.db), [first.seq, later.seq])

    const life = await readReportLife(zone.db, first.trackingId, true, now)
    assert.deepEqual(
      [life.source, life.withdrawn, life.outcomes, life.keys, life.reportType, life.padding],
      ['cens-v1', true, { accepted: 30 }, [], 'confirmed', false],
    )
    assert.deepEqual(
      (await readReportLife(zone.db, later.trackingId, false, now)).corrections.map(
        ({ kind, fromNowOn }) => [kind, fromNowOn],
      ),
      [['withdrawal', true]],
    )
    const back = await reinstate(zone, { ...BY, withdrawal: withdrawn.id }, clock.now())
    assert.deepEqual([back.reports, back.keys], [2, 35])
    assert.deepEqual(await heldReports(zone.db), [])
    await upload(5)
    assert.deepEqual(await heldReports(zone.db), [])

    // Neither type nor onset of numbers is told to anybody: there is nothing to amend.
    const amended = await previewAmendment(
      zone,
      { healthAuthority: town.authority.app },
      { reportType: 'likely' },
    )
    assert.deepEqual([amended.reports, amended.keys], [1, 3])
    const none = { trackingIds: [second.trackingId, other.trackingId] }
    assert.equal((await previewAmendment(zone, none, { reportType: 'likely' })).reports, 0)
    await amend(zone, { ...BY, selection: none, reportType: 'likely' }, clock.now())
    assert.deepEqual(await town.problems(), [])
  },
)

databaseTestOnce(
  'a report of numbers is kept as long as they are, and so is its withdrawal; then nothing of it is left',
  async (database, t) => {
    await using town = await open(database, t)
    const { zone, clock, upload } = town
    const report = await upload(100)
    const held = await upload(100)
    assert.equal((await town.submit(await town.body())).status, 200)
    await withdraw(
      zone,
      { ...BY, selection: { trackingIds: [held.trackingId] }, scope: 'retroactive' },
      clock.now(),
    )
    const erase = async () => {
      const { failures } = await eraseDue(zone, clock.now())
      assert.deepEqual([...failures], [])
      assert.deepEqual(await town.problems(), [])
    }
    clock.advance(18.1 * DAY)
    await erase()
    const { reports, keys } = await town.counts()
    assert.deepEqual([reports, keys], [2, 0], 'only the keys’ time is over')
    assert.deepEqual(await numbersIn(town), [report.cens.length, held.cens.length])
    assert.deepEqual(await heldReports(zone.db), [held.seq])

    clock.advance(4 * DAY)
    await erase()
    assert.deepEqual(await numbersIn(town), [undefined, undefined])
    const { rows } = await zone.db.query(
      sql`select (select count(*) from report) as reports, (select count(*) from cen_report) as cens, (select count(*) from report_mark) as marks`,
    )
    assert.deepEqual(rows, [{ reports: 0, cens: 0, marks: 0 }])
    const secrets = [report, held].map(({ trackingId }) => Buffer.from(trackingId, 'hex'))
    for await (const page of readEventRows(zone.db, 0))
      for (const { record } of page)
        for (const secret of secrets) assert.equal(Buffer.from(record).includes(secret), false)
  },
)

databaseTestOnce(
  'an empty machine reaches the same reports of numbers from the archive alone',
  async (database, t) => {
    await using town = await open(database, t)
    const { zone, clock, folder, upload } = town
    const sent = [
      await upload(300, { cell: 'u0' }),
      await upload(20, { api: 'covidwatch-successor' }),
      await upload(9_072),
    ]
    assert.equal((await town.submit(await town.body())).status, 200)
    await withdraw(zone, { ...BY, selection: { source: 'cens-v1' }, scope: 'both' }, clock.now())
    sent.push(await upload(7))
    const archive = await archiveOf(zone, 'key', folder, clock.now)
    await archiveThrough(archive.context, Infinity)
    await using empty = await openEmpty(database, folder)
    await recoverFrom(empty.key, archive.folder, 'key', archive.identity)
    const [was, is] = [await digestTables(zone.db), await digestTables(empty.key.db)]
    assert.deepEqual(differingTables(was, is), [])
    assert.deepEqual(
      await numbersIn({ zone: empty.key }),
      sent.map(({ cens }) => cens.length),
    )
    assert.deepEqual(
      await heldReports(empty.key.db),
      [0, 2, 3].map((index) => sent[index]?.seq),
    )
  },
)

databaseTest(
  'a preview tells which streams of numbers published a report, by its level of trust, and no padding goes along',
  async (database, t) => {
    await using town = await openPublishingZone(database, t)
    const { zone, clock } = town
    const cen = { kind: 'cen', ...CEN_STREAM_DEFAULTS }
    await town.addStream('usual', cen)
    await town.addStream('clinics', { ...cen, settings: { trust: ['located'] } })
    await town.addStream('keys')
    const [verified] = await storeNumbers(town, 1, 30)
    const [located] = await storeNumbers(town, 1, 7, { trust: 'located' })
    await town.upload()
    clock.advance(7_200)
    await publishDue(zone.publisher)
    const [later] = await storeNumbers(town, 1, 5)
    const idOf = async (seq = -1) => {
      const { rows } = await zone.db.query<{ tracking_id: Uint8Array }>(
        sql`select tracking_id from report where seq = ${seq}`,
      )
      return Buffer.from(rows[0]?.tracking_id ?? []).toString('hex')
    }
    const preview = async (seq?: number) => {
      const selection = { trackingIds: [await idOf(seq)] }
      const shown = await previewWithdrawal(zone, selection, 'retroactive')
      assert.deepEqual([shown.padding, shown.warnings], [0, []])
      return [shown.keys, shown.publishedKeys, shown.published.map(({ stream }) => stream)]
    }
    assert.deepEqual(await preview(verified?.seq), [30, 30, ['usual']])
    assert.deepEqual(await preview(located?.seq), [7, 7, ['clinics']])
    assert.deepEqual(await preview(later?.seq), [5, 0, []])
    const all = await previewWithdrawal(zone, { regions: ['US'] }, 'retroactive')
    assert.deepEqual([all.reports, all.keys], [4, 45])
    assert.deepEqual(
      all.published.map(({ stream, keys, others }) => [stream, keys, others]),
      [
        ['keys', 3, undefined],
        ['clinics', 7, true],
        ['usual', 30, true],
      ],
    )
  },
)

databaseTestOnce(
  'a recovery to an earlier point takes along published reports of numbers, as withdrawn',
  async (database, t) => {
    await using town = await openPublishingZone(database, t)
    const { zone, clock, folder } = town
    await town.addStream('cens', { kind: 'cen', ...CEN_STREAM_DEFAULTS })
    const [kept] = await storeNumbers(town, 1, 9)
    const seq = (kept?.seq ?? 0) + 1
    const carried = await storeNumbers(town, 2, 4)
    clock.advance(7_200)
    await publishDue(zone.publisher)
    await storeNumbers(town, 1, 6)
    const archive = await archiveOf(zone, 'key', folder, clock.now)
    await archiveThrough(archive.context, Infinity)
    await using empty = await openEmpty(database, folder)
    const { key } = empty
    const options = { now: clock.now() }
    await recoverUntilFrom(key, archive.folder, 'key', archive.identity, { seq }, options)
    assert.deepEqual(
      await numbersIn({ zone: key }),
      [9, 4, 4].map((count) => count * 16),
    )
    const held = await heldReports(key.db)
    assert.equal(held.length, carried.length)
    assert.ok(held.every((each) => each >= seq))
    assert.deepEqual((await verifyLog(key.db, key.writer.projections)).problems, [])
  },
)

/** How many bytes of numbers each report has, in order; undefined where they are gone. */
async function numbersIn({ zone }: { readonly zone: Pick<SubmittingZone['zone'], 'db'> }) {
  const sizes: (number | undefined)[] = []
  for await (const page of readEventRows(zone.db, 0))
    for (const { type, record } of page) {
      if (type !== CEN_REPORT) continue
      sizes.push((decodeEvent(record).parts[1]?.content as Uint8Array | undefined)?.length)
    }
  return sizes
}
