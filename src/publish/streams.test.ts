// Test: how a stream is added, changed and ended, and what is refused because phones or the log could not do with it.

import assert from 'node:assert/strict'
import { setTimeout } from 'node:timers/promises'
import type { TestContext } from 'node:test'
import { databaseTest, type TestDatabase } from '../../test/database.ts'
import { openPublishingZone, type PublishingZone } from '../../test/publishing-zone.ts'
import { sql } from '../db/sql.ts'
import { lockHead } from '../log/append-event.ts'
import { readEvent, readHead } from '../log/read-events.ts'
import { verifyLog } from '../log/verify-log.ts'
import { EARLIEST_START } from './check-stream.ts'
import { retireStream } from './retire-stream.ts'
import { addStream, listStreams, streamAt, updateStream, type Stream } from './streams.ts'

const DAY = 86_400
const EIGHT = Date.UTC(2026, 2, 10, 8) / 1000

/** A zone with the stream "us", and that stream. */
async function openStream(database: TestDatabase, t: TestContext) {
  const test = await openPublishingZone(database, t)
  await test.addStream('us')
  return {
    test,
    sound: await findSound(test),
    [Symbol.asyncDispose]: () => test[Symbol.asyncDispose](),
  }
}

async function findSound({ zone }: PublishingZone, name = 'us'): Promise<Stream> {
  const found = (await listStreams(zone.db)).find((stream) => stream.name === name)
  const { configurationSeq: _, ...sound } = found ?? assert.fail()
  return sound
}

const add = ({ zone, clock }: PublishingZone, stream: Stream) =>
  zone.db.transaction((tx) => addStream(tx, zone.writer, stream, clock.now()))
const update = (
  { zone, clock }: PublishingZone,
  name: string,
  change: Parameters<typeof updateStream>[3],
) => zone.db.transaction((tx) => updateStream(tx, zone.writer, name, change, clock.now()))
const retire = ({ zone, clock }: PublishingZone, name: string) =>
  zone.db.transaction((tx) => retireStream(tx, zone.writer, name, clock.now()))

databaseTest(
  'a stream is an event, and begins with the window that it was added in',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { db } = test.zone
    test.clock.set('2026-03-10T11:59:59Z')
    const publicKey = await test.addStream('us-4h', {
      region: 'us',
      inputRegions: ['us', 'CA', 'US'],
      excludedRegions: ['ca-qc'],
      period: 4 * 3600,
      windowAge: 60,
    })
    const [stream] = await listStreams(db)
    assert.deepEqual(stream, {
      name: 'us-4h',
      configurationSeq: (await readHead(db)).configurationSeq,
      region: 'US',
      inputRegions: ['CA', 'US'],
      excludedRegions: ['CA-QC'],
      travelers: 'regional',
      reportTypes: [],
      period: 4 * 3600,
      windowAge: 60,
      hold: 0,
      minimum: 0,
      maximum: 500_000,
      retention: 14 * DAY,
      start: EIGHT,
      through: null,
      kind: 'gaen',
      settings: {},
      diagnosisKeys: true,
      keys: [
        {
          keyId: '310',
          keyVersion: 'v1',
          publicKey,
          keyFile: `${test.folder}/us-4h.pem`,
          from: 0,
          through: null,
        },
      ],
    })
    const event = await readEvent(db, stream.configurationSeq)
    assert.deepEqual(
      [event?.type, event?.parts[0]?.retention],
      ['stream.configured', 'configuration'],
    )
    assert.deepEqual(await streamAt(db, stream.configurationSeq), stream)
  },
)

