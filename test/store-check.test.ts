// Test: the store against the log: each sort of difference is named, mended to the byte when asked, and no alarm is raised for what a publisher is just doing.

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { cp, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { checkStore, type CheckContext } from '../src/publish/check-store.ts'
import { sql } from '../src/db/sql.ts'
import { publishDue } from '../src/publish/publish-due.ts'
import { repairStore, type RepairOptions } from '../src/publish/repair-store.ts'
import { updateStream } from '../src/publish/streams.ts'
import { databaseTestOnce } from './database.ts'
import { intercept } from './intercept.ts'
import { digestFolder, readIndex } from './published-files.ts'
import { assertLogIsClean, openPublishingZone, type PublishingZone } from './publishing-zone.ts'
import { publishHours } from './retention-zone.ts'

const HOUR = 3600
const GRAIN = 900
const atOnce = { settle: async () => true }
const alone = { mustHold: async () => undefined }

const exportsOf = ({ zone }: PublishingZone) => join(zone.publicFolder, 'exports')

async function check({ zone }: PublishingZone, context: Partial<CheckContext> = {}) {
  const found: string[] = []
  for await (const page of checkStore({ ...zone.publisher, ...atOnce, ...context }))
    for (const { problem, path } of page) found.push(`${problem} ${path}`)
  return found
}

async function repair({ zone }: PublishingZone, options: RepairOptions = { removeStrays: false }) {
  const found: string[] = []
  for await (const page of repairStore({ ...zone.publisher, ...atOnce, ...alone }, options))
    for (const { problem, path, repaired } of page)
      found.push(`${problem} ${path} ${repaired ? 'repaired' : 'left'}`)
  return found
}

databaseTestOnce('a store that is as the log has it has no findings', async (database, t) => {
  await using test = await openPublishingZone(database, t)
  assert.deepEqual(await check(test), [], 'nothing at all')
  await test.addStream('us', { maximum: 2 })
  assert.deepEqual(await check(test), [], 'a stream before its first release')
  const [first = ''] = await publishHours(test, 2)
  assert.match(first, /-00001\.zip$/)
  await test.zone.publisher.store.stagingPath('a build')
  assert.deepEqual(await check(test), [])
  assert.deepEqual(await repair(test), [])
})

databaseTestOnce(
  'each sort of difference is named, and mended to the byte; strays are removed only when that is asked',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone } = test
    await test.addStream('us', { maximum: 2 })
    await test.addStream('other')
    // Three keys each: two files.
    const paths = await publishHours(test, 4)
    assert.equal(paths.length, 8)
    const right = await digestFolder(zone.publicFolder)
    const root = exportsOf(test)
    const file = (index: number) => join(root, paths[index] ?? '')
    await rm(file(0))
    await writeFile(file(3), (await readFile(file(3))).reverse())
    await writeFile(file(4), 'shorter')
    await rm(file(5))
    await rm(file(6))
    await symlink('/etc/hostname', file(6))
    await writeFile(join(root, 'us/index.txt'), paths[7] ?? '')
    await rm(join(root, 'other/key.pem'))
    const strays = ['us/9-10-00001.zip', 'us/index.txt.old', 'gone/index.txt', 'note\n1.txt']
    await mkdir(join(root, 'gone'))
    for (const stray of strays) await writeFile(join(root, stray), 'whose?')
    await writeFile(join(zone.publicFolder, 'robots.txt'), '')
    const expected = [
      `lost exports/${paths[0]}`,
      `changed exports/${paths[3]}`,
      `changed exports/${paths[4]}`,
      `lost exports/${paths[5]}`,
      `changed exports/${paths[6]}`,
      'lost exports/other/key.pem',
      'stale exports/us/index.txt',
      ...strays.map((stray) => `stray exports/${stray}`),
      'stray robots.txt',
    ]
    const before = await digestFolder(zone.publicFolder)
    assert.deepEqual((await check(test)).sort(), [...expected].sort())
    assert.deepEqual(await digestFolder(zone.publicFolder), before, 'a check changes nothing')

    const outcome = expected.map(
      (each) => `${each} ${each.startsWith('stray') ? 'left' : 'repaired'}`,
    )
    assert.deepEqual((await repair(test)).sort(), [...outcome].sort())
    const left = [...strays.map((stray) => `exports/${stray}`), 'robots.txt']
    const mended = await digestFolder(zone.publicFolder)
    assert.deepEqual(
      Object.keys(mended)
        .filter((path) => !(path in right))
        .sort(),
      left.sort(),
    )
    for (const [path, digest] of Object.entries(right)) assert.equal(mended[path], digest, path)

    assert.equal((await repair(test, { removeStrays: true })).length, left.length)
    assert.deepEqual(await digestFolder(zone.publicFolder), right)
    assert.deepEqual(await check(test), [])
    await assertLogIsClean(test)
  },
)

