// Test: keys whose status changes after their first upload, against a real database: once at the most, never lost, never by somebody else.

import assert from 'node:assert/strict'
import type { ReportType } from '../src/format/report-type.ts'
import { sql } from '../src/db/sql.ts'
import type { PublishReply } from '../src/submit/publish-v1.ts'
import { createPublishContext } from '../src/submit/submission-context.ts'
import { publishV1 } from '../src/submit/publish-v1.ts'
import { databaseTest } from './database.ts'
import { makeKeys, type TestKey } from './key-zone.ts'
import { openSubmittingZone, type SubmittingZone } from './submitting-zone.ts'

const upload = async (
  town: SubmittingZone,
  keys: readonly TestKey[],
  reportType: ReportType,
  revisionToken?: string,
): Promise<PublishReply> =>
  town.submit(
    await town.body(keys, {
      reportType,
      ...(revisionToken === undefined ? {} : { fields: { revisionToken } }),
    }),
  )

const revisions = async ({ zone }: SubmittingZone) =>
  (
    await zone.db.query<Record<string, unknown>>(
      sql`select r.seq, r.available, r.report_type, r.transmission_risk, k.report_type as first_type, k.seq as first_seq
          from key_revision r join diagnosis_key k using (key_data) order by r.key_data`,
    )
  ).rows

databaseTest('a likely key is confirmed once, and stays as it was stored', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  const keys = makeKeys(town.clock.now(), 2)
  const first = await upload(town, keys, 'likely')
  town.clock.advance(3600)
  const more = [...keys, ...makeKeys(town.clock.now(), 1)]
  const second = await upload(town, more, 'confirmed', first.body.revisionToken)
  assert.deepEqual([second.status, second.body.insertedExposures], [200, 1])
  const grain = Date.parse('2026-03-20T11:00:00Z') / 1000
  const row = {
    seq: 3,
    available: grain,
    report_type: 1,
    transmission_risk: 2,
    first_type: 2,
    first_seq: 2,
  }
  assert.deepEqual(await revisions(town), [row, row])
  assert.deepEqual(await town.counts(), { reports: 2, keys: 3, events: 2 })
  // The token of the second upload covers all three; what was said may be said again, anything else may not.
  const token = second.body.revisionToken
  assert.equal(town.zone.submit.tokens.open(token ?? '')?.length, 3)
  const again = await upload(town, keys, 'likely', token)
  assert.deepEqual([again.status, again.body.insertedExposures], [200, undefined])
  const refused = await upload(town, keys, 'negative', token)
  assert.deepEqual([refused.status, refused.body.code], [400, 'key_already_revised'])
  assert.equal((await revisions(town)).length, 2)
  assert.deepEqual(await town.problems(), [])
})

databaseTest('a negative result revokes; a key still valid waits for its end', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  const keys = makeKeys(town.clock.now(), 1, true)
  const first = await upload(town, keys, 'user-report')
  const second = await upload(town, keys, 'negative', first.body.revisionToken)
  assert.equal(second.status, 200)
  const [row] = await revisions(town)
  assert.deepEqual(
    [row?.['report_type'], row?.['available']],
    [5, Date.parse('2026-03-21T00:15:00Z') / 1000],
  )
})

databaseTest('a refused change changes nothing of the whole request', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  const keys = makeKeys(town.clock.now(), 2)
  const { body } = await upload(town, keys, 'confirmed')
  const token = body.revisionToken ?? ''
  const fresh = makeKeys(town.clock.now(), 1)
  const moved = [{ ...(keys[0] as TestKey), rollingPeriod: 100 }]
  for (const [code, sent, type, revisionToken] of [
    ['invalid_report_type_transition', [...keys, ...fresh], 'likely', token],
    ['missing_revision_token', [...keys, ...fresh], 'confirmed', undefined],
    ['missing_revision_token', [...keys, ...fresh], 'confirmed', '*no base64*'],
    ['invalid_revision_token', [...keys, ...fresh], 'confirmed', 'AAAA'],
    ['key_metadata_mismatch', [...moved, ...fresh], 'confirmed', token],
  ] as const) {
    const reply = await upload(town, sent, type, revisionToken)
    assert.deepEqual([reply.status, reply.body.code], [400, code])
  }
  assert.deepEqual(await town.counts(), { reports: 1, keys: 2, events: 1 })
  // A token that covers nothing of ours harms nobody whose keys are new.
  assert.equal((await upload(town, fresh, 'confirmed', 'AAAA')).status, 200)
})

databaseTest('with partial revisions, keys of another app are dropped and named', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  const settings = { ...town.zone.settings, partialRevisions: true }
  const context = createPublishContext(town.zone.db, settings, town.clock.now)
  const [mine, theirs] = [makeKeys(town.clock.now(), 1), makeKeys(town.clock.now(), 1)]
  await upload(town, theirs, 'likely')
  const first = await upload(town, mine, 'likely')
  const reply = await publishV1(
    context,
    await town.body([...mine, ...theirs], {
      fields: { revisionToken: first.body.revisionToken },
    }),
    '',
  )
  assert.deepEqual([reply.status, reply.body.code], [200, 'partial_failure'])
  assert.match(reply.body.error ?? '', /revision token does not cover it/)
  assert.equal((await revisions(town)).length, 1)
  // The new token covers no key that somebody else uploaded.
  assert.equal(town.zone.submit.tokens.open(reply.body.revisionToken ?? '')?.length, 1)
})

databaseTest(
  'a key that came with a negative result can be uploaded with another period',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    const keys = makeKeys(town.clock.now(), 1)
    const first = await upload(town, keys, 'negative')
    assert.deepEqual([first.status, first.body.insertedExposures], [200, undefined])
    const shorter = [{ ...(keys[0] as TestKey), rollingPeriod: 120 }]
    const second = await upload(town, shorter, 'likely', first.body.revisionToken)
    assert.equal(second.body.insertedExposures, 1)
    const third = await upload(town, shorter, 'confirmed', second.body.revisionToken)
    assert.equal(third.status, 200)
    assert.equal((await revisions(town)).length, 1)
  },
)

databaseTest('of conflicting changes at once, one is made', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  const keys = makeKeys(town.clock.now(), 3)
  const first = await upload(town, keys, 'user-report')
  const types = ['confirmed', 'likely', 'negative'] as const
  // Two contexts: as two processes, each with groups of its own.
  const other = createPublishContext(town.zone.db, town.zone.settings, town.clock.now)
  const bodies = await Promise.all(
    Array.from({ length: 12 }, (_, index) =>
      town.body(keys, {
        reportType: types[index % 3] as ReportType,
        fields: { revisionToken: first.body.revisionToken },
      }),
    ),
  )
  const replies = await Promise.all(
    bodies.map((body, index) => publishV1(index % 2 === 0 ? town.zone.submit : other, body, '')),
  )
  const made = new Set((await revisions(town)).map((row) => row['report_type']))
  assert.equal(made.size, 1)
  replies.forEach((reply, index) => {
    const type = { confirmed: 1, likely: 2, negative: 5 }[types[index % 3] as 'confirmed']
    assert.deepEqual(
      [reply.status, reply.body.code],
      made.has(type) ? [200, undefined] : [400, 'key_already_revised'],
    )
  })
  assert.deepEqual(await town.problems(), [])
})
