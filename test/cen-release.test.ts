// Test: releases of contact event numbers: sorted and signed, the same from every instance, nothing that tells who brought what, and phones that know what counts.

import assert from 'node:assert/strict'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { json } from 'node:stream/consumers'
import { listNumbers } from '../src/distribute/cen-list.ts'
import { openDirectoryStore } from '../src/distribute/directory-store.ts'
import { createFileServer } from '../src/distribute/serve-files.ts'
import { cenDownloadRoutes } from '../src/http/cen-download-routes.ts'
import type { RouteContext } from '../src/http/routes.ts'
import { sql } from '../src/db/sql.ts'
import { checkStore } from '../src/publish/check-store.ts'
import { explainKey } from '../src/publish/explain-key.ts'
import { publishDue } from '../src/publish/publish-due.ts'
import { remakeFiles } from '../src/publish/remake-file.ts'
import { CEN_STREAM_DEFAULTS } from '../src/publish/cen-settings.ts'
import {
  phoneSet,
  readNumbers,
  reinstateReports,
  storeNumbers,
  withdrawReports,
  type StoredNumbers,
} from './cen-zone.ts'
import { databaseTest, databaseTestOnce } from './database.ts'
import { digestFolder } from './published-files.ts'
import {
  assertLogIsClean,
  openPublishingZone,
  type PublishingZone,
  type StreamSettings,
} from './publishing-zone.ts'
import { tocsinHere } from './run-command.ts'
import { seededRandom } from './seeded-random.ts'

const HOUR = 3600
const DAY = 24 * HOUR

function addCenStream(town: PublishingZone, settings: StreamSettings = {}): Promise<string> {
  return town.addStream('town', { kind: 'cen', ...CEN_STREAM_DEFAULTS, ...settings })
}

const sorted = (numbers: Iterable<string>) => [...numbers].sort()
const numbersOf = (reports: readonly StoredNumbers[]) => reports.flatMap(({ numbers }) => numbers)

databaseTest('numbers of a report can not be told to belong together', async (database, t) => {
  await using town = await openPublishingZone(database, t)
  const publicKey = await addCenStream(town, { settings: { cells: 2, cellReports: 20 } })
  const [reports, count] = [1_000, 40]
  const cells = ['u0', 'u1', 's', 'u', null]
  const stored = await storeNumbers(town, reports, count, (index) => ({
    cell: cells[index % 5] ?? null,
  }))
  town.clock.advance(HOUR)
  await publishDue(town.zone.publisher)
  const files = await readNumbers(town.zone.publicFolder, 'town', publicKey)
  assert.deepEqual(
    files.map(({ cell }) => cell),
    ['*', 's', 'u0', 'u1'],
  )
  const owner = new Map(
    stored.flatMap(({ numbers }, report) => numbers.map((number) => [number, report])),
  )
  for (const { numbers } of files) {
    const owners = numbers.map((number) => owner.get(number) ?? -1)
    const among = new Set(owners).size
    assert.ok(among >= 20, 'a file holds no few reports')
    // Adjacent: as often of one report as chance would have it.
    const adjacent = owners.filter((each, at) => each === owners[at + 1]).length
    assertNear(adjacent, (numbers.length * (count - 1)) / (numbers.length - 1), Math.sqrt(count))
    // Position: where a number lies says nothing about when its report came.
    const middle = (numbers.length - 1) / 2
    const mean = owners.reduce((sum, each) => sum + each, 0) / owners.length
    const products = owners.map((each, at) => (each - mean) * (at - middle))
    const spread = Math.sqrt(
      owners.reduce((sum, each) => sum + (each - mean) ** 2, 0) *
        owners.reduce((sum, _, at) => sum + (at - middle) ** 2, 0),
    )
    assertNear(
      products.reduce((sum, each) => sum + each, 0) / spread,
      0,
      1 / Math.sqrt(numbers.length),
    )
    // Halves of a file: each report is in both, as often as in the other.
    const inFirst = new Map<number, number>()
    owners.forEach((each, at) =>
      inFirst.set(each, (inFirst.get(each) ?? 0) + (at < middle ? 1 : 0)),
    )
    const chi = [...inFirst.values()].reduce(
      (sum, half) => sum + (half - count / 2) ** 2 / (count / 4),
      0,
    )
    assertNear(chi, among, Math.sqrt(2 * among))
  }
  // What is in several files is of many: it is no report's.
  const shared = new Set(
    files[0]?.numbers
      .filter((number) => files[1]?.numbers.includes(number) === true)
      .map((number) => owner.get(number)),
  )
  assert.ok(shared.size >= 20)
})

