// Test: uploads of contact event numbers, by every API and every way of being let in, on the real server.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseConfig } from '../src/config.ts'
import { sql } from '../src/db/sql.ts'
import { sortCens } from '../src/format/cen.ts'
import { cenUploadRoutes } from '../src/http/cen-upload-routes.ts'
import type { RouteContext } from '../src/http/routes.ts'
import { readEventRows, readHead } from '../src/log/read-events.ts'
import { decodeEvent } from '../src/log/record.ts'
import type { CenFields } from '../src/submit/cen.ts'
import { CEN_REPORT, type CenReportContent } from '../src/submit/cen-report.ts'
import { CEN_VARIABLES, parseLocations } from '../src/submit/cen-variables.ts'
import { createPublishContext } from '../src/submit/submission-context.ts'
import {
  CEN_SETTINGS,
  cenApi,
  certify,
  certifyAs,
  giveCode,
  makeCens,
  send,
  sendCens,
  withCode,
} from './cen-phone.ts'
import { databaseTest, databaseTestOnce } from './database.ts'
import { OF_KINDS } from './open-key-zone.ts'
import { startService, type RunningService } from './running-service.ts'
import { openSubmittingZone } from './submitting-zone.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** Reports of numbers as the log has them. */
async function readReports({ zones }: RunningService) {
  const reports: { content: CenReportContent; numbers: Uint8Array; grain: number }[] = []
  for await (const page of readEventRows(zones.key.db, 0))
    for (const { type, record } of page) {
      if (type !== CEN_REPORT) continue
      const { parts, grain } = decodeEvent(record)
      const [first, second] = parts
      reports.push({
        content: first?.content as CenReportContent,
        numbers: second?.content as Uint8Array,
        grain,
      })
    }
  return reports
}

databaseTest(
  'numbers are taken with a certificate and with a permission number, stored once and packed',
  async (database, t) => {
    await using service = await startService(database.url, await temporaryFolder(t), CEN_SETTINGS)
    const cens = makeCens(2_000)
    const twice = Buffer.concat([cens, cens.subarray(16, 48)])

    const code = await giveCode(service)
    const first = await sendCens(service, twice, { ...withCode(code), 'cen-cell': 'U09' })
    assert.equal(first.status, 200)
    assert.equal(first.body['insertedNumbers'], 2_000)
    assert.ok(String(first.body['padding']).length > 1_000)
    // The same again, in another order and typed otherwise, is answered like the first time, also when code and token are over.
    const again = () =>
      sendCens(service, Buffer.from(sortCens(cens)), {
        ...withCode(`${code.slice(0, 4)}-${code.slice(4)}`),
        'cen-cell': 'u09',
      })
    // Nor does another cell, or none, make one person two reports.
    for (const cell of [{}, { 'cen-cell': 'c0' }])
      assert.equal((await sendCens(service, cens, { ...withCode(code), ...cell })).id, first.id)
    const second = await again()
    assert.deepEqual([second.status, second.id], [200, first.id])
    service.clock.advance(3 * 86_400)
    const late = await again()
    assert.deepEqual([late.status, late.id, late.body['insertedNumbers']], [200, first.id, 2_000])
    const others = await sendCens(service, makeCens(3), withCode(code))
    assert.deepEqual(
      [
        others.status,
        others.body['code'] === 'code_invalid' || others.body['code'] === 'code_expired',
      ],
      [401, true],
    )

    const mine = makeCens(9_072)
    const headers = await certify(service, mine)
    const certified = await sendCens(service, mine, headers)
    assert.deepEqual([certified.status, certified.body['insertedNumbers']], [200, 9_072])
    assert.equal((await sendCens(service, mine, headers)).id, certified.id)
    const spelt = { ...headers, 'x-hmac-key': String(headers['x-hmac-key']).replace(/=+$/, '') }
    const cell = { 'cen-cell': 'c0' }
    for (const same of [spelt, { ...headers, ...cell }])
      assert.equal((await sendCens(service, mine, same)).id, certified.id)
    const changed = Buffer.from(mine)
    changed[0] = (changed[0] as number) ^ 1
    const refused = await sendCens(service, changed, headers)
    assert.deepEqual([refused.status, refused.body['subCode']], [401, 'wrong_tekmac'])

    const reports = await readReports(service)
    assert.deepEqual(
      reports.map(({ content }) => [
        content.source,
        content.trust,
        content.cell,
        content.count,
        content.regions,
        content.reportType,
      ]),
      [
        ['cens-v1', 'verified', 'u09', 2_000, ['DEMO'], 'confirmed'],
        ['cens-v1', 'verified', null, 9_072, ['DEMO'], 'confirmed'],
      ],
    )
    assert.equal(reports[0]?.content.issuerHandle?.length, 16)
    assert.deepEqual(Buffer.from(reports[0]?.numbers ?? []), Buffer.from(sortCens(cens)))
    const { rows } = await service.zones.key.db.query(
      sql`select c.seq - r.seq as gap, c.available - r.grain as wait, c.count, c.cell, c.trust, r.identifiers, r.source from cen_report c join report r using (seq) order by c.seq`,
    )
    assert.deepEqual(rows, [
      {
        gap: 0,
        wait: 0,
        count: 2_000,
        cell: 'u09',
        trust: 'verified',
        identifiers: 2_000,
        source: 'cens-v1',
      },
      {
        gap: 0,
        wait: 0,
        count: 9_072,
        cell: null,
        trust: 'verified',
        identifiers: 9_072,
        source: 'cens-v1',
      },
    ])
    // No code, nothing in clear that names who sent them.
    for await (const page of readEventRows(service.zones.key.db, 0))
      for (const { record } of page) assert.equal(Buffer.from(record).includes(code), false)
  },
)

