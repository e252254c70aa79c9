// Test: the earlier publish API: the rules, the log and the replies of POST /v1/publish in another shape, and only where it is switched on.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { earlierApiRoutes } from '../src/http/earlier-api-routes.ts'
import { readEvent, readHead } from '../src/log/read-events.ts'
import { addHealthAuthority } from '../src/submit/health-authorities.ts'
import { publish, type SubmissionTrace } from '../src/submit/publish-v1.ts'
import {
  earlierReplyBody,
  parseEarlierRequest,
  publishV1alpha1,
  PUBLISH_V1ALPHA1,
} from '../src/submit/publish-v1alpha1.ts'
import { reportContent } from '../src/submit/report.ts'
import { databaseTestOnce } from './database.ts'
import { encodeBody, makeAuthority, makeKeys, makeRequest } from './key-zone.ts'
import { startService } from './running-service.ts'
import { register } from './stats-zone.ts'
import { openSubmittingZone } from './submitting-zone.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** A request's fields as the earlier API spells them. */
function earlier(
  { healthAuthorityID, hmacKey, ...rest }: Record<string, unknown>,
  regions = ['US'],
): Record<string, unknown> {
  return {
    ...rest,
    appPackageName: healthAuthorityID,
    hmackey: hmacKey,
    regions,
    platform: 'android',
    deviceVerificationPayload: 'attestation',
  }
}

const parse = (fields: Record<string, unknown>) => parseEarlierRequest(encodeBody(fields))

test('a request of the earlier API means what one of v1 does', () => {
  const key = { key: 'AAAA', rollingStartNumber: 7, rollingPeriod: 8, transmissionRisk: 1 }
  const fields = {
    temporaryExposureKeys: [key],
    appPackageName: 'org.example',
    verificationPayload: 'a.b.c',
    hmackey: 'c2VjcmV0',
    symptomOnsetInterval: 9,
    revisionToken: 'dG9rZW4=',
    padding: 'x',
  }
  const expected = {
    keys: [{ key: 'AAAA', rollingStart: 7, rollingPeriod: 8, transmissionRisk: 1 }],
    healthAuthorityId: 'org.example',
    verificationPayload: 'a.b.c',
    hmacKey: 'c2VjcmV0',
    symptomOnsetInterval: 9,
    traveler: false,
    revisionToken: 'dG9rZW4=',
  }
  assert.deepEqual(parse(fields), expected)
  const shouted = Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name.toUpperCase(), value]),
  )
  assert.deepEqual(parse(shouted), expected)
  assert.deepEqual(parse({ ...fields, regions: [] }), expected)
  assert.deepEqual(parse({ ...fields, regions: ['US'] }), { ...expected, regions: ['US'] })
  assert.deepEqual(parse({ ...fields, regions: ['US', 'CA'] }), {
    ...expected,
    regions: ['US', 'CA'],
    traveler: true,
  })
  for (const [wrong, sentence] of [
    [{ traveler: true }, /unknown field "traveler"/],
    [{ healthAuthorityID: 'x' }, /unknown field/],
    [{ regions: ['US', 7] }, /regions must be/],
    [{ regions: 'US' }, /regions must be/],
    [{ platform: 7 }, /platform must be/],
    [{ deviceVerificationPayload: {} }, /deviceVerificationPayload must be/],
  ] as const)
    assert.throws(() => parse({ ...fields, ...wrong }), { code: 'bad_request', message: sentence })
})

