// Test: recovery from the archive; promises that what comes back is what was there, in every table and every file, and that whatever is missing is named.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { eraseAgain, eraseDue } from '../src/authorize/retention.ts'
import { sql } from '../src/db/sql.ts'
import { openDirectoryStore } from '../src/distribute/directory-store.ts'
import { appendEvents } from '../src/log/append-event.ts'
import { listArchived } from '../src/log/archive-rows.ts'
import { openArchive } from '../src/log/archive-store.ts'
import { readHead } from '../src/log/read-events.ts'
import { startLog } from '../src/log/start-log.ts'
import { verifyLog } from '../src/log/verify-log.ts'
import type { OpenZone } from '../src/operate/open-zones.ts'
import { publishDue } from '../src/publish/publish-due.ts'
import { digestTables, differingTables } from '../src/recover/compare-tables.ts'
import { openSource } from '../src/recover/open-source.ts'
import { packSeqs, withdrawalEvent } from '../src/submit/corrections.ts'
import { historyTest } from './authority-history.ts'
import { databaseTest, databaseTestOnce } from './database.ts'
import { makeKeys } from './key-zone.ts'
import { digestFolder } from './published-files.ts'
import { openPublishingZone, type PublishingZone } from './publishing-zone.ts'
import { openEmpty, recoverFrom } from './recovered-zone.ts'
import type { RecoveringOrder } from './recovering-process.ts'
import { makeIdentity, writeObject, writeSegments } from './write-archive.ts'

/** Hours of everything that a key zone's log can say of reports: padding, embargoed keys, revisions, withdrawals of old and of later reports. */
async function live({ zone, clock, addStream, upload, send }: PublishingZone): Promise<void> {
  await addStream('us', { minimum: 60 })
  for (let hour = 0; hour < 4; hour++) {
    for (let nth = 0; nth < 5; nth++) await upload(makeKeys(clock.now(), 5, nth === 0))
    const keys = makeKeys(clock.now(), 3)
    const likely = await send(keys, { reportType: 'likely' })
    const { revisionToken } = likely.body
    clock.advance(3600)
    await publishDue(zone.publisher)
    const revised = await send(keys, { reportType: 'confirmed', fields: { revisionToken } })
    assert.equal(revised.status, 200, JSON.stringify(revised.body))
    if (hour === 1) await withdrawAll(zone, clock.now())
  }
  clock.advance(3600)
  await publishDue(zone.publisher)
}

/** Withdraws every third report, and half of those that come. */
async function withdrawAll({ db, writer }: PublishingZone['zone'], now: Date): Promise<void> {
  const { rows } = await db.query<{ seq: number }>(
    sql`select seq from report where source is not null and seq % 3 = 0 order by seq`,
  )
  const id = randomBytes(16)
  const reports = packSeqs(rows.map(({ seq }) => seq))
  const event = withdrawalEvent(
    { id, selection: {}, reports, padding: new Uint8Array(0), keys: randomBytes(16) },
    {
      id,
      by: 'command',
      reason: 'test',
      scope: 'both',
      reports: rows.length,
      keys: 1,
      published: 0,
      padding: 0,
    },
    { regions: ['US'], acceptedBefore: Math.floor(now.getTime() / 1000) + 5400 },
  )
  await db.transaction((tx) => appendEvents(tx, writer, [event], now))
}

async function assertSame(original: OpenZone, recovered: OpenZone): Promise<void> {
  const [was, is] = [await digestTables(original.db), await digestTables(recovered.db)]
  assert.ok(was.size > 10)
  assert.deepEqual(differingTables(was, is), [])
  assert.deepEqual(await readHead(recovered.db), await readHead(original.db))
  const findings = await verifyLog(recovered.db, recovered.writer.projections)
  assert.deepEqual(findings.problems, [])
}

databaseTest('every table and every file comes back as it was', async (database, t) => {
  await using original = await openPublishingZone(database, t)
  await live(original)
  const { zone, folder } = original
  const { identity } = await makeIdentity(folder)
  await writeSegments(zone.db, folder, 'key', identity, 17)

  await using empty = await openEmpty(database, folder)
  const recovered = await recoverFrom(empty.key, folder, 'key', identity, {
    archiveTo: openArchive(join(folder, 'key')),
  })
  assert.equal(recovered.alreadyThere, 0)
  await assertSame(zone, empty.key)
  const { rows } = await empty.key.db.query(sql`select 1 from report_mark where seq = report`)
  assert.ok(rows.length > 0, 'a standing withdrawal held some that came later')

  // A publisher puts the very same files, and goes on with both alike.
  const publicFolder = join(folder, 'recovered-public')
  await publishDue({
    ...zone.publisher,
    db: empty.key.db,
    copyDb: empty.key.copyDb,
    store: openDirectoryStore(publicFolder),
  })
  assert.deepEqual(await digestFolder(publicFolder), await digestFolder(zone.publicFolder))

  // The archiver goes on behind the last segment.
  const archived = await listArchived(empty.key.db)
  assert.equal(archived.at(-1)?.end, recovered.events)
  assert.equal(archived.at(0)?.first, 0)

  const again = await recoverFrom(empty.key, folder, 'key', identity)
  assert.equal(again.alreadyThere, recovered.events)
})

