// Test: a publisher killed or failing before and after every write: what the public sees is right at once, and in the end the same as without.

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { sql } from '../src/db/sql.ts'
import { TocsinError } from '../src/errors.ts'
import { createPublisher, publishDue } from '../src/publish/publish-due.ts'
import { listStreams } from '../src/publish/streams.ts'
import { createDatabase, databaseTest, databaseTestOnce, type TestDatabase } from './database.ts'
import { withFaultPoints } from './fault-points.ts'
import { makeKeys } from './key-zone.ts'
import { insertManyKeys } from './many-keys.ts'
import { watchPublic } from './public-watcher.ts'
import { openScenario, SCENARIO_STREAMS } from './publish-scenario.ts'
import { digestFolder, readIndex } from './published-files.ts'
import { assertLogIsClean, openPublishingZone, type PublishingZone } from './publishing-zone.ts'
import { seededRandom } from './seeded-random.ts'
import { startPublisher } from './start-publisher.ts'

const QUARTER = 900
const EIGHT = Date.UTC(2026, 2, 10, 8) / 1000
const alone = { mustHold: async () => undefined }

/** Two zones with the same stream, the same signing key and the same uploads: one that suffers, and one that never does. */
async function openTwins(database: TestDatabase, t: TestContext) {
  const twin = await createDatabase(database.url)
  const suffering = await openPublishingZone(database, t)
  const sound = await openPublishingZone(twin, t)
  // The same key for both, since what is compared are signed files.
  await suffering.addStream('us', { period: QUARTER })
  const [stream] = await listStreams(suffering.zone.db)
  await sound.addStream('us', { period: QUARTER, keys: stream?.keys ?? [] })
  await publishDue(sound.zone.publisher)
  return {
    suffering,
    sound,
    soundUrl: twin.url,
    /** Uploads the same keys to both, and moves both clocks on by an hour: three empty windows and one with keys. */
    async uploadToBoth() {
      const keys = makeKeys(suffering.clock.now(), 3)
      for (const zone of [suffering, sound]) {
        await zone.upload(keys)
        zone.clock.advance(4 * QUARTER)
      }
      await publishDue(sound.zone.publisher)
    },
    async [Symbol.asyncDispose]() {
      await suffering[Symbol.asyncDispose]()
      await sound[Symbol.asyncDispose]()
      await twin[Symbol.asyncDispose]()
    },
  }
}

type Twins = Awaited<ReturnType<typeof openTwins>>

/** What must be true at any moment: everything that lies in the served folder is whole and is what the log says. */
async function assertPublicIsSound({ zone }: PublishingZone, moment: string): Promise<void> {
  const digests = await digestFolder(join(zone.publicFolder, 'exports'))
  const { rows } = await zone.db.query<{ path: string; digest: Uint8Array }>(
    sql`select path, digest from release_file`,
  )
  const recorded = new Map(rows.map((row) => [row.path, Buffer.from(row.digest).toString('hex')]))
  for (const [path, digest] of Object.entries(digests))
    if (path.endsWith('.zip')) assert.equal(digest, recorded.get(path), `${moment}: ${path}`)
    else assert.ok(['us/index.txt', 'us/key.pem'].includes(path), `${moment}: ${path} is served`)
  for (const path of await readIndex(zone.publicFolder, 'us'))
    assert.ok(digests[path], `${moment}: the index names ${path}, which is not there`)
}

/** What must be true once somebody has published again. */
async function assertMended({ suffering, sound }: Twins, moment: string): Promise<void> {
  assert.deepEqual(
    await digestFolder(suffering.zone.publicFolder),
    await digestFolder(sound.zone.publicFolder),
    moment,
  )
  const staging = join(suffering.zone.publicFolder, '.staging')
  assert.deepEqual(existsSync(staging) ? await readdir(staging) : [], [], moment)
}

databaseTestOnce(
  'a publisher that is killed before and after every write leaves public files that are right, and the next makes the same bytes',
  async (database, t) => {
    await using twins = await openTwins(database, t)
    const { suffering, uploadToBoth } = twins
    const { zone, clock } = suffering
    const start = () => startPublisher(t, suffering)
    let killed = 0
    let starting = start()
    for (let dieAt = 0; ; dieAt++) {
      // A fresh process mends what the one before left, and is the next to die.
      const publisher = await starting
      starting = start()
      publisher.tell({ order: 'publish', now: clock.now().toISOString() })
      assert.notEqual(await publisher.hear(), 'killed')
      await assertMended(twins, `mended after being killed at point ${dieAt - 1}`)
      await uploadToBoth()
      publisher.tell({ order: 'publish', now: clock.now().toISOString(), dieAt })
      const end = await publisher.hear()
      await assertPublicIsSound(suffering, `killed at point ${dieAt}`)
      if (end !== 'killed') break
      killed++
    }
    await starting
    await assertMended(twins, 'in the end')
    assert.ok(killed > 20, `killed at ${killed} points`)
    await assertLogIsClean(suffering)
    assert.equal((await readIndex(zone.publicFolder, 'us')).length, killed + 1)
  },
)

