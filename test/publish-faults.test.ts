// Test: what publishing does when something is broken: says what, records nothing by halves, and goes on once it is mended.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from '../src/db/sql.ts'
import { openDirectoryStore } from '../src/distribute/directory-store.ts'
import { createPublisher, publishDue } from '../src/publish/publish-due.ts'
import { makeSigningKey } from '../src/publish/signer.ts'
import { databaseTestOnce } from './database.ts'
import { afterCalls, intercept } from './intercept.ts'
import { insertManyKeys } from './many-keys.ts'
import { digestFolder, readIndex, readPublished } from './published-files.ts'
import {
  assertLogIsClean,
  countZips,
  openOwner,
  openPublishingZone,
  publishedKeys,
  releasesOf,
} from './publishing-zone.ts'

const EIGHT = Date.UTC(2026, 2, 10, 8) / 1000
const HOUR = 3600
const alone = { mustHold: async () => undefined }

databaseTestOnce(
  'a stream whose signing key is broken stops no other, and catches up when it is mended',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock, folder } = test
    for (const name of ['a-missing', 'b-sound', 'c-other', 'd-open', 'e-sound'])
      await test.addStream(name)
    const file = (name: string) => join(folder, `${name}.pem`)
    await rename(file('a-missing'), file('away'))
    await rename(file('c-other'), file('right'))
    await makeSigningKey(file('c-other'))
    await chmod(file('d-open'), 0o644)
    const uploaded = (await test.upload()).sort()
    clock.advance(HOUR)
    const publish = createPublisher(zone.publisher, alone)
    await assert.rejects(publish(), (error: Error & { code: string }) => {
      assert.equal(error.code, 'signing_key_invalid')
      assert.match(error.message, /a-missing\.pem can't be read/)
      assert.match(error.message, /c-other\.pem is not the signing key 310 v1 of stream "c-other"/)
      assert.match(error.message, /d-open\.pem may be read by others.*chmod 600/)
      return true
    })
    assert.deepEqual(await releasesOf(zone.db), { 'b-sound': 1, 'e-sound': 1 })
    for (const name of ['b-sound', 'e-sound'])
      assert.deepEqual(await publishedKeys(test, name), [uploaded])
    for (const name of ['a-missing', 'c-other', 'd-open'])
      assert.deepEqual(await publishedKeys(test, name), [])
    await assertLogIsClean(test)

    await rename(file('right'), file('c-other'))
    await chmod(file('d-open'), 0o600)
    // One that is still broken is reported as it is.
    await assert.rejects(publish(), {
      code: 'signing_key_invalid',
      message: /a-missing\.pem can't be read/,
    })
    await rename(file('away'), file('a-missing'))
    assert.deepEqual(await publish(), { releases: 1, files: 1, keys: 3, revisedKeys: 0 })
    for (const name of ['a-missing', 'c-other', 'd-open'])
      assert.deepEqual(await publishedKeys(test, name), [uploaded])
  },
)

databaseTestOnce(
  'a run does what is new: files that are published already are not looked at again',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    await test.addStream('us')
    const calls: string[] = []
    const store = intercept(zone.publisher.store, (name, proceed) => {
      calls.push(name)
      return proceed()
    })
    const publish = createPublisher({ ...zone.publisher, store }, alone)
    for (let hour = 0; hour < 3; hour++) {
      await test.upload()
      clock.advance(HOUR)
      await publish()
      calls.length = hour === 2 ? calls.length : 0
    }
    assert.deepEqual(calls, ['stagingPath', 'putImmutable', 'putMutable', 'putMutable'])
    calls.length = 0
    await publish()
    assert.deepEqual(calls, [])
    // Whoever begins looks once at each.
    await createPublisher({ ...zone.publisher, store }, alone)()
    assert.deepEqual(calls, [
      'clearStaging',
      'sizeOf',
      'sizeOf',
      'sizeOf',
      'inspect',
      'inspect',
      'list',
    ])
  },
)

