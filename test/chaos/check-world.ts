// Chaos: what must hold once all that was killed was mended; promises to compare what was answered with the tables, the archive and what a phone has.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { identityToRecipient } from 'age-encryption'
import { sql } from '../../src/db/sql.ts'
import { openDirectoryStore } from '../../src/distribute/directory-store.ts'
import { listArchived } from '../../src/log/archive-rows.ts'
import { openArchive } from '../../src/log/archive-store.ts'
import { makeSnapshot } from '../../src/log/archive-snapshot.ts'
import { archiveThrough } from '../../src/log/archiver.ts'
import { readEventRows } from '../../src/log/read-events.ts'
import { decodeEvent } from '../../src/log/record.ts'
import { appendLeaf, EMPTY_FRONTIER, rootOf } from '../../src/log/tree.ts'
import type { ArchiveContext } from '../../src/log/write-archive.ts'
import { openZones } from '../../src/operate/open-zones.ts'
import { publishDue } from '../../src/publish/publish-due.ts'
import { digestTables, differingTables } from '../../src/recover/compare-tables.ts'
import { openSource } from '../../src/recover/open-source.ts'
import { recoverZone } from '../../src/recover/recover-zone.ts'
import { verifyArchive } from '../../src/recover/verify-archive.ts'
import { createDatabase } from '../create-database.ts'
import type { TestDatabase } from '../database.ts'
import { keyProjections } from '../open-key-zone.ts'
import type { PublicWatcher } from '../public-watcher.ts'
import { digestFolder, readIndex } from '../published-files.ts'
import { assertLogIsClean, type PublishingZone } from '../publishing-zone.ts'
import { KEPT_NUMBERS, STREAMS, TIME_GRAIN } from './world-clock.ts'
import type { History } from './lanes.ts'
import type { Phone } from './phone.ts'

/** A world in which nothing runs any more. */
export interface QuietWorld {
  readonly town: PublishingZone
  readonly database: TestDatabase
  readonly history: History
  readonly watcher: PublicWatcher
  readonly phone: Phone
  /** Who reads the archive. */
  readonly identity: string
  readonly now: Date
}

/** Goes on where all were killed, and fails when anything is not as it must be. */
export async function assertWorldIsWhole(world: QuietWorld): Promise<void> {
  const { town, watcher, phone, now } = world
  const { zone, clock } = town
  // Past every window of what was accepted.
  clock.set(now)
  clock.advance(300)
  const recipient = await identityToRecipient(world.identity)
  const archive: ArchiveContext = {
    zone: 'key',
    db: zone.db,
    address: zone.address,
    archive: openArchive(join(town.folder, 'archive', 'key')),
    recipients: async () => [recipient],
    timeGrain: TIME_GRAIN,
    now: clock.now,
  }
  const publisher = {
    ...zone.publisher,
    archiveThrough: (seq: number) => archiveThrough(archive, seq),
  }
  await publishDue(publisher)
  // What leaves is looked for before what is new is made.
  await publishDue(publisher)
  await watcher.lookMended('in the end')
  await phone.look()
  await assertLogIsClean(town)
  await assertReports(world)
  await assertCorrections(world)
  await assertNumbers(world)
  await assertPhoneIsRight(world)
  await assertArchive(world, archive)
  await assertRecoveries(world, archive)
}

/** Every acknowledged upload is there once, and no other one twice. */
async function assertReports({ town, history: { uploads } }: QuietWorld): Promise<void> {
  const { rows } = await town.zone.db.query<{ id: string; keys: string[] }>(
    sql`select encode(r.tracking_id, 'hex') as id,
          array(select encode(k.key_data, 'hex') from diagnosis_key k where k.seq = r.seq order by 1) as keys
        from report r where r.source is not null`,
  )
  const stored = new Map(rows.map(({ id, keys }) => [id, keys]))
  assert.equal(stored.size, rows.length, 'no tracking id is there twice')
  const byKeys = new Map(uploads.map((upload) => [[...upload.keys].sort().join(), upload]))
  for (const { trackingId, keys } of uploads)
    if (trackingId !== undefined)
      assert.deepEqual(stored.get(trackingId), [...keys].sort(), 'acknowledged, and there')
  for (const [id, keys] of stored) {
    const upload = byKeys.get(keys.join())
    assert.ok(upload, `${id} is nobody's, or is there twice`)
    assert.equal(upload.trackingId ?? id, id, 'stored under the name that was answered')
  }
  const ids = uploads.flatMap(({ trackingId }) => trackingId ?? [])
  assert.equal(new Set(ids).size, ids.length, 'no two uploads have the same tracking id')
}

