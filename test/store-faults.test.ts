// Test: the directory store on a disk that fails, or loses its power: a public name leads to a whole file or to none, and no index survives what it names.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { openDirectoryStore, type ObjectStore } from '../src/distribute/directory-store.ts'
import { createPublisher } from '../src/publish/publish-due.ts'
import { databaseTestOnce } from './database.ts'
import { openScenario, SCENARIO_STREAMS } from './publish-scenario.ts'
import { watchPublic } from './public-watcher.ts'
import { seededRandom } from './seeded-random.ts'
import { temporaryFolder } from './temporary-folder.ts'
import { watchDisk, type DiskCall } from './watched-disk.ts'

const ZIP = 'exports/us/1773129600-1773133200-00001.zip'
const INDEX = 'exports/us/index.txt'
const BYTES = Buffer.from('the signed bytes')

const broken = () => Object.assign(new Error('EIO: i/o error'), { code: 'EIO' })

async function putZip(store: ObjectStore): Promise<void> {
  const staged = await store.stagingPath(ZIP)
  await writeFile(staged, BYTES)
  await store.putImmutable(ZIP, staged, createHash('sha256').update(BYTES).digest())
}

const METHODS: Record<string, (store: ObjectStore) => Promise<void>> = {
  'a file is put': putZip,
  'an index is moved': (store) => store.putMutable(INDEX, Buffer.from('new')),
  'a file is removed': (store) => store.remove(ZIP),
  'what was staged is cleared away': (store) => store.clearStaging(),
}

for (const [what, method] of Object.entries(METHODS))
  test(`when ${what}, any call to the disk may fail, before or after it: a name leads to the whole file or to none, and the next try succeeds`, async (t) => {
    let failures = 0
    for (const when of ['before', 'after'] as const)
      for (let failAt = 0; ; failAt++) {
        const { folder, store } = await openStore(t)
        const isPut = what === 'a file is put'
        if (!isPut) await putZip(store)
        if (what === 'an index is moved') await store.putMutable(INDEX, Buffer.from('old'))
        if (what === 'what was staged is cleared away') await store.stagingPath(ZIP)
        const failed = await failing(folder, when, failAt, () => method(store))
        assertWhole(folder, `${when} call ${failAt}`)
        if (failed === undefined) break
        failures++
        await method(store)
        assertWhole(folder, `after ${when} call ${failAt}`)
        assert.equal(existsSync(join(folder, ZIP)), what !== 'a file is removed')
        if (what === 'an index is moved')
          assert.equal(readFileSync(join(folder, INDEX), 'utf8'), 'new')
        await store.clearStaging()
        assert.ok(!existsSync(join(folder, '.staging')))
      }
    assert.ok(failures > 1, `${failures} failures`)
  })

for (const [what, path] of Object.entries({
  'a file is put': ZIP,
  'an index is moved': INDEX,
  'a file is removed': ZIP,
}))
  test(`once ${what}, that survives a loss of power`, async (t) => {
    const { folder, store } = await openStore(t)
    const disk = modelDisk(folder)
    using _ = watchDisk(folder, disk.atCall)
    if (what === 'a file is removed') await putZip(store)
    await METHODS[what]?.(store)
    assert.ok(disk.knows(join(folder, path)))
    assert.ok(disk.isDurable(join(folder, path)))
  })

async function openStore(t: TestContext) {
  const folder = join(await temporaryFolder(t), 'public')
  return { folder, store: openDirectoryStore(folder) }
}

/** Does something while one of its calls to the disk fails. @returns the failure that came of it; undefined when there were fewer calls */
async function failing(
  folder: string,
  when: DiskCall['when'],
  failAt: number,
  work: () => Promise<unknown>,
): Promise<string | undefined> {
  let calls = 0
  let failed: string | undefined
  const watching = watchDisk(folder, (call) => {
    if (call.when !== when || calls++ !== failAt) return
    failed = `${when} ${call.name}`
    throw broken()
  })
  try {
    await work().catch(() => undefined)
  } finally {
    watching[Symbol.dispose]()
  }
  return failed
}

function assertWhole(folder: string, moment: string): void {
  if (!existsSync(join(folder, 'exports/us'))) return
  for (const name of readdirSync(join(folder, 'exports/us'))) {
    const text = readFileSync(join(folder, 'exports/us', name), 'utf8')
    const allowed = name.endsWith('.zip') ? [BYTES.toString()] : ['old', 'new']
    assert.ok(allowed.includes(text), `${moment}: ${name} holds "${text}"`)
  }
}

