// Test: where other verification servers let health systems and phones fall: uuids, dates, refusals, quotas, maintenance, and requests that nobody expects.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readTypedCode } from '../src/authorize/typed-code.ts'
import { addApiKey } from '../src/authorize/api-keys.ts'
import { adminTest, aSecond } from './admin-zone.ts'
import { claimsIn, countEvents, daysBefore, someKeysHmac } from './authority-zone.ts'
import { outcomeOf, trapTest, type Reply, type TrapDesk } from './trap-desk.ts'

const REFUSED = 'unparsable_request'

/** A code that a health system asked for, and the token that a phone has for it. */
async function claimed({ done, wanted }: TrapDesk, fields: object = {}) {
  const { code, uuid } = await done('issue', wanted({ ...fields }))
  const { token, ...verified } = await done('verify', { code })
  return { code: String(code), uuid: String(uuid), token: String(token), verified }
}

trapTest(
  'a used uuid is refused with 409, never answered as a success without a code',
  async ({ post, done, wanted, dump }) => {
    const uuid = randomUUID()
    const first = await done('issue', wanted({ uuid }))
    const bare = uuid.replaceAll('-', '').toUpperCase()
    for (const again of [uuid, bare, `{${uuid}}`]) {
      const reply = await post('issue', wanted({ uuid: again }))
      assert.equal(outcomeOf(reply), '409 uuid_already_exists')
      for (const field of ['code', 'expiresAt', 'uuid']) assert.ok(!(field in reply.body), field)
      const batch = await post('batch-issue', { codes: [wanted({ uuid: again }), wanted()] })
      assert.equal(outcomeOf(batch), '409 uuid_already_exists')
      const [refused, issued] = batch.body['codes'] as Record<string, unknown>[]
      assert.equal(refused?.['errorCode'], 'uuid_already_exists')
      assert.ok(!('code' in (refused ?? {})) && /^\d{8}$/.test(String(issued?.['code'])))
    }
    // Nothing of that ended the code.
    await done('verify', { code: first['code'] })
    assert.equal(countEvents(await dump(), 'code.issued'), 4)
  },
)

trapTest(
  "a date counts by the day where the person is: today's east of UTC, yesterday's west of it, with either sign",
  async ({ clock, post, wanted }) => {
    const dated = async (date: string, tzOffset: number) =>
      outcomeOf(await post('issue', wanted({ symptomDate: date, tzOffset })))
    // It is 10:07 UTC: in Kiribati the next day has begun, in Auckland it has not.
    const tomorrow = daysBefore(clock.now(), -1)
    for (const sign of [1, -1]) {
      assert.equal(await dated(tomorrow, sign * 14 * 60), '200')
      assert.equal(await dated(tomorrow, sign * 13 * 60), '400 invalid_date')
      assert.equal(await dated(daysBefore(clock.now(), 29), sign * 12 * 60), '200')
      assert.equal(await dated(daysBefore(clock.now(), 30), sign * 12 * 60), '400 invalid_date')
    }
    assert.equal(await dated(tomorrow, 0), '400 invalid_date')
    assert.equal(await dated(daysBefore(clock.now(), 28), 0), '200')
    assert.equal(await dated(daysBefore(clock.now(), 29), 0), '400 invalid_date')
  },
)

trapTest(
  'replies say what happened: a used token, a code that never was, the test date, the uuid of an ended code, each error of a batch',
  async (desk) => {
    const { post, done, wanted, clock } = desk
    const testDate = daysBefore(clock.now(), 2)
    const { code, token, verified } = await claimed(desk, { symptomDate: '', testDate })
    assert.equal(verified['testDate'], testDate)
    assert.ok(!('symptomDate' in verified))
    const asked = { token, ekeyhmac: someKeysHmac() }
    // A test is no onset of symptoms: the certificate says none.
    const { certificate } = await done('certificate', asked)
    assert.ok(!('symptomOnsetInterval' in claimsIn(certificate)))
    const other = await post('certificate', { ...asked, ekeyhmac: someKeysHmac() })
    assert.equal(outcomeOf(other), '400 token_expired')
    assert.equal(outcomeOf(await post('verify', { code })), '400 code_invalid')
    assert.equal(outcomeOf(await post('verify', { code: '00000000' })), '400 code_invalid')

    const uuid = randomUUID()
    await done('issue', wanted({ uuid }))
    assert.equal((await done('expirecode', { uuid }))['uuid'], uuid)
    for (const name of ['expirecode', 'checkcodestatus'] as const)
      assert.equal(outcomeOf(await post(name, { uuid: randomUUID() })), '404 code_not_found')

    const codes = [wanted({ testType: 'flu' }), wanted(), wanted({ symptomDate: '2020-01-01' })]
    const batch = await post('batch-issue', { codes })
    assert.equal(outcomeOf(batch), '400 invalid_test_type')
    const each = batch.body['codes'] as Record<string, unknown>[]
    const [one, two, three] = each.map((item) => item['errorCode'])
    assert.deepEqual([one, two, three], ['invalid_test_type', undefined, 'invalid_date'])
    for (const item of [each[0], each[2]]) assert.ok(String(item?.['error']).length > 5)
  },
)