const SECRET = 'a secret of every phone'
const FORM = { 'content-type': 'application/x-www-form-urlencoded', 'x-app-secret-key': SECRET }
const JSON_TYPE = { 'content-type': 'application/json' }
const hexOf = (cens: Uint8Array, index: number) =>
  Buffer.from(cens).toString('hex', index * 16, index * 16 + 16)

databaseTestOnce(
  'apps of both CovidWatch backends work unchanged, each report with the level by which it was let in',
  async (database, t) => {
    const folder = await temporaryFolder(t)
    const file = join(folder, 'secret')
    await writeFile(file, `${SECRET}\n`)
    await using service = await startService(database.url, folder, {
      TOCSIN_CEN_APP: 'org.example.demo',
      TOCSIN_CEN_REALM: 'demo',
      TOCSIN_CEN_UPLOADS: 'code,location,trust,shared-secret',
      TOCSIN_CEN_LOCATIONS: '192.0.2.0/24, 2001:db8::/32',
      TOCSIN_CEN_SHARED_SECRET_FILE: file,
      TOCSIN_TRUSTED_PROXIES: '1',
    })
    const cens = makeCens(40)
    const from = (address: string) => ({ 'x-forwarded-for': `198.51.100.7, ${address}` })

    // The first one's: one number at a time, with and without a slash, and what it says to others.
    for (const [path, value] of [
      ['/api/interaction', hexOf(cens, 0)],
      ['/api/interaction/', '00112233-4455-6677-8899-aabbccddeeff'],
      ['/api/interaction', encodeURIComponent(cens.subarray(16, 32).toString('base64'))],
      ['/api/interaction', `0&other=1&stored_value=${hexOf(cens, 0)}`],
    ] as const) {
      const answer = await send(service, path, `stored_value=${value}`, FORM)
      assert.deepEqual([answer.status, answer.text], [200, ''], answer.text)
    }
    // A form in parts, as browsers and some frameworks for apps send it; a file is no field.
    const parts = new FormData()
    for (const value of [new Blob([hexOf(cens, 1)]), hexOf(cens, 2)])
      parts.append('stored_value', value)
    const inParts = await fetch(`${service.url}/api/interaction`, {
      method: 'POST',
      headers: { 'x-app-secret-key': SECRET },
      body: parts,
    })
    assert.deepEqual([inParts.status, await inParts.text()], [200, ''])
    const wrong = await send(service, '/api/interaction', 'stored_value=x', {
      ...FORM,
      'x-app-secret-key': `${SECRET}x`,
    })
    assert.deepEqual(
      [wrong.status, wrong.body],
      [400, { error: 'Missing/wrong secret key header' }],
    )
    const missing = await send(service, '/api/interaction', 'other=1', FORM)
    assert.deepEqual(
      [missing.status, missing.body],
      [400, { error: 'Missing stored_value property' }],
    )

    // The second one's: from a clinic, from anywhere, with a code.
    const list = (first: number, count: number) =>
      JSON.stringify({
        cens: Array.from({ length: count }, (_, index) => ({
          uuid: hexOf(cens, first + index),
          created_at: '2026-03-09 12:34:56.789012',
        })),
      })
    const headers: Record<string, string>[] = [
      from('192.0.2.77'),
      from('[2001:db8::9]:4711'),
      from('::ffff:192.0.2.78'),
      from('203.0.113.1'),
      withCode(await giveCode(service)),
    ]
    for (const [index, each] of headers.entries()) {
      const answer = await send(service, '/api/v1/cens/', list(4 + 4 * index, 4), {
        ...JSON_TYPE,
        ...each,
      })
      assert.deepEqual([answer.status, answer.text], [201, ''], answer.text)
      assert.match(answer.id ?? '', /^[0-9a-f]{32}$/)
    }
    const options = await fetch(`${service.url}/api/interaction`, { method: 'OPTIONS' })
    assert.deepEqual([options.status, options.headers.get('allow')], [200, 'POST, OPTIONS'])
    // Numbers that are known already, and one that comes twice; with what lists have, and more, beside what is read.
    const known = JSON.parse(list(4, 4)) as { cens: object[]; [field: string]: unknown }
    known.cens.push({
      ...known.cens[0],
      published_at: null,
      id: 7,
      contact: { rssi: [-60, -71] },
      // From a phone whose clock is wrong.
      created_at: 'Thu, 01 Jan 1970 00:00:09 GMT',
    })
    known['version'] = '1.0'
    assert.equal(
      (
        await send(service, '/api/v1/cens', JSON.stringify(known), {
          'content-type': 'Application/vnd.example+JSON; charset=utf-8',
          ...from('192.0.2.1'),
        })
      ).status,
      201,
    )

    const told = (await readReports(service)).map(
      ({ content: { source, trust, count, healthAuthority } }) =>
        `${source} ${trust} ${count} ${healthAuthority}`,
    )
    assert.deepEqual(told, [
      ...Array.from({ length: 4 }, () => 'covidwatch shared 1 '),
      ...Array.from({ length: 3 }, () => 'covidwatch-successor located 4 '),
      'covidwatch-successor trusted 4 ',
      'covidwatch-successor verified 4 tocsin-demo',
    ])
    // A proof that is wrong is never taken for none, and a certificate was not asked for.
    for (const authorization of [
      'Bearer 00000000',
      'Bearer eyJhbGciOiJFUzI1NiJ9.e30.AAAA',
      'Basic YTpi',
      'Bearer',
    ]) {
      const answer = await sendCens(service, makeCens(2), { authorization, ...from('192.0.2.77') })
      assert.equal(answer.status, 401, authorization)
    }
    // Nobody's address is kept, nor when a number was made.
    for await (const page of readEventRows(service.zones.key.db, 0))
      for (const { record } of page)
        assert.doesNotMatch(
          Buffer.from(record).toString('latin1'),
          /192\.0\.2|203\.0|2026-03-09 12|a secret of/,
        )
  },
)

