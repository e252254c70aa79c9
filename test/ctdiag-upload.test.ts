// Test: uploads as apps of ct-diag-server send them: what is taken, what is refused, and that it is as durable and as repeatable as a publish request.

import assert from 'node:assert/strict'
import { createHmac, randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { parseConfig } from '../src/config.ts'
import { issueCode, uploadKeys, verifyCode } from '../src/cli/phone-client.ts'
import { verifyLog } from '../src/log/verify-log.ts'
import { encodeBase64 } from '../src/format/bytes.ts'
import { EXPORT_REPORT_TYPES } from '../src/format/report-type.ts'
import {
  counts,
  dayRecord,
  record,
  records,
  settingsOf,
  startOf,
  storedKeys,
  upload,
  type UploadReply,
} from './ctdiag-uploader.ts'
import { databaseTest, databaseTestOnce, type TestDatabase } from './database.ts'
import { readIndex, readPublished } from './published-files.ts'
import { startService, type RunningService } from './running-service.ts'
import { temporaryFolder } from './temporary-folder.ts'
import { test, type TestContext } from 'node:test'

const start = async (database: TestDatabase, t: TestContext, uploads: string) =>
  startService(database.url, await temporaryFolder(t), settingsOf(uploads))

const isOk = (reply: UploadReply) => {
  const { status, text, error, trackingId, headers } = reply
  assert.equal(`${status} ${text}`, '200 OK')
  assert.match(headers.get('content-type') ?? '', /^text\/plain/)
  assert.equal(error, null)
  assert.match(trackingId, /^[0-9a-f]{32}$/)
  assert.ok(sizeOf(reply) >= 1_024 && sizeOf(reply) < 2_048, 'its size tells nothing')
}

/** What somebody who sees the network could count, but for headers that every reply of the server has alike. */
const sizeOf = ({ text, headers }: UploadReply) =>
  [
    'content-type',
    'tocsin-tracking-id',
    'tocsin-error',
    'www-authenticate',
    'tocsin-padding',
  ].reduce(
    (sum, name) =>
      sum + (headers.has(name) ? name.length + 4 + (headers.get(name) ?? '').length : 0),
    text.length,
  )

databaseTest(
  'an upload without a proof is stored as self-reported, once however often it comes',
  async (database, t) => {
    await using service = await start(database, t, 'none')
    const now = service.clock.now()
    const sent = [
      record(startOf(now, 1), 3),
      record(startOf(now, 2), 0),
      record(startOf(now, 0), 8),
    ]
    const first = await upload(service, sent)
    isOk(first)
    const stored = await storedKeys(service)
    const [yesterday, , today] = sent.map((each) => stored.get(each.toString('hex', 0, 16)))
    assert.deepEqual(yesterday, {
      rolling_start: startOf(now, 1),
      rolling_period: 144,
      transmission_risk: 3,
      report_type: EXPORT_REPORT_TYPES['user-report'],
      source: 'ctdiag',
      app: 'org.example.demo',
      regions: 'DEMO',
    })
    assert.equal(today?.transmission_risk, 8)

    const before = await counts(service)
    assert.deepEqual({ ...before, events: 0 }, { events: 0, reports: 1, keys: 3 })
    for (const again of [sent, sent.toReversed(), [...sent, ...sent]]) {
      const reply = await upload(service, again)
      isOk(reply)
      assert.equal(reply.trackingId, first.trackingId, 'the order of records means nothing')
    }
    assert.deepEqual(await counts(service), before, 'repetitions append nothing')

    const more = await upload(service, [...sent, record(startOf(now, 3))])
    isOk(more)
    assert.notEqual(more.trackingId, first.trackingId)
    assert.deepEqual(
      (await counts(service)).keys,
      4,
      'known keys are ignored, whatever came with them',
    )
    const otherwise = sent.map((each) => record(startOf(now, 4), 1, each.subarray(0, 16)))
    isOk(await upload(service, otherwise))
    isOk(
      await upload(service, [record(startOf(now, 5), 2, sent[0]?.subarray(0, 16)), ...otherwise]),
    )
    assert.deepEqual([...(await storedKeys(service)).entries()].slice(0, 3), [...stored.entries()])
    assert.equal((await counts(service)).keys, 4)

    const twice = randomBytes(16)
    isOk(
      await upload(service, [record(startOf(now, 7), 2, twice), record(startOf(now, 8), 3, twice)]),
    )
    const counted = (await storedKeys(service)).get(twice.toString('hex'))
    assert.equal(counted?.rolling_start, startOf(now, 7), 'the first of two records of a key')

    const day = startOf(now, 6) / 144
    isOk(await upload(service, [dayRecord(day)], {}, '/v0/diagnosis-keys'))
    const [added] = [...(await storedKeys(service)).values()].filter(
      ({ source }) => source === 'ctdiag-v0',
    )
    assert.equal(added?.rolling_start, day * 144)
    assert.equal(added.rolling_period, 144)
    const { problems } = await verifyLog(service.zones.key.db, service.zones.key.writer.projections)
    assert.deepEqual(problems, [])
  },
)

databaseTest(
  'the same keys at once in opposite orders: every client is answered OK, each key is there once',
  async (database, t) => {
    await using service = await start(database, t, 'none')
    const now = service.clock.now()
    const shared = records(now, 12)
    const replies = await Promise.all(
      Array.from({ length: 40 }, (_, client) => {
        // A key of its own makes each upload another one.
        const own = record(startOf(now, 13))
        return upload(service, client % 2 === 0 ? [...shared, own] : [own, ...shared.toReversed()])
      }),
    )
    replies.forEach(isOk)
    assert.equal(new Set(replies.map(({ trackingId }) => trackingId)).size, 40)
    assert.deepEqual((await counts(service)).keys, shared.length + 40)
  },
)

databaseTestOnce(
  'what is wrong with a body is said, and nothing of it is stored',
  async (database, t) => {
    await using service = await start(database, t, 'none')
    const now = service.clock.now()
    const good = records(now, 14)
    const rows: readonly (readonly [
      string,
      number,
      string,
      Uint8Array | readonly Uint8Array[],
      RegExp,
    ])[] = [
      ['/diagnosis-keys', 400, 'bad_request', [], /empty/],
      ['/diagnosis-keys', 400, 'bad_request', [good[0] as Buffer, Buffer.alloc(20)], /21 bytes/],
      ['/diagnosis-keys', 400, 'bad_request', Buffer.alloc(22), /21 bytes/],
      ['/diagnosis-keys', 400, 'bad_request', Buffer.alloc(18), /21 bytes/],
      [
        '/diagnosis-keys',
        400,
        'request_too_large',
        [...good, record(startOf(now, 1))],
        /at most 14 records/,
      ],
      ['/diagnosis-keys', 400, 'request_too_large', Buffer.alloc(2_000), /at most 14 records/],
      [
        '/diagnosis-keys',
        400,
        'bad_request',
        [...good.slice(1), record(startOf(now, 1), 9)],
        /record 14: .*Risk.* 0 to 8/,
      ],
      [
        '/diagnosis-keys',
        400,
        'bad_request',
        [good[0] as Buffer, record(startOf(now, 17))],
        /record 2: .*15 days/,
      ],
      [
        '/diagnosis-keys',
        400,
        'bad_request',
        [record(startOf(now, -1)), good[0] as Buffer],
        /record 1: .*future/,
      ],
      ['/diagnosis-keys', 400, 'bad_request', [record(2 ** 32 - 1)], /future/],
      [
        '/diagnosis-keys',
        400,
        'bad_request',
        [record(startOf(now, 1)), record(startOf(now, 1) + 10)],
        /overlap: records 1 and 2[.]/,
      ],
      [
        '/diagnosis-keys',
        400,
        'bad_request',
        [
          good[0] as Buffer,
          Buffer.concat([Buffer.alloc(16), record(startOf(now, 2)).subarray(16)]),
        ],
        /record 2: it is all zeros/,
      ],
      ['/v0/diagnosis-keys', 400, 'bad_request', [], /empty/],
      ['/v0/diagnosis-keys', 400, 'bad_request', Buffer.alloc(21), /18 bytes/],
      ['/v0/diagnosis-keys', 400, 'bad_request', [dayRecord(65_535)], /future/],
      ['/v0/diagnosis-keys', 400, 'bad_request', [dayRecord(0)], /15 days/],
      [
        '/v0/diagnosis-keys',
        413,
        'request_too_large',
        Array.from({ length: 61 }, () => dayRecord(startOf(now, 1) / 144)),
        /at most 60 records/,
      ],
    ]
    const before = await counts(service)
    for (const [path, status, code, body, sentence] of rows) {
      const reply = await upload(service, body, {}, path)
      assert.equal(`${reply.status} ${reply.error ?? ''}`, `${status} ${code}`, String(sentence))
      assert.match(reply.text, sentence)
      assert.match(reply.trackingId, /^[0-9a-f]{32}$/)
      assert.match(reply.headers.get('content-type') ?? '', /^text\/plain/)
    }
    const early = await sendPart(service, Buffer.concat(good), 100)
    assert.doesNotMatch(early, /^HTTP\/1\.1 200/)
    assert.deepEqual(await counts(service), before)

    const put = await fetch(`${service.url}/diagnosis-keys`, { method: 'PUT', body: 'x' })
    assert.equal(put.status, 405)
    assert.match(put.headers.get('allow') ?? '', /POST/)

    const types = [
      'application/octet-stream',
      'application/x-www-form-urlencoded',
      'text/plain; charset=utf-8',
      'application/json',
      'nonsense',
    ]
    for (const type of types) isOk(await upload(service, records(now, 1), { 'content-type': type }))
    isOk(
      await upload(
        service,
        Array.from({ length: 45 }, (_, index) => dayRecord(startOf(now, 1 + (index % 15)) / 144)),
        {},
        '/v0/diagnosis-keys',
      ),
    )
    const untyped = await sendPart(service, record(startOf(now, 1)), 21)
    assert.match(untyped, /^HTTP\/1\.1 200[^]*\r\n\r\nOK$/)
  },
)

/** Sends the first bytes of a body without a content type, and hangs up in the middle unless that is all. @returns what is answered */
function sendPart({ url }: RunningService, body: Uint8Array, length: number): Promise<string> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(Number(port), hostname, () => {
      socket.write(
        `POST /diagnosis-keys HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n`,
      )
      socket.write(body.subarray(0, length))
      if (length < body.length) socket.end()
    })
    socket.on('data', (data) => (answer += data.toString('latin1')))
    socket.on('close', () => resolve(answer))
    socket.on('error', reject)
  })
}

