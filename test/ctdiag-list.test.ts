// Test: the list of all keys for ct-diag-server's apps: it follows from the zips alone, and a phone that goes on behind its last key misses none.

import assert from 'node:assert/strict'
import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { listPaths } from '../src/distribute/ctdiag-paths.ts'
import { createListServer } from '../src/distribute/ctdiag-list.ts'
import { openDirectoryStore } from '../src/distribute/directory-store.ts'
import type { Database } from '../src/db/database.ts'
import { createGroupCommit } from '../src/log/group-commit.ts'
import { checkStore } from '../src/publish/check-store.ts'
import { createPublisher, publishDue } from '../src/publish/publish-due.ts'
import { repairStore } from '../src/publish/repair-store.ts'
import { createAcceptReports } from '../src/submit/accept-reports.ts'
import { withdrawNow } from './correcting-zone.ts'
import { HOUR, play, steps, type Step } from './correction-history.ts'
import { CtdiagPhone, download, expectedList, parseRecords } from './ctdiag-reader.ts'
import { createDatabase, databaseTest, databaseTestOnce, type TestDatabase } from './database.ts'
import { makeKeys } from './key-zone.ts'
import { Phone } from './phone.ts'
import { readIndex } from './published-files.ts'
import { openPublishingZone, type PublishingZone } from './publishing-zone.ts'
import { playHistories } from './random-histories.ts'

const STREAM = 'ctdiag'
const PATHS = listPaths(STREAM)

/** Looks at the list whenever a history says so: every other time something then happens to the file, and the next release must mend it. */
class Reader extends Phone {
  readonly #root: string
  readonly #server: ReturnType<typeof createListServer>
  readonly #often = new CtdiagPhone()
  readonly #brokenOff = new CtdiagPhone()
  readonly #late = new CtdiagPhone()
  #looks = 0
  #harmed = ''

  constructor(root: string) {
    super(STREAM)
    this.#root = root
    this.#server = createListServer({ root, stream: STREAM, resync: false })
  }