databaseTestOnce(
  'bad input of every kind has a stable answer, and stores nothing',
  async (database, t) => {
    await using service = await startService(database.url, await temporaryFolder(t), {
      ...CEN_SETTINGS,
      TOCSIN_CEN_UPLOADS: 'certificate,code,trust,shared-secret',
      TOCSIN_CEN_SHARED_SECRET: SECRET,
    })
    const { db } = service.zones.key
    const { nextSeq } = await readHead(db)
    const bytes = { 'content-type': 'application/octet-stream' }
    const number = { uuid: '00112233445566778899aabbccddeeff', created_at: '2026-03-09T12:00:00Z' }
    const one = (fields: object) => JSON.stringify({ cens: [{ ...number, ...fields }] })
    const many = (count: number) =>
      JSON.stringify({ cens: Array.from({ length: count }, () => number) })
    const cases: [string, string | Uint8Array, Record<string, string>, number, RegExp][] = [
      ['/v1/cens', '', bytes, 400, /empty/],
      ['/v1/cens', makeCens(2).subarray(1), bytes, 400, /whole numbers/],
      ['/v1/cens', makeCens(20_001), bytes, 413, /larger/],
      ['/v1/cens', makeCens(2), JSON_TYPE, 415, /octet-stream/],
      ['/v1/cens?cell=u09', makeCens(2), bytes, 400, /query/],
      ...['u09tv', 'a', 'u-', 'u09 t'].map((cell): (typeof cases)[number] => [
        '/v1/cens',
        makeCens(2),
        { ...bytes, 'cen-cell': cell },
        400,
        /Cen-Cell/,
      ]),
      ['/v1/cens', makeCens(2), { ...bytes, authorization: 'Basic YTpi' }, 401, /Authorization/],
      [
        '/v1/cens',
        makeCens(2),
        { ...bytes, authorization: 'Bearer 12345678' },
        401,
        /code does not count/,
      ],
      ['/v1/cens', makeCens(2), { ...bytes, authorization: 'Bearer eyJh.e.A' }, 401, /certificate/],
      ['/api/v1/cens/', '', JSON_TYPE, 400, /JSON/],
      ['/api/v1/cens/', '[]', JSON_TYPE, 400, /object/],
      ['/api/v1/cens/', '{"cens":[]}', JSON_TYPE, 400, /at least one/],
      ['/api/v1/cens/', '{"cens":{}}', JSON_TYPE, 400, /array/],
      ['/api/v1/cens/', '{"cens":[1]}', JSON_TYPE, 400, /object/],
      ['/api/v1/cens/', many(1), bytes, 415, /json/],
      ['/api/v1/cens/', many(20_001), JSON_TYPE, 400, /at most 20000/],
      ['/api/v1/cens/', one({ uuid: `${number.uuid.slice(1)}g` }), JSON_TYPE, 400, /uuid/],
      ['/api/v1/cens/', one({ uuid: number.uuid.slice(1) }), JSON_TYPE, 400, /uuid/],
      ['/api/v1/cens/', one({ uuid: 7 }), JSON_TYPE, 400, /uuid/],
      ['/api/v1/cens/', '{"uuid":["x"]}', JSON_TYPE, 400, /at least one/],
      [
        '/api/v1/cens/',
        JSON.stringify({ cens: [number], more: Array.from({ length: 90_000 }, () => 0) }),
        JSON_TYPE,
        400,
        /80000 fields/,
      ],
      [
        '/api/v1/cens/',
        '{"cens":[{"uuid":"00112233445566778899aabbccddeeff","uuid":"00"}]}',
        JSON_TYPE,
        400,
        /twice/,
      ],
      ...[
        '2020-01-01 BC',
        '',
        null,
        '2026-02-30T00:00:00Z',
        '2026-13-01',
        '2026-03-09T25:00',
        'yesterday',
        '1773057600',
      ].map((time): (typeof cases)[number] => [
        '/api/v1/cens/',
        one({ created_at: time }),
        JSON_TYPE,
        400,
        /created_at must be/,
      ]),
      ['/api/v1/cens/', many(1), { 'content-type': 'text/json' }, 415, /json/],
      ['/api/interaction', `stored_value=${number.uuid}&stored_value=`, FORM, 400, /Missing/],
      ['/api/interaction', 'stored_value=', FORM, 400, /Missing stored_value/],
      ['/api/interaction', 'stored_value=%00', FORM, 400, /32 hex/],
      ['/api/interaction', `stored_value=${number.uuid}%00`, FORM, 400, /32 hex/],
      ['/api/interaction', 'stored_value=%zz%e2%28', FORM, 400, /32 hex/],
      ['/api/interaction', `stored_value=${'0'.repeat(9_000)}`, FORM, 400, /32 hex/],
      ['/api/interaction', `stored_value=${'0'.repeat(10_000)}`, FORM, 413, /larger/],
      [
        '/api/interaction',
        `stored_value=${number.uuid}`,
        { ...FORM, 'content-type': 'multipart/form-data; boundary=a' },
        400,
        /Missing stored_value/,
      ],
      [
        '/api/interaction',
        `stored_value=${number.uuid}`,
        { ...FORM, 'x-app-secret-key': '' },
        400,
        /secret key header/,
      ],
    ]
    for (const [path, body, headers, status, sentence] of cases) {
      const answer = await send(service, path, body, headers)
      const shown = `${path} ${JSON.stringify(headers)} ${typeof body === 'string' ? body.slice(0, 60) : body.length}`
      assert.equal(answer.status, status, `${shown}: ${answer.text.slice(0, 200)}`)
      const field = path.startsWith('/api/v1') ? 'msg' : 'error'
      assert.match(String(answer.body[field]), sentence, shown)
      assert.match(answer.id ?? '', /^[0-9a-f]{32}$/)
    }
    // Chunks, which the first backend reads as nothing; and bodies that end early.
    const raw = async (head: string, body: string) => {
      const socket = connect(Number(new URL(service.url).port), '127.0.0.1')
      let text = ''
      socket
        .on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
        .on('error', () => undefined)
      socket.end(`${head}\r\nhost: a\r\nconnection: close\r\n\r\n${body}`)
      await once(socket, 'close')
      return text
    }
    const formHead = `POST /api/interaction HTTP/1.1\r\nx-app-secret-key: ${SECRET}\r\ncontent-type: application/x-www-form-urlencoded`
    const stored = `stored_value=${number.uuid}`
    const chunked = await raw(
      `${formHead}\r\ntransfer-encoding: chunked`,
      `${stored.length.toString(16)}\r\n${stored}\r\n0\r\n\r\n`,
    )
    assert.match(chunked, /^HTTP\/1\.1 400 [\s\S]*Missing stored_value property/)
    await raw(`${formHead}\r\ncontent-length: 60`, stored)
    await raw(
      'POST /v1/cens HTTP/1.1\r\ncontent-type: application/octet-stream\r\ncontent-length: 64',
      'a'.repeat(32),
    )
    assert.equal((await readHead(db)).nextSeq, nextSeq)
    // A negative test warns of nobody, and costs its code.
    const negative = makeCens(3)
    const refused = await sendCens(
      service,
      negative,
      await certify(service, negative, await giveCode(service, 'negative')),
    )
    assert.deepEqual([refused.status, refused.body['subCode']], [401, 'wrong_report_type'])
    // A decoy is answered like a success, and stores nothing.
    const decoy = await sendCens(service, makeCens(9_072), { 'x-chaff': '1' })
    assert.deepEqual([decoy.status, Object.keys(decoy.body)], [200, ['insertedNumbers', 'padding']])
    assert.equal((await readReports(service)).length, 0)
  },
)

