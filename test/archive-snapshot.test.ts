// Test: snapshots, what is dropped behind them, and an archiver that looks after both, on a clock that moves.

import assert from 'node:assert/strict'
import { renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { listArchived } from '../src/log/archive-rows.ts'
import { findSuperfluous, makeSnapshot } from '../src/log/archive-snapshot.ts'
import { archiveThrough } from '../src/log/archiver.ts'
import { runArchiver } from '../src/log/run-archiver.ts'
import { readArchiveObject } from '../src/log/read-archive.ts'
import { verifyArchive } from '../src/recover/verify-archive.ts'
import { archiveOf, readTable } from './archiving-zone.ts'
import { databaseTestOnce, type TestDatabase } from './database.ts'
import { openSubmittingZone } from './submitting-zone.ts'
import { watchDisk } from './watched-disk.ts'

const DAY = 86_400

async function openArchivedZone(database: TestDatabase, t: TestContext) {
  const town = await openSubmittingZone(database, t)
  const test = await archiveOf(town.zone, 'key', town.folder, town.clock.now)
  const report = async () => assert.equal((await town.submit(await town.body())).status, 200)
  const kinds = async () =>
    (await listArchived(test.context.db)).map(({ kind, end }) => `${kind} ${end}`)
  return { town, test, report, kinds, [Symbol.asyncDispose]: () => town[Symbol.asyncDispose]() }
}

databaseTestOnce(
  'a snapshot holds the log; what it covers goes when it is 48 h old and a younger one is there',
  async (db, t) => {
    await using opened = await openArchivedZone(db, t)
    const { town, test, report, kinds } = opened
    const { archive } = test.context
    await report()
    await archiveThrough(test.context, Infinity)
    await report()
    const first = await makeSnapshot(test.context)
    const { header, pages } = await readArchiveObject(archive, first, [test.identity])
    const rows = []
    for await (const page of pages) rows.push(...page)
    assert.deepEqual(
      rows.map(({ record }) => Buffer.from(record)),
      (await readTable(test)).map(({ record }) => Buffer.from(record)),
    )
    assert.deepEqual([header.first, header.end], [0, 4])
    assert.deepEqual(await kinds(), ['segment 3', 'segment 4', 'snapshot 4'])
    town.clock.advance(DAY)
    await report()
    await makeSnapshot(test.context)
    // The first is 48 h old by now, in truncated times; not before.
    town.clock.advance(DAY)
    await makeSnapshot(test.context)
    assert.equal((await kinds())[0], 'segment 3')
    town.clock.advance(900)
    await makeSnapshot(test.context)
    assert.deepEqual(await kinds(), [
      'snapshot 4',
      'segment 5',
      'snapshot 5',
      'snapshot 5',
      'snapshot 5',
    ])
    assert.deepEqual(
      (await archive.list()).map(({ name }) => name).sort(),
      (await listArchived(test.context.db)).map(({ name }) => name).sort(),
    )
    // With every segment gone, the chain goes on behind the last of them.
    town.clock.advance(3 * DAY)
    await makeSnapshot(test.context)
    assert.deepEqual(await kinds(), ['snapshot 5', 'snapshot 5'])
    await report()
    await archiveThrough(test.context, Infinity)
    assert.deepEqual((await kinds()).at(-1), 'segment 6')
    const found = await verifyArchive(archive, 'key', [test.identity])
    assert.deepEqual([found.problems, found.apart, found.events], [[], [], 6])
  },
)

databaseTestOnce('while a snapshot is not there as it was, nothing rests on it', async (db, t) => {
  await using opened = await openArchivedZone(db, t)
  const { town, test, report, kinds } = opened
  await report()
  const { name } = await makeSnapshot(test.context)
  rmSync(join(test.context.archive.folder, name))
  for (let day = 0; day < 2; day++) {
    town.clock.advance(DAY + 900)
    await makeSnapshot(test.context)
  }
  assert.equal((await kinds())[0], 'segment 3')
})

databaseTestOnce(
  'an archiver archives what has waited, makes a snapshot a day, and tells once what fails',
  async (db, t) => {
    await using opened = await openArchivedZone(db, t)
    const { town, test, report, kinds } = opened
    let time = 0
    const told: string[] = []
    const listener = {
      info: (event: string) => void told.push(event),
      error: (event: string) => void told.push(event),
    }
    await using archiver = runArchiver(test.context, {
      mostAge: 30,
      monotonicMs: () => time,
      listener,
      mode: 'manual',
    })
    const look = (at: number) => ((time = at * 1_000), archiver.look())
    // What it finds at its start, it archives at once.
    await look(0)
    assert.deepEqual(await kinds(), ['segment 2'])
    await report()
    await look(10)
    await look(20)
    assert.deepEqual([await kinds(), archiver.state.ageSeconds], [['segment 2'], 20])
    await look(30)
    assert.deepEqual([await kinds(), archiver.state.ageSeconds], [['segment 2', 'segment 3'], 0])
    await report()
    {
      using _ = watchDisk(test.folder, () => {
        throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC', syscall: 'write' })
      })
      for (const at of [40, 50, 60, 70, 80]) await look(at)
      assert.deepEqual(told, ['archiving failed'])
      assert.ok(!archiver.state.isWell)
      for (const at of [91, 100, 110]) await look(at)
      assert.deepEqual(told, ['archiving failed', 'the archive is behind'])
      assert.equal(archiver.state.ageSeconds, 80)
    }
    await look(120)
    assert.deepEqual(told, [
      'archiving failed',
      'the archive is behind',
      'the archive is up to date again',
    ])
    assert.deepEqual([archiver.state.ageSeconds, archiver.state.isWell], [0, true])
    assert.equal(archiver.state.lastSnapshot, undefined)
    town.clock.advance(DAY)
    await look(130)
    await look(140)
    assert.deepEqual(
      (await kinds()).filter((kind) => kind.startsWith('snapshot')),
      ['snapshot 4'],
    )
    assert.equal(archiver.state.objects, 4)
    assert.equal(
      archiver.state.lastSnapshot,
      Math.floor(town.clock.now().getTime() / 900_000) * 900,
    )
  },
)

databaseTestOnce(
  'of snapshots of any age, the newest that is old enough stays, with all that follows',
  async () => {
    const hour = 3_600
    const now = new Date(1_000_000 * 900 * 1_000)
    const at = (kind: 'segment' | 'snapshot', end: number, age: number) => ({
      kind,
      end,
      madeAt: now.getTime() / 1_000 - age * hour,
    })
    const ends = (objects: readonly { kind: string; end: number }[]) =>
      objects.map(({ kind, end }) => `${kind} ${end}`)
    const all = [
      at('segment', 5, 100),
      at('snapshot', 5, 99),
      at('segment', 7, 60),
      at('snapshot', 7, 50),
      at('segment', 9, 10),
      at('snapshot', 9, 9),
    ]
    assert.deepEqual(ends(findSuperfluous(all, now, 900)), ['segment 5', 'snapshot 5', 'segment 7'])
    assert.deepEqual(ends(findSuperfluous(all.slice(0, 5), now, 900)), [], 'none is younger')
    assert.deepEqual(ends(findSuperfluous(all.slice(4), now, 900)), [], 'none is old')
  },
)

databaseTestOnce('an archive whose folder is gone is missed at once', async (db, t) => {
  await using opened = await openArchivedZone(db, t)
  const { test, report, kinds } = opened
  const { archive } = test.context
  const told: unknown[] = []
  await using archiver = runArchiver(test.context, {
    mostAge: 30,
    monotonicMs: () => 0,
    listener: { info: (event) => told.push(event), error: (_, error) => told.push(error) },
    mode: 'manual',
  })
  await report()
  await archiver.look()
  renameSync(archive.folder, `${archive.folder}-away`)
  await archiver.look()
  assert.equal(archiver.state.isWell, false)
  assert.match(String(told[0]), /is no longer in .*bring the folder's disk or a copy/)
  await report()
  await assert.rejects(archiveThrough(test.context, Infinity), { code: 'archive_damaged' })
  await assert.rejects(makeSnapshot(test.context), { code: 'archive_damaged' })
  assert.deepEqual(await archive.list(), [])
  // It is back.
  renameSync(`${archive.folder}-away`, archive.folder)
  await archiver.look()
  assert.deepEqual([archiver.state.isWell, told.at(-1)], [true, 'the archive is up to date again'])
  await archiveThrough(test.context, Infinity)
  assert.deepEqual(await kinds(), ['segment 3', 'segment 4'])
  // It is lost for good: what it held is written from the log, and the next segment follows that.
  rmSync(archive.folder, { recursive: true })
  await report()
  await makeSnapshot(test.context, { anew: true })
  assert.deepEqual(await kinds(), ['snapshot 4'])
  await archiveThrough(test.context, Infinity)
  const found = await verifyArchive(archive, 'key', [test.identity])
  assert.deepEqual([found.problems, found.apart, found.events], [[], [], 5])
})