databaseTestOnce('a snapshot and the segments behind it give the same', async (database, t) => {
  await using original = await openPublishingZone(database, t)
  await live(original)
  const { zone, folder } = original
  const { identity } = await makeIdentity(folder)
  const names = await writeSegments(zone.db, folder, 'key', identity, 10)
  const { nextSeq } = await readHead(zone.db)
  assert.ok(nextSeq > 30)
  const previous = names[1]?.slice(-77, -13) ?? ''
  const newest = await writeObject(zone.db, folder, 'key', identity, {
    kind: 'snapshot',
    first: 0,
    end: 20,
    previous,
  })
  rmSync(join(folder, 'key', names[0] ?? ''))
  await using empty = await openEmpty(database, folder)
  await recoverFrom(empty.key, folder, 'key', identity)
  await assertSame(zone, empty.key)

  // The newest snapshot is damaged: an older one and the segments behind it serve, and that is said.
  const older = { kind: 'snapshot', first: 0, end: 10, previous: names[0]?.slice(-77, -13) ?? '' }
  await writeObject(zone.db, folder, 'key', identity, { ...older, kind: 'snapshot' })
  damage(join(folder, 'key', newest.name))
  const { chain } = await openSource(openArchive(join(folder, 'key')), [identity], 'key')
  assert.equal(chain.objects[0]?.end, 10)
  assert.match(chain.notes.join(' '), /snapshot-000000000000-000000000020-\w+.*passed over/)
  await using other = await openEmpty(database, folder)
  await recoverFrom(other.key, folder, 'key', identity)
  await assertSame(zone, other.key)
})

function damage(file: string): void {
  const bytes = readFileSync(file)
  const middle = Math.floor(bytes.length / 2)
  bytes[middle] = (bytes[middle] ?? 0) ^ 1
  writeFileSync(file, bytes)
}

databaseTestOnce('what is damaged, missing, forked or sealed is named', async (database, t) => {
  await using original = await openPublishingZone(database, t)
  await live(original)
  const { zone, folder } = original
  const { identity } = await makeIdentity(folder)
  const names = await writeSegments(zone.db, folder, 'key', identity, 10)
  const { nextSeq } = await readHead(zone.db)
  const variant = (name: string) => {
    cpSync(join(folder, 'key'), join(folder, name, 'key'), { recursive: true })
    return join(folder, name, 'key')
  }
  const refused = (where: string, code: string, ...sentence: string[]) =>
    assert.rejects(
      async () => {
        const source = await openSource(openArchive(where), [identity], 'key')
        await using empty = await openEmpty(database, folder)
        await recoverFrom(empty.key, join(where, '..'), 'key', identity)
        return source
      },
      (error: Error & { code?: string }) => {
        assert.equal(error.code, code, error.message)
        for (const part of sentence) assert.ok(error.message.includes(part), error.message)
        return true
      },
    )
  const [, second = '', third = ''] = names
  const damaged = variant('damaged')
  damage(join(damaged, second))
  await refused(damaged, 'archive_damaged', second, `10 to ${nextSeq - 1} are lost`)

  const missing = variant('missing')
  rmSync(join(missing, third))
  await refused(missing, 'archive_damaged', 'events 20 to 29 is missing', `20 to ${nextSeq - 1}`)

  const first = variant('first')
  rmSync(join(first, names[0] ?? ''))
  await refused(first, 'archive_damaged', 'Nothing can be recovered')

  // The same numbers with another content: the longer one is read, and the other one is not like it.
  const forked = variant('forked')
  await writeObject(
    zone.db,
    join(forked, '..'),
    'key',
    identity,
    { first: 10, end: 15, previous: names[0]?.slice(-77, -13) ?? '' },
    (header) => ({ ...header, root: randomBytes(32) }),
  )
  await refused(forked, 'archive_forked', 'segment-000000000010-000000000015')

  const others = variant('others')
  const logId = randomBytes(16)
  const span = { first: 10, end: 20, previous: names[0]?.slice(-77, -13) ?? '' }
  await writeObject(zone.db, join(others, '..'), 'key', identity, span, (header) => ({
    ...header,
    logId,
  }))
  await refused(others, 'archive_forked', 'two logs')

  // A shorter one with the same content was left by a crash.
  const shorter = variant('shorter')
  await writeObject(zone.db, join(shorter, '..'), 'key', identity, { ...span, end: 13 })
  await using empty = await openEmpty(database, folder)
  await recoverFrom(empty.key, join(shorter, '..'), 'key', identity)
  await assertSame(zone, empty.key)

  const stranger = await makeIdentity(folder)
  await assert.rejects(openSource(openArchive(join(folder, 'key')), [stranger.identity], 'key'), {
    code: 'archive_identity_wrong',
  })
  await assert.rejects(openSource(openArchive(join(folder, 'nothing')), [identity], 'key'), {
    code: 'archive_empty',
  })
})

