// Test: contents that are kept apart from their events; promises that nobody who reads the log notices, and that they are forgotten when their time is over and not before.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { TestContext } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { connectOnce, parseAddress, type Transaction } from '../src/db/database.ts'
import { sql } from '../src/db/sql.ts'
import { appendEvents } from '../src/log/append-event.ts'
import { makeSnapshot } from '../src/log/archive-snapshot.ts'
import { archiveThrough } from '../src/log/archiver.ts'
import { splitCopied } from '../src/log/copied-contents.ts'
import { attachParts, detachParts } from '../src/log/detach-record.ts'
import { forgetContents, readContents } from '../src/log/detached-parts.ts'
import { readEvent, readEventRows, readHead } from '../src/log/read-events.ts'
import {
  decodeEvent,
  decodeKnownEvent,
  encodeEvent,
  erasePart,
  SALT_LENGTH,
  type NewEvent,
} from '../src/log/record.ts'
import { verifyLog } from '../src/log/verify-log.ts'
import type { OpenZone } from '../src/operate/open-zones.ts'
import { digestTables, differingTables } from '../src/recover/compare-tables.ts'
import { eraseAgain, eraseDue } from '../src/submit/retention.ts'
import { archiveOf, readSegments } from './archiving-zone.ts'
import { databaseTest, databaseTestOnce, type TestDatabase } from './database.ts'
import { movableClock } from './key-zone.ts'
import { killedAt } from './killed-transactions.ts'
import { openKeyZone, type TestKeyZone } from './open-key-zone.ts'
import { openEmpty, recoverFrom, recoverUntilFrom } from './recovered-zone.ts'
import { temporaryFolder } from './temporary-folder.ts'

const DAY = 86_400

/** As many as a phone has of 21 days: 9,072 numbers of 16 bytes. */
const USUAL = 9_072 * 16

const randomNumbers = (bytes: number) => new Uint8Array(randomBytes(bytes))

const withNumbers = (numbers: Uint8Array): NewEvent => ({
  type: 'numbers.kept',
  parts: [
    { retention: 'audit', content: { count: numbers.length / 16 } },
    { retention: 'numbers', content: numbers, detached: true },
    { retention: 'audit', content: { more: true } },
  ],
})

async function open({ url }: TestDatabase, t: TestContext) {
  const folder = await temporaryFolder(t)
  const clock = movableClock('2026-03-10T08:00:00Z')
  const zone = await openKeyZone(url, folder, clock.now)
  const append = (...events: readonly NewEvent[]) =>
    zone.db.transaction((tx) => appendEvents(tx, zone.writer, events, clock.now()))
  /** Appends an event. @returns its number and what it keeps apart */
  const keep = async (bytes = 32) => {
    const numbers = randomNumbers(bytes)
    const [event] = await append(withNumbers(numbers))
    return { seq: event?.seq ?? -1, numbers }
  }
  const erase = async () => {
    const { erased, failures } = await eraseDue(zone, clock.now())
    assert.deepEqual([...failures], [])
    await assertClean(zone)
    return erased.numbers
  }
  return {
    zone,
    folder,
    clock,
    append,
    keep,
    erase,
    [Symbol.asyncDispose]: () => zone[Symbol.asyncDispose](),
  }
}

async function assertClean({ db, writer }: Pick<OpenZone, 'db' | 'writer'>): Promise<string> {
  const { problems, root } = await verifyLog(db, writer.projections)
  assert.deepEqual(problems, [])
  return root
}

