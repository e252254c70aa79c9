// Test: defects that the reference server has, each named after what it was; promises that this one does otherwise, over HTTP.

import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import type { Queryable } from '../src/db/database.ts'
import { createAuthorityCache } from '../src/submit/authority-cache.ts'
import {
  makePhone,
  ownServiceTest,
  rows,
  serviceTests,
  told,
  whileAway,
  type Body,
} from './publish-corpus/phone.ts'
import { daysAgo, MIDNIGHT, NOW, type Change } from './publish-corpus/row.ts'
import { exchange } from './publish-corpus/run-row.ts'

const CERTIFICATE = 'health_authority_verification_certificate_invalid'
const shared: { readonly name: string; readonly body: Body }[] = []
const serviceTest = (name: string, body: Body) => shared.push({ name, body })

serviceTest('the length of a revision token tells how many keys were uploaded', async (corpus) => {
  const lengths = new Set<number>()
  for (const count of [1, 2, 14, 15, 28, 30]) {
    const keys = Array.from({ length: count }, (_, n) => ({
      rollingStartNumber: MIDNIGHT - 60 * (n + 1),
      rollingPeriod: 60,
    }))
    const phone = makePhone(corpus)
    const reply = await phone.upload({ keys, reportType: 'likely' })
    assert.equal(reply.body?.['insertedExposures'], count)
    lengths.add(String(reply.body?.['revisionToken']).length)
    // A token that carries another one's keys on is no longer.
    const more = await phone.upload({
      keys: [{ of: 31, rollingStartNumber: daysAgo(1) }],
      token: 'newest',
    })
    lengths.add(String(more.body?.['revisionToken']).length)
  }
  assert.equal(lengths.size, 1, [...lengths].join(', '))
})

serviceTest(
  'a database that is away is a client error; an unreadable token hides that it is away',
  async (corpus, database) => {
    const phone = makePhone(corpus)
    const fresh = phone.make({ keys: [{}] })
    const withToken = phone.make({ keys: [{ of: 1 }], token: { text: 'AAAA' } })
    await whileAway(database, async () => {
      for (const sent of [fresh, withToken]) {
        const reply = await exchange(corpus, sent)
        assert.deepEqual(told(reply), [503, 'unavailable'])
        assert.match(reply.headers.get('retry-after') ?? '', /^\d+$/)
      }
    })
    for (const sent of [fresh, withToken])
      assert.deepEqual(told(await exchange(corpus, sent)), [200, undefined])
  },
)

serviceTest('another period than before is told as an internal error', async (corpus) => {
  const phone = makePhone(corpus)
  await phone.upload({ keys: [{}] })
  for (const change of [{ rollingPeriod: 143 }, { rollingStartNumber: daysAgo(3) }])
    assert.deepEqual(told(await phone.upload({ keys: [change], token: 'newest' })), [
      400,
      'key_metadata_mismatch',
    ])
})

serviceTest('the regions and the risk of a change are forgotten', async (corpus) => {
  const phone = makePhone(corpus)
  const first = { keys: [{ transmissionRisk: 1 }], reportType: 'likely' } as const
  await phone.upload({ ...first, app: 'org.example.other' })
  const onset = { symptomOnsetInterval: daysAgo(7) }
  await phone.upload({ keys: [{ transmissionRisk: 6 }], token: 'newest', fields: onset })
  assert.deepEqual(
    await rows(
      corpus,
      phone.pool,
      `select k.transmission_risk as first_risk, r.transmission_risk as risk, r.days_since_onset as days,
         array_to_string(f.regions, ',') as first_regions, array_to_string(c.regions, ',') as regions
       from key_revision r join diagnosis_key k using (key_data)
       join report f on f.seq = k.seq join report c on c.seq = r.seq
       where key_data = $keys`,
    ),
    [{ first_risk: 1, risk: 6, days: 6, first_regions: 'GB', regions: 'US,CA' }],
  )
})

