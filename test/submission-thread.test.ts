// Test: submissions handled by a thread of their own, as the server has it: every one its answer, a bound, an end, the time of the process.

import assert from 'node:assert/strict'
import { sql } from '../src/db/sql.ts'
import {
  startSubmissionThread,
  type SubmissionThreadData,
} from '../src/submit/submission-thread.ts'
import { databaseTestOnce } from './database.ts'
import { makeKeys } from './key-zone.ts'
import { asOwner, openSubmittingZone, type SubmittingZone } from './submitting-zone.ts'

const dataOf = ({ zone }: SubmittingZone, maxWaiting = 100): SubmissionThreadData => ({
  address: zone.address,
  poolSize: 4,
  settings: { ...zone.settings, maxWaiting },
})

databaseTestOnce('each submission gets its own answer, whatever comes with it', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  await using thread = await startSubmissionThread(dataOf(town), town.clock.now)
  const sizes = Array.from({ length: 30 }, (_, index) => 1 + (index % 14))
  const bodies = await Promise.all(sizes.map((size) => town.body(makeKeys(town.clock.now(), size))))
  const all = [...bodies, Buffer.from('{"no'), ...bodies]
  const replies = await Promise.all(all.map((body) => thread.submit(body, 'okhttp android')))
  assert.deepEqual(
    replies.map(({ status, body }) => (status === 200 ? body.insertedExposures : body.code)),
    [...sizes, 'bad_request', ...sizes],
  )
  for (const [index, { trackingId }] of replies.slice(0, 30).entries())
    assert.equal(replies[index + 31]?.trackingId, trackingId)
  const keys = sizes.reduce((sum, size) => sum + size)
  assert.deepEqual(await town.counts(), { reports: 30, keys, events: 30 })
  assert.deepEqual(await town.problems(), [])
})

databaseTestOnce('beyond the bound submissions are refused at once', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  await using thread = await startSubmissionThread(dataOf(town, 3), town.clock.now)
  const bodies = await Promise.all(Array.from({ length: 5 }, () => town.body()))
  const results = await Promise.allSettled(bodies.map((body) => thread.submit(body, '')))
  assert.deepEqual(
    results.map((result) =>
      result.status === 'fulfilled' ? result.value.status : (result.reason as Error).message,
    ),
    [
      200,
      200,
      200,
      ...Array<string>(2).fill('The service is busy or its database is away: try again later.'),
    ],
  )
  assert.equal((await thread.submit(bodies[4] as Uint8Array, '')).status, 200)
})

databaseTestOnce("the thread's time is the process's", async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  await using thread = await startSubmissionThread(dataOf(town), town.clock.now)
  const body = await town.body()
  town.clock.set('2026-03-20T12:37:00Z')
  const late = await thread.submit(body, '')
  assert.deepEqual(
    [late.status, late.body.code],
    [401, 'health_authority_verification_certificate_invalid'],
  )
  assert.equal((await thread.submit(await town.body(), '')).status, 200)
  const { rows } = await town.zone.db.query<{ grain: number }>(sql`select grain from report`)
  assert.equal(rows[0]?.grain, Date.parse('2026-03-20T12:30:00Z') / 1000)
})

databaseTestOnce('what nobody expected is told to the one that it befell', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  await using thread = await startSubmissionThread(dataOf(town), town.clock.now)
  await asOwner(db, ['alter table key_zone.report add column wanted integer not null'])
  await assert.rejects(thread.submit(await town.body(), ''), /wanted/)
  await asOwner(db, ['alter table key_zone.report drop column wanted'])
  assert.equal((await thread.submit(await town.body(), '')).status, 200)
})
