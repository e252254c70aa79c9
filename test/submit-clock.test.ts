// Test: submissions while the clock moves across the hour, across midnight and backwards; promises that the log's times never go back and that each key is judged by the clock.

import assert from 'node:assert/strict'
import { sql } from '../src/db/sql.ts'
import { databaseTestOnce } from './database.ts'
import { makeKeys } from './key-zone.ts'
import { openSubmittingZone } from './submitting-zone.ts'

const seconds = (time: string) => Date.parse(time) / 1000

databaseTestOnce(
  'the clock moves across the hour, across midnight and backwards',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    const times = [
      ['2026-03-20T22:59:59Z', '2026-03-20T22:45:00Z'],
      ['2026-03-20T23:00:00Z', '2026-03-20T23:00:00Z'],
      ['2026-03-20T23:59:59Z', '2026-03-20T23:45:00Z'],
      ['2026-03-21T00:00:00Z', '2026-03-21T00:00:00Z'],
      ['2026-03-21T00:15:01Z', '2026-03-21T00:15:00Z'],
      // An hour back, over midnight: it counts as accepted with the one before, when the key of that day had ended.
      ['2026-03-20T23:15:00Z', '2026-03-21T00:15:00Z'],
      ['2026-03-21T00:30:00Z', '2026-03-21T00:30:00Z'],
    ] as const
    for (const [time] of times) {
      town.clock.set(time)
      // The last of them is today's, and still in use.
      const keys = makeKeys(town.clock.now(), 2, true)
      const body = await town.body(keys)
      const reply = await town.submit(body)
      assert.deepEqual([reply.status, reply.body.insertedExposures], [200, 2], time)
      assert.equal((await town.submit(body)).trackingId, reply.trackingId, 'again: the same answer')
    }
    const { rows } = await town.zone.db.query<{ grain: number; embargoed: number; late: boolean }>(
      sql`select r.grain, count(*) filter (where k.available > r.grain) as embargoed,
          bool_and(k.available >= r.grain and k.available >= (case when k.available > r.grain
            then (k.rolling_start + k.rolling_period) * 600 else 0 end)) as late
        from report r join diagnosis_key k using (seq) group by r.seq, r.grain order by r.seq`,
    )
    assert.deepEqual(
      rows,
      times.map(([time, grain]) => ({
        grain: seconds(grain),
        embargoed: time === '2026-03-20T23:15:00Z' ? 0 : 1,
        late: true,
      })),
    )
    assert.deepEqual(await town.problems(), [])
  },
)

databaseTestOnce('a repetition is known on whichever side of midnight it comes', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  town.clock.set('2026-03-20T23:59:59Z')
  const body = await town.body()
  const first = await town.submit(body)
  for (const time of ['2026-03-21T00:00:01Z', '2026-03-20T22:00:00Z', '2026-03-22T00:00:00Z']) {
    town.clock.set(time)
    const again = await town.submit(body)
    assert.deepEqual(
      [again.status, again.trackingId, again.body.insertedExposures],
      [first.status, first.trackingId, first.body.insertedExposures],
      time,
    )
  }
  assert.deepEqual(await town.counts(), { reports: 1, keys: 3, events: 1 })
})
