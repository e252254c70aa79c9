// Test: uploads with a one-time code, as people type it: the code serves one set of keys, however often that is sent and whatever fails on the way, and the key zone keeps nothing of it.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { makeBatch } from '../src/authorize/batches.ts'
import { addProvider } from '../src/authorize/providers.ts'
import { changeRealm } from '../src/authorize/realms.ts'
import { swapCode } from '../src/authorize/swap-code.ts'
import { sql } from '../src/db/sql.ts'
import { EXPORT_REPORT_TYPES } from '../src/format/report-type.ts'
import { verifyLog } from '../src/log/verify-log.ts'
import {
  claimsIn,
  codeRequest,
  countEvents,
  dumpZone,
  outcomeOf,
  zoneTest,
} from './authority-zone.ts'
import { known, usualBatch } from './batch-zone.ts'
import {
  counts,
  record,
  records,
  settingsOf,
  startOf,
  storedKeys,
  upload,
} from './ctdiag-uploader.ts'
import { databaseTest, databaseTestOnce, type TestDatabase } from './database.ts'
import { startService, type RunningService } from './running-service.ts'
import { asOwner, nameOf } from './submitting-zone.ts'
import { temporaryFolder } from './temporary-folder.ts'

const HOUR = 3600

/** A code as the doctor's system gets it. */
async function issue({ phones, clock }: RunningService) {
  const symptomDate = new Date(clock.now().getTime() - 3 * 86_400_000).toISOString().slice(0, 10)
  const reply = await fetch(`${phones.url}/api/issue`, {
    method: 'POST',
    body: JSON.stringify({ testType: 'confirmed', symptomDate, tzOffset: 0 }),
    headers: { 'content-type': 'application/json', 'x-api-key': phones.adminKey },
  })
  return (await reply.json()) as { code: string }
}

/** An upload with a code, in short: its status, and the code of a refusal. */
async function send(service: RunningService, code: string, body: readonly Buffer[]) {
  const reply = await upload(service, body, { authorization: `Bearer ${code}` })
  return {
    ...reply,
    outcome: reply.status === 200 ? '200 OK' : `${reply.status} ${reply.error ?? ''}`,
  }
}

const start = async (database: TestDatabase, folder: string, more: Record<string, string> = {}) =>
  startService(database.url, folder, { ...settingsOf('code'), ...more })

databaseTest('a code serves one set of keys, as often as that is sent', async (database, t) => {
  await using service = await start(database, await temporaryFolder(t))
  const now = service.clock.now()
  const { code } = await issue(service)
  const sent = records(now, 14)

  // What can't be taken costs no code.
  const bad = await send(service, code, [...sent.slice(1), record(startOf(now, 17))])
  assert.equal(bad.outcome, '400 bad_request')
  assert.match(bad.text, /record 14: it ended more than 15 days ago/)
  assert.equal((await send(service, code, [Buffer.alloc(20)])).outcome, '400 bad_request')
  assert.equal((await counts(service)).reports, 0)

  // One phone that sends again and again, and others with the same code: one set of keys, whoever is first.
  const others = [records(now, 3), records(now, 5)]
  const replies = await Promise.all(
    [sent, ...others, sent, sent.toReversed()].map((body) => send(service, code, body)),
  )
  const accepted = replies.filter(({ status }) => status === 200)
  assert.equal(new Set(accepted.map(({ trackingId }) => trackingId)).size, 1)
  for (const { outcome } of replies.filter(({ status }) => status !== 200))
    assert.equal(outcome, '401 code_invalid')
  const first = accepted[0]
  const winner =
    replies[0]?.status === 200
      ? sent
      : (others.find((_, index) => replies[index + 1]?.status === 200) ?? [])
  assert.equal((await counts(service)).keys, winner.length)
  for (const { report_type } of (await storedKeys(service)).values())
    assert.equal(report_type, EXPORT_REPORT_TYPES.confirmed)

  const before = await counts(service)
  const typed = `${code.slice(0, 4)} - ${code.slice(4)}`
  // The code lives for minutes, what it was swapped for for a day; the report is known for longer.
  for (const hours of [0, 1, 24, 100]) {
    service.clock.advance(hours * HOUR)
    const again = await send(service, typed, winner.toReversed())
    assert.equal(again.outcome, '200 OK', `${hours} hours later`)
    assert.equal(again.trackingId, first?.trackingId)
    const other = await send(service, code, records(service.clock.now(), 2))
    assert.match(other.outcome, /^401 code_(invalid|expired)$/)
    assert.equal(other.headers.get('www-authenticate'), 'Bearer')
  }
  assert.deepEqual(await counts(service), before, 'repetitions append nothing')
  // 16 days later its oldest keys could not be uploaded any more.
  service.clock.advance(9 * 24 * HOUR)
  assert.equal((await send(service, code, winner)).trackingId, first?.trackingId)

  const kept = await dumpZone(service.zones.key)
  const macs = (await dumpZone(service.zones.authority)) + kept
  assert.ok(!kept.includes(code), 'the key zone keeps no code')
  for (const key of winner) assert.ok(kept.includes(key.toString('hex', 0, 16)))
  const authority = macs.slice(0, macs.length - kept.length)
  for (const key of winner) assert.ok(!authority.includes(key.toString('hex', 0, 16)))
  for (const zone of [service.zones.key, service.zones.authority])
    assert.deepEqual((await verifyLog(zone.db, zone.writer.projections)).problems, [])
})