/** What is kept apart is there with its event, and only with it. */
async function assertNumbers({ town, history }: QuietWorld): Promise<void> {
  const found: string[] = []
  for await (const page of readEventRows(town.zone.db, 0))
    for (const { type, record } of page)
      if (type === KEPT_NUMBERS) found.push(hexOf(decodeEvent(record).parts[0]?.content))
  const asked = new Set(history.numbers.map(({ numbers }) => numbers))
  assert.equal(new Set(found).size, found.length, 'each once')
  assert.deepEqual(
    found.filter((numbers) => !asked.has(numbers)),
    [],
    'none is nobody’s, or lacks its contents',
  )
  for (const { numbers, isAcknowledged } of history.numbers)
    if (isAcknowledged) assert.ok(found.includes(numbers), 'acknowledged, and there')
}

function hexOf(content: unknown): string {
  return content instanceof Uint8Array ? Buffer.from(content).toString('hex') : String(content)
}

/** Every correction is there as a whole, or nothing of it; what was acknowledged is there. */
async function assertCorrections({ town, history }: QuietWorld): Promise<void> {
  const { db } = town.zone
  const { rows } = await db.query<CorrectionRow>(
    sql`select c.seq, encode(c.id, 'hex') as id, c.reports, c.keys, c.padding,
          (select count(*) from report_mark m join report r on r.seq = m.report
            where m.seq = c.seq and m.change = 1 and r.source is not null) as "markedReports",
          (select count(*) from report_mark m join report r on r.seq = m.report
            where m.seq = c.seq and m.change = 1 and r.source is null) as "markedPadding",
          (select count(*) from key_mark m where m.seq = c.seq and m.change = 1) as "markedKeys"
        from correction c`,
  )
  const stored = new Map(rows.map((row) => [row.id, row]))
  assert.equal(stored.size, rows.length)
  const asked = new Set(history.corrections.map(({ id }) => id))
  for (const { id } of rows) assert.ok(asked.has(id), `nobody asked for correction ${id}`)
  for (const { id, withdraw, reinstate, isAcknowledged } of history.corrections) {
    const row = stored.get(id)
    if (isAcknowledged) assert.ok(row, `correction ${id} was acknowledged, and is not there`)
    if (row === undefined) continue
    if (withdraw !== undefined) {
      const { trackingIds, keys } = withdraw.selection
      const said = [row.reports, row.padding, keys === undefined ? 0 : row.keys]
      assert.deepEqual([row.markedReports, row.markedPadding, row.markedKeys], said, id)
      if (trackingIds !== undefined) assert.equal(row.reports, new Set(trackingIds).size, id)
      if (keys !== undefined) assert.equal(row.keys, keys.length, id)
    } else
      assert.deepEqual(await heldBy(db, stored.get(reinstate?.withdrawal ?? '')?.seq ?? -1), [], id)
  }
  const { rows: strays } = await db.query(
    sql`select m.seq from report_mark m left join correction c on c.seq = m.seq
        left join standing_withdrawal s on s.seq = m.withdrawal left join correction w on w.seq = m.withdrawal
        where c.seq is null and not (m.report = m.seq and w.seq is not null)`,
  )
  assert.deepEqual(strays, [], 'no mark is of a correction that is not there')
}

interface CorrectionRow {
  readonly seq: number
  readonly id: string
  readonly reports: number
  readonly keys: number
  readonly padding: number
  readonly markedReports: number
  readonly markedPadding: number
  readonly markedKeys: number
}

async function heldBy({ query }: PublishingZone['zone']['db'], withdrawal: number) {
  const { rows } = await query<{ report: number }>(
    sql`select report from report_mark where withdrawal = ${withdrawal} group by report having sum(change) > 0`,
  )
  const { rows: keys } = await query<{ key_data: Uint8Array }>(
    sql`select key_data from key_mark where withdrawal = ${withdrawal} group by key_data having sum(change) > 0`,
  )
  return [...rows, ...keys]
}