  override async read(): Promise<void> {
    const list = await readFile(join(this.#root, PATHS.records)).catch(() => undefined)
    const index = await readIndex(this.#root, STREAM).catch(() => [])
    // What was harmed is as it must be from the next release on.
    if (index.length === 0 || index.join() === this.#harmed) return
    const expected = await expectedList(this.#root, STREAM)
    assert.equal(list?.toString('hex'), [...expected.values()].join(''))
    const days = await readFile(join(this.#root, PATHS.dayRecords), 'hex')
    assert.equal(days, [...expected.values()].map(inDays).join(''))
    await this.#often.poll(this.#server)
    await this.#brokenOff.poll(this.#server, 1 + (this.#looks % 7))
    for (const [key, record] of expected) assert.equal(this.#often.keys.get(key), record, key)
    this.#looks += 1
    if (this.#looks % 2 === 0) return
    this.#harmed = index.join()
    if (this.#looks % 4 === 1) await rm(join(this.#root, PATHS.records))
    else await writeFile(join(this.#root, PATHS.records), 'x'.repeat(list?.length ?? 0))
  }

  /** Lets every phone come to the end. @returns how many keys there are, and how often a phone had to begin again */
  async finish(): Promise<{ readonly keys: number; readonly restarts: number }> {
    const expected = await expectedList(this.#root, STREAM)
    const list = parseRecords((await download(this.#server)) ?? Buffer.alloc(0))
    assert.deepEqual([...list], [...expected])
    const phones = [this.#often, this.#brokenOff, this.#late]
    for (const phone of phones) {
      await phone.poll(this.#server)
      for (const [key, record] of expected) assert.equal(phone.keys.get(key), record, key)
    }
    return {
      keys: expected.size,
      restarts: phones.reduce((sum, { restarts }) => sum + restarts, 0),
    }
  }
}

/** A record of the earlier form, in hex. */
function inDays(record: string): string {
  const day = Math.floor(parseInt(record.slice(32, 40), 16) / 144)
  return record.slice(0, 32) + day.toString(16).padStart(4, '0')
}

/** The stream's lists as another instance makes them, which has nothing but the log and the zips that follow from it. */
async function listsOfAnother({ zone, folder }: PublishingZone): Promise<Buffer[]> {
  const root = join(folder, 'another')
  await publishDue({ ...zone.publisher, store: openDirectoryStore(root) })
  return readLists(root)
}

function readLists(root: string): Promise<Buffer[]> {
  return Promise.all(Object.values(PATHS).map((path) => readFile(join(root, path))))
}

async function checkHistory(database: TestDatabase, t: TestContext, history: readonly Step[]) {
  const own = await createDatabase(database.url)
  try {
    await using test = await openPublishingZone(own, t)
    const { zone, clock } = test
    await test.addStream(STREAM, { kind: 'ctdiag', maximum: 5, hold: 3, retention: 4 * HOUR })
    const authorities = [
      await test.addAuthority('us.example.health', ['US']),
      await test.addAuthority('ca.example.health', ['CA']),
      await test.addAuthority('both.example.health', ['CA', 'US']),
    ]
    const reader = new Reader(zone.publicFolder)
    await play(test, authorities, [[reader, reader]], history)
    clock.advance(HOUR)
    await publishDue(zone.publisher)
    const end = await reader.finish()
    assert.deepEqual(await readLists(zone.publicFolder), await listsOfAnother(test))
    return end
  } finally {
    await own[Symbol.asyncDispose]()
  }
}

const uploads = (type: 'confirmed' | 'likely', days: number): Step[] =>
  [0, 2, 0].map((who) => ({ do: 'upload', who, days, today: false, traveler: false, type }))
const HOURS: Step = { do: 'wait', minutes: 61, publish: true, restart: false }
const READ: Step = { do: 'read', phone: 0 }

/** The last key of phones is withdrawn, which they see or not, and comes back behind what they have not seen. */
const MOVED: readonly Step[] = [
  ...uploads('confirmed', 3),
  HOURS,
  READ,
  { do: 'withdraw', which: [0, 1, 2] },
  ...uploads('likely', 1),
  HOURS,
  { do: 'reinstate', which: 0, part: false },
  HOURS,
  READ,
]
const GONE: readonly Step[] = MOVED.flatMap((step): Step[] =>
  step.do === 'reinstate' ? [READ, step] : [step],
)
/** Keys of the first hours are over, while the same publisher goes on. */
const EXPIRED: readonly Step[] = Array.from({ length: 6 }, (_, hour): Step[] => [
  ...uploads('confirmed', 2),
  HOURS,
  ...(hour === 0 ? [READ] : []),
]).flat()

databaseTestOnce(
  'whatever happened, the list is what the zips say, from every instance, and phones miss no key',
  async (database, t) => {
    const total = { keys: 0, restarts: 0 }
    const check = async (history: readonly Step[]) => {
      const { keys, restarts } = await checkHistory(database, t, history)
      total.keys += keys
      total.restarts += restarts
    }
    for (const history of [MOVED, GONE, EXPIRED]) await check(history)
    await playHistories(steps, 1, check)
    assert.ok(total.keys > 0 && total.restarts > 0, JSON.stringify(total))
  },
)

/** A database whose submissions wait just before they commit. */
function gated(db: Database, gate: Promise<void>): Database {
  return {
    ...db,
    transaction: (work) =>
      db.transaction(async (tx) => {
        const result = await work(tx)
        await gate
        return result
      }),
  }
}

databaseTest('what commits late is behind the last key of every phone', async (database, t) => {
  await using test = await openPublishingZone(database, t)
  const { zone, clock } = test
  await test.addStream(STREAM, { kind: 'ctdiag' })
  const publish = createPublisher(zone.publisher, { mustHold: async () => undefined })
  await publish()
  const server = createListServer({ root: zone.publicFolder, stream: STREAM, resync: false })
  const phone = new CtdiagPhone()
  clock.set('2026-03-10T08:59:59Z')
  let open: () => void = () => undefined
  const gate = new Promise<void>((resolve) => (open = resolve))
  const accept = createAcceptReports(gated(zone.db, gate), zone.writer, () => clock.now())
  const submit = { ...zone.submit, commit: createGroupCommit(64, 10, Infinity, accept) }
  const late = test.upload(undefined, undefined, submit)
  await setTimeout(200)
  clock.set('2026-03-10T09:00:00Z')
  const publishing = publish()
  const early = test.upload()
  await setTimeout(200)
  await phone.poll(server)
  assert.equal(phone.keys.size, 0)
  open()
  await publishing
  await phone.poll(server)
  clock.set('2026-03-10T10:00:00Z')
  await publish()
  await phone.poll(server)
  assert.deepEqual([...phone.keys.keys()].sort(), [...(await late), ...(await early)].sort())
  assert.deepEqual(phone.keys, parseRecords((await download(server)) ?? Buffer.alloc(0)))
  assert.equal(phone.restarts, 0)
})

databaseTest(
  "no uploader's keys are neighbours, and a key that is still valid waits",
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    await test.addStream(STREAM, { kind: 'ctdiag' })
    const server = createListServer({ root: zone.publicFolder, stream: STREAM, resync: false })
    const owners = new Map<string, number>()
    const today = new Set<string>()
    for (let uploader = 0; uploader < 60; uploader++) {
      const keys = makeKeys(clock.now(), 10, true)
      for (const key of await test.upload(keys)) owners.set(key, uploader)
      const [newest] = keys.toSorted((a, b) => b.rollingStartNumber - a.rollingStartNumber)
      today.add(Buffer.from(newest?.key ?? '', 'base64').toString('hex'))
    }
    clock.advance(HOUR)
    await publishDue(zone.publisher)
    const list = [...parseRecords((await download(server)) ?? Buffer.alloc(0)).keys()]
    assert.equal(list.length, owners.size - today.size)
    assert.ok(
      list.every((key) => !today.has(key)),
      'nothing that is valid still',
    )
    assert.deepEqual(list, list.toSorted(), 'in the order of their bytes')
    const neighbours = list.filter((key, at) => owners.get(key) === owners.get(list[at + 1] ?? ''))
    // As many as chance has it: one of 60 has the same owner.
    assert.ok(neighbours.length < list.length / 12, `${neighbours.length} of ${list.length}`)
    clock.set('2026-03-11T09:00:00Z')
    await publishDue(zone.publisher)
    const all = parseRecords((await download(server)) ?? Buffer.alloc(0))
    assert.deepEqual([...all.keys()].sort(), [...owners.keys()].sort())
  },
)

databaseTestOnce(
  'a release reads no zip but its own, and keys come out in all streams alike',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    await test.addStream(STREAM, { kind: 'ctdiag' })
    await test.addStream('us')
    const read: string[] = []
    const { store } = zone.publisher
    const watched = {
      ...store,
      read: (path: string) => (read.push(path), store.read(path)),
    }
    const publish = createPublisher(
      { ...zone.publisher, store: watched },
      { mustHold: async () => undefined },
    )
    await publish()
    for (let hour = 0; hour < 4; hour++) {
      await test.upload()
      clock.advance(HOUR)
      read.length = 0
      await publish()
      const [newest = ''] = (await readIndex(zone.publicFolder, STREAM)).slice(-1)
      const zips = new Set(read.filter((path) => path.endsWith('.zip')))
      // The first list is composed from nothing.
      if (hour > 0) assert.deepEqual([...zips], [`exports/${newest}`])
    }
    const list = await readFile(join(zone.publicFolder, PATHS.records), 'hex')
    assert.equal(list, [...(await expectedList(zone.publicFolder, 'us')).values()].join(''))
    const days = await stat(join(zone.publicFolder, PATHS.dayRecords))
    assert.equal((days.size / 18) * 42, list.length)
  },
)

databaseTestOnce(
  'a check tells a changed list and takes none for a stray; a repair makes it again',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    await test.addStream(STREAM, { kind: 'ctdiag' })
    await test.upload()
    clock.advance(HOUR)
    await publishDue(zone.publisher)
    const context = { ...zone.publisher, settle: async () => true, mustHold: async () => undefined }
    const look = async () => {
      const findings: string[] = []
      for await (const page of checkStore(context))
        findings.push(...page.map(({ problem, path }) => `${problem} ${path}`))
      return findings
    }
    assert.deepEqual(await look(), [])
    const before = await readLists(zone.publicFolder)
    for (const path of Object.values(PATHS)) {
      for (const problem of ['stale', 'lost']) {
        if (problem === 'lost') await rm(join(zone.publicFolder, path))
        else await writeFile(join(zone.publicFolder, path), 'x')
        assert.deepEqual(await look(), [`${problem} ${path}`])
        for await (const _ of repairStore(context, { removeStrays: true }));
        assert.deepEqual(await readLists(zone.publicFolder), before)
      }
    }
    // What follows from a zip that was changed can't be told: the zip is the finding.
    const [zip = ''] = await readIndex(zone.publicFolder, STREAM)
    await writeFile(join(zone.publicFolder, 'exports', zip), 'x')
    await writeFile(join(zone.publicFolder, PATHS.records), 'x')
    assert.deepEqual(await look(), [`changed exports/${zip}`])
    for await (const _ of repairStore(context, { removeStrays: false }));
    assert.deepEqual(await look(), [])
    assert.deepEqual(await readLists(zone.publicFolder), before)
    await withdrawNow(test, { selection: { healthAuthority: 'org.example.health' } })
    clock.advance(HOUR)
    await publishDue(zone.publisher)
    assert.equal((await readFile(join(zone.publicFolder, PATHS.records))).length, 0)
  },
)
