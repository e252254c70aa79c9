// Test: any call of a publisher fails, once or twice over, in a scenario with everything: what the public sees is right at every moment, and in the end complete.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createPublisher } from '../src/publish/publish-due.ts'
import { updateStream } from '../src/publish/streams.ts'
import { databaseTestOnce, type TestDatabase } from './database.ts'
import { failureOf, withFaultPoints, type FaultPoint } from './fault-points.ts'
import { watchPublic } from './public-watcher.ts'
import { openPublishingZone } from './publishing-zone.ts'
import { openScenario, SCENARIO_STREAMS } from './publish-scenario.ts'
import { digestFolder } from './published-files.ts'
import { seededRandom } from './seeded-random.ts'

const alone = { mustHold: async () => undefined }

const REGIONS = { north: ['US', 'CA'], plain: ['GB'], south: ['US', 'MX'] }

/** The scenario with a publisher whose next failure can be ordered, and somebody who watches. */
async function openSuffering(database: TestDatabase, t: TestContext) {
  const scenario = await openScenario(database, t)
  const { test, twin } = scenario
  const watcher = watchPublic(test, SCENARIO_STREAMS)
  let failAt = Infinity
  let counts: (point: FaultPoint) => boolean = () => true
  let points = 0
  let failed: string | undefined
  const context = withFaultPoints(
    test.zone.publisher,
    (point) => {
      if (!counts(point) || points++ !== failAt) return
      failed = `${point.when} ${point.name}`
      throw failureOf(point.name)
    },
    true,
  )
  const start = () => createPublisher(context, alone)
  let publish = start()
  return {
    scenario,
    watcher,
    /** The publisher's process ends, and another begins. */
    restart: () => (publish = start()),
    /**
     * Publishes; the call fails that is the one of this number among those that count.
     *
     * @returns which it was; undefined when there were fewer
     */
    async publishFailing(number: number, whichCount = counts): Promise<string | undefined> {
      counts = whichCount
      failAt = number
      points = 0
      failed = undefined
      const error: unknown = await publish().catch((thrown: unknown) => thrown)
      failAt = Infinity
      if (failed === undefined) assert.ok(!(error instanceof Error), String(error))
      else assert.ok(error instanceof Error, `${failed as string}: its failure was reported`)
      return failed
    },
    /** Publishes, and all must be as if nothing had ever failed. */
    async mend(moment: string): Promise<void> {
      await publish()
      await watcher.lookMended(moment)
      assert.deepEqual(
        await digestFolder(join(test.zone.publicFolder, 'exports/plain')),
        await digestFolder(join(twin.zone.publicFolder, 'exports/plain')),
        `${moment}: the bytes are those of a publisher that never failed`,
      )
    },
    /** When the rounds are over. */
    async finish(): Promise<void> {
      scenario.wait()
      await publish()
      await watcher.lookMended('in the end')
      await watcher.assertEachKeyOnce(REGIONS)
      const { seen, gone, revisedKeys } = watcher.counts
      assert.ok(gone > seen / 2 && gone < seen, `${seen} files, ${gone} of them gone`)
      assert.ok(revisedKeys > 0)
    },
    [Symbol.asyncDispose]: () => scenario[Symbol.asyncDispose](),
  }
}

/** Statements have a test of their own (crash.test.ts), in a scenario with fewer of them; questions have the next one here. */
const isCall = ({ name }: FaultPoint) => !name.endsWith('.query') && name !== 'db.read'

/** Every second call, and all of them where every test runs everywhere. */
const STEP = process.env['TOCSIN_TEST_EVERYWHERE'] === undefined ? 2 : 1

for (const when of ['before', 'after'] as const)
  databaseTestOnce(
    `each call that fails ${when === 'before' ? 'before it does anything' : 'though it was carried out'} leaves the public what it may see, and is made up for by the next run`,
    async (database, t) => {
      await using suffering = await openSuffering(database, t)
      const { scenario, watcher } = suffering
      const names = new Set<string>()
      const failRound = async (number: number, isCounted: (point: FaultPoint) => boolean) => {
        await scenario.nextRound()
        // One that begins does more than one that goes on, which the next test has.
        suffering.restart()
        const failed = await suffering.publishFailing(
          number,
          (point) => point.when === when && isCounted(point),
        )
        await watcher.look(`${failed} failed (${number})`)
        if (failed !== undefined) names.add(failed.replace(`${when} `, ''))
        if ((number / STEP) % 2 === 0) suffering.restart()
        await suffering.mend(`after ${failed} failed (${number})`)
        return failed !== undefined
      }
      // Rounds are not all of one length: after one that was too short comes one that may not be.
      for (let number = 0, tooShort = 0; tooShort < 4; number += STEP)
        if (!(await failRound(number, isCall))) tooShort++
      const writes = ['copyDb.transaction', 'db.transaction', 'store.clearStaging']
      const puts = ['store.putImmutable', 'store.putMutable', 'store.remove', 'store.stagingPath']
      const reads = ['store.inspect', 'store.list', 'store.read', 'store.sizeOf']
      const expected = [...writes, ...puts, ...(when === 'before' ? reads : [])]
      // A call that is made once a run has another number each time, and may have slipped through.
      for (const name of expected.filter((each) => !names.has(each)))
        await failRound(0, (point) => point.name === name)
      assert.deepEqual([...names].sort(), expected.sort())
      await suffering.finish()
    },
  )