databaseTest(
  'a stream that could not work is refused with a reason, and nothing changes',
  async (database, t) => {
    await using opened = await openStream(database, t)
    const { test, sound } = opened
    const before = await readHead(test.zone.db)
    const [key = assert.fail()] = sound.keys
    const withKey = (settings: Partial<typeof key>) => ({ keys: [{ ...key, ...settings }] })
    const refused: [Partial<Stream>, RegExp][] = [
      [{ name: '' }, /A name has/],
      [{ name: 'US' }, /A name has/],
      [{ name: '-us' }, /A name has/],
      [{ name: 'u'.repeat(64) }, /A name has/],
      [{ name: '../us' }, /A name has/],
      [{ name: 'us\n' }, /A name has/],
      [{ region: '' }, /A region has/],
      [{ region: "US'; drop table event" }, /A region has/],
      [{ inputRegions: ['US', ''] }, /A region has/],
      [{ inputRegions: [] }, /at least one region/],
      [{ excludedRegions: ['U S'] }, /A region has .*"U S"/],
      [{ inputRegions: ['US', 'CA'], excludedRegions: ['ca'] }, /CA can not be published and/],
      [{ travelers: 'none' as 'exclude' }, /regional, include or exclude, not "none"/],
      [{ reportTypes: [5] }, /confirmed, likely or user-report/],
      [{ reportTypes: [0] }, /confirmed, likely or user-report/],
      [{ period: 5 * 3600 }, /divide 24 hours/],
      [{ period: 0 }, /divide 24 hours/],
      [{ period: 1800.5 }, /divide 24 hours/],
      [{ period: NaN }, /divide 24 hours/],
      [{ period: 48 * 3600 }, /divide 24 hours/],
      [{ period: 600 }, /whole multiple of the time grain, 900 s/],
      [{ windowAge: 0.5 }, /window age/],
      [{ hold: 0.5 }, /The hold/],
      [{ maximum: 1_999, minimum: 1_000 }, /maximum must be at least twice the minimum/],
      [{ retention: 3599 }, /at least one period/],
      [
        { start: EIGHT + 1 },
        /900 s: 2026-03-10T08:00:00Z or 2026-03-10T08:15:00Z, not 2026-03-10T08:00:01Z/,
      ],
      [{ through: EIGHT - 1 }, /2026-03-10T07:45:00Z or 2026-03-10T08:00:00Z/],
      [{ start: -900 }, /between the years 1970 and 9999/],
      [{ through: 900 * 2 ** 40 }, /between the years 1970 and 9999/],
      [{ through: EIGHT - 900 }, /can not end before it begins/],
      [{ start: EIGHT - EARLIEST_START - 900 }, /18 days ago at the earliest.*erased/],
      [withKey({ keyId: '' }), /Key id and version/],
      [withKey({ keyVersion: 'v1.0' }), /Key id and version/],
      [withKey({ from: 0.5 }), /signing key begins and ends/],
      [withKey({ from: 900, through: 900 }), /310 v1 can not end before it begins/],
      [{ keys: [] }, /1 to 10 signing keys/],
      [{ keys: [key, { ...key, publicKey: 'another' }] }, /same id and version/],
    ]
    for (const [settings, message] of refused) {
      const expected = { code: 'stream_invalid', message }
      await assert.rejects(
        add(test, { ...sound, name: 'new', ...settings }),
        expected,
        JSON.stringify(settings),
      )
      if (settings.name === undefined)
        await assert.rejects(
          update(test, 'us', () => settings),
          expected,
          JSON.stringify(settings),
        )
    }
    await assert.rejects(add(test, sound), { code: 'stream_exists', message: /"us" already/ })
    const unknown = { code: 'stream_unknown', message: /no stream "eu"/ }
    await assert.rejects(
      update(test, 'eu', () => ({ hold: 1 })),
      unknown,
    )
    await assert.rejects(retire(test, 'eu'), unknown)
    assert.deepEqual(await readHead(test.zone.db), before)
    assert.deepEqual(await findSound(test), sound)
  },
)

databaseTest(
  'of two that add the same stream at once, one is told that it is there',
  async (database, t) => {
    await using opened = await openStream(database, t)
    const { test, sound } = opened
    const { db, writer } = test.zone
    const addLater = (before: Promise<void>) =>
      db.transaction(async (tx) => {
        await addStream(tx, writer, { ...sound, name: 'same' }, test.clock.now())
        await before
      })
    // The first has added it and waits to commit while the second comes.
    const gate = Promise.withResolvers<void>()
    const first = addLater(gate.promise)
    const second = addLater(gate.promise).catch((error: unknown) => error)
    await setTimeout(100)
    gate.resolve()
    await first
    assert.equal(((await second) as { code: string }).code, 'stream_exists')
    assert.equal((await listStreams(db)).length, 2)
  },
)

