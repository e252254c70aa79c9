// Test: POST /v1/publish against a real database: one set of keys for a request, however often and however many at once it comes.

import assert from 'node:assert/strict'
import { setTimeout } from 'node:timers/promises'
import { sql } from '../src/db/sql.ts'
import { addHealthAuthority, setHealthAuthorityDisabled } from '../src/submit/health-authorities.ts'
import type { PublishReply } from '../src/submit/publish-v1.ts'
import { readEvent } from '../src/log/read-events.ts'
import { reportContent } from '../src/submit/report.ts'
import { databaseTest } from './database.ts'
import { encodeBody, makeAuthority, makeKeys, makeRequest } from './key-zone.ts'
import { openSubmittingZone, type SubmittingZone } from './submitting-zone.ts'

/** What of a reply must not change when a request is repeated: all but what is random. */
function answerOf({ zone }: SubmittingZone, { status, trackingId, body }: PublishReply) {
  const { revisionToken, ...fields } = body
  const held = revisionToken === undefined ? undefined : zone.submit.tokens.open(revisionToken)
  return { status, trackingId, fields, held }
}

databaseTest('keys with a certificate are stored, and the reply says how many', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  const keys = makeKeys(town.clock.now(), 14, true)
  const reply = await town.submit(await town.body(keys))
  assert.equal(reply.status, 200)
  assert.match(reply.trackingId, /^[0-9a-f]{32}$/)
  const { fields, held } = answerOf(town, reply)
  assert.deepEqual(fields, { insertedExposures: 14 })
  assert.equal(held?.length, 14)
  assert.deepEqual(await town.counts(), { reports: 1, keys: 14, events: 1 })
  const { rows } = await town.zone.db.query<Record<string, unknown>>(
    sql`select encode(key_data, 'base64') as key, rolling_start, available, transmission_risk, report_type, days_since_onset
        from diagnosis_key order by rolling_start desc limit 2`,
  )
  const midnight = Date.parse('2026-03-20T00:00:00Z') / 1000
  const common = { transmission_risk: 2, report_type: 1 }
  assert.deepEqual(rows, [
    // Today's key is kept back until the first grain after it has ended.
    {
      ...common,
      key: keys[0]?.key,
      rolling_start: midnight / 600,
      available: midnight + 86_400 + 900,
      days_since_onset: 3,
    },
    {
      ...common,
      key: keys[1]?.key,
      rolling_start: midnight / 600 - 144,
      available: midnight + 36_000,
      days_since_onset: 2,
    },
  ])
  assert.deepEqual(await town.problems(), [])
})

databaseTest(
  'the same request one after the other, at once or a day later: one answer, one set of keys',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    const body = await town.body(makeKeys(town.clock.now(), 14))
    const first = answerOf(town, await town.submit(body))
    assert.deepEqual(first.fields, { insertedExposures: 14 })
    assert.deepEqual(answerOf(town, await town.submit(body)), first, 'once more')
    const tenTimes = await Promise.all(Array.from({ length: 10 }, () => town.submit(body)))
    for (const reply of tenTimes) assert.deepEqual(answerOf(town, reply), first, 'ten times')
    assert.deepEqual(await town.counts(), { reports: 1, keys: 14, events: 1 })
    // By then the certificate has expired and some keys are too old to be uploaded.
    town.clock.advance(2 * 86_400)
    assert.deepEqual(answerOf(town, await town.submit(body)), first, 'days later')
    assert.deepEqual(await town.counts(), { reports: 1, keys: 14, events: 1 })
    assert.deepEqual(await town.problems(), [])
  },
)

databaseTest('ten at once of a request that never came before are one report', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  for (let round = 1; round <= 3; round++) {
    const body = await town.body()
    // The one ahead makes the ten wait for each other, and so come into one group.
    const ahead = town.submit(await town.body())
    const replies = await Promise.all(Array.from({ length: 10 }, () => town.submit(body)))
    assert.equal((await ahead).status, 200)
    const answers = replies.map((reply) => answerOf(town, reply))
    assert.equal(answers[0]?.status, 200)
    for (const answer of answers) assert.deepEqual(answer, answers[0])
    const reports = 2 * round
    assert.deepEqual(await town.counts(), { reports, keys: 3 * reports, events: reports })
  }
})