databaseTestOnce(
  'two failures, the second while the first is being made up for, do no more harm than one',
  async (database, t) => {
    await using suffering = await openSuffering(database, t)
    const { scenario, watcher } = suffering
    const random = seededRandom(1)
    const below = (limit: number) => Math.floor(random.number() * limit)
    let count = 0
    for (let round = 0; round < PAIRS; round++) {
      await scenario.nextRound()
      let failures = ''
      for (const most of [MOST_POINTS, MOST_POINTS / 2]) {
        if (below(2) === 0) suffering.restart()
        const failed = await suffering.publishFailing(below(most), () => true)
        failures += `${failed}, `
        if (failed !== undefined) count++
        await watcher.look(`${failures}round ${round}`)
      }
      if (below(2) === 0) suffering.restart()
      await suffering.mend(`after ${failures}round ${round}`)
    }
    assert.ok(count > PAIRS, `${count} failures`)
    await suffering.finish()
  },
)

const PAIRS = 30

/** About as many as a run has, statements included. */
const MOST_POINTS = 300

databaseTestOnce(
  'a stream that is left out of a run gets no padding in what it has published, though the others of its family get theirs',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    const { store } = zone.publisher
    await test.addStream('north', { inputRegions: ['US', 'CA'], minimum: 20 })
    await test.addStream('south', { inputRegions: ['US', 'MX'], minimum: 60 })
    const watcher = watchPublic(test, ['north', 'south'])
    for (let hour = 0; hour < 3; hour++) {
      await test.upload()
      clock.advance(HOUR)
      for (const leftOut of ['south', 'north']) {
        const inspect = async (path: string) => {
          if (path.includes(leftOut)) throw failureOf('store.inspect')
          return store.inspect(path)
        }
        const failing = { ...zone.publisher, store: { ...store, inspect } }
        await assert.rejects(createPublisher(failing, alone)(), { code: 'store_failed' })
        await watcher.look(`${leftOut} is left out`)
      }
      await createPublisher(zone.publisher, alone)()
      await watcher.lookMended(`hour ${hour}`)
    }
    await watcher.assertEachKeyOnce({ north: ['US', 'CA'], south: ['US', 'MX'] })
    assert.equal(watcher.counts.seen, 6)
  },
)

const HOUR = 3600

databaseTestOnce(
  'of two streams with files that can not be removed at once, neither keeps them after the next run',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    const { store } = zone.publisher
    let isBusy = false
    const remove = async (path: string) => {
      if (isBusy && path.includes('first')) throw failureOf('store.remove')
      return store.remove(path)
    }
    const names = ['first', 'second']
    for (const name of names) await test.addStream(name, { retention: HOUR })
    const watcher = watchPublic(test, names)
    const publish = createPublisher({ ...zone.publisher, store: { ...store, remove } }, alone)
    await test.upload()
    for (let hour = 0; hour < 3; hour++) {
      clock.advance(HOUR)
      await publish()
      await watcher.lookMended(`hour ${hour}`)
    }
    clock.advance(HOUR)
    isBusy = true
    await assert.rejects(publish(), { code: 'store_failed' })
    await watcher.look('the first is busy')
    isBusy = false
    await publish()
    await watcher.lookMended('nobody is busy')
    assert.deepEqual(watcher.counts, { seen: 2, gone: 2, revisedKeys: 0 })
  },
)

databaseTestOnce(
  'what was recorded and could not be put is put as it was recorded, though keys were revised and the stream was changed meanwhile',
  async (database, t) => {
    await using scenario = await openScenario(database, t)
    const { zone, clock } = scenario.test
    const watcher = watchPublic(scenario.test, SCENARIO_STREAMS)
    const putImmutable = () => Promise.reject(failureOf('store.putImmutable'))
    const full = { ...zone.publisher, store: { ...zone.publisher.store, putImmutable } }
    for (let round = 0; round < 4; round++) {
      await scenario.nextRound()
      await assert.rejects(createPublisher(full, alone)(), { code: 'store_failed' })
      await watcher.look(`no room in round ${round}`)
      await zone.db.transaction((tx) =>
        updateStream(tx, zone.writer, 'plain', () => ({ maximum: 3 + (round % 2) }), clock.now()),
      )
      await scenario.nextRound()
      await createPublisher(zone.publisher, alone)()
      await watcher.lookMended(`room again in round ${round}`)
    }
    scenario.wait()
    await createPublisher(zone.publisher, alone)()
    await watcher.lookMended('in the end')
    await watcher.assertEachKeyOnce(REGIONS)
  },
)