/** Within five standard deviations, and 2 for what is discrete. */
function assertNear(value: number, expected: number, deviation: number): void {
  assert.ok(
    Math.abs(value - expected) < 5 * deviation + (expected === 0 ? 0 : 2),
    `${value} is not ${expected} ± ${deviation}`,
  )
}

databaseTest(
  'phones know what counts, whatever was withdrawn and reinstated; every instance gives the same bytes',
  async (database, t) => {
    await using town = await openPublishingZone(database, t)
    const { zone, clock } = town
    const hold = 4
    const publicKey = await addCenStream(town, { hold, settings: { cells: 2, cellReports: 3 } })
    const other = join(town.folder, 'other')
    const instance = { ...zone.publisher, store: openDirectoryStore(other) }
    const { number: random } = seededRandom(7)
    const cells = ['u0', 'u1', 's0', null]
    const reports: {
      seq: number
      numbers: readonly string[]
      cell: string | null
      held: number | undefined
    }[] = []
    for (let step = 0; step < 60; step++) {
      const chance = random()
      if (chance < 0.5) {
        const cell = cells[Math.floor(random() * 4)] ?? null
        const stored = await storeNumbers(town, 1 + Math.floor(random() * 4), 3, { cell })
        reports.push(...stored.map((each) => ({ ...each, cell, held: undefined })))
      } else if (chance < 0.75) {
        const some = reports.filter(({ held }) => held === undefined && random() < 0.15)
        const withdrawal =
          some.length > 0
            ? await withdrawReports(
                town,
                some.map(({ seq }) => seq),
              )
            : 0
        for (const each of some) each.held = withdrawal
      } else {
        const some = reports.filter(({ held }) => held !== undefined && random() < 0.3)
        for (const each of some) {
          await reinstateReports(town, [each.seq], each.held ?? 0)
          each.held = undefined
        }
      }
      clock.advance(HOUR * (1 + Math.floor(random() * 3)))
      // Whichever publishes; the other makes the same of it.
      await publishDue(random() < 0.5 ? instance : zone.publisher)
      if (step % 10 === 9) await checkPhones()
    }
    clock.advance(DAY)
    await publishDue(instance)
    await publishDue(zone.publisher)
    await checkPhones()
    assert.deepEqual(await digestFolder(other), await digestFolder(zone.publicFolder))
    await assertLogIsClean(town)

    /** A phone that has read everything knows all that counts, but for what waits for company. */
    async function checkPhones() {
      await publishDue(zone.publisher)
      const files = await readNumbers(zone.publicFolder, 'town', publicKey)
      const lastWhole = files.findLastIndex(({ kind }) => kind === 'whole')
      for (const place of ['u0', 'u1', 's0', 'zz']) {
        const all = phoneSet(files, place)
        // Whoever begins with the newest whole set ends up knowing the same.
        const from = files.findIndex(
          ({ path, kind }) =>
            kind === 'whole' && path.split('-')[1] === files[lastWhole]?.path.split('-')[1],
        )
        if (from > 0) assert.deepEqual(sorted(phoneSet(files.slice(from), place)), sorted(all))
        const near = reports.filter(({ cell }) => cell === null || cell === place)
        const extra = new Set(
          reports
            .filter(
              ({ held, numbers }) =>
                held !== undefined && numbers.some((number) => all.has(number)),
            )
            .map(({ seq }) => seq),
        )
        assert.ok(extra.size < hold, `${extra.size} withdrawn reports are still told`)
        const missing = near.filter(
          ({ held, numbers }) => held === undefined && !numbers.every((number) => all.has(number)),
        )
        assert.ok(missing.length < hold, `${missing.length} reports are not told`)
      }
      const published = new Set(
        files.filter(({ kind }) => kind === 'release').flatMap(({ numbers }) => numbers),
      )
      for (const { kind, numbers } of files)
        if (kind === 'removed')
          assert.ok(
            numbers.every((number) => published.has(number)),
            'nothing is removed that was never published',
          )
    }
  },
)