/** The phone has each key that is not withdrawn, and none that is. */
async function assertPhoneIsRight({ town, phone }: QuietWorld): Promise<void> {
  const { rows } = await town.zone.db.query<{ name: string; held: boolean }>(
    sql`select encode(k.key_data, 'hex') as name,
          coalesce((select sum(m.change) > 0 from report_mark m where m.report = k.seq), false) or
          coalesce((select sum(m.change) > 0 from key_mark m where m.key_data = k.key_data), false) as held
        from diagnosis_key k`,
  )
  const wrong = rows.filter(({ name, held }) => (phone.keys.get(name) ?? false) === held)
  assert.deepEqual(wrong, [], 'each key counts on the phone unless it is withdrawn')
  const known = new Set(rows.map(({ name }) => name))
  const nobodys = [...phone.keys.keys()].filter((name) => !known.has(name))
  assert.deepEqual(nobodys, [], 'no key is nobody’s')
}

/** The archive goes on as one chain, which holds the log. */
async function assertArchive(
  { town, identity }: QuietWorld,
  context: ArchiveContext,
): Promise<void> {
  const { zone } = town
  await archiveThrough(context, Infinity)
  await makeSnapshot(context)
  const { events, root } = await readRoot(zone.db)
  const found = await verifyArchive(context.archive, 'key', [identity])
  assert.deepEqual(found, { objects: found.objects, events, root, problems: [], apart: [] })
  const names = (objects: readonly { name: string }[]) => objects.map(({ name }) => name).sort()
  assert.deepEqual(
    names(await context.archive.list()),
    names(await listArchived(zone.db)),
    'what lies there is what the database knows of',
  )
}

async function readRoot(db: PublishingZone['zone']['db'], until = Infinity) {
  let tree = EMPTY_FRONTIER
  for await (const page of readEventRows(db, 0))
    for (const { leafHash } of page) if (tree.size < until) tree = appendLeaf(tree, leafHash)
  return { events: tree.size, root: Buffer.from(rootOf(tree)).toString('hex') }
}

/** What was recovered meanwhile was the log; and the one that was killed last goes on, and ends like the original. */
async function assertRecoveries(
  { town, database, history, identity, now }: QuietWorld,
  context: ArchiveContext,
): Promise<void> {
  const { zone, folder } = town
  for (const { events, root } of history.recovered)
    assert.deepEqual({ events, root }, await readRoot(zone.db, events), 'a recovery is the log')
  const target = history.recovery ?? {
    database: await createDatabase(database.url),
    masterKeyFile: join(folder, `${randomUUID()}.key`),
  }
  history.recovery = target
  await using zones = await openZones({
    ownerUrl: target.database.url,
    zoneUrls: {},
    masterKeyFile: target.masterKeyFile,
    demo: undefined,
    server: true,
    timeGrain: TIME_GRAIN,
    poolSize: 4,
    projections: { key: keyProjections, authority: [] },
    now: () => now,
    forRecovery: true,
  })
  const source = await openSource(context.archive, [identity], 'key')
  const { alreadyThere } = await recoverZone(zones.key, source)
  if (alreadyThere > 0) history.resumed++
  const [was, is] = [await digestTables(zone.db), await digestTables(zones.key.db)]
  assert.deepEqual(differingTables(was, is), [], 'every table came back')
  const publicFolder = join(folder, 'recovered-public')
  const { db, copyDb } = zones.key
  const store = openDirectoryStore(publicFolder)
  await publishDue({ ...zone.publisher, db, copyDb, store })
  // A file that no index names any more is not put anew; the original has it for a while.
  const digests = Object.entries(await digestFolder(zone.publicFolder))
  const listed = (
    await Promise.all(STREAMS.map((name) => readIndex(zone.publicFolder, name)))
  ).flat()
  const wanted = digests.filter(
    ([path]) => !path.endsWith('.zip') || listed.includes(path.replace(/^exports\//, '')),
  )
  assert.deepEqual(
    await digestFolder(publicFolder),
    Object.fromEntries(wanted),
    'every file came back',
  )
}
