// Test: a release and the archive: phones see no file whose release a recovery would not know of.

import assert from 'node:assert/strict'
import { TocsinError } from '../src/errors.ts'
import { readArchiveEnd } from '../src/log/archive-rows.ts'
import { archiveThrough } from '../src/log/archiver.ts'
import { createPublisher, publishDue } from '../src/publish/publish-due.ts'
import { archiveOf } from './archiving-zone.ts'
import { databaseTest } from './database.ts'
import { digestFolder, readIndex } from './published-files.ts'
import { assertLogIsClean, countZips, openPublishingZone, releasesOf } from './publishing-zone.ts'
import { watchDisk } from './watched-disk.ts'

databaseTest(
  'the files of a release wait until its event is archived, after a restart as well',
  async (db, t) => {
    await using town = await openPublishingZone(db, t)
    const { zone, clock } = town
    const test = await archiveOf(zone, 'key', town.folder, () => clock.now())
    let through = -1
    const publisher = {
      ...zone.publisher,
      archiveThrough: async (seq: number) => {
        await archiveThrough(test.context, seq)
        through = (await readArchiveEnd(zone.db)).frontier.size
      },
    }
    await town.addStream('us')
    await town.upload()
    clock.advance(2 * 3600)
    {
      using _ = watchDisk(test.folder, ({ name }) => {
        if (name === 'handle.writeFile')
          throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC', syscall: 'write' })
      })
      const lock = { mustHold: async () => undefined }
      const publish = createPublisher(publisher, lock)
      await assert.rejects(publish(), { code: 'archive_failed' })
      const releases = (await releasesOf(zone.db))['us'] ?? 0
      assert.ok(releases > 0, 'it is recorded')
      // Again, and by a process that starts anew.
      await assert.rejects(publish(), { code: 'archive_failed' })
      await assert.rejects(createPublisher(publisher, lock)(), { code: 'archive_failed' })
      assert.equal((await releasesOf(zone.db))['us'], releases)
      assert.equal(await countZips(zone.publicFolder).catch(() => 0), 0)
      assert.deepEqual(await readIndex(zone.publicFolder, 'us'), [])
    }
    await publishDue(publisher)
    const { rows } = await zone.db.query<{ seq: number }>({
      text: 'select max(seq) as seq from release',
      values: [],
    })
    assert.ok(through > (rows[0]?.seq ?? Infinity))
    assert.equal((await readIndex(zone.publicFolder, 'us')).length, 1)
    await assertLogIsClean(town)
  },
)

databaseTest(
  'while nothing can be archived, a file that leaves is recorded once, not at each run',
  async (db, t) => {
    await using town = await openPublishingZone(db, t)
    const { zone, clock } = town
    let works = true
    const publisher = {
      ...zone.publisher,
      archiveThrough: async (seq: number) => {
        if (!works && seq >= 0 && (await isBehind())) throw new TocsinError('archive_failed')
        if (works) await archiveThrough(test.context, seq)
      },
    }
    const test = await archiveOf(zone, 'key', town.folder, () => clock.now())
    const events = async () =>
      (
        await zone.db.query<{ n: number }>({
          text: 'select next_seq as n from log_head',
          values: [],
        })
      ).rows[0]?.n ?? 0
    const isBehind = async () => (await readArchiveEnd(zone.db)).frontier.size < (await events())
    await town.addStream('us', { retention: 7200 })
    await town.upload()
    clock.advance(2 * 3600)
    await publishDue(publisher)
    const published = await digestFolder(zone.publicFolder)
    works = false
    clock.advance(3 * 3600)
    await assert.rejects(publishDue(publisher), { code: 'archive_failed' })
    const after = await events()
    for (let run = 0; run < 3; run++)
      await assert.rejects(publishDue(publisher), { code: 'archive_failed' })
    assert.equal(await events(), after)
    assert.deepEqual(await digestFolder(zone.publicFolder), published)
    works = true
    await publishDue(publisher)
    assert.deepEqual(await readIndex(zone.publicFolder, 'us'), [])
  },
)