databaseTestOnce(
  "a certificate is the publish API's, over keys of a day; one that is wrong is never taken as none",
  async (database, t) => {
    await using service = await start(database, t, 'certificate,none')
    const now = service.clock.now()
    const sent = records(now, 14)
    const proof = await certify(service, sent)
    const first = await upload(service, sent, proof)
    isOk(first)
    const stored = await storedKeys(service)
    assert.equal(stored.size, 14)
    for (const { report_type } of stored.values())
      assert.equal(report_type, EXPORT_REPORT_TYPES.confirmed)

    const before = await counts(service)
    const other = await certify(service, records(now, 2))
    const wrong: readonly (readonly [string, Record<string, string>, string])[] = [
      ['no HMAC key', { authorization: proof.authorization }, CERTIFICATE],
      [
        'another HMAC key',
        { ...proof, 'x-hmac-key': randomBytes(32).toString('base64') },
        CERTIFICATE,
      ],
      ['other keys', other, CERTIFICATE],
      [
        'a signature that is cut',
        { ...proof, authorization: proof.authorization.slice(0, -4) },
        CERTIFICATE,
      ],
      ['a code, which is not taken', { authorization: 'Bearer 12345678' }, 'unauthorized'],
      ['another scheme', { authorization: 'Basic YTpi' }, 'unauthorized'],
      ['nothing behind the scheme', { authorization: 'Bearer' }, 'unauthorized'],
      ['an empty header', { authorization: '' }, 'unauthorized'],
    ]
    for (const [what, headers, code] of wrong) {
      const reply = await upload(service, [...sent.slice(1), record(startOf(now, 0))], headers)
      assert.equal(`${reply.status} ${reply.error ?? ''}`, `401 ${code}`, what)
      assert.equal(reply.headers.get('www-authenticate'), 'Bearer')
      assert.match(reply.text, /\.$/, what)
      assert.ok(sizeOf(reply) >= 1_024 && sizeOf(reply) < 2_048, what)
    }
    assert.deepEqual(await counts(service), before)

    service.clock.advance(3600)
    const again = await upload(service, sent, proof)
    isOk(again)
    assert.equal(
      again.trackingId,
      first.trackingId,
      'a repetition, although the certificate has expired',
    )
    assert.deepEqual(await counts(service), before)
  },
)