databaseTestOnce('only an empty database is recovered into', async (database, t) => {
  await using original = await openPublishingZone(database, t)
  await original.upload()
  const { zone, folder } = original
  const { identity } = await makeIdentity(folder)
  await writeSegments(zone.db, folder, 'key', identity, 20)
  await using empty = await openEmpty(database, folder)
  await empty.key.db.transaction((tx) => startLog(tx, empty.key.writer, new Date()))
  await assert.rejects(recoverFrom(empty.key, folder, 'key', identity), {
    code: 'recovery_not_empty',
  })
})

databaseTestOnce(
  'a recovery that is killed again and again is gone on with',
  async (database, t) => {
    await using original = await openPublishingZone(database, t)
    await live(original)
    const { zone, folder } = original
    const { identity } = await makeIdentity(folder)
    await writeSegments(zone.db, folder, 'key', identity, 6)
    await using empty = await openEmpty(database, folder)
    const order: RecoveringOrder = {
      url: empty.url,
      masterKeyFile: empty.masterKeyFile,
      archive: folder,
      identity,
      batchBytes: 1,
    }
    let kills = 0
    let before = 0
    for (;;) {
      const child = spawn(process.execPath, [join(import.meta.dirname, 'recovering-process.ts')], {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, TOCSIN_TEST_RECOVERY: JSON.stringify(order) },
      })
      t.after(() => child.kill('SIGKILL'))
      const lines: string[] = []
      // In the midst of the batch behind the first one that it writes.
      createInterface(child.stdout).on('line', (line) => {
        lines.push(line)
        if (lines.length === 1 && kills < 3) child.kill('SIGKILL')
      })
      await once(child, 'close')
      if (child.signalCode === null) {
        assert.equal(child.exitCode, 0)
        assert.ok(Number(lines.at(-1)?.split(' ')[1]) >= before, lines.join(' '))
        break
      }
      kills++
      const { rows } = await empty.key.db.query<{ n: number }>(sql`select count(*) as n from event`)
      assert.ok((rows[0]?.n ?? 0) > before, 'what was committed is not done again')
      before = rows[0]?.n ?? 0
      await assert.rejects(
        empty.key.db.transaction((tx) => startLog(tx, empty.key.writer, new Date())),
        { code: 'recovery_unfinished' },
        'no server begins on it',
      )
    }
    assert.equal(kills, 3)
    await assertSame(zone, empty.key)
  },
)

historyTest('every table of the authority zone comes back as it was', async (desk, erase) => {
  const { zone } = desk
  const { identity } = await makeIdentity(zone.folder)
  const names = await writeSegments(zone.zone.db, zone.folder, 'authority', identity, 10)
  await using empty = await openEmpty({ url: zone.ownerUrl }, zone.folder)
  await recoverFrom(empty.authority, zone.folder, 'authority', identity)
  const compare = async (recovered: OpenZone) => {
    const [was, is] = [await digestTables(zone.zone.db), await digestTables(recovered.db)]
    assert.deepEqual(differingTables(was, is), [])
    const findings = await verifyLog(recovered.db, recovered.writer.projections)
    assert.deepEqual(findings.problems, [])
  }
  await compare(empty.authority)
  // Parts were erased since: what the archive has of them is erased once more.
  const [last = ''] = names.slice(-1)
  const { nextSeq: first } = await readHead(zone.zone.db)
  await erase()
  const { nextSeq: end } = await readHead(zone.zone.db)
  assert.ok(end > first)
  const behind = { first, end, previous: last.slice(-77, -13) }
  await writeObject(zone.zone.db, zone.folder, 'authority', identity, behind)
  await using later = await openEmpty({ url: zone.ownerUrl }, zone.folder)
  await recoverFrom(later.authority, zone.folder, 'authority', identity)
  const recovered = { ...later.authority, masterKey: later.masterKey }
  await eraseAgain(recovered, desk.clock.now())
  await eraseDue(recovered, desk.clock.now())
  await compare(later.authority)
  // A snapshot has them erased.
  const { nextSeq } = await readHead(zone.zone.db)
  const folder = join(zone.folder, 'erased')
  const span = { kind: 'snapshot', first: 0, end: nextSeq, previous: null } as const
  await writeObject(zone.zone.db, folder, 'authority', identity, span)
  await using other = await openEmpty({ url: zone.ownerUrl }, zone.folder)
  await recoverFrom(other.authority, folder, 'authority', identity)
  await compare(other.authority)
})