trapTest('a refusal is as long as a success, whatever is refused and where', async (desk) => {
  const { send, corpus, change } = desk
  const { token } = await claimed(desk)
  const good = { ...desk.wanted(), uuid: randomUUID() }
  await desk.done('issue', good)
  const seen = new Map<number, number>()
  const look = async (...request: Parameters<typeof send>) => {
    const reply = await send(...request)
    const { length } = JSON.stringify(reply.body)
    assert.ok(length >= 2_400 && length < 4_800, `${reply.status}: ${length} characters`)
    assert.equal(Number(reply.headers.get('content-length')), length)
    seen.set(reply.status, (seen.get(reply.status) ?? 0) + 1)
  }
  for (const to of ['issue', 'verify', 'certificate', 'user-report'] as const) {
    await look(to, { body: '{' })
    await look(to, { body: '{}' })
    await look(to, { body: '{}', headers: { 'content-type': 'text/plain' } })
    await look(to, { body: '{}', headers: { 'x-api-key': 'unknown' } })
    await look(to, { body: 'x'.repeat(70_000) })
    await look(to, { method: 'DELETE' })
  }
  await look('certificate', { body: JSON.stringify({ token, ekeyhmac: 'short' }) })
  await look('issue', { body: JSON.stringify(good) })
  await look('checkcodestatus', { body: JSON.stringify({ uuid: randomUUID() }) })
  const negative = await desk.done('issue', desk.wanted({ testType: 'negative' }))
  await look('verify', { body: JSON.stringify({ code: negative['code'], accept: ['confirmed'] }) })
  corpus.phones.answerWith(400)
  const texted = desk.wanted({ phone: corpus.phones.newNumber() })
  await look('issue', { body: JSON.stringify(texted) })
  await change({ maintenance: true })
  for (const to of ['issue', 'verify', 'certificate', 'user-report'] as const)
    await look(to, { body: '{}' })
  const statuses = [...seen.keys()].sort((a, b) => a - b)
  assert.deepEqual(statuses, [400, 401, 404, 405, 409, 412, 429])
})

trapTest(
  'a text that is not sent, and a code that is refused, give the quota back',
  async ({ corpus, change, post, done, wanted }) => {
    await change({ dailyQuota: 2 })
    const uuid = randomUUID()
    await done('issue', wanted({ uuid }))
    corpus.phones.answerWith(500)
    const texted = wanted({ phone: corpus.phones.newNumber() })
    for (let tries = 0; tries < 3; tries++)
      assert.equal(outcomeOf(await post('issue', texted)), '400 sms_failure')
    assert.equal(outcomeOf(await post('issue', wanted({ uuid }))), '409 uuid_already_exists')
    assert.equal(outcomeOf(await post('issue', wanted({ testType: 'x' }))), '400 invalid_test_type')
    corpus.phones.answerWith(200)
    await done('issue', texted)
    assert.equal(outcomeOf(await post('issue', texted)), '429 quota_exceeded')
  },
)

trapTest(
  "a realm's maintenance stops one code, several, self-reports, tokens and certificates alike, and ends nothing",
  async (desk) => {
    const { post, done, wanted, report, change, dump } = desk
    const { token } = await claimed(desk)
    const { code } = await done('issue', wanted())
    const requests = [
      ['issue', wanted()],
      ['batch-issue', { codes: [wanted()] }],
      ['user-report', report()],
      ['verify', { code }],
      ['certificate', { token, ekeyhmac: someKeysHmac() }],
    ] as const
    await change({ maintenance: true })
    const before = await dump()
    for (const [to, body] of requests)
      assert.equal(outcomeOf(await post(to, body)), '429 maintenance_mode', to)
    assert.equal(await dump(), before)
    await change({ maintenance: false })
    for (const [to, body] of requests) await done(to, body)
  },
)