databaseTest(
  'a repetition is answered when the authority is disabled or its key has ended; a new request is not',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    const now = town.clock.now()
    const brief = makeAuthority('org.example.brief')
    const validThrough = now.getTime() / 1000 + 60
    const keys = brief.keys.map((key) => ({ ...key, validThrough }))
    await town.zone.db.transaction((tx) =>
      addHealthAuthority(tx, town.zone.writer, { ...brief, keys }, now),
    )
    const ofBrief = () => makeRequest(brief, makeKeys(town.clock.now(), 3), town.clock.now())
    const bodies = [await town.body(), encodeBody(await ofBrief())]
    const first = await Promise.all(bodies.map((body) => town.submit(body)))
    assert.deepEqual(
      first.map((reply) => reply.status),
      [200, 200],
    )
    await town.zone.db.transaction((tx) =>
      setHealthAuthorityDisabled(tx, town.zone.writer, town.authority.app, true, now),
    )
    town.clock.advance(60)
    await setTimeout(900)
    const refused = [await town.body(), encodeBody(await ofBrief())].map(async (body) => {
      const reply = await town.submit(body)
      return [reply.status, reply.body.code]
    })
    assert.deepEqual(await Promise.all(refused), [
      [401, 'unknown_health_authority_id'],
      [401, 'health_authority_verification_certificate_invalid'],
    ])
    const again = await Promise.all(bodies.map((body) => town.submit(body)))
    assert.deepEqual(
      again.map((reply) => answerOf(town, reply)),
      first.map((reply) => answerOf(town, reply)),
    )
    assert.deepEqual(await town.counts(), { reports: 2, keys: 6, events: 2 })
  },
)

databaseTest('a partial failure and its warnings are repeated, too', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  const [good, bad, far] = makeKeys(town.clock.now(), 3)
  assert.ok(good && bad && far)
  bad.transmissionRisk = 9
  far.rollingStartNumber -= 144 * 12
  const onset = { claims: { symptomOnsetInterval: good.rollingStartNumber + 144 } }
  const body = await town.body([good, bad, far], onset)
  const first = answerOf(town, await town.submit(body))
  assert.deepEqual([first.fields.code, first.fields.insertedExposures], ['partial_failure', 1])
  assert.match(first.fields.error ?? '', /^key \d cannot be imported: transmissionRisk/)
  assert.deepEqual(answerOf(town, await town.submit(body)), first)
  far.rollingStartNumber -= 10
  const warned = await town.body([far], onset)
  const second = answerOf(town, await town.submit(warned))
  assert.deepEqual(
    [second.status, second.fields.code, second.fields.warnings?.length],
    [200, undefined, 1],
  )
  assert.deepEqual(answerOf(town, await town.submit(warned)), second)
  assert.deepEqual(await town.counts(), { reports: 2, keys: 1, events: 2 })
})

databaseTest('a key that was uploaded before asks for the token that covers it', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  const keys = makeKeys(town.clock.now(), 2)
  const { revisionToken } = (await town.submit(await town.body(keys))).body
  const [stranger] = makeKeys(town.clock.now(), 1)
  assert.ok(stranger)
  const another = (await town.submit(await town.body([stranger]))).body.revisionToken
  const again = async (token: string | undefined) => {
    const body = await town.body(keys, {
      fields: token === undefined ? {} : { revisionToken: token },
    })
    const reply = await town.submit(body)
    return [reply.status, reply.body.code]
  }
  assert.deepEqual(await again(undefined), [400, 'missing_revision_token'])
  assert.deepEqual(await again('*'), [400, 'missing_revision_token'], 'no base64 is no token')
  assert.deepEqual(await again('AAAA'), [400, 'invalid_revision_token'])
  assert.deepEqual(await again(another), [400, 'invalid_revision_token'])
  assert.deepEqual(await again(revisionToken), [200, undefined])
  assert.deepEqual(await town.counts(), { reports: 3, keys: 3, events: 3 })
  assert.deepEqual(await town.problems(), [])
})