const CERTIFICATE = 'health_authority_verification_certificate_invalid'

/** What a phone with a code sends beside its records: a certificate over them. */
async function certify({ phones, clock }: RunningService, sent: readonly Buffer[]) {
  const day = new Date(clock.now().getTime() - 3 * 86_400_000).toISOString().slice(0, 10)
  const token = await verifyCode(phones, await issueCode(phones, 'confirmed', day))
  const secret = randomBytes(32)
  const cleartext = sent
    .map(
      (each) => `${each.toString('base64', 0, 16)}.${each.readUInt32BE(16)}.144.${each[20] ?? 0}`,
    )
    .sort((a, b) => (a < b ? -1 : 1))
    .join(',')
  const ekeyhmac = createHmac('sha256', secret).update(cleartext).digest('base64')
  const reply = await fetch(`${phones.url}/api/certificate`, {
    method: 'POST',
    body: JSON.stringify({ token, ekeyhmac }),
    headers: { 'content-type': 'application/json', 'x-api-key': phones.deviceKey },
  })
  const { certificate } = (await reply.json()) as { certificate: string }
  return { authorization: `Bearer ${certificate}`, 'x-hmac-key': secret.toString('base64') }
}

databaseTestOnce(
  'keys of these uploads are in the exports of their region, and decoys are no uploads',
  async (database, t) => {
    await using service = await start(database, t, 'none')
    const now = service.clock.now()
    const sent = records(now, 3)
    const before = await counts(service)
    for (const type of ['application/octet-stream', 'application/json']) {
      const decoy = await upload(service, sent, { 'x-chaff': '1', 'content-type': type })
      isOk(decoy)
    }
    assert.deepEqual(await counts(service), before)

    isOk(await upload(service, sent))
    const keyData = randomBytes(16)
    const token = await verifyCode(
      service.phones,
      await issueCode(service.phones, 'confirmed', '2026-03-08'),
    )
    await uploadKeys(service.phones, token, [
      { keyData, rollingStart: startOf(now, 1), rollingPeriod: 144 },
    ])
    service.clock.advance(2 * 3600)
    await service.publishDue()
    const files = await readIndex(service.config.publicFolder, 'demo')
    const published = new Set<string>()
    for (const file of files)
      for (const key of (await readPublished(service.config.publicFolder, file)).keys)
        published.add(encodeBase64(key.key_data))
    for (const key of [...sent.map((each) => each.subarray(0, 16)), keyData])
      assert.ok(published.has(encodeBase64(key)))
  },
)

test('codes are not taken without the realm whose they are', () => {
  assert.throws(() => parseConfig({ TOCSIN_CTDIAG_UPLOADS: 'code' }), {
    code: 'configuration_invalid',
    message: /TOCSIN_CTDIAG_REALM/,
  })
})
