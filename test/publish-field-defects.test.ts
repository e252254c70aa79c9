// Test: defects that other systems of this kind had, each named after what it was; promises that this one does otherwise, over HTTP.

import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { issueCode, uploadKeys, verifyCode } from '../src/cli/phone-client.ts'
import { databaseTestOnce } from './database.ts'
import { COUNT, makePhone, rows, serviceTests, told, type Body } from './publish-corpus/phone.ts'
import { publishedFiles } from './publish-corpus/public-files.ts'
import { makePool } from './publish-corpus/request.ts'
import { daysAgo, MIDNIGHT, type Change, type Row } from './publish-corpus/row.ts'
import { exchange, openCorpus, runRow } from './publish-corpus/run-row.ts'
import { startService } from './running-service.ts'
import { asOwner } from './submitting-zone.ts'
import { temporaryFolder } from './temporary-folder.ts'

const CERTIFICATE = 'health_authority_verification_certificate_invalid'
const shared: { readonly name: string; readonly body: Body }[] = []
const serviceTest = (name: string, body: Body) => shared.push({ name, body })

serviceTest(
  'a failure between the code and the upload burns the code; a second upload stores the keys twice',
  async (corpus, database) => {
    const { phones } = corpus.service
    const code = await issueCode(phones, 'confirmed', '2026-03-08')
    const pool = makePool(2)
    const keys = pool.map((bytes, n) => ({
      key: Buffer.from(bytes).toString('base64'),
      rollingStartNumber: daysAgo(n + 1),
      rollingPeriod: 144,
    }))
    const maced = keys.map((key) => `${key.key}.${key.rollingStartNumber}.144.0`).join(',')
    const ekeyhmac = createHmac('sha256', 'secret').update(maced).digest('base64')
    const token = await verifyCode(phones, code)
    // The same token with the same keys, as often as it takes.
    const certify = async () => {
      const { body } = await post(`${phones.url}/api/certificate`, { token, ekeyhmac }, phones)
      return {
        temporaryExposureKeys: keys,
        healthAuthorityID: phones.app,
        verificationPayload: body['certificate'],
        hmacKey: Buffer.from('secret').toString('base64'),
      }
    }
    const publish = (request: object) => post(`${phones.url}/v1/publish`, request)
    // The certificate is issued, and then the keys can't be stored: their table is not there.
    const rename = (from: string, to: string) =>
      asOwner(database, [`alter table key_zone.${from} rename to ${to}`])
    await rename('diagnosis_key', 'gone')
    assert.ok((await publish(await certify())).status >= 500)
    await rename('gone', 'diagnosis_key')
    const request = await certify()
    for (let round = 0; round < 2; round++) {
      const { status, body } = await publish(request)
      assert.deepEqual([status, body['insertedExposures']], [200, 2])
    }
    assert.deepEqual(await rows(corpus, pool, COUNT), [{ n: 2 }])
  },
)

async function post(url: string, body: object, phones?: { readonly deviceKey: string }) {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(phones === undefined ? {} : { 'x-api-key': phones.deviceKey }),
    },
    body: JSON.stringify(body),
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

serviceTest('the same upload twice is answered differently, or stored twice', async (corpus) => {
  const phone = makePhone(corpus)
  const sent = phone.make({})
  const replies = [await exchange(corpus, sent), await exchange(corpus, sent)]
  const answers = replies.map(({ status, headers, body }) => [
    status,
    headers.get('tocsin-tracking-id'),
    body?.['insertedExposures'],
  ])
  assert.deepEqual(answers[1], answers[0])
  assert.deepEqual(await rows(corpus, phone.pool, COUNT), [{ n: 2 }])
})