databaseTestOnce('a report of the earlier API is stored as any other', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  const now = town.clock.now()
  const submit = (fields: Record<string, unknown>) =>
    publishV1alpha1(town.zone.submit, encodeBody(fields), '')
  const keys = makeKeys(now, 3)
  const request = await makeRequest(town.authority, keys, now, { reportType: 'likely' })
  const seq = (await readHead(town.zone.db)).nextSeq
  const first = await submit(earlier(request, ['US', 'US']))
  assert.deepEqual([first.status, first.body.insertedExposures], [200, 3])
  const event = await readEvent(town.zone.db, seq)
  assert.ok(event)
  const { source, regions, traveler, app } = reportContent(event)
  assert.deepEqual(
    { source, regions, traveler, app },
    {
      source: 'publish-v1alpha1',
      regions: ['US'],
      traveler: true,
      app: town.authority.app,
    },
  )
  const again = await submit(earlier({ ...request, padding: 'other' }, ['US', 'US']))
  assert.equal(again.trackingId, first.trackingId)
  // With other regions it is another request.
  const elsewhere = await submit(earlier(request, ['US']))
  assert.equal(elsewhere.body.code, 'missing_revision_token')
  // Another API is another request: its keys are known by now.
  const other = await town.submit(encodeBody(request))
  assert.equal(other.body.code, 'missing_revision_token')
  const { revisionToken } = first.body
  const confirmed = await makeRequest(town.authority, keys, now, { fields: { revisionToken } })
  assert.equal((await submit(earlier(confirmed))).status, 200)
  assert.deepEqual(await town.counts(), { reports: 2, keys: 3, events: 2 })
  assert.deepEqual(await town.problems(), [])
})

databaseTestOnce('keys are published in the regions that the request names', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  const authority = { ...makeAuthority('org.example.wide'), regions: ['US-CA', 'US-NY', 'US-WA'] }
  await register(town, authority)
  const bare = { ...makeAuthority('org.example.bare'), regions: [] }
  const { db: zoneDb, writer } = town.zone
  await zoneDb.transaction((tx) => addHealthAuthority(tx, writer, bare, town.clock.now(), 'ZZ'))
  const publishIn = async (
    regions: string[],
    by = authority,
    options: Parameters<typeof makeRequest>[3] = {},
    context = town.zone.submit,
  ) => {
    const now = town.clock.now()
    const request = await makeRequest(by, makeKeys(now, 1), now, options)
    const seq = (await readHead(town.zone.db)).nextSeq
    const body = encodeBody(earlier(request, regions))
    const trace: SubmissionTrace = { passed: [] }
    const reply = await publish(context, PUBLISH_V1ALPHA1, body, '', trace)
    const event = await readEvent(town.zone.db, seq)
    return { reply, trace, stored: event === undefined ? undefined : reportContent(event).regions }
  }
  for (const [regions, expected] of [
    [[], ['US-CA', 'US-NY', 'US-WA']],
    [['US-NY'], ['US-NY']],
    [
      ['US-WA', 'US-CA', 'US-WA'],
      ['US-WA', 'US-CA'],
    ],
    // However they are registered, they are upper case here.
    [['us-ny'], ['US-NY']],
  ] as const) {
    const { reply, trace, stored } = await publishIn([...regions])
    assert.deepEqual([reply.status, stored, trace.authority?.regions], [200, expected, expected])
  }
  for (const regions of [['CA'], ['US-CA', 'MX'], [''], ['US-CA,US-NY']]) {
    // Whatever the certificate is worth.
    const { reply, trace, stored } = await publishIn(regions, authority, {
      claims: { aud: 'another' },
    })
    assert.deepEqual([reply.status, stored, trace.passed], [401, undefined, []])
    assert.match(reply.body.error ?? '', /^regions holds one that the health authority/)
    assert.equal(earlierReplyBody(reply.body).code, undefined)
  }
  // One without regions has the default one, where there is one.
  const context = { ...town.zone.submit, defaultRegion: 'ZZ' }
  assert.deepEqual((await publishIn(['ZZ'], bare, {}, context)).stored, ['ZZ'])
  assert.equal((await publishIn(['US'], bare, {}, context)).reply.status, 401)
  const unset = await publishIn(['US'], bare, {}, { ...context, defaultRegion: undefined })
  assert.equal(unset.reply.body.code, 'health_authority_missing_region_config')
  assert.deepEqual(await town.problems(), [])
})

test('a reply has all fields, but for warnings when there are none, and codes', () => {
  const silent = { revisionToken: '', insertedExposures: 0, error: '' }
  assert.deepEqual(earlierReplyBody({}), silent)
  assert.deepEqual(earlierReplyBody({ code: 'bad_request', subCode: 'x', error: 'No.' }), {
    ...silent,
    error: 'No.',
  })
  const told = { revisionToken: 'eA==', insertedExposures: 2, warnings: ['key 0 …'] }
  assert.deepEqual(earlierReplyBody(told), { ...told, error: '' })
})