databaseTestOnce(
  'few reports wait, and few withdrawals do; midnight ends both',
  async (database, t) => {
    await using town = await openPublishingZone(database, t)
    const { zone, clock } = town
    const publicKey = await addCenStream(town, { hold: 3 })
    const read = async () => (
      await publishDue(zone.publisher),
      readNumbers(zone.publicFolder, 'town', publicKey)
    )
    const first = await storeNumbers(town, 2, 5)
    await storeNumbers(town, 5, 5, { trust: 'trusted' })
    clock.advance(HOUR)
    assert.deepEqual(await read(), [], 'two are few')
    first.push(...(await storeNumbers(town, 2, 5)))
    clock.advance(HOUR)
    const files = await read()
    assert.deepEqual(
      files.map(({ kind, numbers }) => [kind, numbers]),
      [['release', sorted(numbersOf(first))]],
      'other levels of trust are not mixed in',
    )
    const withdrawal = await withdrawReports(town, [first[0]?.seq ?? 0, first[1]?.seq ?? 0])
    clock.advance(HOUR)
    assert.equal((await read()).length, 1, 'two are few')
    await withdrawReports(town, [first[2]?.seq ?? 0])
    clock.advance(HOUR)
    const removed = (await read())[1]
    assert.deepEqual(
      [removed?.kind, removed?.numbers],
      ['removed', sorted(numbersOf(first.slice(0, 3)))],
    )
    await reinstateReports(town, [first[0]?.seq ?? 0, first[1]?.seq ?? 0], withdrawal)
    const more = await storeNumbers(town, 1, 5)
    clock.advance(HOUR)
    const again = (await read())[2]
    assert.deepEqual(
      [again?.kind, again?.numbers],
      ['release', sorted(numbersOf([...first.slice(0, 2), ...more]))],
    )
    // One more: it is not told by itself, but midnight's set is without it.
    await withdrawReports(town, [first[3]?.seq ?? 0])
    clock.set('2026-03-11T00:00:00Z')
    const whole = (await read()).at(-1)
    assert.deepEqual(
      [whole?.kind, whole?.numbers],
      ['whole', sorted(numbersOf([...first.slice(0, 2), ...more]))],
    )
    // 21 days later nothing counts any more, and phones are told.
    clock.set('2026-04-02T00:00:00Z')
    const last = (await read()).at(-1)
    assert.deepEqual([last?.kind, last?.numbers], ['whole', []])
  },
)