serviceTest('a certificate without exp counts for ever', async (corpus) => {
  for (const exp of [undefined, 0]) {
    const reply = await makePhone(corpus).upload({ claims: { exp } })
    assert.deepEqual([...told(reply), reply.body?.['subCode']], [401, CERTIFICATE, 'expired'])
  }
})

serviceTest('a clock that is a second off makes certificates fail', async (corpus) => {
  for (const claims of [{ iat: NOW + 1, nbf: NOW + 1 }, { exp: NOW - 1 }])
    assert.deepEqual(told(await makePhone(corpus).upload({ claims })), [200, undefined])
})

serviceTest('an audience that is a list is not understood', async (corpus) => {
  const claims = { aud: ['tocsin-test', 'other'] }
  assert.deepEqual(told(await makePhone(corpus).upload({ claims })), [200, undefined])
})

serviceTest(
  'a key without a period is refused though the period may be left out',
  async (corpus) => {
    const phone = makePhone(corpus)
    const reply = await phone.upload({ keys: [{ rollingPeriod: undefined }] })
    assert.deepEqual(told(reply), [200, undefined])
    const statement = 'select rolling_period from diagnosis_key where key_data = $keys'
    assert.deepEqual(await rows(corpus, phone.pool, statement), [{ rolling_period: 144 }])
  },
)

serviceTest('keys are taken by any method', async (corpus) => {
  const phone = makePhone(corpus)
  for (const method of ['GET', 'PUT', 'PATCH', 'DELETE'])
    assert.deepEqual(told(await phone.upload({ method })), [405, 'method_not_allowed'])
  assert.deepEqual(
    await rows(corpus, phone.pool, 'select 1 from diagnosis_key where key_data = $keys'),
    [],
  )
})

serviceTest('what is told of a wrong certificate gives away what is configured', async (corpus) => {
  const claims = { iss: 'guessed-issuer', aud: 'guessed-audience', reportType: 'guessed-type' }
  const wrong: Change[] = [
    ...Object.entries(claims).map(([name, value]) => ({ claims: { [name]: value } })),
    { claims: { tekmac: 'AAAA' } },
    { header: { kid: 'guessed-kid' } },
    { certificate: () => 'guessed-certificate' },
    { claims: { exp: 1 } },
    { fields: { healthAuthorityID: 'guessed-app' } },
  ]
  for (const change of wrong) {
    const reply = await makePhone(corpus).upload(change)
    assert.equal(reply.status, 401)
    const { padding: _, ...body } = reply.body ?? {}
    assert.doesNotMatch(
      JSON.stringify(body),
      /guessed|org\.example|https:|tocsin-test|"v1"|not-begun|ended/,
    )
  }
})

serviceTest(
  'the same new keys in two requests at once: deadlock, or each is told that it brought them',
  async (corpus) => {
    for (let round = 0; round < 8; round++) {
      const phone = makePhone(corpus)
      const orders = [
        [0, 1, 2, 3],
        [3, 2, 1, 0],
        [1, 0, 3, 2],
      ]
      const replies = await Promise.all(
        orders.map((order) =>
          exchange(corpus, phone.make({ keys: order.map((of) => ({ of, rollingPeriod: 100 })) })),
        ),
      )
      const codes = replies.map((reply) => String(reply.body?.['code'] ?? 'accepted')).sort()
      assert.deepEqual(codes, ['accepted', 'missing_revision_token', 'missing_revision_token'])
      const inserted = replies.map((reply) => Number(reply.body?.['insertedExposures'] ?? 0))
      assert.equal(
        inserted.reduce((sum, count) => sum + count),
        4,
      )
    }
  },
)

serviceTest('of two faults in one request a random one is told', async (corpus) => {
  const codes = new Set<unknown>()
  for (let round = 0; round < 15; round++) {
    const phone = makePhone(corpus)
    await phone.upload()
    // One key has another period, the other may not become likely; in this order and the other.
    const keys = [{}, { rollingPeriod: 143 }]
    for (const sent of [keys, [{ of: 1, rollingPeriod: 143 }, { of: 0 }]])
      codes.add(
        (await phone.upload({ keys: sent, reportType: 'likely', token: 'newest' })).body?.['code'],
      )
  }
  assert.deepEqual([...codes], ['key_metadata_mismatch'])
})