databaseTest(
  'what fails between the code and the commit leaves a code that works again with the same keys, in another process too',
  async (database, t) => {
    const folder = await temporaryFolder(t)
    const role = `${nameOf(database)}_key`
    const { code, sent } = await (async () => {
      await using service = await start(database, folder)
      const { code } = await issue(service)
      const sent = records(service.clock.now(), 3)
      await asOwner(database, [`revoke insert on key_zone.event from ${role}`])
      const failed = await send(service, code, sent)
      assert.equal(failed.outcome, '500 internal_error')
      assert.match(failed.headers.get('content-type') ?? '', /^text\/plain/)
      const { rows } = await service.zones.authority.db.query<{ certified: number }>(
        sql`select count(keys_mac) as certified from verification_code`,
      )
      assert.equal(rows[0]?.certified, 1, 'the code was swapped')
      assert.equal((await counts(service)).reports, 0)
      await asOwner(database, [`grant insert on key_zone.event to ${role}`])
      return { code, sent }
    })()
    await using service = await start(database, folder)
    assert.equal(
      (await send(service, code, records(service.clock.now(), 3))).outcome,
      '401 code_invalid',
    )
    assert.equal((await send(service, code, sent)).outcome, '200 OK')
    assert.deepEqual((await counts(service)).keys, 3)
  },
)

