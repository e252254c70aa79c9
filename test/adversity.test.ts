// Test: a full disk, a clock that goes back, a bit that flips; promises that submitting, publishing, archiving and correcting go on or say what is wrong, and lose nothing.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from '../src/db/sql.ts'
import { listArchived } from '../src/log/archive-rows.ts'
import { makeSnapshot } from '../src/log/archive-snapshot.ts'
import { openArchive } from '../src/log/archive-store.ts'
import { archiveThrough } from '../src/log/archiver.ts'
import { runArchiver } from '../src/log/run-archiver.ts'
import type { ArchiveContext } from '../src/log/write-archive.ts'
import { publishDue } from '../src/publish/publish-due.ts'
import { openSource } from '../src/recover/open-source.ts'
import { verifyArchive } from '../src/recover/verify-archive.ts'
import { archiveOf, readSegments, readTable } from './archiving-zone.ts'
import { send, withdrawNow } from './correcting-zone.ts'
import { databaseTest, databaseTestOnce } from './database.ts'
import { readIndex, readPublished } from './published-files.ts'
import { assertLogIsClean, countZips, openPublishingZone } from './publishing-zone.ts'
import type { PublishingZone } from './publishing-zone.ts'
import { seededRandom } from './seeded-random.ts'

const HOUR = 3600
const NINE = Date.UTC(2026, 2, 10, 9) / 1000

const publisherOf = ({ zone }: PublishingZone, archive: ArchiveContext) => ({
  ...zone.publisher,
  archiveThrough: (seq: number) => archiveThrough(archive, seq),
})

/** The keys of the newest file of a stream, hex, sorted. */
async function newestFile({ zone }: PublishingZone, stream: string) {
  const path = (await readIndex(zone.publicFolder, stream)).at(-1) ?? ''
  const { keys, revisedKeys } = await readPublished(zone.publicFolder, path)
  const names = (list: typeof keys) => list.map((key) => key.key_data.toString('hex')).sort()
  return { path, keys: names(keys), revoked: names(revisedKeys) }
}

databaseTest(
  'the clock goes back an hour: all goes on, nothing is accepted into a window that is closed, and no age is wrong',
  async (db, t) => {
    await using town = await openPublishingZone(db, t)
    const { zone, clock } = town
    const test = await archiveOf(zone, 'key', town.folder, clock.now)
    const publisher = publisherOf(town, test.context)
    let monotonic = 0
    const troubles: string[] = []
    await using archiver = runArchiver(test.context, {
      mostAge: 60,
      monotonicMs: () => monotonic,
      mode: 'manual',
      listener: { info: () => undefined, error: (event) => void troubles.push(event) },
    })
    await town.addStream('us', { period: HOUR })
    const early = await send(town)
    clock.set('2026-03-10T09:05:00Z')
    await publishDue(publisher)
    await makeSnapshot(test.context)
    await archiver.look()
    const before = await newestFile(town, 'us')
    assert.deepEqual(before.keys, [...early.keys].sort())

    clock.advance(-HOUR)
    const late = await send(town)
    assert.deepEqual((await publishDue(publisher)).releases, 0)
    const { acceptedAt } = await withdrawNow(town, {
      selection: { trackingIds: [early.trackingId] },
    })
    const { rows } = await zone.db.query<{ grain: number; available: number }>(
      sql`select r.grain, min(k.available) as available from report r join diagnosis_key k using (seq) where seq = ${late.seq} group by r.grain`,
    )
    assert.deepEqual([rows[0]?.grain, rows[0]?.available, acceptedAt], [NINE, NINE, NINE])

    // It has waited for a minute, whatever the clock says; and then for none.
    await archiver.look()
    monotonic += 30_000
    await archiver.look()
    assert.deepEqual([archiver.state.ageSeconds, archiver.state.isWell], [30, true])
    monotonic += 31_000
    await archiver.look()
    assert.equal(archiver.state.ageSeconds, 0)
    await makeSnapshot(test.context)
    assert.deepEqual(troubles, [])
    assert.equal((await readSegments(test)).length, (await readTable(test)).length)
    const found = await verifyArchive(test.context.archive, 'key', [test.identity])
    assert.deepEqual([found.problems, found.apart], [[], []])
    assert.equal((await listArchived(zone.db)).length, found.objects)

    clock.set('2026-03-10T10:05:00Z')
    await publishDue(publisher)
    const after = await newestFile(town, 'us')
    assert.deepEqual([after.keys, after.revoked], [[...late.keys].sort(), [...early.keys].sort()])
    assert.notEqual(after.path, before.path)
    await assertLogIsClean(town)
  },
)

