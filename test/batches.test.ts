// Test: batches of paper codes: made, counted, activated, used by phones.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { activateCode, type ActivationDates } from '../src/authorize/activate-code.ts'
import { batchCodes, type CodeBatch } from '../src/authorize/batch-events.ts'
import { listBatches, makeBatch, type NewBatch } from '../src/authorize/batches.ts'
import { intervalOfDate } from '../src/authorize/dates.ts'
import { drawPaperCode, formatPaperCode, readPaperCode } from '../src/authorize/paper-code.ts'
import { changeProvider } from '../src/authorize/providers.ts'
import { changeRealm } from '../src/authorize/realms.ts'
import { countIssued } from '../src/authorize/stat-counts.ts'
import { sql } from '../src/db/sql.ts'
import { appendEvents } from '../src/log/append-event.ts'
import { claimsIn, daysBefore, outcomeOf, someKeysHmac } from './authority-zone.ts'
import { cardTest, DAY, known, usualBatch, type CardDesk } from './batch-zone.ts'

cardTest('a batch is made, each card works once, and its states are counted', async (desk) => {
  const { zone, clock, make, report } = desk
  const { batch, codes } = await make()
  assert.equal(new Set(codes).size, 12)
  for (const code of codes) {
    assert.equal(readPaperCode(code), code)
    assert.equal(code.slice(0, 4), batch.id)
  }
  assert.equal(batch.expiresAt, clock.now().getTime() / 1000 + 14 * DAY)
  assert.match(batch.handle ?? '', /^[\w-]{22}$/)
  const [typed = '', second = ''] = codes
  assert.equal(await report(formatPaperCode(typed).toLowerCase()), 'done')
  assert.equal(await report(typed), 'code_invalid')
  assert.equal(await report(drawPaperCode(batch.id)), 'code_invalid')
  // A claim alone uses nothing up.
  assert.equal((await zone.verify({ code: second })).status, 200)
  const counts = { unused: 11, used: 1, invalid: 0, expired: 0 }
  const listed = { ...batch, invalidated: false }
  const list = () => listBatches(zone.zone.db, zone.realm.name, clock.now())
  assert.deepEqual(await list(), [{ ...listed, ...counts }])
  clock.advance(14 * DAY - 1)
  assert.equal(await report(second), 'done')
  clock.advance(1)
  assert.equal(await report(codes[2] ?? ''), 'code_expired')
  assert.deepEqual(await list(), [{ ...listed, unused: 0, used: 2, invalid: 0, expired: 10 }])
  assert.deepEqual(await listBatches(zone.zone.db, 'another', clock.now()), [])
})

cardTest('ten codes have a handle of their own, nine the provider’s', async ({ zone, make }) => {
  const handleOn = async (code: string | undefined) => {
    const { token } = (await zone.verify({ code })).body
    const { body } = await zone.certify({ token, ekeyhmac: someKeysHmac() })
    return claimsIn(body['certificate'])['issuerHandle']
  }
  const ten = await make({ size: 10 })
  const nine = await make({ size: 9 })
  assert.equal(nine.batch.handle, null)
  assert.equal(await handleOn(ten.codes[0]), ten.batch.handle)
  assert.equal(await handleOn(ten.codes[9]), ten.batch.handle)
  const shared = await handleOn(nine.codes[0])
  assert.notEqual(shared, ten.batch.handle)
  await known()
  assert.equal(await handleOn(nine.codes[1]), shared)
})

cardTest(
  'what can not be a batch is refused, and leaves nothing',
  async ({ zone, clock, make }) => {
    const refused = async (given: Partial<NewBatch>, code = 'batch_invalid') => {
      await assert.rejects(make(given), { code }, JSON.stringify(given))
    }
    for (const size of [0, -1, 1.5, NaN, 100_001]) await refused({ size })
    for (const label of ['', 'a\nb', 'a'.repeat(101), '\ud800']) await refused({ label })
    for (const language of ['', 'e', 'en_US', 'en-']) await refused({ language })
    for (const testType of ['user-report', 'Confirmed', '', 'constructor'])
      await refused({ testType })
    for (const life of [3599, 28 * DAY + 1, 7200.5, NaN]) await refused({ life })
    await refused({ provider: 'nobody' }, 'provider_unknown')
    await refused({ realm: 'nowhere' }, 'realm_unknown')
    const { zone: data, realm } = zone
    await changeRealm(data, realm.name, { testTypes: ['negative'] }, 'command', clock.now())
    await refused({ testType: 'confirmed' })
    await changeProvider(data, realm.name, 'lab', { state: 'suspended' }, 'command', clock.now())
    await refused({ testType: 'negative' })
    assert.deepEqual(await listBatches(data.db, realm.name, clock.now()), [])
    const { rows } = await data.db.query(sql`select 1 from verification_code`)
    assert.deepEqual(rows, [])
    await changeProvider(data, realm.name, 'lab', { state: 'active' }, 'command', clock.now())
    await make({ testType: 'negative', life: 28 * DAY })
    await make({ testType: 'negative', life: 3600, size: 1 })
  },
)