databaseTestOnce(
  'files that are removed in the log and still there are named, and removed; unlisted ones must still be there',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock, folder } = test
    await test.addStream('us', { retention: 2 * HOUR })
    const [first = ''] = await publishHours(test, 2)
    await cp(zone.publicFolder, join(folder, 'copy'), { recursive: true })
    clock.advance(HOUR)
    await publishDue(zone.publisher)
    assert.equal((await readIndex(zone.publicFolder, 'us')).length, 1)
    assert.deepEqual(await check(test), [])
    await rm(join(exportsOf(test), first))
    assert.deepEqual(await repair(test), [`lost exports/${first} repaired`])
    clock.advance(HOUR + GRAIN)
    await publishDue(zone.publisher)
    assert.ok(!existsSync(join(exportsOf(test), first)))
    assert.deepEqual(await check(test), [])
    await cp(join(folder, 'copy/exports', first), join(exportsOf(test), first))
    assert.deepEqual(await check(test), [`late exports/${first}`])
    assert.deepEqual(await repair(test), [`late exports/${first} repaired`])
    assert.ok(!existsSync(join(exportsOf(test), first)))
  },
)

databaseTestOnce(
  'no index is moved to name a file that can not be made again, and nothing else waits for it',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone } = test
    for (const name of ['us', 'other']) await test.addStream(name)
    const [first = '', second = ''] = await publishHours(test, 2)
    const root = exportsOf(test)
    for (const path of [first, second, second.replace('us', 'other')]) await rm(join(root, path))
    for (const name of ['us', 'other']) await writeFile(join(root, name, 'index.txt'), '')
    await zone.db.query(
      sql`delete from diagnosis_key where key_data = (select min(key_data::text)::bytea from diagnosis_key where available < ${
        test.clock.now().getTime() / 1000 - HOUR
      })`,
    )
    assert.deepEqual(
      (await repair(test)).sort(),
      [
        `lost exports/${second.replace('us', 'other')} repaired`,
        `lost exports/${first} left`,
        `lost exports/${second} repaired`,
        'stale exports/other/index.txt repaired',
        'stale exports/us/index.txt left',
      ].sort(),
    )
    assert.deepEqual(await readIndex(zone.publicFolder, 'us'), [])
    assert.equal((await readIndex(zone.publicFolder, 'other')).length, 2)
  },
)

databaseTestOnce(
  'what a publisher has recorded and is just about to do is no finding, at whatever moment one looks',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    await test.addStream('us', { retention: 2 * HOUR })
    await publishHours(test, 3)
    await test.upload()
    clock.advance(HOUR)
    clock.advance(GRAIN)
    const findings = new Set<string>()
    let moments = 0
    const look = async () => {
      moments++
      // What is seen at the first look, without the patience that follows.
      for (const each of await check(test)) findings.add(each.split(' ')[0] ?? '')
    }
    const store = intercept(zone.publisher.store, async (name, proceed) => {
      if (['putImmutable', 'putMutable', 'remove'].includes(name)) await look()
      return proceed()
    })
    await publishDue({ ...zone.publisher, store })
    assert.ok(moments >= 5, `looked ${moments} times`)
    assert.deepEqual([...findings].sort(), ['late', 'lost', 'stale'], 'one look is not enough')

    await test.upload()
    clock.advance(HOUR)
    // Held up before its first put, the publisher goes on when the check waits for it.
    const { promise: isWaited, resolve: goOn } = Promise.withResolvers<undefined>()
    const slow = intercept(zone.publisher.store, async (name, proceed) => {
      if (['putImmutable', 'putMutable', 'remove'].includes(name)) await isWaited
      return proceed()
    })
    const { promise: isRecorded, resolve: recorded } = Promise.withResolvers<undefined>()
    const watched = intercept(slow, (name, proceed) => {
      if (name === 'putImmutable' || name === 'putMutable' || name === 'remove') recorded(undefined)
      return proceed()
    })
    const publishing = publishDue({ ...zone.publisher, store: watched })
    await isRecorded
    let looks = 0
    const found = await check(test, {
      settle: async () => {
        if (looks++ > 0) return true
        goOn(undefined)
        await publishing
        return false
      },
    })
    assert.deepEqual(found, [])
    assert.ok(looks > 0, 'there was something to wait for')
  },
)

databaseTestOnce(
  'a file that comes and goes while it is looked for, and a stream that is changed, is no finding',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    await test.addStream('us')
    const [path = ''] = await publishHours(test, 1)
    await rm(join(exportsOf(test), path))
    const found = await check(test, {
      settle: async () => {
        await zone.db.transaction((tx) =>
          updateStream(tx, zone.writer, 'us', () => ({ retention: HOUR }), clock.now()),
        )
        await publishDue(zone.publisher)
        clock.advance(2 * HOUR)
        await publishDue(zone.publisher)
        return true
      },
    })
    assert.deepEqual(found, [])
  },
)
