// Test: the earlier publish API: the rules, the log and the replies of POST /v1/publish in another shape, and only where it is switched on.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { readEvent, readHead } from '../src/log/read-events.ts'
import { addHealthAuthority } from '../src/submit/health-authorities.ts'
import { parseEarlierRequest, publishV1alpha1 } from '../src/submit/publish-v1alpha1.ts'
import { reportContent } from '../src/submit/report.ts'
import { databaseTest } from './database.ts'
import { encodeBody, makeAuthority, makeKeys, makeRequest } from './key-zone.ts'
import { startService } from './running-service.ts'
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
  assert.equal(parse({ ...fields, regions: ['US'] }).traveler, false)
  assert.equal(parse({ ...fields, regions: ['US', 'CA'] }).traveler, true)
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

databaseTest('a report of the earlier API is stored as any other', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  const now = town.clock.now()
  const submit = (fields: Record<string, unknown>) =>
    publishV1alpha1(town.zone.submit, encodeBody(fields), '')
  const keys = makeKeys(now, 3)
  const request = await makeRequest(town.authority, keys, now, { reportType: 'likely' })
  const seq = (await readHead(town.zone.db)).nextSeq
  const first = await submit(earlier(request, ['CA', 'MX']))
  assert.deepEqual([first.status, first.body.insertedExposures], [200, 3])
  const event = await readEvent(town.zone.db, seq)
  assert.ok(event)
  const { source, regions, traveler, app } = reportContent(event)
  assert.deepEqual(
    { source, regions, traveler, app },
    {
      source: 'publish-v1alpha1',
      // The health authority's, not those that the request names.
      regions: ['US'],
      traveler: true,
      app: town.authority.app,
    },
  )
  // Again, with other padding and other regions that mean the same.
  const again = await submit(earlier({ ...request, padding: 'other' }, ['FR', 'DE', 'IT']))
  assert.equal(again.trackingId, first.trackingId)
  // Another API is another request: its keys are known by now.
  const other = await town.submit(encodeBody(request))
  assert.equal(other.body.code, 'missing_revision_token')
  const { revisionToken } = first.body
  const confirmed = await makeRequest(town.authority, keys, now, { fields: { revisionToken } })
  assert.equal((await submit(earlier(confirmed))).status, 200)
  assert.deepEqual(await town.counts(), { reports: 2, keys: 3, events: 2 })
  assert.deepEqual(await town.problems(), [])
})

databaseTest('POST / is served when it is switched on, without codes', async (database, t) => {
  const folder = await temporaryFolder(t)
  await using service = await startService(database.url, folder, { TOCSIN_V1ALPHA1: 'true' })

  const post = async (body: unknown, headers: Record<string, string> = {}) => {
    const response = await fetch(service.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    })
    assert.equal(response.headers.get('x-api-version'), 'v1alpha1')
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
  const bad = await post(
    earlier(await makeRequest(authority, keys, now, { claims: { aud: 'another' } })),
  )
  assert.equal(bad.status, 401)
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

databaseTest('POST / is no address by default', async (database, t) => {
  await using service = await startService(database.url, await temporaryFolder(t))
  const response = await fetch(service.url, { method: 'POST', body: '{}' })
  assert.deepEqual([response.status, response.headers.get('allow')], [405, 'GET, HEAD'])
})