cardTest('codes of a batch that is not complete count for nothing', async (desk) => {
  const { zone, clock, report } = desk
  const { db, writer } = zone.zone
  const realm = zone.realm.name
  const batch: CodeBatch = {
    id: 'AB12',
    realm,
    provider: 'lab',
    label: 'Lost',
    language: 'en',
    testType: 'confirmed',
    needsActivation: false,
    size: 2,
    expiresAt: clock.now().getTime() / 1000 + DAY,
    handle: null,
  }
  const code = drawPaperCode('AB12')
  const peppers = await zone.context.peppers()
  const mac = peppers.under(peppers.version, 'code', realm, code)
  const counts = countIssued({ realm, day: 20_000 }, null, '', false, 1)
  const event = batchCodes(batch, peppers.version, [mac], counts)
  await db.transaction((tx) => appendEvents(tx, writer, [event], clock.now()))
  assert.equal(await report(code), 'code_invalid')
  assert.equal(await activate(desk, code), 'code_invalid')
  // Nor does a later batch bring them to life: it gets another name.
  const draws = [idBytes('AB12'), idBytes('CD34')]
  const random = (length: number) =>
    length === 4 && draws.length > 0 ? (draws.shift() as Uint8Array) : randomly(length)
  const made = await makeBatch(zone.zone, usualBatch(realm), 'command', clock.now(), random)
  assert.equal(made.batch.id, 'CD34')
  assert.deepEqual(draws, [])
  assert.equal(await report(code), 'code_invalid')
})

cardTest('two batches never have one name, also when both are made at once', async (desk) => {
  const { zone, clock } = desk
  const both = await Promise.all(
    [1, 2].map((start) => {
      const draws = [idBytes('AAAA'), idBytes('AAAA'), idBytes('BBBB')].slice(start === 1 ? 1 : 0)
      const random = (length: number) =>
        length === 4 && draws.length > 0 ? (draws.shift() as Uint8Array) : randomly(length)
      return makeBatch(zone.zone, usualBatch(zone.realm.name), 'command', clock.now(), random)
    }),
  )
  assert.deepEqual(both.map(({ batch }) => batch.id).toSorted(), ['AAAA', 'BBBB'])
})

cardTest('a batch is many events, and no event or table holds a code', async (desk) => {
  const { zone, make, report } = desk
  const { batch, codes } = await make({ size: 5001 })
  const { rows } = await zone.zone.db.query<{ type: string; n: number }>(
    sql`select type, count(*) as n from event where type in ('batch.codes', 'batch.made', 'handle.opened') group by 1 order by 1`,
  )
  assert.deepEqual(rows, [
    { type: 'batch.codes', n: 6 },
    { type: 'batch.made', n: 1 },
    { type: 'handle.opened', n: 1 },
  ])
  for (const index of [0, 999, 1000, 3999, 4000, 5000])
    assert.equal(await report(codes[index] ?? ''), 'done', `code ${index}`)
  const dump = (await zone.dump()).toUpperCase()
  assert.ok(dump.includes(batch.id))
  for (const code of codes.slice(0, 100)) {
    assert.ok(!dump.includes(code.slice(4)))
    assert.ok(!dump.includes(Buffer.from(code.slice(4)).toString('hex').toUpperCase()))
  }
  const { rows: issued } = await zone.zone.db.query<{ subject: string; n: number }>(
    sql`select subject, sum(count)::bigint as n from authority_stat where kind = 'codes_issued' group by 1 order by 1`,
  )
  assert.deepEqual(
    issued.map(({ subject, n }) => [subject, n]),
    [['', 5001]],
  )
})

cardTest('a card that needs it works once it is activated, with the dates it got', async (desk) => {
  const { zone, clock, make, report } = desk
  const { codes } = await make({ needsActivation: true })
  const [code = '', other = '', third = ''] = codes
  assert.equal(await report(code), 'code_invalid')
  const testDate = daysBefore(clock.now(), 1)
  const symptomDate = daysBefore(clock.now(), 4)
  assert.equal(await activate(desk, code.toLowerCase(), { testDate }), 'done')
  // A wrong date is mended until a phone has claimed the code.
  assert.equal(await activate(desk, code, { symptomDate }), 'done')
  assert.equal(await activate(desk, formatPaperCode(code), { symptomDate }), 'done')
  assert.equal(await activations(desk), 2)
  const { body } = await zone.verify({ code })
  assert.equal(body['symptomDate'], symptomDate)
  assert.equal('testDate' in body, false)
  assert.equal(await activate(desk, code, { testDate }), 'code_used')
  assert.equal(await activate(desk, code, { symptomDate }), 'done')
  const certified = await zone.certify({ token: body['token'], ekeyhmac: someKeysHmac() })
  const claims = claimsIn(certified.body['certificate'])
  assert.equal(claims['symptomOnsetInterval'], intervalOfDate(symptomDate))
  assert.equal(await activate(desk, code, { testDate }), 'code_used')
  assert.equal(await activations(desk), 2)
  assert.equal(await activate(desk, other, { testDate, symptomDate }), 'done')
  assert.equal(await report(other), 'done')
  assert.equal(await report(third), 'code_invalid')
})

