// Test: codes are invalidated, one, a batch, a provider's all, and the orders that withdraw what was reported with them.

import assert from 'node:assert/strict'
import { decodeProtectedHeader } from 'jose'
import { listBatches, makeBatch } from '../src/authorize/batches.ts'
import {
  invalidateCodes,
  previewInvalidation,
  type Invalidation,
} from '../src/authorize/invalidate-codes.ts'
import type { InvalidationScope } from '../src/authorize/invalidation-scope.ts'
import { addApiKey } from '../src/authorize/api-keys.ts'
import { listSigningKeys } from '../src/authorize/signing-keys.ts'
import { listWithdrawalOrders } from '../src/authorize/withdrawal-orders.ts'
import { sql } from '../src/db/sql.ts'
import { codeRequest, getToken, outcomeOf, someKeysHmac } from './authority-zone.ts'
import { cardTest, DAY, known, readOrder, usualBatch, type CardDesk } from './batch-zone.ts'

/** A scope without its realm. */
type Scope = InvalidationScope extends infer Each
  ? Each extends InvalidationScope
    ? Omit<Each, 'realm'>
    : never
  : never

const scoped = ({ zone }: CardDesk, scope: Scope) =>
  ({ ...scope, realm: zone.realm.name }) as InvalidationScope

const invalidate = (desk: CardDesk, scope: Scope, retroactive = false): Promise<Invalidation> =>
  invalidateCodes(
    desk.zone.zone,
    scoped(desk, scope),
    { retroactive },
    'staff:ann',
    desk.clock.now(),
  )

const preview = (desk: CardDesk, scope: Scope) =>
  previewInvalidation(desk.zone.zone, scoped(desk, scope), desk.clock.now())

const ordersOf = ({ zone }: CardDesk) => listWithdrawalOrders(zone.zone.db, zone.realm.name)

async function countEvents({ zone }: CardDesk, type: string): Promise<number> {
  const { rows } = await zone.zone.db.query<{ n: number }>(
    sql`select count(*) as n from event where type = ${type}`,
  )
  return rows[0]?.n ?? 0
}

/** An API key that issues codes of a provider. */
const keyOf = async ({ zone, clock }: CardDesk, provider: string) => {
  const asked = { realm: zone.realm.name, type: 'admin', provider } as const
  const key = await addApiKey(zone.zone, asked, 'command', clock.now())
  await known()
  return key
}

cardTest('a card that is invalidated works no more, nor does its token', async (desk) => {
  const { zone, make, report } = desk
  const [lost = '', claimed = '', certified = '', good = ''] = (await make()).codes
  const tokenOf = async (code: string) => (await zone.verify({ code })).body['token']
  const token = await tokenOf(claimed)
  const keys = { token: await tokenOf(certified), ekeyhmac: someKeysHmac() }
  assert.equal(outcomeOf(await zone.certify(keys)), 'done')
  const one = { unused: 1, used: 0, handles: 0, certificates: 0, canWithdraw: false }
  const typed = lost.toLowerCase().replaceAll('0', 'o')
  assert.deepEqual(await preview(desk, { scope: 'paper-code', code: typed }), one)
  assert.equal(await countEvents(desk, 'code.invalidated'), 0)
  const done = await invalidate(desk, { scope: 'paper-code', code: typed })
  assert.deepEqual(done, { ...one, order: null })
  assert.equal(await report(lost), 'code_invalid')
  await invalidate(desk, { scope: 'paper-code', code: claimed })
  const usedToken = await zone.certify({ token, ekeyhmac: someKeysHmac() })
  assert.equal(outcomeOf(usedToken), 'token_expired')
  const used = await preview(desk, { scope: 'paper-code', code: certified })
  assert.deepEqual(used, { ...one, unused: 0, used: 1, handles: 1, certificates: 1 })
  await invalidate(desk, { scope: 'paper-code', code: certified })
  assert.equal(outcomeOf(await zone.certify(keys)), 'token_expired')
  assert.equal(await countEvents(desk, 'code.invalidated'), 3)
  const again = await invalidate(desk, { scope: 'paper-code', code: lost })
  assert.deepEqual(again, { ...one, unused: 0, order: null })
  assert.equal(await countEvents(desk, 'code.invalidated'), 3)
  assert.equal(await report(good), 'done')
})

