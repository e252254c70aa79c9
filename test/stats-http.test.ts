// Test: POST /v1/stats over HTTP: bodies, padding, and CSV that says what JSON says.

import assert from 'node:assert/strict'
import { addHealthAuthority } from '../src/submit/health-authorities.ts'
import { statsAsCsv, type StatsDay } from '../src/submit/stats-v1.ts'
import { databaseTestOnce } from './database.ts'
import { makeAuthority, makeKeys, makeRequest } from './key-zone.ts'
import { startService } from './running-service.ts'
import { makeToken } from './stats-zone.ts'
import { temporaryFolder } from './temporary-folder.ts'

databaseTestOnce(
  'over HTTP: padding on every reply, bodies, and CSV that equals JSON',
  async (db, t) => {
    await using service = await startService(db.url, await temporaryFolder(t))
    const { zones, clock, url } = service
    const authority = makeAuthority()
    await zones.key.db.transaction((tx) =>
      addHealthAuthority(tx, zones.key.writer, authority, clock.now()),
    )
    const headers = { 'content-type': 'application/json', 'user-agent': 'okhttp android' }
    const publish = async () => {
      const request = await makeRequest(authority, makeKeys(clock.now(), 4), clock.now())
      const body = JSON.stringify(request)
      assert.equal(
        (await fetch(`${url}/v1/publish`, { method: 'POST', headers, body })).status,
        200,
      )
    }
    const post = async (body: string | Uint8Array, more: Record<string, string> = {}) => {
      const authorization = `Bearer ${await makeToken({ clock, authority })}`
      return fetch(`${url}/v1/stats`, {
        method: 'POST',
        headers: { ...headers, authorization, ...more },
        body,
      })
    }
    const read = async (response: Response) => {
      const { padding, ...body } = (await response.json()) as Record<string, unknown>
      const { length } = Buffer.from(String(padding), 'base64')
      assert.ok(length >= 2_048 && length <= 3_071, `${length} bytes of padding`)
      return body as { days?: StatsDay[]; error?: string; code?: string }
    }

    const empty = await post('{"padding":""}')
    assert.deepEqual([empty.status, await read(empty)], [200, {}])
    const emptyCsv = await post('{"padding":""}', { accept: 'text/csv' })
    assert.equal(emptyCsv.headers.get('content-type'), 'text/csv; charset=utf-8')
    assert.equal(await emptyCsv.text(), statsAsCsv([]))

    for (let n = 0; n < 10; n++) await publish()
    clock.advance(86_400)
    for (let n = 0; n < 12; n++) await publish()
    clock.advance(3_600)
    const response = await post('{"padding":"eHg="}')
    assert.equal(response.status, 200)
    const { days = [], ...rest } = await read(response)
    assert.deepEqual(rest, {})
    assert.deepEqual(
      days.map(({ day, publish_requests }) => [day, publish_requests.android]),
      [
        ['2026-03-10T00:00:00Z', 10],
        ['2026-03-11T00:00:00Z', 12],
      ],
    )
    const csv = await post('{"padding":""}', { accept: 'text/html;q=0.5, Text/CSV;q=0.9' })
    assert.equal(csv.headers.get('content-type'), 'text/csv; charset=utf-8')
    assert.equal(await csv.text(), statsAsCsv(days))

    const unauthorized = await post('{"padding":""}', {
      authorization: 'Bearer x',
      accept: 'text/csv',
    })
    assert.equal(unauthorized.status, 401)
    assert.equal(unauthorized.headers.get('www-authenticate'), 'Bearer')
    assert.equal((await read(unauthorized)).code, 'unauthorized')
    const bad: readonly [string | Uint8Array, Record<string, string>?][] = [
      ['{"padding":"","days":1}'],
      ['{"padding":7}'],
      ['{"padding":"","Padding":""}'],
      ['[]'],
      ['{'],
      [''],
      [Uint8Array.of(0x22, 0xff, 0x22)],
      ['{}', { 'content-type': 'text/plain' }],
      [JSON.stringify({ padding: 'x'.repeat(64_000) })],
    ]
    for (const [body, more] of bad) {
      const refused = await post(body, more)
      assert.equal(refused.status, 400, String(body).slice(0, 40))
      const { code, error, ...others } = await read(refused)
      assert.equal(code, 'bad_request')
      assert.match(error ?? '', /^.{10,200}$/)
      assert.deepEqual(others, {})
    }
  },
)