databaseTestOnce(
  'files that were lost are made again, to the byte; one that was changed is reported and left alone',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    await test.addStream('us')
    for (let hour = 0; hour < 3; hour++) {
      await test.upload()
      clock.advance(HOUR)
    }
    await publishDue(zone.publisher)
    const before = await digestFolder(zone.publicFolder)
    const exports = join(zone.publicFolder, 'exports')
    const [first = '', second = '', third = ''] = await readIndex(zone.publicFolder, 'us')
    for (const lost of [[first], [second, third], ['us/index.txt'], ['us/key.pem'], ['us']]) {
      for (const path of lost) await rm(join(exports, path), { recursive: true })
      await publishDue(zone.publisher)
      assert.deepEqual(await digestFolder(zone.publicFolder), before, lost.join())
    }
    await writeFile(join(exports, second), 'not what was signed')
    await assert.rejects(publishDue(zone.publisher), {
      code: 'store_conflict',
      message: new RegExp(second),
    })
    assert.equal(await readFile(join(exports, second), 'utf8'), 'not what was signed')
  },
)

databaseTestOnce(
  'a file whose keys are gone from the database is reported, not replaced by another',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    await test.addStream('us')
    await test.upload()
    clock.advance(HOUR)
    await publishDue(zone.publisher)
    const [path = ''] = await readIndex(zone.publicFolder, 'us')
    await zone.db.query(
      sql`delete from diagnosis_key where key_data = (select min(key_data::text)::bytea from diagnosis_key)`,
    )
    await rm(join(zone.publicFolder, 'exports', path))
    await assert.rejects(publishDue(zone.publisher), {
      code: 'log_invalid',
      message: /can't be made again/,
    })
    assert.deepEqual(Object.keys(await digestFolder(zone.publicFolder)).sort(), [
      'exports/us/index.txt',
      'exports/us/key.pem',
    ])
  },
)

databaseTestOnce(
  'a full disk stops a large file, not the publisher: with room again the same window goes out',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock, folder } = test
    const disk = join(folder, 'disk')
    await mkdir(disk)
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk])
    if (mounted.status !== 0) return t.skip('only an administrator can mount a small disk')
    try {
      const publicFolder = join(disk, 'public')
      const publish = createPublisher(
        { ...zone.publisher, store: openDirectoryStore(publicFolder) },
        alone,
      )
      await test.addStream('us')
      await publish()
      await insertManyKeys(database.url, 40_000, EIGHT)
      clock.advance(HOUR)
      await writeFile(join(disk, 'ballast'), randomBytes(3_700_000))
      const before = await digestFolder(publicFolder)
      for (let attempt = 0; attempt < 2; attempt++) {
        await assert.rejects(publish(), { code: 'store_failed', message: /ENOSPC/ })
        assert.deepEqual(await digestFolder(publicFolder), before)
        assert.deepEqual(await releasesOf(zone.db), {})
      }
      await rm(join(disk, 'ballast'))
      assert.deepEqual(await publish(), { releases: 1, files: 1, keys: 40_000, revisedKeys: 0 })
      const { keys } = await readPublished(publicFolder, `us/${EIGHT}-${EIGHT + HOUR}-00001.zip`)
      assert.equal(new Set(keys.map((key) => key.key_data.toString('hex'))).size, 40_000)
    } finally {
      spawnSync('umount', [disk])
    }
  },
)

databaseTestOnce(
  'a database that goes away in the middle of a file leaves no trace of the release',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    await test.addStream('us')
    await insertManyKeys(database.url, 40_000, EIGHT)
    clock.advance(HOUR)
    await using owner = await openOwner(database.url)
    const store = afterCalls(zone.publisher.store, 'stagingPath', async () => {
      const { rowCount } = await owner.query(`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and backend_type = 'client backend' and query like 'copy (%'`)
      assert.equal(rowCount, 1)
    })
    await assert.rejects(publishDue({ ...zone.publisher, store }), { code: 'unavailable' })
    assert.deepEqual(await releasesOf(zone.db), {})
    assert.equal(await countZips(zone.publicFolder), 0)
    assert.deepEqual(await publishDue(zone.publisher), {
      releases: 1,
      files: 1,
      keys: 40_000,
      revisedKeys: 0,
    })
  },
)