databaseTestOnce(
  'codes are refused by the rules of their own API, and whoever guesses waits',
  async (database, t) => {
    await using service = await start(database, await temporaryFolder(t), {
      TOCSIN_TRUSTED_PROXIES: '1',
    })
    const { clock, zones } = service
    const authority = { ...zones.authority, masterKey: zones.masterKey }
    const now = clock.now()

    await addProvider(
      authority,
      { realm: 'demo', name: 'lab', displayName: 'The laboratory' },
      'command',
      now,
    )
    await known()
    const cards = await makeBatch(authority, { ...usualBatch('demo'), size: 2 }, 'staff:ann', now)
    const inactive = await makeBatch(
      authority,
      { ...usualBatch('demo'), size: 2, needsActivation: true },
      'staff:ann',
      now,
    )
    assert.equal((await send(service, cards.codes[0] ?? '', records(now, 2))).outcome, '200 OK')
    assert.equal(
      (await send(service, inactive.codes[0] ?? '', records(now, 2))).outcome,
      '401 code_invalid',
    )

    const before = await counts(service)
    const unused = await issue(service)
    // A code that a phone has swapped for a token already, but not yet for a certificate, is like any.
    await fetch(`${service.url}/api/verify`, {
      method: 'POST',
      body: JSON.stringify({ code: unused.code }),
      headers: { 'content-type': 'application/json', 'x-api-key': service.phones.deviceKey },
    })
    clock.advance(2 * HOUR)
    assert.equal((await send(service, unused.code, records(now, 2))).outcome, '401 code_expired')
    for (const wrong of [
      'x',
      '12345',
      cards.codes[1]?.slice(0, -1) ?? '',
      '12345678 12345678 12345678',
    ])
      assert.equal((await send(service, wrong, records(now, 2))).outcome, '401 code_invalid', wrong)
    const nothing = await upload(service, records(now, 2))
    assert.equal(`${nothing.status} ${nothing.error ?? ''}`, '401 unauthorized')
    assert.match(nothing.text, /Bearer, with a one-time code/)

    const guess = async (number: number, address: string) => {
      const headers = { authorization: `Bearer ${10_000_000 + number}`, 'x-forwarded-for': address }
      return upload(service, records(now, 1), headers)
    }
    const guesses = []
    for (let number = 0; number < 12; number++) guesses.push(await guess(number, '198.51.100.7'))
    const statuses = guesses.map(({ status }) => status)
    assert.deepEqual(
      statuses.slice(0, 10),
      Array.from({ length: 10 }, () => 401),
    )
    assert.equal(statuses.at(-1), 429)
    assert.equal(guesses.at(-1)?.error, 'too_many_guesses')
    assert.ok(Number(guesses.at(-1)?.headers.get('retry-after')) >= 1)
    assert.equal((await guess(1, '203.0.113.9')).status, 401, 'others are not held up')
    assert.deepEqual({ ...(await counts(service)), events: 0 }, { ...before, events: 0 })

    // What was refused and not yet counted is written at the end.
    await service[Symbol.asyncDispose]()
    const [counted] = await asOwner(database, [
      `select sum(count)::integer as refused from authority_zone.authority_stat where kind = 'codes_invalid'`,
    ])
    // Those that were sent one by one, and the guesses that were answered.
    const answered = statuses.filter((status) => status === 401).length
    assert.equal(counted?.['refused'], 6 + answered + 1)
  },
)

zoneTest('a swap gives what token and certificate would, in one step', async (zone, clock) => {
  const { zone: authority, context, realm } = zone
  const settings = {
    generateTexts: true,
    textTemplates: { default: 'https://v.example/v?c=[longcode]' },
  }
  await changeRealm(authority, realm.name, settings, 'command', clock.now())
  await known()
  const asked = codeRequest(clock.now(), { phone: '+1 202 555 0123', onlyGenerateSMS: true })
  const { body } = await zone.issue(asked)
  const keysHmac = randomBytes(32)
  const swap = (code: unknown, hmac = keysHmac, name = realm.name) =>
    swapCode(context, {
      realm: name,
      code: String(code),
      keysHmac: hmac,
      addressPrefix: '192.0.2.0/24',
      userAgent: 'test',
    })
  clock.advance(HOUR)
  await assert.rejects(swap(body['code']), { code: 'code_expired' })
  const link = body['generatedSMS']
  const [first, again] = [claimsIn(await swap(link)), claimsIn(await swap(link))]
  const { iss, aud, reportType, tekmac, issuerHandle, symptomOnsetInterval } = first
  assert.deepEqual(
    { iss, aud, reportType, tekmac },
    {
      iss: realm.issuer,
      aud: realm.audience,
      reportType: 'confirmed',
      tekmac: keysHmac.toString('base64'),
    },
  )
  assert.equal(symptomOnsetInterval, Date.parse(asked.symptomDate) / 600_000)
  assert.match(String(issuerHandle), /^[\w-]{22}$/)
  assert.equal(again['issuerHandle'], issuerHandle)
  const dump = await zone.dump()
  assert.equal(countEvents(dump, 'code.claimed'), 1)
  assert.equal(countEvents(dump, 'code.certified'), 1)
  // By its short form, too, which has expired: it is the same code.
  assert.equal(claimsIn(await swap(body['code']))['issuerHandle'], issuerHandle)
  await assert.rejects(swap(link, randomBytes(32)), { code: 'code_invalid' })
  await assert.rejects(swap(link, keysHmac, 'another'), { code: 'realm_unknown' })
  assert.equal(outcomeOf(await zone.verify({ code: link })), 'code_invalid')
  clock.advance(24 * HOUR)
  await assert.rejects(swap(link), { code: /^code_(invalid|expired)$/ })

  await changeRealm(authority, realm.name, { maintenance: true }, 'command', clock.now())
  await known()
  await assert.rejects(swap(link), { code: 'maintenance' })
})