serviceTest('a malformed decoy is answered unlike a malformed request', async (corpus) => {
  const decoy = { 'x-chaff': '1' }
  const pair = async (change: Change) => {
    const phone = makePhone(corpus)
    const real = await phone.upload(change)
    const fake = await phone.upload({ ...change, headers: decoy })
    return [real, fake] as const
  }
  // What is refused before anything is read of it: the same.
  for (const change of [{ size: 64_001 }, { contentType: 'text/plain' }, { method: 'PUT' }]) {
    const [real, fake] = await pair(change)
    assert.deepEqual(told(fake), told(real))
  }
  // Whatever else it holds: headers and size are those of any reply; its status is seen by nobody but who sent it.
  for (let round = 0; round < 10; round++)
    for (const body of ['{', '', '{"padding":1}', '[]']) {
      const [real, fake] = await pair({ body: () => body })
      assert.deepEqual([...fake.headers.keys()], [...real.headers.keys()])
      for (const { body: fields } of [real, fake]) {
        const length = JSON.stringify(fields).length
        assert.ok(length > 1_368 && length < 5_000, `${length} characters`)
      }
    }
})

const LETTERS = ['a', 'B', '+', '/', 'A', 'b', '0', 'z']
const RISKS = [undefined, 0, 3]
serviceTest(
  'the HMAC orders keys as a language does, and takes a risk that is absent for another than 0',
  async (corpus) => {
    for (const risk of RISKS) {
      // The first letter of each text is given; the language's order of these is another than that of bytes.
      const keys = LETTERS.map((letter, n) => ({
        key: (good: string) => letter + good.slice(1),
        rollingStartNumber: daysAgo(n + 1),
        transmissionRisk: risk,
      }))
      const reply = await makePhone(corpus).upload({ keys })
      assert.deepEqual([reply.status, reply.body?.['insertedExposures']], [200, LETTERS.length])
    }
    const byLanguage = [...LETTERS].sort((a, b) => a.localeCompare(b, 'en'))
    assert.notDeepEqual(byLanguage, [...LETTERS].sort(), 'a language orders them otherwise')
    const inOrderOfLanguage = {
      maced: (four: string) =>
        four
          .split(',')
          .sort((a, b) => a.localeCompare(b, 'en'))
          .join(','),
    }
    const keys = LETTERS.map((letter, n) => ({
      key: (good: string) => letter + good.slice(1),
      rollingStartNumber: daysAgo(n + 1),
    }))
    const reply = await makePhone(corpus).upload({ ...inOrderOfLanguage, keys })
    assert.deepEqual(told(reply), [401, CERTIFICATE])
  },
)

databaseTestOnce(
  'the onset is counted in another unit, or in days of a place where a day has 23 hours',
  async (database, t) => {
    // Known answer: 1,592,611,200 s is 2020-06-20T00:00:00Z, the interval 2,654,352.
    assert.equal(Date.parse('2020-06-20T00:00:00Z') / 600_000, 2_654_352)
    const before = process.env['TZ']
    t.after(() => (before === undefined ? delete process.env['TZ'] : (process.env['TZ'] = before)))
    // There the 8th of March 2026 had 23 hours, and a day begins at 4 or 5 o'clock UTC.
    process.env['TZ'] = 'America/New_York'
    assert.equal(new Date('2026-03-09T12:00:00Z').getHours(), 8, 'the zone counts')
    await using service = await startService(database.url, await temporaryFolder(t))
    const corpus = await openCorpus(service)
    const onset = Date.parse('2026-03-05T00:00:00Z') / 600_000
    for (const [start, days] of [
      ['2026-03-09T00:00:00Z', 4],
      ['2026-03-08T23:50:00Z', 3],
      ['2026-03-05T00:00:00Z', 0],
      ['2026-03-04T23:50:00Z', -1],
    ] as const) {
      const row: Row = {
        what: start,
        when: {
          keys: [{ rollingStartNumber: Date.parse(start) / 600_000, rollingPeriod: 1 }],
          fields: { symptomOnsetInterval: onset + 143 },
        },
        expect: { status: 200, inserted: 1, stored: [{ days }] },
      }
      await runRow(corpus, row)
    }
  },
)