/** What is there of numbers, by the number of their event; undefined where it is gone. */
async function readNumbers({ db }: Pick<TestKeyZone, 'db'>) {
  const found = new Map<number, string | undefined>()
  for await (const page of readEventRows(db, 0))
    for (const { seq, record } of page)
      for (const { detached, content } of decodeEvent(record).parts)
        if (detached === true) found.set(seq, content && Buffer.from(content).toString('hex'))
  return found
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const rowsIn = async ({ db }: Pick<TestKeyZone, 'db'>, table: string) =>
  (await db.query<{ n: number }>({ text: `select count(*) as n from ${table}`, values: [] }))
    .rows[0]?.n

databaseTest('an event is read whole while its contents are there', async (database, t) => {
  await using town = await open(database, t)
  const { zone, append } = town
  const { db } = zone
  const sizes = [0, 16, 23 * 16, USUAL, 20_000 * 16]
  const numbers = sizes.map((size) => randomNumbers(size))
  const stored = await append(...numbers.map(withNumbers))
  const first = stored[0]?.seq ?? -1
  const rows = []
  for await (const page of readEventRows(db, first)) rows.push(...page)
  rows.forEach(({ record, leafHash }, index) => {
    assert.deepEqual(decodeEvent(record), stored[index])
    assert.deepEqual(decodeKnownEvent(record), stored[index])
    // The very bytes that a record without anything apart would have.
    const apart = detachParts(record)
    assert.equal(hex(apart.record), hex(erasePart(record, 'numbers')))
    assert.equal(hex(attachParts(apart.record, apart.contents)), hex(record))
    const salts = saltsIn(record)
    assert.equal(hex(encodeEvent(stored[index] as never, salts).record), hex(record))
    assert.equal(hex(encodeEvent(stored[index] as never, salts).leafHash), hex(leafHash))
  })
  // The table has little of it.
  const { rows: lengths } = await db.query<{ most: number }>(
    sql`select max(octet_length(record)) as most from event where seq >= ${first}`,
  )
  assert.ok((lengths[0]?.most ?? Infinity) < 300)
  assert.equal((await readEvent(db, first + 3))?.parts[1]?.content, undefined)

  // All contents, or some, without their events.
  const wanted = `select seq from event where seq in (${first + 1}, ${first + 3}, ${first + 4})`
  const streamed: string[] = []
  await zone.copyDb.transaction(async (tx) => {
    for await (const content of readContents(tx, wanted)) streamed.push(hex(content))
    // Who gives up leaves a connection that can go on.
    for await (const _ of readContents(tx, 'select seq from event')) break
    assert.equal((await tx.query(sql`select 1`)).rows.length, 1)
  })
  assert.deepEqual(
    streamed.sort(),
    [1, 3, 4].map((index) => hex(numbers[index] as Uint8Array)).sort(),
  )

  const root = await assertClean(zone)
  await db.transaction((tx) => forgetContents(tx, first + 4))
  assert.deepEqual(
    [...(await readNumbers(zone)).values()],
    [...Array.from({ length: 4 }, () => undefined), hex(numbers[4] as Uint8Array)],
  )
  assert.equal(await assertClean(zone), root)
  const { nextSeq } = await readHead(db)
  assert.equal(await db.transaction((tx) => forgetContents(tx, nextSeq)), 1)
  assert.equal(await assertClean(zone), root)
})

/** The salts in a record, one behind the other: each stands behind its retention and the byte 0x50. */
function saltsIn(record: Uint8Array): Uint8Array {
  const bytes = Buffer.from(record)
  const salts: Uint8Array[] = []
  let at = 0
  for (const retention of ['audit', 'numbers', 'audit']) {
    at = bytes.indexOf(Buffer.from(`${retention}P`), at) + retention.length + 1
    salts.push(record.subarray(at, at + SALT_LENGTH))
  }
  return Buffer.concat(salts)
}

databaseTestOnce('what was copied out is the same in pieces of any length', async () => {
  const contents = [0, 1, 16, 70_000].map((size) => randomBytes(size))
  const head = Buffer.alloc(19)
  const rows = contents.map((content) => {
    const row = Buffer.alloc(6)
    row.writeInt16BE(1)
    row.writeInt32BE(content.length, 2)
    return Buffer.concat([row, content])
  })
  const copied = Buffer.concat([head, ...rows, Buffer.of(0xff, 0xff)])
  const split = async (bytes: Buffer, length: number) => {
    async function* pieces() {
      for (let at = 0; at < bytes.length; at += length) {
        await setImmediate()
        yield bytes.subarray(at, at + length)
      }
    }
    const found: string[] = []
    for await (const content of splitCopied(pieces())) found.push(hex(content))
    return found
  }
  for (const length of [7, 1_000, copied.length])
    assert.deepEqual(await split(copied, length), contents.map(hex))
  await assert.rejects(split(copied.subarray(0, -5), 1_000), /in the middle of a row/)
})

databaseTestOnce(
  'an event without contents apart is stored by the statements that it always took',
  async (database, t) => {
    await using town = await open(database, t)
    const { db, writer } = town.zone
    const namesOf = async (event: NewEvent) => {
      const names: string[] = []
      await db.transaction((tx) => {
        const query: Transaction['query'] = (statement) => {
          names.push('name' in statement ? statement.name : statement.text)
          return tx.query(statement) as never
        }
        return appendEvents({ ...tx, query }, writer, [event], town.clock.now())
      })
      return names
    }
    const plain = { type: 'something', parts: [{ retention: 'audit', content: { a: 1 } }] } as const
    assert.deepEqual(await namesOf(plain), ['lock-head', 'insert-events'])
    assert.deepEqual(await namesOf(withNumbers(randomNumbers(16))), [
      'lock-head',
      'insert-events',
      'insert-contents',
    ])
  },
)

databaseTest('event and contents are stored together or not at all', async (database, t) => {
  await using town = await open(database, t)
  const { zone, clock, keep } = town
  await keep()
  const before = await digestTables(zone.db)
  for (const when of ['begin', 'commit'] as const)
    await assert.rejects(
      killedAt(zone, 0, when).db.transaction((tx) =>
        appendEvents(tx, zone.writer, [withNumbers(randomNumbers(USUAL))], clock.now()),
      ),
      /killed/,
    )
  assert.deepEqual(differingTables(before, await digestTables(zone.db)), [])
  await assertClean(zone)
})

databaseTestOnce(
  'the check of the log sees a content that was changed, added, moved or taken',
  async (database, t) => {
    await using town = await open(database, t)
    const { zone, keep } = town
    for (let nth = 0; nth < 3; nth++) await keep()
    await using owner = Object.assign(await connectOnce(parseAddress(database.url)), {
      [Symbol.asyncDispose]: () => owner.end(),
    })
    await owner.query('set search_path = key_zone')
    const problemsAfter = async (change: string) => {
      await owner.query('create temp table kept as select * from event_content')
      await owner.query(change)
      const { problems } = await verifyLog(zone.db, zone.writer.projections)
      await owner.query('delete from event_content')
      await owner.query('insert into event_content select * from kept')
      await owner.query('drop table kept')
      return problems.join('; ')
    }
    const { nextSeq } = await readHead(zone.db)
    const last = nextSeq - 1
    for (const [change, problem] of [
      [`update event_content set content = content || 'x' where seq = ${last}`, /was changed/],
      [
        `update event_content set salt = decode(md5('x'), 'hex') where seq = ${last}`,
        /was changed/,
      ],
      [
        `insert into event_content values (${nextSeq + 5}, 1, 3, decode(md5('x'), 'hex'), 'x')`,
        /1 rows are of no part/,
      ],
      [`update event_content set part = 0 where seq = ${last}`, /1 rows are of no part/],
      [
        `update event_content set slot = (slot + 1) % 32 where seq = ${last}`,
        /1 rows are of no part/,
      ],
      [`delete from event_content where seq = ${last}`, /lacks what is kept apart from it/],
    ] as const)
      assert.match(await problemsAfter(change), problem, change)
    assert.equal(await problemsAfter('select 1'), '')
  },
)

databaseTest('numbers are forgotten 21 whole days after their day', async (database, t) => {
  await using town = await open(database, t)
  const { zone, clock, keep, erase } = town
  clock.set('2026-03-10T23:59:00Z')
  const first = await keep()
  clock.set('2026-03-11T00:20:00Z')
  const second = await keep()
  clock.set('2026-03-31T23:59:59Z')
  assert.equal(await erase(), 0)
  assert.equal(await rowsIn(zone, 'event_content'), 2)
  clock.set('2026-04-01T00:00:00Z')
  // The slot was emptied, not its rows marked.
  assert.equal(await erase(), 1)
  const found = await readNumbers(zone)
  assert.deepEqual([found.get(first.seq), found.get(second.seq)], [undefined, hex(second.numbers)])
  const slot = Math.floor(Date.parse('2026-03-10') / 1000 / DAY) % 32
  const { rows } = await zone.db.query<{ pages: number }>({
    text: `select pg_relation_size('event_content_${String(slot).padStart(2, '0')}') as pages`,
    values: [],
  })
  assert.equal(rows[0]?.pages, 0)
  assert.equal(await erase(), 0)
  clock.set('2026-04-02T00:00:00Z')
  assert.equal(await erase(), 1)
})

databaseTest('whatever the clock does, younger numbers stay', async (database, t) => {
  await using town = await open(database, t)
  const { zone, clock, keep, erase } = town
  // 32 days apart: the same slot. Nobody erased in between.
  const old = await keep()
  clock.advance(32 * DAY)
  const young = await keep()
  assert.equal(await erase(), 1, 'the older one goes, without the slot')
  assert.deepEqual((await readNumbers(zone)).get(young.seq), hex(young.numbers))
  // Back by ten days: what comes is of the head's day.
  clock.advance(-10 * DAY)
  const back = await keep()
  clock.advance(11 * DAY)
  await erase()
  // It leaps by 40 days, brings one, and is set right.
  clock.advance(40 * DAY)
  const leapt = await keep()
  clock.advance(-40 * DAY)
  const after = await keep()
  await erase()
  let found = await readNumbers(zone)
  for (const { seq, numbers } of [young, back, leapt, after])
    assert.equal(found.get(seq), hex(numbers))
  clock.advance(21 * DAY)
  assert.equal(await erase(), 2)
  found = await readNumbers(zone)
  assert.deepEqual(
    [old, young, back, leapt, after].map(({ seq }) => found.get(seq) !== undefined),
    [false, false, false, true, true],
  )
  clock.advance(41 * DAY)
  assert.equal(await erase(), 2)
  assert.equal(await rowsIn(zone, 'event_content'), 0)
})

databaseTestOnce('a day that somebody reads stays, and goes the next time', async (database, t) => {
  await using town = await open(database, t)
  const { zone, clock, keep, erase } = town
  await keep()
  clock.advance(30 * DAY)
  await zone.copyDb.transaction(async (tx) => {
    for await (const _ of readContents(tx, 'select seq from event'));
    const { failures } = await eraseDue(zone, clock.now())
    assert.deepEqual([...failures.keys()], ['numbers'])
    // Whoever submits meanwhile waits for nothing.
    await keep()
  })
  assert.equal(await erase(), 1)
})

databaseTest('an archive has everything, and gives it back', async (database, t) => {
  await using town = await open(database, t)
  const { zone, clock, folder, append, keep } = town
  const archive = await archiveOf(zone, 'key', folder, clock.now)
  await append(...Array.from({ length: 60 }, () => withNumbers(randomNumbers(USUAL))))
  for (let nth = 0; nth < 3; nth++) await keep()
  await archiveThrough(archive.context, Infinity)
  // Closed by all that they hold.
  assert.deepEqual(
    (await archive.context.archive.list()).map(({ kind }) => kind),
    ['segment', 'segment'],
  )
  // Pages are of so many bytes, not only of so many events.
  for await (const page of readEventRows(zone.db, 0))
    assert.ok(page.reduce((sum, { record }) => sum + record.length, 0) < 5 << 20)
  const whole = await readNumbers(zone)
  const archived = new Map(
    (await readSegments(archive)).flatMap(({ seq, record }) =>
      decodeEvent(record).parts.flatMap(({ detached, content }) =>
        detached === true && content !== undefined ? [[seq, hex(content)] as const] : [],
      ),
    ),
  )
  assert.deepEqual(archived, whole)

  await using empty = await openEmpty(database, folder)
  const recover = (options = {}) =>
    recoverFrom(empty.key, archive.folder, 'key', archive.identity, options)
  // Interrupted behind the first batch, and gone on with.
  const stop = new AbortController()
  await assert.rejects(
    recover({ batchBytes: 1, signal: stop.signal, onProgress: () => stop.abort() }),
    {
      code: 'recovery_unfinished',
    },
  )
  const there = (await rowsIn(empty.key, 'event')) ?? 0
  assert.ok(there > 0 && there < whole.size, `${there} events`)
  assert.ok((await recover()).alreadyThere >= there)
  assert.deepEqual(
    differingTables(await digestTables(zone.db), await digestTables(empty.key.db)),
    [],
  )
  await assertClean(empty.key)

  // To a point between them.
  await using earlier = await openEmpty(database, folder)
  const until = { seq: (await readHead(zone.db)).nextSeq - 2 }
  await recoverUntilFrom(earlier.key, archive.folder, 'key', archive.identity, until, {
    now: clock.now(),
  })
  assert.deepEqual([...(await readNumbers(earlier.key))], [...whole].slice(0, -2))
  await assertClean(earlier.key)
})

databaseTestOnce('contents whose time is over come back from no archive', async (database, t) => {
  await using town = await open(database, t)
  const { zone, clock, folder, keep, erase } = town
  const archive = await archiveOf(zone, 'key', folder, clock.now)
  const over = await keep(USUAL)
  clock.advance(10 * DAY)
  const kept = await keep(USUAL)
  await archiveThrough(archive.context, Infinity)
  clock.advance(12 * DAY)
  assert.equal(await erase(), 1)
  await archiveThrough(archive.context, Infinity)
  const recover = async () => {
    const empty = await openEmpty(database, folder)
    await recoverFrom(empty.key, archive.folder, 'key', archive.identity)
    return empty
  }
  const compare = async (recovered: OpenZone) => {
    await assertClean(recovered)
    const found = await readNumbers(recovered)
    assert.deepEqual([found.get(over.seq), found.get(kept.seq)], [undefined, hex(kept.numbers)])
    assert.deepEqual(
      differingTables(await digestTables(zone.db), await digestTables(recovered.db)),
      [],
    )
  }
  await using segments = await recover()
  assert.equal((await readNumbers(segments.key)).get(over.seq), hex(over.numbers))
  await eraseAgain(segments.key, clock.now())
  await compare(segments.key)
  // A snapshot is without it.
  await makeSnapshot(archive.context)
  await using snapshot = await recover()
  await compare(snapshot.key)
})