databaseTestOnce(
  'a lost file is made again as it was, and leaves in the end with its signature',
  async (database, t) => {
    await using town = await openPublishingZone(database, t)
    const { zone, clock } = town
    const publicKey = await addCenStream(town, {
      retention: 2 * DAY,
      settings: { cells: 1, cellReports: 2 },
    })
    const eight = await storeNumbers(town, 8, 100, (index) => ({
      cell: index % 2 === 0 ? 'u' : 's',
    }))
    clock.set('2026-03-11T00:00:00Z')
    await publishDue(zone.publisher)
    // What is asked of a diagnosis key concerns no such stream.
    const [key = ''] = await town.upload()
    const explained = await explainKey(
      zone.db,
      Buffer.from(key, 'hex'),
      clock.now().getTime() / 1000,
    )
    assert.ok(explained.known && explained.streams.length === 0)
    const filters = await zone.db.query(sql`select 1 from stream_filter`)
    assert.equal(filters.rowCount, 0)
    const before = await digestFolder(zone.publicFolder)
    const files = await readNumbers(zone.publicFolder, 'town', publicKey)
    assert.deepEqual(
      files.map(({ kind, cell }) => `${kind} ${cell}`),
      ['release s', 'release u', 'whole *', 'whole s', 'whole u'],
    )
    const check = async () => {
      const problems: string[] = []
      for await (const page of checkStore({ ...zone.publisher, settle: async () => true }))
        problems.push(...page.map(({ problem }) => problem))
      return problems.sort()
    }
    assert.deepEqual(await check(), [], 'the store is as the log has it')
    for (const path of Object.keys(before)) await rm(join(zone.publicFolder, path))
    assert.deepEqual(await check(), Array<string>(12).fill('lost'))
    await publishDue(zone.publisher)
    assert.deepEqual(await digestFolder(zone.publicFolder), before)
    // What is withdrawn later changes nothing of what was made.
    const { rows } = await zone.db.query<{ seq: number }>(
      sql`select seq from release where window_end = ${Date.UTC(2026, 2, 11) / 1000}`,
    )
    await withdrawReports(
      town,
      eight.slice(0, 3).map(({ seq }) => seq),
    )
    const made = await remakeFiles(zone.publisher, rows[0]?.seq ?? 0)
    for (const { built } of made) await rm(built.staged)
    // A newer whole set replaces an old one, though releases stay; the newest one stays whatever its age.
    const wholes = async () =>
      (await readNumbers(zone.publicFolder, 'town', publicKey))
        .filter(({ kind }) => kind === 'whole')
        .map(({ end }) => end)
    const midnight = Date.UTC(2026, 2, 11) / 1000
    clock.advance(3 * DAY)
    await publishDue(zone.publisher)
    await publishDue(zone.publisher)
    assert.deepEqual([...new Set(await wholes())], [midnight + 2 * DAY, midnight + 3 * DAY])
    clock.advance(30 * DAY)
    await publishDue(zone.publisher)
    clock.advance(2 * HOUR)
    await publishDue(zone.publisher)
    await publishDue(zone.publisher)
    for (const { path } of files)
      for (const name of [path, `${path}.sig`])
        assert.equal(
          (await digestFolder(zone.publicFolder))[`exports/${name}`],
          undefined,
          `${name} is gone`,
        )
  },
)

