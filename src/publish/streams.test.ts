// Test: how a stream is added, and what is refused because phones or the log could not do with it.

import assert from 'node:assert/strict'
import { databaseTest } from '../../test/database.ts'
import { openPublishingZone } from '../../test/publishing-zone.ts'
import { readEvent, readHead } from '../log/read-events.ts'
import { addStream, listStreams, type Stream } from './streams.ts'

databaseTest(
  'a stream is an event, and begins with the window that it was added in',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { db } = test.zone
    test.clock.set('2026-03-10T11:59:59Z')
    const publicKey = await test.addStream('us-4h', {
      region: 'us',
      period: 4 * 3600,
      windowAge: 60,
    })
    const [stream] = await listStreams(db)
    const { keyFile: _, ...described } = stream ?? {}
    assert.deepEqual(described, {
      name: 'us-4h',
      configurationSeq: (await readHead(db)).configurationSeq,
      region: 'US',
      period: 4 * 3600,
      windowAge: 60,
      start: Date.UTC(2026, 2, 10, 8) / 1000,
      keyId: '310',
      keyVersion: 'v1',
      publicKey,
    })
    const event = await readEvent(db, stream?.configurationSeq ?? -1)
    assert.deepEqual([event?.type, event?.parts[0]?.retention], ['stream.added', 'configuration'])
  },
)

databaseTest(
  'a stream that could not work is refused with a reason, and nothing changes',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { db, writer } = test.zone
    await test.addStream('us')
    const [{ configurationSeq: _, ...sound } = assert.fail()] = await listStreams(db)
    const before = await readHead(db)
    const refused: [Partial<Stream>, RegExp, string?][] = [
      [{}, /a stream "us" already/, 'stream_exists'],
      [{ name: '' }, /A name has/],
      [{ name: 'US' }, /A name has/],
      [{ name: '-us' }, /A name has/],
      [{ name: 'u'.repeat(64) }, /A name has/],
      [{ name: '../us' }, /A name has/],
      [{ name: 'us\n' }, /A name has/],
      [{ region: '' }, /A region has/],
      [{ region: "US'; drop table event" }, /A region has/],
      [{ period: 5 * 3600 }, /divide 24 hours/],
      [{ period: 0 }, /divide 24 hours/],
      [{ period: 1800.5 }, /divide 24 hours/],
      [{ period: NaN }, /divide 24 hours/],
      [{ period: 48 * 3600 }, /divide 24 hours/],
      [{ period: 600 }, /whole multiple of the time grain, 900 s/],
      [{ windowAge: -1 }, /must not be negative/],
      [{ windowAge: 0.5 }, /window age/],
      [{ keyId: '' }, /Key id and version/],
      [{ keyVersion: 'v1.0' }, /Key id and version/],
    ]
    for (const [settings, message, code = 'stream_invalid'] of refused)
      await assert.rejects(
        db.transaction((tx) => addStream(tx, writer, { ...sound, ...settings }, test.clock.now())),
        { code, message },
        JSON.stringify(settings),
      )
    assert.deepEqual(await readHead(db), before)
    assert.equal((await listStreams(db)).length, 1)
  },
)

databaseTest(
  'of two that add the same stream at once, one is told that it is there',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { db, writer } = test.zone
    await test.addStream('us')
    const [{ configurationSeq: _, ...sound } = assert.fail()] = await listStreams(db)
    const add = (before: Promise<void>) =>
      db.transaction(async (tx) => {
        await addStream(tx, writer, { ...sound, name: 'same' }, test.clock.now())
        await before
      })
    // The first has added it and waits to commit while the second comes.
    const gate = Promise.withResolvers<void>()
    const first = add(gate.promise)
    const second = add(gate.promise).catch((error: unknown) => error)
    await new Promise((resolve) => setTimeout(resolve, 100))
    gate.resolve()
    await first
    assert.equal(((await second) as { code: string }).code, 'stream_exists')
    assert.equal((await listStreams(db)).length, 2)
  },
)
