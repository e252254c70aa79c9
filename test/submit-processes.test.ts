// Test: several processes that take submissions for one database, some of them killed; promises every acknowledged report there once.

import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { sql } from '../src/db/sql.ts'
import { databaseTest } from './database.ts'
import { makeKeys } from './key-zone.ts'
import { startSubmitting, type ProcessReply } from './submitting-process.ts'
import { openSubmittingZone, type SubmittingZone } from './submitting-zone.ts'

/** Each report that the tables and the log know, by its tracking id: how many keys, in which event. */
async function storedReports({ zone }: SubmittingZone): Promise<Map<string, number>> {
  const { rows } = await zone.db.query<{ tracking_id: string; keys: number }>(
    sql`select encode(tracking_id, 'hex') as tracking_id, count(key_data) as keys
        from report join event using (seq) left join diagnosis_key using (seq)
        where event.type = 'report' group by tracking_id`,
  )
  return new Map(rows.map((row) => [row.tracking_id, row.keys]))
}

/** Asserts what must hold whatever happened: gapless, explained by events, each acknowledged report there once. */
async function assertAllThere(
  town: SubmittingZone,
  acknowledged: readonly ProcessReply[],
): Promise<void> {
  assert.deepEqual(await town.problems(), [])
  const stored = await storedReports(town)
  const { reports, keys, events } = await town.counts()
  assert.equal(stored.size, reports, 'no tracking id twice')
  assert.equal(events, reports, 'one event for a report')
  assert.equal(keys, 3 * reports, 'each report with all its keys')
  for (const { trackingId = '' } of acknowledged)
    assert.equal(stored.get(trackingId), 3, trackingId)
  assert.equal(new Set(acknowledged.map((reply) => reply.trackingId)).size, acknowledged.length)
}

databaseTest('the same request in two processes at once: one answer, one report', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  await using one = await startSubmitting(db.url, town.folder)
  await using other = await startSubmitting(db.url, town.folder)
  for (let round = 1; round <= 20; round++) {
    // A negative result stores no key: there the report alone shows that it was there before.
    const reportType = round % 2 === 0 ? 'negative' : 'confirmed'
    const body = await town.body(undefined, { reportType })
    const [first, ...others] = await Promise.all(
      [one, other, one, other].map((process) => process.submit(body)),
    )
    const inserted = reportType === 'negative' ? undefined : 3
    assert.deepEqual([first?.status, first?.insertedExposures], [200, inserted])
    assert.equal(first?.held?.length, 3)
    for (const reply of others) assert.deepEqual(reply, first)
    assert.deepEqual(await town.counts(), {
      reports: round,
      keys: 3 * Math.ceil(round / 2),
      events: round,
    })
  }
  assert.deepEqual(await town.problems(), [])
})

databaseTest(
  'the same key in two requests in two processes at once: one brings it, the other is told',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    await using one = await startSubmitting(db.url, town.folder)
    await using other = await startSubmitting(db.url, town.folder)
    for (let round = 1; round <= 20; round++) {
      const keys = makeKeys(town.clock.now(), 3)
      const bodies = [await town.body(keys), await town.body([...keys].reverse())]
      const replies = await Promise.all(
        [one, other].map((process, index) => process.submit(bodies[index] ?? new Uint8Array())),
      )
      const verdicts = replies.map((reply) => `${reply?.status} ${reply?.code ?? ''}`).sort()
      assert.deepEqual(verdicts, ['200 ', '400 missing_revision_token'])
      assert.deepEqual(await town.counts(), { reports: round, keys: 3 * round, events: round })
    }
    assert.deepEqual(await town.problems(), [])
  },
)

databaseTest(
  'two processes take many submissions: the sequence is gapless and each report there once',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    await using one = await startSubmitting(db.url, town.folder)
    await using other = await startSubmitting(db.url, town.folder)
    const bodies = await Promise.all(Array.from({ length: 400 }, () => town.body()))
    const replies = await Promise.all(
      bodies.map((body, index) => (index % 2 === 0 ? one : other).submit(body)),
    )
    const acknowledged = replies.filter((reply) => reply !== undefined)
    assert.deepEqual(new Set(acknowledged.map((reply) => reply.status)), new Set([200]))
    assert.equal((await town.counts()).reports, 400)
    await assertAllThere(town, acknowledged)
  },
)

databaseTest(
  'kill -9 during submissions loses nothing that was acknowledged and halves nothing',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    const acknowledged: ProcessReply[] = []
    let unanswered: Uint8Array[] = []
    for (let round = 0; round < 5; round++) {
      await using process = await startSubmitting(db.url, town.folder)
      // Some way into the work, wherever that is: between two groups or inside one.
      let untilKill = randomInt(1, 250)
      const killSoon = () => setTimeout(randomInt(0, 10)).then(() => process.kill())
      const fresh = await Promise.all(Array.from({ length: 300 }, () => town.body()))
      // What got no answer is sent again to the next process, as a phone would.
      const bodies = [...unanswered, ...fresh]
      unanswered = []
      const replies = bodies.map(async (body) => {
        const reply = await process.submit(body)
        if (reply === undefined) unanswered.push(body)
        else acknowledged.push(reply)
        if (reply !== undefined && --untilKill === 0) await killSoon()
      })
      await Promise.all(replies)
    }
    assert.ok(unanswered.length > 0, 'some were cut off')
    acknowledged.push(...(await Promise.all(unanswered.map((body) => town.submit(body)))))
    await assertAllThere(town, acknowledged)
    assert.deepEqual(new Set(acknowledged.map((reply) => reply.status)), new Set([200]))
    assert.deepEqual(await town.counts(), { reports: 1500, keys: 4500, events: 1500 })
  },
)