databaseTest('a negative result stores no key', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  const body = await town.body(undefined, { reportType: 'negative' })
  const first = answerOf(town, await town.submit(body))
  assert.deepEqual([first.status, first.fields, first.held?.length], [200, {}, 3])
  assert.deepEqual(answerOf(town, await town.submit(body)), first)
  assert.deepEqual(await town.counts(), { reports: 1, keys: 0, events: 1 })
})

databaseTest('bad input gets its code and changes nothing', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  const stranger = { fields: { healthAuthorityID: 'org.example.unknown' } }
  const noKey = makeKeys(town.clock.now(), 1).map((key) => ({ ...key, key: 'AAAA' }))
  const many = makeKeys(town.clock.now(), 31)
  const bodies: [number, string, Uint8Array][] = [
    [400, 'bad_request', Buffer.from('{')],
    [401, 'unknown_health_authority_id', Buffer.from('{}')],
    [401, 'unknown_health_authority_id', await town.body(undefined, stranger)],
    [
      401,
      'unknown_health_authority_id',
      await town.body(undefined, { fields: { healthAuthorityID: 'a\0b' } }),
    ],
    [
      401,
      'health_authority_verification_certificate_invalid',
      await town.body(undefined, { claims: { exp: 1 } }),
    ],
    [
      401,
      'health_authority_verification_certificate_invalid',
      await town.body(undefined, { claims: { iss: 'x' } }),
    ],
    [400, 'bad_request', await town.body([])],
    [400, 'bad_request', await town.body(noKey)],
    [400, 'bad_request', await town.body(many)],
  ]
  for (const [status, code, body] of bodies) {
    const reply = await town.submit(body)
    assert.deepEqual([reply.status, reply.body.code], [status, code])
    assert.match(reply.trackingId, /^[0-9a-f]{32}$/)
    assert.ok((reply.body.error ?? '').length > 10)
  }
  assert.deepEqual(await town.counts(), { reports: 0, keys: 0, events: 0 })
})

databaseTest(
  'an event tells what was accepted, from the certificate, the request and the authority',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    const claims = { issuerHandle: 'AAECAwQFBgcICQoLDA0ODw' }
    const { trackingId } = await town.submit(
      await town.body(undefined, { claims, fields: { traveler: true } }),
    )
    const event = await readEvent(town.zone.db, 2)
    assert.ok(event)
    const { keys, outcomes, fingerprint, ...content } = reportContent(event)
    assert.deepEqual(content, {
      source: 'publish-v1',
      trackingId: Uint8Array.from(Buffer.from(trackingId, 'hex')),
      app: 'org.example.health',
      healthAuthority: 'https://org.example.health/',
      regions: ['US'],
      reportType: 'confirmed',
      onset: {
        interval: Math.floor(town.clock.now().getTime() / 600_000) - 432,
        source: 'certificate',
      },
      traveler: true,
      issuerHandle: Uint8Array.from({ length: 16 }, (_, index) => index),
      timeGrain: 900,
    })
    assert.deepEqual([keys.keyData.length, outcomes.length, fingerprint.length], [48, 3, 16])
    assert.equal(event.grain, Date.parse('2026-03-20T10:00:00Z') / 1000)
    assert.deepEqual(event.parts[1]?.content, {
      healthAuthority: 'https://org.example.health/',
      platform: 'android',
      code: '',
      accepted: 3,
      revised: 0,
      unchanged: 0,
      dropped: 0,
      oldestKeyDay: Date.parse('2026-03-17') / 86_400_000,
      onsetDay: Date.parse('2026-03-17') / 86_400_000,
    })
  },
)