cardTest('a code is found by its uuid; none is withdrawn by its handle alone', async (desk) => {
  const { zone, clock, make } = desk
  const { body } = await zone.issue(codeRequest(clock.now()))
  const uuid = String(body['uuid'])
  const isInvalid = { code: 'code_invalid' }
  for (const wrong of ['', 'x', `${uuid.slice(0, -1)}${uuid.endsWith('0') ? '1' : '0'}`])
    await assert.rejects(invalidate(desk, { scope: 'code', uuid: wrong }), isInvalid)
  const { batch, codes } = await make()
  const [code = ''] = codes
  const broken = code.slice(0, -1) + (code.endsWith('0') ? '1' : '0')
  for (const wrong of ['', String(body['code']), broken])
    await assert.rejects(preview(desk, { scope: 'paper-code', code: wrong }), isInvalid)
  for (const scope of [
    { scope: 'code', uuid },
    { scope: 'paper-code', code },
  ] as const)
    await assert.rejects(invalidate(desk, scope, true), {
      code: 'withdrawal_too_wide',
      message: /from now on\. One report alone is withdrawn at the key server/,
    })
  assert.equal(await countEvents(desk, 'code.invalidated'), 0)
  assert.equal((await invalidate(desk, { scope: 'code', uuid: uuid.toUpperCase() })).unused, 1)
  assert.equal(outcomeOf(await zone.verify({ code: body['code'] })), 'code_invalid')
  for (const [scope, refusal] of [
    [{ scope: 'batch', batch: batch.id === 'ZZZZ' ? 'YYYY' : 'ZZZZ' }, 'batch_unknown'],
    [{ scope: 'provider', provider: 'nobody' }, 'provider_unknown'],
  ] as const)
    await assert.rejects(invalidate(desk, scope), { code: refusal })
  const elsewhere = { realm: 'nowhere', scope: 'batch', batch: batch.id } as const
  await assert.rejects(previewInvalidation(zone.zone, elsewhere, clock.now()), {
    code: 'realm_unknown',
  })
})

cardTest('a lost stack works no more, and the other one does', async (desk) => {
  const { zone, clock, make, report } = desk
  const { batch, codes } = await make({ needsActivation: false })
  const other = await make({ label: 'Ward 8' })
  const [used = '', claimed = '', unused = ''] = codes
  assert.equal(await report(used), 'done')
  const { token } = (await zone.verify({ code: claimed })).body
  const scope = {
    scope: 'batch',
    batch: ` ${batch.id.toLowerCase().replaceAll('0', 'o')}`,
  } as const
  const before = { unused: 11, used: 1, handles: 1, certificates: 1, canWithdraw: true }
  assert.deepEqual(await preview(desk, scope), before)
  assert.deepEqual(await invalidate(desk, scope), { ...before, order: null })
  assert.equal(await report(unused), 'code_invalid')
  const certified = await zone.certify({ token, ekeyhmac: someKeysHmac() })
  assert.equal(outcomeOf(certified), 'token_expired')
  assert.equal(await report(other.codes[0] ?? ''), 'done')
  await invalidate(desk, scope)
  assert.equal(await countEvents(desk, 'code.invalidated'), 1)
  assert.equal(await countEvents(desk, 'batch.invalidated'), 1)
  const listed = await listBatches(zone.zone.db, zone.realm.name, clock.now())
  const states = listed.map((each) => [each.invalidated, each.unused, each.used, each.invalid])
  assert.deepEqual(states, [
    [true, 0, 1, 11],
    [false, 11, 1, 0],
  ])
  assert.deepEqual(await ordersOf(desk), [])
})

cardTest('a batch is withdrawn by an order that a key server can verify', async (desk) => {
  const { zone, clock, make, report } = desk
  const { batch, codes } = await make()
  assert.equal(await report(codes[0] ?? ''), 'done')
  const made = Math.floor(clock.now().getTime() / 1000 / DAY) * DAY
  clock.set('2026-11-27T23:50:00Z')
  const scope = { scope: 'batch', batch: batch.id } as const
  // First without withdrawing; that it is asked for later is as good.
  await invalidate(desk, scope)
  const { order } = await invalidate(desk, scope, true)
  const [stored, ...rest] = await ordersOf(desk)
  assert.deepEqual(rest, [])
  assert.equal(stored?.id, order)
  assert.equal(stored?.delivered, false)
  const now = clock.now().getTime() / 1000
  assert.equal(stored?.madeAt, now)
  const payload = await readOrder(desk, stored)
  assert.deepEqual(payload, {
    iss: zone.realm.issuer,
    aud: zone.realm.audience,
    iat: now,
    jti: order,
    handles: [batch.handle],
    from: made,
    // A certificate of a minute ago may be sent in a minute after midnight.
    through: made + 3 * DAY,
  })
  assert.match(String(order), /^[\w-]{22}$/)
  const [key] = await listSigningKeys(zone.zone.db, zone.realm.name, 'certificate')
  const header = decodeProtectedHeader(stored?.jws ?? '')
  assert.deepEqual(header, { alg: 'ES256', typ: 'tocsin-withdrawal+jwt', kid: key?.kid })
  // Repeated, it is the same one; the day after, one that reaches on.
  assert.equal((await invalidate(desk, scope, true)).order, order)
  clock.advance(2 * DAY)
  assert.notEqual((await invalidate(desk, scope, true)).order, order)
  assert.equal((await ordersOf(desk)).length, 2)
  assert.equal(await countEvents(desk, 'withdrawal.ordered'), 2)
  assert.ok(stored)
  const changed = { ...stored, jws: `${stored.jws.slice(0, -10)}${'A'.repeat(10)}` }
  await assert.rejects(readOrder(desk, changed))
})