databaseTest(
  'what nobody vouched for is capped by the day, however many processes take it, and a repetition is not',
  async (database, t) => {
    await using town = await openSubmittingZone(database, t)
    const { zone, clock, authority } = town
    const other = createPublishContext(zone.db, zone.settings, clock.now, OF_KINDS)
    const upload = (cens: Uint8Array, index: number, proof: CenFields['proof'] = 'trusted') =>
      cenApi('cens-v1').handle(index % 2 === 0 ? zone.submit : other, cens, '', {
        proof,
        app: authority.app,
        cell: '',
        cap: '5',
      })
    const cens = Array.from({ length: 16 }, () => makeCens(20))
    const [replies, keys] = await Promise.all([
      Promise.all(cens.map((each, index) => upload(each, index))),
      // Keys are taken meanwhile.
      Promise.all(Array.from({ length: 6 }, async () => town.submit(await town.body()))),
    ])
    const accepted = replies.flatMap((reply, index) => (reply.status === 200 ? [index] : []))
    assert.equal(accepted.length, 5)
    for (const reply of replies)
      if (reply.status !== 200)
        assert.deepEqual(
          [reply.status, reply.body.code, reply.retryAfter],
          [429, 'daily_cap_reached', 49_980],
        )
    assert.ok(keys.every(({ status }) => status === 200))
    // Another level has its own; who asks again gets the first answer; tomorrow is another day.
    assert.equal((await upload(makeCens(1), 0, 'located'))?.status, 200)
    const [first = 0] = accepted
    assert.equal(
      (await upload(cens[first] as Uint8Array, first + 1))?.trackingId,
      replies[first]?.trackingId,
    )
    clock.set('2026-03-21T00:00:01Z')
    assert.equal((await upload(makeCens(1), 1))?.status, 200)
    assert.deepEqual(await town.problems(), [])
  },
)