databaseTestOnce(
  'any call to the disk may fail while there is padding, splitting, removal and all the rest: the public sees nothing of it, and the next run mends it',
  async (database, t) => {
    await using scenario = await openScenario(database, t)
    const { zone } = scenario.test
    const watcher = watchPublic(scenario.test, SCENARIO_STREAMS)
    const random = seededRandom(2)
    const below = (limit: number) => Math.floor(random.number() * limit)
    const names = new Set<string>()
    let publish = createPublisher(zone.publisher, alone)
    for (let round = 0; round < ROUNDS; round++) {
      await scenario.nextRound()
      const when = below(2) === 0 ? 'before' : 'after'
      const failed = await failing(zone.publicFolder, when, below(MOST_CALLS), publish)
      if (failed !== undefined) names.add(failed)
      await watcher.look(`${failed}, round ${round}`)
      if (below(2) === 0) publish = createPublisher(zone.publisher, alone)
      await publish()
      await watcher.lookMended(`after ${failed}, round ${round}`)
    }
    assert.ok(names.size > 10, [...names].join())
    scenario.wait()
    await publish()
    await watcher.lookMended('in the end')
    await watcher.assertEachKeyOnce({ north: ['US', 'CA'], plain: ['GB'], south: ['US', 'MX'] })
  },
)

const alone = { mustHold: async () => undefined }
const ROUNDS = 30
const MOST_CALLS = 200

databaseTestOnce(
  'whenever the power fails, no name leads to half a file, no index outlives the names in it, and no file is gone before the index that named it',
  async (database, t) => {
    await using scenario = await openScenario(database, t)
    const { zone } = scenario.test
    const publish = createPublisher(zone.publisher, alone)
    const disk = modelDisk(zone.publicFolder)
    const watching = watchDisk(zone.publicFolder, disk.atCall)
    try {
      for (let round = 0; round < 4; round++) {
        await scenario.nextRound()
        await publish()
      }
    } finally {
      watching[Symbol.dispose]()
    }
    const { named, moved, removed } = disk.counts
    assert.ok(named > 20 && moved > 20 && removed > 5, JSON.stringify(disk.counts))
  },
)

/** What of a folder would be there after a loss of power: only what was synced for certain, and perhaps anything else. */
function modelDisk(root: string) {
  /** Files of which something was written that is not synced. */
  const unsynced = new Set<string>()
  /** Names that were made, made to lead elsewhere or removed, and whose folder was not synced since. */
  const volatile = new Set<string>()
  const changed = new Set<string>()
  /** Folders are made again and again, and are new only once. */
  const folders = new Set<string>()
  const counts = { named: 0, moved: 0, removed: 0 }
  const isServed = (path: string) => path.startsWith(join(root, 'exports'))
  const isDurable = (path: string): boolean =>
    !volatile.has(path) && (path === root || isDurable(dirname(path)))
  const nameIt = (from: string, to: string) => {
    if (isServed(to)) {
      assert.ok(!unsynced.has(from), `${to}: named before its bytes are safe`)
      counts.named++
    }
    if (to.endsWith('/index.txt')) {
      const paths = readFileSync(from, 'ascii').split('\n').filter(Boolean)
      for (const path of paths)
        assert.ok(
          isDurable(join(root, 'exports', path)),
          `the index names ${path} before it is safe`,
        )
      counts.moved++
    }
  }
  const changeName = (path: string) => {
    volatile.add(path)
    changed.add(path)
  }
  const removeIt = (path: string) => {
    if (!isServed(path)) return
    const index = join(dirname(path), 'index.txt')
    assert.ok(isDurable(index), `${path} is removed before the index is safe`)
    counts.removed++
  }
  return {
    counts,
    isDurable,
    knows: (path: string) => changed.has(path),
    atCall({ name, paths: [path = '', target = ''], when }: DiskCall) {
      if (when === 'before') {
        if (name === 'link' || name === 'rename') nameIt(path, target)
        if (name === 'unlink') removeIt(path)
        return
      }
      if (name === 'handle.writeFile') unsynced.add(path)
      if (name === 'handle.sync') {
        unsynced.delete(path)
        for (const each of volatile) if (dirname(each) === path) volatile.delete(each)
      }
      if (name === 'unlink') changeName(path)
      if (name === 'link' || name === 'rename') changeName(target)
      if (name !== 'mkdir') return
      for (let each = path; each !== root && !folders.has(each); each = dirname(each)) {
        folders.add(each)
        volatile.add(each)
      }
    },
  }
}