databaseTestOnce(
  'the disk of the archive is full: uploads and withdrawals go on, releases wait, and with room again nothing is missing',
  async (db, t) => {
    await using town = await openPublishingZone(db, t)
    const { zone, clock, folder } = town
    const disk = join(folder, 'disk')
    await mkdir(disk)
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk])
    if (mounted.status !== 0) return t.skip('only an administrator can mount a small disk')
    try {
      const test = await archiveOf(zone, 'key', disk, clock.now)
      const publisher = publisherOf(town, test.context)
      await town.addStream('us', { period: HOUR })
      const first = await send(town)
      await archiveThrough(test.context, Infinity)
      const ballast = join(disk, 'ballast')
      fill(ballast)
      clock.advance(HOUR)
      for (let attempt = 0; attempt < 2; attempt++) {
        await assert.rejects(publishDue(publisher), { code: 'archive_failed', message: /ENOSPC/ })
        await assert.rejects(makeSnapshot(test.context), { code: 'archive_failed' })
        assert.equal(await countZips(zone.publicFolder).catch(() => 0), 0)
      }
      const second = await send(town)
      await withdrawNow(town, { selection: { trackingIds: [first.trackingId] } })
      assert.equal((await test.context.archive.list()).length, 1)
      rmSync(ballast)

      clock.advance(HOUR)
      await publishDue(publisher)
      const files = await readIndex(zone.publicFolder, 'us')
      assert.equal(files.length, 2)
      const { keys, revoked } = await newestFile(town, 'us')
      assert.deepEqual([keys, revoked], [[...second.keys].sort(), [...first.keys].sort()])
      await makeSnapshot(test.context)
      const found = await verifyArchive(test.context.archive, 'key', [test.identity])
      assert.deepEqual([found.problems, found.apart], [[], []])
      assert.equal(found.events, (await readTable(test)).length)
      await assertLogIsClean(town)
    } finally {
      spawnSync('umount', [disk])
    }
  },
)

/** Takes all the room that is left. */
function fill(file: string): void {
  try {
    writeFileSync(file, randomBytes(2 << 20))
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC')
  }
}

databaseTestOnce(
  'a bit that flips anywhere in an archive is found and named, and no recovery takes it for true',
  async (db, t) => {
    await using town = await openPublishingZone(db, t)
    const { zone, clock } = town
    const test = await archiveOf(zone, 'key', town.folder, clock.now)
    for (let round = 0; round < 3; round++) {
      await town.upload()
      await town.upload()
      await archiveThrough(test.context, Infinity)
      if (round === 1) await makeSnapshot(test.context)
    }
    const archive = openArchive(join(test.folder, 'key'))
    const objects = await archive.list()
    assert.equal(objects.length, 4)
    const sound = await openSource(archive, [test.identity], 'key')
    const random = seededRandom(11)
    for (let flip = 0; flip < FLIPS; flip++) {
      const { name, kind, size } = objects[flip % objects.length] ?? assert.fail()
      const file = join(archive.folder, name)
      const stored = readFileSync(file)
      const bit = Math.floor(random.number() * size * 8)
      const broken = Buffer.from(stored)
      broken[bit >> 3] = (broken[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      writeFileSync(file, broken)
      const { problems } = await verifyArchive(archive, 'key', [test.identity])
      assert.ok(problems[0]?.includes(name), `bit ${bit} of ${name}: ${problems.join(' ')}`)
      // Either others hold the same events, and that is said, or it is refused.
      const source = openSource(archive, [test.identity], 'key')
      if (kind === 'segment' && name === objects.at(-1)?.name)
        await assert.rejects(source, (error: Error) => error.message.includes(name))
      else {
        const { chain } = await source
        assert.ok(chain.notes.join(' ').includes(name), chain.notes.join(' '))
        assert.equal(chain.end, sound.chain.end)
        assert.ok(!chain.objects.some((object) => object.name === name))
      }
      writeFileSync(file, stored)
    }
    assert.deepEqual((await verifyArchive(archive, 'key', [test.identity])).problems, [])
  },
)

const FLIPS = 80