databaseTest('the same numbers at once, by two processes, make one report', async (database, t) => {
  await using town = await openSubmittingZone(database, t)
  const { zone, clock, authority } = town
  const others = [zone.submit, createPublishContext(zone.db, zone.settings, clock.now, OF_KINDS)]
  const cens = makeCens(50)
  const fields = {
    ...(await certifyAs(authority, cens, clock.now())),
    app: authority.app,
    cell: 'u0',
    cap: '0',
  }
  const replies = await Promise.all(
    Array.from({ length: 12 }, (_, index) =>
      cenApi('cens-v1').handle(others[index % 2] ?? zone.submit, cens, '', fields),
    ),
  )
  assert.equal(new Set(replies.map((reply) => reply.trackingId)).size, 1)
  const { rows } = await zone.db.query(
    sql`select (select count(*) from report) as reports, (select count(*) from cen_report) as rows`,
  )
  assert.deepEqual(rows, [{ reports: 1, rows: 1 }])
})

test('ranges of addresses are IPv4 and IPv6, mapped ones too, and nothing else', () => {
  const ranges = parseLocations(
    '192.0.2.0/25, 2001:db8:1::/48,198.51.100.9, ::ffff:203.0.113.0/120',
  )
  for (const address of ['192.0.2.1', '2001:db8:1:0:0:0:0:5', '198.51.100.9', '203.0.113.200'])
    assert.equal(ranges?.includes(address), true, address)
  for (const address of ['192.0.2.128', '2001:db8:2:0:0:0:0:5', '198.51.100.8', 'unknown', ''])
    assert.equal(ranges?.includes(address), false, address)
  for (const text of [
    '',
    '192.0.2.0/33',
    '192.0.2/24',
    '2001:db8::/129',
    'clinic.example',
    '192.0.2.0/24;',
    '/8',
    '1.2.3.4/-1',
  ])
    assert.equal(parseLocations(text), undefined, text)
})