cardTest('what can not be activated is refused', async (desk) => {
  const { zone, clock, make } = desk
  const { codes } = await make({ needsActivation: true })
  const [code = '', other = ''] = codes
  assert.equal(await activate(desk, code, { testDate: '' }), 'missing_date')
  assert.equal(await activate(desk, code, { testDate: '2026-02-30' }), 'unparsable_request')
  const tooEarly = { testDate: daysBefore(clock.now(), 60) }
  assert.equal(await activate(desk, code, tooEarly), 'invalid_date')
  assert.equal(await activate(desk, drawPaperCode(code.slice(0, 4))), 'code_invalid')
  const plain = await make()
  assert.equal(await activate(desk, plain.codes[0] ?? ''), 'activation_needless')
  const { zone: data, realm } = zone
  const set = (state: 'active' | 'suspended') =>
    changeProvider(data, realm.name, 'lab', { state }, 'command', clock.now())
  await set('suspended')
  assert.equal(await activate(desk, code), 'code_invalid')
  await set('active')
  assert.equal(await activate(desk, code, {}, 'another-realm'), 'code_invalid')
  assert.equal(await activate(desk, code), 'done')
  clock.advance(14 * DAY)
  assert.equal(await activate(desk, other), 'code_expired')
  assert.equal(await activations(desk), 1)
})

cardTest('a mistyped code is refused without a look into the database', async (desk) => {
  const { zone, clock, make } = desk
  const [code = ''] = (await make({ needsActivation: true })).codes
  const wrong = code.slice(0, 10) + (code[10] === '7' ? '8' : '7') + code.slice(11)
  const never = () => assert.fail('the database was asked')
  const blind = { ...zone.zone, db: { query: never, transaction: never } as never, peppers: never }
  const dates = { testDate: daysBefore(clock.now(), 1), symptomDate: '', tzOffset: 0 }
  for (const typed of [wrong, code.slice(1), '', '12345678'])
    await assert.rejects(
      activateCode(blind, zone.realm.name, typed, dates, 'command', clock.now()),
      { code: 'code_invalid' },
    )
})

cardTest('one card activated with two dates at once has one of them', async (desk) => {
  const { zone, clock, make } = desk
  const [code = ''] = (await make({ needsActivation: true })).codes
  const dates = [1, 2, 3, 4].map((days) => daysBefore(clock.now(), days))
  const [claim, ...outcomes] = await Promise.all([
    zone.verify({ code }),
    ...dates.map((testDate) => activate(desk, code, { testDate })),
  ])
  assert.ok(outcomes.every((outcome) => outcome === 'done' || outcome === 'code_used'))
  const { body } = outcomeOf(claim) === 'done' ? claim : await zone.verify({ code })
  assert.ok(dates.includes(String(body['testDate'])))
  const again = await zone.verify({ code })
  assert.equal(again.body['testDate'], body['testDate'])
})

test('the code that the page shows is one', () => {
  const page = readFileSync(join(import.meta.dirname, '../docs/paper-codes.md'), 'utf8')
  const shown = /^(\w{4}-){4}\w{4}$/m.exec(page)?.[0] ?? ''
  assert.equal(formatPaperCode(readPaperCode(shown) ?? ''), shown)
})

/** Activates with yesterday's test unless told otherwise. */
async function activate(
  { zone, clock }: CardDesk,
  code: string,
  given?: Partial<ActivationDates>,
  realm = zone.realm.name,
): Promise<string> {
  const none = { testDate: '', symptomDate: '', tzOffset: 0 }
  const usual = { testDate: daysBefore(clock.now(), 1) }
  const dates = { ...none, ...(given ?? usual) }
  if (given !== undefined && Object.keys(given).length === 0) Object.assign(dates, usual)
  try {
    const now = clock.now()
    await activateCode(zone.context, realm, code, dates, 'key:lab', now)
    return 'done'
  } catch (error) {
    return (error as { code: string }).code
  }
}

async function activations({ zone }: CardDesk): Promise<number> {
  const { rows } = await zone.zone.db.query<{ n: number }>(
    sql`select count(*) as n from event where type = 'code.activated'`,
  )
  return rows[0]?.n ?? 0
}

/** Bytes from which that name is drawn: a character's value is the byte modulo 32. */
function idBytes(id: string): Uint8Array {
  return Uint8Array.from(id, (character) => '0123456789ABCDEFGHJKMNPQRSTVWXYZ'.indexOf(character))
}

function randomly(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length))
}