databaseTest(
  'a publisher that is killed at any moment of a large file leaves nothing of it',
  async (database, t) => {
    await using twins = await openTwins(database, t)
    const { suffering, sound } = twins
    await publishDue(suffering.zone.publisher)
    for (const { clock } of [suffering, sound]) clock.advance(4 * QUARTER)
    await insertManyKeys(database.url, 60_000, EIGHT)
    await insertManyKeys(twins.soundUrl, 60_000, EIGHT)
    const begun = performance.now()
    await publishDue(sound.zone.publisher)
    const took = performance.now() - begun
    for (const share of [0.2, 0.5, 0.8]) {
      const publisher = await startPublisher(t, suffering)
      publisher.tell({ order: 'publish', now: suffering.clock.now().toISOString() })
      await new Promise((resolve) => setTimeout(resolve, share * took))
      await publisher.kill()
      await assertPublicIsSound(suffering, `killed after ${share} of the time`)
    }
    await publishDue(suffering.zone.publisher)
    await assertMended(twins, 'in the end')
  },
)

databaseTestOnce(
  'publishers that are killed one after the other, at any moment of padding, splitting, removing and all the rest, leave the next what it needs',
  async (database, t) => {
    await using scenario = await openScenario(database, t)
    const { test } = scenario
    const watcher = watchPublic(test, SCENARIO_STREAMS)
    const random = seededRandom(3)
    const below = (limit: number) => Math.floor(random.number() * limit)
    let starting = startPublisher(t, test)
    let took = 0
    let killed = 0
    for (const [round, name] of DEATHS.entries()) {
      await scenario.nextRound()
      const now = test.clock.now().toISOString()
      // At a call of a kind, at any point, then at a moment that nobody knows; the last one is left alone.
      for (const death of ['call', 'point', 'moment', 'never'] as const) {
        const publisher = await starting
        starting = startPublisher(t, test)
        const begun = performance.now()
        if (death === 'call')
          publisher.tell({ order: 'publish', now, dieAt: below(4), dieAmong: name })
        else if (death === 'point')
          publisher.tell({ order: 'publish', now, dieAt: below(MOST_POINTS) })
        else publisher.tell({ order: 'publish', now })
        if (death === 'moment') {
          await new Promise((resolve) => setTimeout(resolve, random.number() * took))
          await publisher.kill()
        }
        const end = await publisher.hear()
        if (end === 'killed') killed++
        const moment = `round ${round}, killed at a ${death} (${name})`
        await (death === 'never' ? watcher.lookMended(moment) : watcher.look(moment))
        took = Math.max(took, performance.now() - begun)
        await publisher.kill()
      }
    }
    await (await starting).kill()
    assert.ok(killed > 4, `${killed} were killed`)
    scenario.wait()
    await publishDue(test.zone.publisher)
    await watcher.lookMended('in the end')
    await watcher.assertEachKeyOnce({ north: ['US', 'CA'], plain: ['GB'], south: ['US', 'MX'] })
  },
)

/** At a call of which kind the first publisher of each round dies. Nothing is removed before the third. */
const DEATHS = [
  'copyDb.transaction',
  'store.putImmutable',
  'store.remove',
  'store.putMutable',
  'store.remove',
  'db.transaction',
]

/** A run has about as many. */
const MOST_POINTS = 150

for (const persisted of [false, true])
  databaseTestOnce(
    `a write that fails${persisted ? ', though it was carried out,' : ''} is mended by the next run, which makes the same bytes`,
    async (database, t) => {
      await using twins = await openTwins(database, t)
      const { suffering, uploadToBoth } = twins
      let points = -Infinity
      let failAt = 0
      let failed = ''
      const context = withFaultPoints(suffering.zone.publisher, ({ name, when }) => {
        if (when !== (persisted ? 'after' : 'before') || points++ !== failAt) return
        failed = name
        throw new TocsinError(name.startsWith('store') ? 'store_failed' : 'unavailable')
      })
      await publishDue(context)
      const names = new Set<string>()
      for (; ; failAt++) {
        await uploadToBoth()
        const publish = createPublisher(context, alone)
        failed = ''
        points = 0
        const error: unknown = await publish().catch((thrown: unknown) => thrown)
        await assertPublicIsSound(suffering, `${failed} failed`)
        if (failed === '') break
        names.add(failed)
        assert.ok(error instanceof TocsinError, `${failed} failed and was reported`)
        points = -Infinity
        await publish()
        await assertMended(twins, `mended after ${failed} failed`)
      }
      assert.deepEqual([...names].sort(), [
        'copyDb.transaction',
        'db.query',
        'db.transaction',
        'store.clearStaging',
        'store.putImmutable',
        'store.putMutable',
        'store.stagingPath',
      ])
      await assertLogIsClean(suffering)
    },
  )