databaseTest('of many changes at once none is lost', async (database, t) => {
  await using opened = await openStream(database, t)
  const { test, sound } = opened
  const [key = assert.fail()] = sound.keys
  await Promise.all([
    ...Array.from({ length: 8 }, (_, index) =>
      update(test, 'us', ({ keys }) => ({ keys: [{ ...key, keyVersion: `n${index}` }, ...keys] })),
    ),
    update(test, 'us', () => ({ hold: 7 })),
    update(test, 'us', () => ({ windowAge: 60 })),
    update(test, 'us', () => ({ inputRegions: ['us', 'ca'] })),
  ])
  const after = await findSound(test)
  const { keys, ...settings } = after
  assert.equal(new Set(keys.map(({ keyVersion }) => keyVersion)).size, 9)
  assert.equal(keys.at(-1)?.keyVersion, 'v1', 'the oldest stays the last')
  const { keys: _, ...before } = sound
  const changed = { hold: 7, windowAge: 60, inputRegions: ['CA', 'US'] }
  assert.deepEqual(settings, { ...before, ...changed })
  assert.deepEqual((await verifyLog(test.zone.db, test.zone.writer.projections)).problems, [])
})

databaseTest('a change to what is there already makes no event', async (database, t) => {
  await using opened = await openStream(database, t)
  const { test, sound } = opened
  const before = await readHead(test.zone.db)
  await update(test, 'us', () => ({}))
  await update(test, 'us', () => ({ region: 'us', hold: sound.hold, keys: [...sound.keys] }))
  assert.deepEqual(await readHead(test.zone.db), before)
  await update(test, 'us', () => ({ hold: 3 }))
  assert.notDeepEqual(await readHead(test.zone.db), before)
})

databaseTest(
  'a stream begins elsewhere only until its first release is out',
  async (database, t) => {
    await using opened = await openStream(database, t)
    const { test } = opened
    const begin = (start: number) => update(test, 'us', () => ({ start }))
    assert.equal((await begin(EIGHT + 900)).start, EIGHT + 900)
    await begin(EIGHT)
    await test.zone.db.query(
      sql`insert into release (stream, number, seq, window_start, window_end, read_seq, configuration_seq)
          values ('us', 1, 1, ${EIGHT}, ${EIGHT + 3600}, 1, 1)`,
    )
    const before = await readHead(test.zone.db)
    await assert.rejects(begin(EIGHT + 900), { code: 'stream_invalid', message: /has begun/ })
    assert.deepEqual(await readHead(test.zone.db), before)
    await update(test, 'us', () => ({ start: EIGHT, hold: 3 }))
  },
)

databaseTest(
  'a stream that is retired ends with the window that is open, whatever the clock says',
  async (database, t) => {
    await using opened = await openStream(database, t)
    const { test } = opened
    test.clock.set('2026-03-10T09:59:59Z')
    const first = await retire(test, 'us')
    assert.deepEqual([first.changed, first.stream.through], [true, EIGHT + 2 * 3600])
    const head = await readHead(test.zone.db)
    test.clock.set('2026-03-11T09:00:00Z')
    const again = await retire(test, 'us')
    assert.deepEqual([again.changed, again.stream.through], [false, EIGHT + 2 * 3600])
    assert.deepEqual(await readHead(test.zone.db), head, 'it has ended already')
    // Taken up again; then the clock is put back behind what was accepted or planned.
    await update(test, 'us', () => ({ through: null }))
    await test.zone.db.transaction((tx) => lockHead(tx, test.zone.writer, 0, test.clock.now()))
    test.clock.set('2026-03-10T09:00:00Z')
    assert.equal((await retire(test, 'us')).stream.through, EIGHT + DAY + 2 * 3600)
    // One that ends later than that ends earlier now; at the boundary itself a window is open.
    await update(test, 'us', () => ({ through: EIGHT + 9 * DAY }))
    test.clock.set('2026-03-12T08:00:00Z')
    assert.equal((await retire(test, 'us')).stream.through, EIGHT + 2 * DAY + 3600)
  },
)

databaseTest('a stream that is retired before it begins has no window', async (database, t) => {
  await using test = await openPublishingZone(database, t)
  await test.addStream('later', { start: EIGHT + DAY })
  assert.equal((await retire(test, 'later')).stream.through, EIGHT + DAY)
})