cardTest('a batch too small for a handle is invalidated, and not withdrawn', async (desk) => {
  const { make, report } = desk
  const { batch, codes } = await make({ size: 9 })
  assert.equal(await report(codes[0] ?? ''), 'done')
  const scope = { scope: 'batch', batch: batch.id } as const
  const before = { unused: 8, used: 1, handles: 1, certificates: 1, canWithdraw: false }
  assert.deepEqual(await preview(desk, scope), before)
  const refusal = { code: 'withdrawal_too_wide', message: /fewer than 10 codes/ }
  await assert.rejects(invalidate(desk, scope, true), refusal)
  assert.equal(await countEvents(desk, 'batch.invalidated'), 0)
  assert.equal((await invalidate(desk, scope)).unused, 8)
  assert.equal(await report(codes[1] ?? ''), 'code_invalid')
})

cardTest('all of a provider is invalidated and withdrawn, and nothing else', async (desk) => {
  const { zone, clock, make, report } = desk
  const admin = await keyOf(desk, 'lab')
  const issue = async (apiKey?: string) =>
    String((await zone.issue(codeRequest(clock.now()), apiKey)).body['code'])
  const cards = await make()
  const clinic = await make({ provider: 'clinic' })
  const own = await issue()
  const [first, second] = [await issue(admin), await issue(admin)]
  for (const code of [first, cards.codes[0] ?? '', clinic.codes[0] ?? ''])
    assert.equal(await report(code), 'done')
  const scope = { scope: 'provider', provider: 'lab' } as const
  const before = { unused: 12, used: 2, handles: 2, certificates: 2, canWithdraw: true }
  assert.deepEqual(await preview(desk, scope), before)
  const { order, ...done } = await invalidate(desk, scope, true)
  assert.deepEqual(done, before)
  for (const code of [second, cards.codes[1] ?? ''])
    assert.equal(await report(code), 'code_invalid')
  for (const code of [own, clinic.codes[1] ?? '']) assert.equal(await report(code), 'done')
  const [stored] = await ordersOf(desk)
  assert.equal(stored?.id, order)
  const { handles } = await readOrder(desk, stored)
  const { rows } = await zone.zone.db.query<{ handle: string }>(
    sql`select handle from issuer_handle where provider = 'lab' order by seq`,
  )
  assert.deepEqual(
    handles,
    rows.map(({ handle }) => handle),
  )
  assert.equal((await invalidate(desk, scope, true)).order, order)
  assert.equal(await countEvents(desk, 'code.invalidated'), 1)
  const batches = await listBatches(zone.zone.db, zone.realm.name, clock.now())
  const invalid = batches.filter((each) => each.invalidated).map(({ provider }) => provider)
  assert.deepEqual([batches.length, invalid], [2, ['lab']])
  // What is issued later counts.
  assert.equal(await report(await issue(admin)), 'done')
  const later = await issue(admin)
  const anew = await invalidate(desk, scope, true)
  assert.equal(anew.unused, 1)
  assert.notEqual(anew.order, order)
  assert.equal(await report(later), 'code_invalid')
  // Handles of long ago stand for reports that nobody has any more.
  clock.advance(60 * DAY)
  assert.equal((await preview(desk, scope)).handles, 1)
})

cardTest('invalidating while phones claim leaves no certificate afterwards', async (desk) => {
  const { zone, make, report } = desk
  const { batch, codes } = await make({ size: 60 })
  const outcomes = Promise.all(codes.map(report))
  const scope = { scope: 'batch', batch: batch.id } as const
  const runs = await Promise.all([invalidate(desk, scope), invalidate(desk, scope, true)])
  assert.equal(await countEvents(desk, 'code.invalidated'), 1)
  const all = await outcomes
  const used = all.filter((outcome) => outcome === 'done').length
  assert.ok(all.every((each) => ['done', 'code_invalid', 'token_expired'].includes(each)))
  assert.deepEqual(
    runs.map((run) => run.used),
    [used, used],
  )
  const { token } = await getToken(zone)
  assert.equal(outcomeOf(await zone.certify({ token, ekeyhmac: someKeysHmac() })), 'done')
})

cardTest('a batch of which half was invalidated while it was made is refused', async (desk) => {
  const { zone, clock, report, make } = desk
  const { db } = zone.zone
  let transactions = 0
  // The provider's codes are invalidated between two of its transactions.
  const transaction: typeof db.transaction = async (work) => {
    const result = await db.transaction(work)
    if (++transactions === 1) await invalidate(desk, { scope: 'provider', provider: 'lab' })
    return result
  }
  const between = { ...zone.zone, db: { ...db, query: db.query.bind(db), transaction } }
  const asked = { ...usualBatch(zone.realm.name), size: 5000 }
  await assert.rejects(makeBatch(between, asked, 'command', clock.now()), {
    code: 'batch_invalid',
    message: /meanwhile/,
  })
  assert.ok(transactions > 2)
  assert.deepEqual(await listBatches(db, zone.realm.name, clock.now()), [])
  assert.equal(await report((await make()).codes[0] ?? ''), 'done')
})