trapTest(
  'a certificate that was lost on the way is given again for the same keys, until the token ends, and costs no code',
  async (desk) => {
    const { post, done, clock, dump } = desk
    const { token } = await claimed(desk)
    const asked = { token, ekeyhmac: someKeysHmac() }
    const first = claimsIn((await done('certificate', asked))['certificate'])
    clock.advance(23 * 3600)
    const again = claimsIn((await done('certificate', asked))['certificate'])
    assert.deepEqual(
      [again['tekmac'], again['issuerHandle'], Number(again['exp']) - Number(first['exp'])],
      [asked.ekeyhmac, first['issuerHandle'], 23 * 3600],
    )
    assert.equal(countEvents(await dump(), 'code.certified'), 1)
    clock.advance(3600)
    assert.equal(outcomeOf(await post('certificate', asked)), '400 token_invalid')
  },
)

trapTest(
  'what brings down others is refused here: odd uuids, long issuers, NUL, an empty item of a batch, an unknown text',
  async ({ post, done, wanted, dump, corpus }) => {
    const refused = async (reply: Promise<Reply>, what: string) =>
      assert.equal(outcomeOf(await reply), `400 ${REFUSED}`, what)
    const before = countEvents(await dump(), 'code.issued')
    const uuid = randomUUID()
    for (const odd of ['x', `urn:uuid:${uuid}`, uuid.slice(1), `${uuid}0`, 'g'.repeat(32)])
      await refused(post('issue', wanted({ uuid: odd })), odd)
    for (const externalIssuerID of ['i'.repeat(256), 'a\0b', '\ud800'])
      await refused(post('issue', wanted({ externalIssuerID })), 'an issuer')
    for (const item of [null, [], 'x', 1])
      await refused(post('batch-issue', { codes: [wanted(), item] }), JSON.stringify(item))
    for (const uuid of ['x', '\0', `urn:uuid:${randomUUID()}`])
      assert.equal(outcomeOf(await post('expirecode', { uuid })), '404 code_not_found')
    const generated = { phone: corpus.phones.newNumber(), onlyGenerateSMS: true, uuid }
    for (const smsTemplateLabel of ['none', '__proto__', 'constructor'])
      await refused(post('issue', wanted({ ...generated, smsTemplateLabel })), smsTemplateLabel)
    assert.equal(countEvents(await dump(), 'code.issued'), before, 'none is left alive')
    assert.equal((await done('issue', wanted(generated)))['uuid'], uuid, 'the uuid is free')
  },
)

adminTest(
  'no number or name in a path brings the server down: statistics and public keys',
  async ({ zone, clock, call }) => {
    const wanted = { realm: zone.realm.name, type: 'stats' } as const
    const key = await addApiKey(zone.zone, wanted, 'command', clock.now())
    await aSecond()
    assert.equal((await call('GET', '/api/stats/realm/users.json', { key })).status, 200)
    const ids = ['x', '-1', '1e3', '9'.repeat(20), '9'.repeat(400), '0x1', '%00', '%ff']
    for (const id of ids)
      for (const path of [
        `/api/stats/realm/users/${id}.json`,
        `/api/stats/realm/users/${id}.csv`,
        `/api/stats/realm/api-keys/${id}.json`,
        `/jwks/${id}`,
      ]) {
        const { status } = await call('GET', path, { key })
        assert.ok([400, 404, 414].includes(status), `${path}: ${status}`)
      }
  },
)