test('settings that leave something open are refused, and a secret shows itself nowhere', () => {
  const routes = (given: Record<string, string>) => {
    const ofKinds = new Map(
      Object.entries(given).map(([name, value]) => [
        name,
        CEN_VARIABLES[name as keyof typeof CEN_VARIABLES].parse(value),
      ]),
    )
    return cenUploadRoutes({ ofKinds } as unknown as RouteContext)
  }
  assert.equal(
    routes({}).some(({ url }) => url.startsWith('/api/interaction')),
    false,
  )
  for (const uploads of ['code', 'location', 'shared-secret'])
    assert.throws(
      () => parseConfig({ TOCSIN_CEN_UPLOADS: uploads }),
      { code: 'configuration_invalid', message: new RegExp(`${uploads}, without TOCSIN_CEN_`) },
      uploads,
    )
  const lost = { TOCSIN_CEN_UPLOADS: 'shared-secret', TOCSIN_CEN_SHARED_SECRET_FILE: '/none/such' }
  assert.throws(() => routes(lost), { code: 'configuration_invalid' })
  for (const text of ['certificates', 'code,', '', 'none'])
    assert.equal(CEN_VARIABLES.TOCSIN_CEN_UPLOADS.parse(text), undefined)
  assert.equal(CEN_VARIABLES.TOCSIN_CEN_SHARED_SECRET.parse('short'), undefined)
  assert.equal(JSON.stringify(CEN_VARIABLES.TOCSIN_CEN_SHARED_SECRET.parse(SECRET)), '"[secret]"')
})