databaseTestOnce(
  'auditors verify a stream, and apps of the second backend read it by time',
  async (database, t) => {
    await using town = await openPublishingZone(database, t)
    const { zone, clock } = town
    const publicKey = await addCenStream(town, { hold: 2, settings: { cells: 1, cellReports: 2 } })
    const keyFile = join(town.folder, 'public.pem')
    await writeFile(keyFile, publicKey)
    const first = await storeNumbers(town, 6, 4, (index) => ({ cell: index % 2 === 0 ? 'u' : 's' }))
    clock.advance(HOUR)
    await publishDue(zone.publisher)
    const second = await storeNumbers(town, 3, 4)
    await withdrawReports(
      town,
      first.slice(0, 2).map(({ seq }) => seq),
    )
    clock.advance(HOUR)
    await publishDue(zone.publisher)

    const verifyFolder = () =>
      tocsinHere(
        [
          'verify',
          join(zone.publicFolder, 'exports', 'town'),
          '--key',
          keyFile,
          '--key-id',
          '310',
          '--json',
        ],
        {},
      )
    const good = await verifyFolder()
    assert.equal(good.status, 0, good.err)
    const document = JSON.parse(good.out) as {
      keys: number
      revisedKeys: number
      findings: unknown[]
    }
    assert.deepEqual([document.keys, document.revisedKeys, document.findings], [36, 8, []])
    const list = async (since: number) => {
      const found: string[] = []
      for await (const { number, published } of listNumbers(zone.publicFolder, 'town', since))
        found.push(`${published} ${Buffer.from(number).toString('hex')}`)
      return found
    }
    const end = Date.UTC(2026, 2, 10, 10) / 1000
    const expect = (reports: readonly StoredNumbers[], published: number) =>
      numbersOf(reports).map((number) => `${published} ${number}`)
    assert.deepEqual(
      (await list(0)).sort(),
      [...expect(first.slice(2), end - HOUR), ...expect(second, end)].sort(),
    )
    assert.deepEqual((await list(end)).sort(), expect(second, end).sort(), 'the boundary counts')
    assert.deepEqual(await list(end + 1), [])
    // Midnight: what counts is in the whole set, and nothing else.
    await withdrawReports(town, [second[0]?.seq ?? 0])
    clock.set('2026-03-11T00:00:00Z')
    await publishDue(zone.publisher)
    assert.deepEqual(
      (await list(0)).sort(),
      [...expect(first.slice(2), end - HOUR), ...expect(second.slice(1), end)].sort(),
    )

    // The same by HTTP: as files, and as a list.
    const routes = cenDownloadRoutes({
      ofKinds: new Map([['TOCSIN_CEN_STREAM', 'town']]),
      publicFolder: zone.publicFolder,
      serveFile: createFileServer(zone.publicFolder),
    } as unknown as RouteContext)
    const get = async (path: string, query = '') => {
      const route = routes.find(({ takesDirectly, url }) => takesDirectly?.(path) ?? url === path)
      return route?.handle({
        method: 'GET',
        path,
        query,
        params: {},
        headers: {},
        body: new Uint8Array(),
        address: () => '',
      })
    }
    const index = await get('/v1/cens/town/index.txt')
    assert.deepEqual(index?.body, await readFile(join(zone.publicFolder, 'exports/town/index.txt')))
    const [, , , line = ''] = Buffer.from(index?.body as Uint8Array)
      .toString()
      .split('\n')
    const served = await get(`/v1/cens/${line.split(' ')[0] ?? ''}.sig`)
    assert.deepEqual(
      [served?.status, served?.headers?.['content-type']],
      [200, 'application/octet-stream'],
    )
    assert.equal(await get('/v1/cens/town/../index.txt'), undefined)
    const answer = await get('/api/v1/cens/', 'since=2026-03-10T10:00:00%2B00:00')
    const { cens } = (await json(answer?.body as Readable)) as {
      cens: { uuid: string; published_at: string }[]
    }
    assert.deepEqual(
      cens.map(({ uuid, published_at }) => `${Date.parse(published_at) / 1000} ${uuid}`),
      await list(end),
    )
    for (const query of [
      '',
      'since=',
      'since=yesterday',
      'since=2026-02-31',
      'since=2026-03-10&since=2026-03-11',
    ])
      await assert.rejects(() => get('/api/v1/cens/', query), { code: 'bad_request' }, query)

    // A bit that was changed, and files that were swapped under the index.
    const [changed] = await readNumbers(zone.publicFolder, 'town', publicKey)
    const path = join(zone.publicFolder, 'exports', changed?.path ?? '')
    const bytes = await readFile(path)
    await writeFile(path, bytes.fill((bytes[3] ?? 0) ^ 1, 3, 4))
    const bad = JSON.parse((await verifyFolder()).out) as { code: string; verdict: string }
    assert.deepEqual([bad.verdict, bad.code], ['invalid', 'signature_invalid'])
  },
)

databaseTestOnce("a withdrawn copy takes nobody else's numbers along", async (database, t) => {
  await using town = await openPublishingZone(database, t)
  const { zone, clock } = town
  const publicKey = await addCenStream(town, { hold: 2 })
  const honest = await storeNumbers(town, 5, 20)
  const others = await storeNumbers(town, 2, 20)
  // Public numbers, uploaded again by somebody, with some of their own.
  const [copied = []] = honest.map(({ numbers }) => numbers)
  const [copy] = await storeNumbers(town, 1, 20, {}, [copied.slice(0, 15)])
  clock.advance(HOUR)
  await publishDue(zone.publisher)
  await withdrawReports(town, [...others.map(({ seq }) => seq), copy?.seq ?? 0])
  clock.advance(HOUR)
  await publishDue(zone.publisher)
  const files = await readNumbers(zone.publicFolder, 'town', publicKey)
  const removed = files.filter(({ kind }) => kind === 'removed').flatMap(({ numbers }) => numbers)
  const own = copy?.numbers.filter((number) => !copied.includes(number)) ?? []
  assert.deepEqual(sorted(removed), sorted([...numbersOf(others), ...own]))
  assert.ok(copied.every((number) => phoneSet(files, 'u').has(number)))
  await assertLogIsClean(town)
})
