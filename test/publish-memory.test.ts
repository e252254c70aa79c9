// Test: the memory of a publisher, measured: it does not grow with the window.

import assert from 'node:assert/strict'
import { databaseTestOnce } from './database.ts'
import { insertManyKeys } from './many-keys.ts'
import { readIndex, readPublished } from './published-files.ts'
import { openPublishingZone } from './publishing-zone.ts'
import { startPublisher } from './start-publisher.ts'

const EIGHT = Date.UTC(2026, 2, 10, 8) / 1000
const HOUR = 3600

/** What a garbage collector may be behind by. A million keys were seen to take no more than this, either. */
const MOST_MORE_MEGABYTES = 40

databaseTestOnce(
  'a window of ten times as many keys takes no more memory, in a process that has little',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    await test.addStream('us')
    const peaks: number[] = []
    const counts = [30_000, 300_000]
    for (const [hour, count] of counts.entries()) {
      await insertManyKeys(database.url, count, EIGHT + hour * HOUR, hour * 1_000_000)
      clock.advance(HOUR)
      const publisher = await startPublisher(t, test, ['--max-old-space-size=64'])
      publisher.tell({ order: 'publish', now: clock.now().toISOString() })
      const news = await publisher.hear()
      assert.ok(news !== 'killed' && news.news === 'published')
      peaks.push(news.peakMegabytes)
      await publisher.kill()
      const path = (await readIndex(zone.publicFolder, 'us')).at(-1) ?? ''
      assert.equal((await readPublished(zone.publicFolder, path)).keys.length, count)
    }
    const [small = 0, large = 0] = peaks
    t.diagnostic(`${counts.join(' and ')} keys: at most ${peaks.join(' and ')} MB`)
    assert.ok(large - small < MOST_MORE_MEGABYTES, `${small} MB, then ${large} MB`)
  },
)