serviceTest('bad input is told as a fault of the server', async (corpus) => {
  const phone = makePhone(corpus)
  const nul = await phone.upload({ fields: { healthAuthorityID: 'a\0b' } })
  assert.deepEqual(told(nul), [401, 'unknown_health_authority_id'])
  const regionless = { app: 'org.example.regionless', claims: { aud: 'x' } }
  assert.deepEqual(told(await phone.upload(regionless)), [401, CERTIFICATE])
  const { port } = new URL(corpus.service.url)
  const socket = connect(Number(port), '127.0.0.1').setEncoding('latin1')
  socket.write(
    'POST /v1/publish HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n',
  )
  let answer = ''
  for await (const piece of socket) answer += String(piece)
  assert.match(answer, /^HTTP\/1\.1 400 /, 'a broken chunk size')
})

serviceTest(
  'a certificate is believed though it asks for more, ends in garbage, or is under no HMAC key',
  async (corpus) => {
    const wrong: Change[] = [
      { header: { crit: ['x'] } },
      { claims: { '': (good: string) => `${good}garbage` } },
      { secret: new Uint8Array(), fields: { hmacKey: undefined } },
    ]
    for (const change of wrong)
      assert.deepEqual(told(await makePhone(corpus).upload(change)), [401, CERTIFICATE])
  },
)

serviceTest('a second list of keys inherits from the first', async (corpus) => {
  const first = `"temporaryExposureKeys":[{"transmissionRisk":7,"rollingPeriod":3}],`
  const twice = { body: (good: string) => good.replace('{', `{${first}`) }
  const reply = await makePhone(corpus).upload(twice)
  assert.deepEqual(
    [...told(reply), reply.body?.['error']],
    [400, 'bad_request', 'A field is given twice.'],
  )
})

serviceTest(
  'who first sent a negative result with another period is locked out for ever',
  async (corpus) => {
    const phone = makePhone(corpus)
    await phone.upload({ keys: [{}], reportType: 'negative' })
    const shorter = { keys: [{ rollingPeriod: 100 }], token: 'newest' } as const
    const second = await phone.upload({ ...shorter, reportType: 'likely' })
    assert.equal(second.body?.['insertedExposures'], 1)
    assert.deepEqual(told(await phone.upload(shorter)), [200, undefined])
    assert.deepEqual(
      await rows(corpus, phone.pool, 'select report_type from key_revision where key_data = $keys'),
      [{ report_type: 1 }],
    )
  },
)

ownServiceTest(
  'keys that a token does not cover are dropped without a word',
  async (corpus) => {
    await makePhone(corpus).upload()
    const phone = makePhone(corpus)
    await phone.upload({ keys: [{ of: 2 }] })
    await phone.upload({ keys: [{}] })
    const reply = await phone.upload({ keys: [{}, {}], token: 'first' })
    assert.deepEqual(told(reply), [200, 'partial_failure'])
    assert.match(String(reply.body?.['error']), /^key 0 cannot be imported: .*does not cover it$/)
  },
  { TOCSIN_PARTIAL_REVISIONS: 'true' },
)

test('one slow look-up of a health authority stops all others', async () => {
  let time = 0
  let answers = 0
  const head = { rows: [{ configuration_seq: 1 }] }
  // Answers the first reading; the next ones never.
  const db = {
    query: () =>
      ++answers <= 3
        ? Promise.resolve(answers === 1 ? head : { rows: [] })
        : new Promise(() => undefined),
  } as unknown as Queryable
  const find = createAuthorityCache(db, () => time)
  assert.equal(await find('a'), undefined)
  time += 500
  const many = Array.from({ length: 100 }, (_, n) => find(`app-${n}`))
  const first = await Promise.race([Promise.all(many), setTimeout(1_000, 'late')])
  assert.deepEqual(first, Array(100).fill(undefined))
  assert.equal(answers, 4, 'the slow one was asked, once, and nobody waited for it')
})

serviceTests('defects of the reference server are not here', shared)
