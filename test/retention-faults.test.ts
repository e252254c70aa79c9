// Test: files that leave while something is broken: what was begun is made up for, and no index ever names a file that is gone.

import assert from 'node:assert/strict'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from '../src/db/sql.ts'
import { createPublisher, publishDue } from '../src/publish/publish-due.ts'
import { databaseTestOnce } from './database.ts'
import { withFaultPoints } from './fault-points.ts'
import { intercept } from './intercept.ts'
import { readIndex } from './published-files.ts'
import { assertLogIsClean, openPublishingZone } from './publishing-zone.ts'
import { assertIndexIsSound, isInStore, publishHours } from './retention-zone.ts'

const HOUR = 3600
const DAY = 24 * HOUR
const GRAIN = 900
const alone = { mustHold: async () => undefined }

databaseTestOnce(
  'a removal that fails before or after any of its steps is made up for, and no index ever names a file that is gone',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    await test.addStream('us', { retention: DAY })
    await publishHours(test, 1)
    const seen = new Map<string, string>()
    let points = 0
    // One more release each round, one that is unlisted and one that is removed.
    for (let failAt = 0; ; failAt++) {
      for (let hour = 0; hour < 2; hour++) await publishHours(test, 1)
      clock.advance(DAY)
      await publishDue(zone.publisher)
      clock.advance(HOUR + GRAIN)
      await test.upload()
      let point = 0
      const failing = withFaultPoints(zone.publisher, () => {
        if (point++ === failAt) throw Object.assign(new Error('broken'), { code: 'EIO' })
      })
      const outcome = await publishDue(failing).then(
        () => 'done',
        () => 'failed',
      )
      await assertIndexIsSound(test, seen, `failed at ${failAt}`)
      await publishDue(zone.publisher)
      await assertIndexIsSound(test, seen, `mended after ${failAt}`)
      const { rows } = await zone.db.query<{ path: string }>(
        sql`select path from release_file where removed_at is not null`,
      )
      assert.deepEqual(
        rows.filter(({ path }) => isInStore(test, path)),
        [],
        `removed after ${failAt}`,
      )
      if (outcome === 'done') break
      points++
    }
    assert.ok(points > 20, `failed at ${points} points`)
    await assertLogIsClean(test)
  },
)

databaseTestOnce(
  'an index that could not be moved for hours gives its readers their hour all the same',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    await test.addStream('us', { retention: DAY })
    const [path = ''] = await publishHours(test, 1)
    clock.advance(DAY)
    const stuck = intercept(zone.publisher.store, (name, proceed) =>
      name === 'putMutable' ? Promise.reject(new Error('no room')) : proceed(),
    )
    const publishStuck = createPublisher({ ...zone.publisher, store: stuck }, alone)
    for (let attempt = 0; attempt < 4; attempt++) {
      await assert.rejects(publishStuck(), /no room/)
      assert.ok(isInStore(test, path), 'the old index names it')
      clock.advance(HOUR)
    }
    assert.deepEqual(await readIndex(zone.publicFolder, 'us'), [path])
    const publish = createPublisher(zone.publisher, alone)
    await publish()
    assert.deepEqual(await readIndex(zone.publicFolder, 'us'), [])
    assert.ok(isInStore(test, path), 'somebody has read the old one just now')
    clock.advance(HOUR)
    await publish()
    assert.ok(isInStore(test, path))
    clock.advance(GRAIN)
    await publish()
    assert.ok(!isInStore(test, path))
    await assertLogIsClean(test)
  },
)

databaseTestOnce(
  'removed files that come back, as from a copy of the store, are removed by whoever begins to publish',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock, folder } = test
    await test.addStream('us', { retention: DAY })
    const [path = ''] = await publishHours(test, 1)
    await cp(zone.publicFolder, join(folder, 'copy'), { recursive: true })
    clock.advance(DAY)
    await publishDue(zone.publisher)
    clock.advance(2 * HOUR)
    await publishDue(zone.publisher)
    assert.ok(!isInStore(test, path))
    await cp(join(folder, 'copy'), zone.publicFolder, { recursive: true })
    await publishDue(zone.publisher)
    assert.ok(!isInStore(test, path))
    assert.deepEqual(await readIndex(zone.publicFolder, 'us'), [])
  },
)

databaseTestOnce(
  'a file that can not be removed is reported, and keeps no stream from being published',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    for (const name of ['us', 'other']) await test.addStream(name, { retention: DAY })
    const [path = ''] = await publishHours(test, 1)
    clock.advance(DAY)
    const store = intercept(zone.publisher.store, (name, proceed) =>
      name === 'remove' ? Promise.reject(new Error('busy')) : proceed(),
    )
    const publish = createPublisher({ ...zone.publisher, store }, alone)
    await publish()
    clock.advance(2 * HOUR)
    for (let attempt = 0; attempt < 2; attempt++) {
      await test.upload()
      clock.advance(HOUR)
      await assert.rejects(publish(), /busy/)
      for (const name of ['us', 'other'])
        assert.equal((await readIndex(zone.publicFolder, name)).length, attempt + 1, name)
    }
    assert.ok(isInStore(test, path))
    await publishDue(zone.publisher)
    assert.ok(!isInStore(test, path))
  },
)
