// Test: a stream that ends and is taken up again, with keys before, in between and after: each is published once, and files stay.

import assert from 'node:assert/strict'
import { publishDue } from '../src/publish/publish-due.ts'
import { retireStream } from '../src/publish/retire-stream.ts'
import { updateStream, type StreamChanges } from '../src/publish/streams.ts'
import { databaseTestOnce } from './database.ts'
import { assertLogIsClean, openPublishingZone, publishedKeys } from './publishing-zone.ts'

const HOUR = 3600

databaseTestOnce(
  'what was accepted before the end is published, what comes later once the stream goes on',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    await test.addStream('us')
    await test.addStream('other')
    const before = await test.upload()
    await zone.db.transaction((tx) => retireStream(tx, zone.writer, 'us', clock.now()))
    // The end is the end of the window that is open: until then the stream goes on.
    clock.advance(HOUR - 1)
    const last = await test.upload()
    clock.advance(1)
    const between = await test.upload()
    clock.advance(3 * HOUR)
    await publishDue(zone.publisher)
    const published = [[...before, ...last].sort()]
    assert.deepEqual(await publishedKeys(test, 'us'), published)
    assert.deepEqual(await publishedKeys(test, 'other'), [...published, between.sort()])
    clock.advance(48 * HOUR)
    assert.equal((await publishDue(zone.publisher)).releases, 48, 'those of the other stream')
    assert.deepEqual(await publishedKeys(test, 'us'), published, 'its file is still there')

    const resume: StreamChanges = { through: null, period: 2 * HOUR }
    await zone.db.transaction((tx) =>
      updateStream(tx, zone.writer, 'us', () => resume, clock.now()),
    )
    const after = await test.upload()
    await publishDue(zone.publisher)
    assert.deepEqual(await publishedKeys(test, 'us'), [...published, between.sort()])
    clock.advance(2 * HOUR)
    await publishDue(zone.publisher)
    assert.deepEqual(await publishedKeys(test, 'us'), [...published, between.sort(), after.sort()])
    await assertLogIsClean(test)
  },
)

databaseTestOnce(
  'a change of the period, of the age or of the regions leaves no key out and brings none twice',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    const canada = await test.addAuthority('org.example.canada', ['CA'])
    await test.addStream('us')
    const uploaded: string[] = []
    const changes: StreamChanges[] = [
      { period: 4 * HOUR },
      { windowAge: 2 * HOUR },
      { period: HOUR / 4, windowAge: 0 },
      { through: Date.UTC(2026, 2, 10, 20, 15) / 1000, period: HOUR },
      { through: null },
      { inputRegions: ['US', 'CA'], period: 24 * HOUR },
    ]
    for (const change of changes) {
      uploaded.push(...(await test.upload()))
      clock.advance(2.25 * HOUR)
      uploaded.push(...(await test.upload()))
      await publishDue(zone.publisher)
      await zone.db.transaction((tx) =>
        updateStream(tx, zone.writer, 'us', () => change, clock.now()),
      )
    }
    uploaded.push(...(await test.upload(undefined, canada)))
    clock.advance(48 * HOUR)
    await publishDue(zone.publisher)
    const published = (await publishedKeys(test, 'us')).flat()
    assert.deepEqual(published.sort(), uploaded.sort())
    await assertLogIsClean(test)
  },
)