trapTest(
  "no capitals, no other method and no duplicate get around a realm's choice or tell who reported before",
  async ({ post, done, send, wanted, report, corpus, change }) => {
    const { phone, ...reported } = report()
    await done('user-report', { ...reported, phone })
    const asked = wanted({ testType: 'user-report', phone })
    // A phone that reported before, and one that comes twice in a batch, get codes as any other.
    const unknown = corpus.phones.newNumber()
    const codes = [asked, { ...asked, phone: unknown }, { ...asked, phone: unknown }]
    const batch = await done('batch-issue', { codes })
    const each = batch['codes'] as Record<string, unknown>[]
    const fields = each.map((item) => Object.keys(item).sort().join())
    assert.equal(new Set(fields).size, 1)
    assert.ok(each.every((item) => /^\d{8}$/.test(String(item['code']))))

    for (const testType of ['user-report', 'User-Report', 'USER-REPORT']) {
      await done('issue', { ...asked, testType })
      await change({ adminUserReport: false })
      const reply = await post('issue', { ...asked, testType })
      assert.equal(outcomeOf(reply), '400 unsupported_test_type', testType)
      await change({ adminUserReport: true })
    }
    await change({ testTypes: ['confirmed'], adminUserReport: false })
    for (const testType of ['LIKELY', 'Negative'])
      assert.equal(
        outcomeOf(await post('issue', { ...asked, testType })),
        '400 unsupported_test_type',
      )

    const { code, uuid } = await done('issue', wanted())
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const query = `?_method=POST&code=${String(code)}`
      assert.equal(outcomeOf(await send('verify', { method }, query)), '405 method_not_allowed')
    }
    assert.equal((await done('checkcodestatus', { uuid }))['claimed'], false)
    await done('verify', { code })
  },
)

const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n

/** The token with the other one of the two signatures that verify. */
function mirrored(token: string): string {
  const [header, payload, signature = ''] = token.split('.')
  const bytes = Buffer.from(signature, 'base64url')
  const s = ORDER - BigInt(`0x${bytes.subarray(32).toString('hex')}`)
  const other = Buffer.from(s.toString(16).padStart(64, '0'), 'hex')
  return `${header}.${payload}.${Buffer.concat([bytes.subarray(0, 32), other]).toString('base64url')}`
}

trapTest(
  'no second spelling of a token is a second token: neither a mirrored signature nor anything behind it',
  async (desk) => {
    const { post, done } = desk
    const { token } = await claimed(desk)
    const asked = { token, ekeyhmac: someKeysHmac() }
    for (const end of ['\n', '\r\n', ' ', '=', '==', '.', '\0', '.x'])
      for (const changed of [token + end, mirrored(token) + end])
        assert.equal(
          outcomeOf(await post('certificate', { ...asked, token: changed })),
          '400 token_invalid',
        )
    assert.notEqual(mirrored(token), token)
    const { certificate } = await done('certificate', asked)
    assert.equal(claimsIn(certificate)['tekmac'], asked.ekeyhmac)
    const other = { token: mirrored(token), ekeyhmac: someKeysHmac() }
    assert.equal((await post('certificate', other)).status, 400)
  },
)

trapTest(
  'a generated text promises no longer life than its code has, and a self-report has the short one alone',
  async ({ post, done, wanted, corpus, change, clock }) => {
    await change({
      textTemplates: { default: 'Code [longcode], [longexpires] hours.' },
      userReportTemplate: 'Code [code], [expires] minutes.',
    })
    const phone = corpus.phones.newNumber()
    const issue = async (testType: string, more: object = { onlyGenerateSMS: true, phone }) => {
      const body = await done('issue', wanted({ testType, ...more }))
      const life = (name: string) => Number(body[name]) - clock.now().getTime() / 1000
      return {
        text: String(body['generatedSMS']),
        code: String(body['code']),
        lives: [life('expiresAtTimestamp'), life('longExpiresAtTimestamp')],
      }
    }
    const link = await issue('confirmed')
    assert.deepEqual(link.lives, [900, 86_400])
    assert.match(link.text, /^Code [0-9a-z]{16}, 24 hours\.$/)
    const own = await issue('user-report')
    assert.deepEqual(own.lives, [900, 900])
    assert.equal(own.text, `Code ${own.code}, 15 minutes.`)
    // Nobody was sent the long form: it lives no longer than the code that was told.
    assert.deepEqual((await issue('confirmed', {})).lives, [900, 900])
    const long = /[0-9a-z]{16}/.exec(link.text)?.[0] ?? ''
    assert.equal(readTypedCode(long)?.kind, 'long')
    clock.advance(900)
    for (const { code } of [link, own])
      assert.equal(outcomeOf(await post('verify', { code })), '400 code_expired')
    await done('verify', { code: long })
  },
)