test('a decoy has the fields of a success, and is as long as it should be', () => {
  const [route] = earlierApiRoutes(() => assert.fail('nothing is submitted'))
  for (const length of [200, 1_780, 1_805, 2_500]) {
    const reply = route?.chaff?.imitate(length)
    assert.deepEqual([reply?.status, reply?.headers?.['x-api-version']], [200, 'v1alpha'])
    const fields = reply?.json as Record<string, unknown>
    assert.deepEqual(Object.keys(fields), [
      'revisionToken',
      'insertedExposures',
      'error',
      'padding',
    ])
    assert.equal(JSON.stringify({ ...fields, padding: '' }).length, length)
  }
  // Before there was a real one, it is as long as a success with a token.
  const success = {
    revisionToken: 'x'.repeat(1_724),
    insertedExposures: 14,
    error: '',
    padding: '',
  }
  assert.equal(route?.chaff?.typical.length, JSON.stringify(success).length)
  // What is too short for the fields of a success.
  const short = route?.chaff?.imitate(40)?.json as Record<string, unknown>
  assert.deepEqual(Object.keys(short), ['padding'])
})

databaseTestOnce('POST / is served when it is switched on, without codes', async (database, t) => {
  const folder = await temporaryFolder(t)
  await using service = await startService(database.url, folder, { TOCSIN_V1ALPHA1: 'true' })

  const post = async (body: unknown, headers: Record<string, string> = {}) => {
    const response = await fetch(service.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    })
    assert.equal(response.headers.get('x-api-version'), 'v1alpha')
    assert.match(response.headers.get('tocsin-tracking-id') ?? '', /^[0-9a-f]{32}$/)
    const fields = (await response.json()) as Record<string, unknown>
    assert.deepEqual([fields['code'], fields['subCode']], [undefined, undefined])
    assert.match(String(fields['padding']), /^[A-Za-z0-9+/]{1366,}={0,2}$/)
    return { status: response.status, fields }
  }

  const unknown = await post({ appPackageName: 'org.unheard.of', temporaryExposureKeys: [] })
  assert.equal(unknown.status, 401)
  assert.match(String(unknown.fields['error']), /^appPackageName is not accepted here/)
  const wrongField = await post({ traveler: true })
  assert.deepEqual(
    [wrongField.status, wrongField.fields['error']],
    [400, 'unknown field "traveler"'],
  )
  assert.equal((await post({}, { 'content-type': 'text/plain' })).status, 415)
  assert.equal((await post({ padding: 'x'.repeat(64_000) })).status, 413)

  const authority = makeAuthority('org.example.early')
  const { db, writer } = service.zones.key
  const now = service.clock.now()
  await db.transaction((tx) => addHealthAuthority(tx, writer, authority, now))
  await setTimeout(1_000)
  const keys = makeKeys(now, 2)
  const accepted = await post(earlier(await makeRequest(authority, keys, now)))
  assert.deepEqual([accepted.status, accepted.fields['insertedExposures']], [200, 2])
  assert.equal(accepted.fields['error'], '')
  const bad = await post(
    earlier(await makeRequest(authority, keys, now, { claims: { aud: 'another' } })),
  )
  assert.equal(bad.status, 401)
  assert.deepEqual([bad.fields['revisionToken'], bad.fields['insertedExposures']], ['', 0])
  assert.match(String(bad.fields['error']), /the audience is not this service/)
  const decoy = await post({ padding: 'x' }, { 'x-chaff': '1' })
  assert.equal(decoy.status, 200)

  // The page at the same address stays, and the document tells of both.
  assert.match(await (await fetch(service.url)).text(), /<h1>Tocsin<\/h1>/)
  const put = await fetch(service.url, { method: 'PUT' })
  assert.deepEqual([put.status, put.headers.get('allow')], [405, 'GET, HEAD, POST'])
  const document = (await (await fetch(`${service.url}/openapi.json`)).json()) as {
    paths: Record<string, Record<string, { operationId: string }>>
  }
  assert.equal(document.paths['/']?.['post']?.operationId, 'publishEarlier')
})

databaseTestOnce('POST / is no address by default', async (database, t) => {
  await using service = await startService(database.url, await temporaryFolder(t))
  const response = await fetch(service.url, { method: 'POST', body: '{}' })
  assert.deepEqual([response.status, response.headers.get('allow')], [405, 'GET, HEAD'])
})