serviceTest('a GET writes something', async (corpus, database) => {
  await makePhone(corpus).upload()
  const { url } = corpus.service
  const everything = async () => {
    const tables = await asOwner(database, [
      `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
       where table_schema in ('key_zone', 'authority_zone', 'tocsin') order by 1`,
    ])
    const contents = tables.map(
      ({ name }) =>
        `select '${String(name)}' as name, md5(coalesce(string_agg(t::text, chr(10) order by t::text), '')) as content, count(*) as n from ${String(name)} t`,
    )
    return asOwner(database, [contents.join(' union all ')])
  }
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: object }
  const before = await everything()
  assert.ok(before.length > 10, 'the tables are there')
  for (const path of [...Object.keys(document.paths), '/openapi.json', '/nothing'])
    for (const method of ['GET', 'HEAD']) {
      const address = path.replace('{stream}', 'demo').replaceAll(/\{[a-z]+\}/gi, 'index.txt')
      const response = await fetch(`${url}${address}?after=1&code=1`, { method })
      await response.arrayBuffer()
      assert.ok(response.status < 500, `${method} ${address}: ${response.status}`)
    }
  assert.deepEqual(await everything(), before)
})

serviceTest('exact times, or numbers that count up, are in what is public', async (corpus) => {
  const { service } = corpus
  service.clock.set('2026-03-10T08:07:13.456Z')
  const code = await issueCode(service.phones, 'confirmed', '2026-03-08')
  const token = await verifyCode(service.phones, code)
  const pool = makePool(30)
  const keys = pool.map((keyData, n) => ({
    keyData,
    rollingStart: MIDNIGHT - 30 * (n + 1),
    rollingPeriod: 30,
  }))
  const { trackingId } = await uploadKeys(service.phones, token, keys)
  const seconds = service.clock.now().getTime() / 1000
  service.clock.set('2026-03-10T10:11:17Z')
  await service.publishDue()
  const files = await publishedFiles(service.url, 'demo')
  assert.ok(files.size > 3, [...files.keys()].join(', '))
  const exported = [...files].find(([name]) => name.endsWith('export.bin'))?.[1]
  assert.ok(exported?.includes(Buffer.from(keys[0]?.keyData ?? [])), 'the keys are in there')
  const forbidden = new Map<string, Buffer>([
    ['the tracking id', Buffer.from(trackingId)],
    ['the tracking id, as bytes', Buffer.from(trackingId, 'hex')],
    ['a time of day', Buffer.from('08:07')],
    ...[Math.floor(seconds), Math.ceil(seconds)].flatMap((time) => spellings(time)),
    ...[Date.parse('2026-03-10T10:11:17Z') / 1000].flatMap((time) => spellings(time)),
  ])
  for (const [name, bytes] of files)
    for (const [what, piece] of forbidden)
      assert.ok(!bytes.includes(piece), `${what} is in ${name}`)
  assert.deepEqual(
    await rows(
      corpus,
      pool,
      `select r.grain % 900 as report, max(k.available % 900) as keys
       from report r join diagnosis_key k using (seq) where key_data = $keys group by 1`,
    ),
    [{ report: 0, keys: 0 }],
  )
})

/** A time as it may stand in a file. */
function spellings(seconds: number): [string, Buffer][] {
  const varint: number[] = []
  for (let rest = seconds; rest > 0; rest = Math.floor(rest / 128))
    varint.push((rest % 128) | (rest >= 128 ? 128 : 0))
  const little = Buffer.alloc(4)
  little.writeUInt32LE(seconds)
  const big = Buffer.alloc(4)
  big.writeUInt32BE(seconds)
  return [
    [`${seconds} in digits`, Buffer.from(String(seconds))],
    [`${seconds} as a varint`, Buffer.from(varint)],
    [`${seconds} in 4 bytes, the least first`, little],
    [`${seconds} in 4 bytes, the greatest first`, big],
  ]
}

serviceTests('defects of other systems are not here', shared)
