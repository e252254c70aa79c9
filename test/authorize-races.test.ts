// Test: codes, tokens and realms when much happens at the same moment, in one process and in several.

import assert from 'node:assert/strict'
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { DatabaseError } from 'pg'
import { addApiKey } from '../src/authorize/api-keys.ts'
import { issueCode } from '../src/authorize/issue-code.ts'
import { addRealm, listRealms } from '../src/authorize/realms.ts'
import type { Database } from '../src/db/database.ts'
import type { RacerAnswer, RacerTask } from './authorize-racer.ts'
import {
  claimsIn,
  codeRequest,
  countEvents,
  getToken,
  outcomeOf,
  someKeysHmac,
  testRealm,
  zoneTest,
} from './authority-zone.ts'
import { encodeBody } from './key-zone.ts'

const UUID = '5148c75c-2bc5-4874-9d1c-f9185f0a1b8a'
const AT_ONCE = 16

/** The next message of a process; fails when it ends without one. */
async function messageOf(child: ChildProcess): Promise<unknown> {
  const ended = once(child, 'exit').then(() => assert.fail('the process ended early'))
  const [message] = (await Promise.race([once(child, 'message'), ended])) as [unknown]
  return message
}

const allAtOnce = <Result>(work: () => Promise<Result>) =>
  Promise.all(Array.from({ length: AT_ONCE }, work))

zoneTest('a code that is verified many times at once has one token', async (zone, clock) => {
  const { body } = await zone.issue(codeRequest(clock.now()))
  const verified = await allAtOnce(() => zone.verify({ code: body['code'] }))
  const ids = new Set(verified.map((reply) => claimsIn(reply.body['token'])['jti']))
  assert.equal(ids.size, 1)
  assert.equal(countEvents(await zone.dump(), 'code.claimed'), 1)
})

zoneTest('a token that many phones use at once gives one of them a certificate', async (zone) => {
  const { token } = await getToken(zone)
  const replies = await allAtOnce(() => zone.certify({ token, ekeyhmac: someKeysHmac() }))
  const outcomes = replies.map(outcomeOf).sort()
  assert.deepEqual(outcomes, ['done', ...Array.from({ length: 15 }, () => 'token_expired')])
  assert.equal(countEvents(await zone.dump(), 'code.certified'), 1)
})

zoneTest(
  'a token that one phone uses many times at once gives it a certificate each time',
  async (zone) => {
    const { token } = await getToken(zone)
    const ekeyhmac = someKeysHmac()
    const replies = await allAtOnce(() => zone.certify({ token, ekeyhmac }))
    assert.ok(replies.every((reply) => reply.status === 200))
    assert.equal(countEvents(await zone.dump(), 'code.certified'), 1)
  },
)

zoneTest('a uuid that is asked for many times at once has one code', async (zone, clock) => {
  const replies = await allAtOnce(() => zone.issue(codeRequest(clock.now(), { uuid: UUID })))
  const refused = replies.filter((reply) => reply.status !== 200)
  assert.equal(refused.length, AT_ONCE - 1)
  for (const { status, body } of refused)
    assert.deepEqual([status, body['errorCode']], [409, 'uuid_already_exists'])
  assert.equal(countEvents(await zone.dump(), 'code.issued'), 1)
})

/** A database as it is, and the errors of PostgreSQL that ended its transactions: its log quotes their values. */
function withErrors(db: Database): { readonly db: Database; readonly errors: DatabaseError[] } {
  const errors: DatabaseError[] = []
  const transaction: Database['transaction'] = (work) =>
    db.transaction(work).catch((error: unknown) => {
      if (error instanceof DatabaseError) errors.push(error)
      throw error
    })
  return { db: { ...db, transaction }, errors }
}

zoneTest("no uuid and no code's HMAC gets into PostgreSQL's log", async (zone, clock) => {
  const { db, errors } = withErrors(zone.zone.db)
  const context = { ...zone.context, db }
  const uuid = encodeBody(codeRequest(clock.now(), { uuid: UUID }))
  const replies = await allAtOnce(() => issueCode(context, zone.adminKey, uuid))
  assert.equal(replies.filter((reply) => outcomeOf(reply) === 'done').length, 1)
  const drawCode = () => ({ short: '11111111', long: 'the same' })
  const code = () =>
    issueCode({ ...context, drawCode }, zone.adminKey, encodeBody(codeRequest(clock.now())))
  await code()
  await assert.rejects(code)
  assert.deepEqual(errors, [])
})

zoneTest(
  'a realm that is added many times at once is added once, with one key',
  async (zone, clock) => {
    const asked = testRealm()
    const added = await Promise.allSettled(
      Array.from({ length: 4 }, () => addRealm(zone.zone, asked, clock.now())),
    )
    const done = added.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
    const codes = added.flatMap((each) =>
      each.status === 'rejected' ? [(each.reason as { code: unknown }).code] : [],
    )
    assert.equal(done.length, 1)
    assert.deepEqual(codes, ['realm_exists', 'realm_exists', 'realm_exists'])
    const kept = (await listRealms(zone.zone.db)).filter((realm) => realm.name === asked.name)
    assert.deepEqual(kept, done)
  },
)

zoneTest(
  'two processes that swap the same codes give one certificate for each',
  async (zone, clock) => {
    const codes: string[] = []
    for (let index = 0; index < 20; index++)
      codes.push(String((await zone.issue(codeRequest(clock.now()))).body['code']))
    const racer = async () => {
      const child = fork(join(import.meta.dirname, 'authorize-racer.ts'))
      const task: RacerTask = {
        ownerUrl: zone.ownerUrl,
        folder: zone.folder,
        deviceKey: zone.deviceKey,
        now: clock.now().toISOString(),
        codes,
      }
      child.send(task)
      await messageOf(child)
      return child
    }
    const racers = await Promise.all([racer(), racer()])
    const answers = racers.map(async (child) => {
      const answer = messageOf(child)
      child.send('go')
      return (await answer) as RacerAnswer[]
    })
    const [one = [], other = []] = await Promise.all(answers)
    assert.equal(one.length, codes.length)
    codes.forEach((_, index) => {
      assert.equal(one[index]?.tokenId, other[index]?.tokenId)
      assert.deepEqual([one[index]?.outcome ?? '', other[index]?.outcome ?? ''].sort(), [
        'done',
        'token_expired',
      ])
    })
    const dump = await zone.dump()
    assert.equal(countEvents(dump, 'code.claimed'), codes.length)
    assert.equal(countEvents(dump, 'code.certified'), codes.length)
  },
)

zoneTest('codes, tokens and uuids of one realm mean nothing in another', async (zone, clock) => {
  const { name: realm } = await addRealm(zone.zone, testRealm(), clock.now())
  const device = await addApiKey(zone.zone, { realm, type: 'device' }, clock.now())
  const admin = await addApiKey(zone.zone, { realm, type: 'admin' }, clock.now())
  const { code, token } = await getToken(zone)
  const ekeyhmac = someKeysHmac()
  assert.equal(outcomeOf(await zone.verify({ code }, device)), 'code_invalid')
  assert.equal(outcomeOf(await zone.certify({ token, ekeyhmac }, device)), 'token_expired')
  assert.equal(outcomeOf(await zone.certify({ token, ekeyhmac })), 'done')

  const asked = codeRequest(clock.now(), { uuid: UUID })
  assert.equal(outcomeOf(await zone.issue(asked)), 'done')
  assert.equal(outcomeOf(await zone.issue(asked, admin)), 'done')
  assert.equal(outcomeOf(await zone.issue(asked, admin)), 'uuid_already_exists')
})

zoneTest('a code that the realm has already is drawn anew, a few times', async (zone, clock) => {
  const shorts = ['11111111', '11111111', '11111111', '22222222']
  let draws = 0
  const drawCode = () => ({ short: shorts.shift() ?? '11111111', long: `long-${draws++}` })
  const context = { ...zone.context, drawCode }
  const issue = () => issueCode(context, zone.adminKey, encodeBody(codeRequest(clock.now())))
  assert.equal((await issue()).body['code'], '11111111')
  assert.equal((await issue()).body['code'], '22222222')
  const before = await zone.dump()
  await assert.rejects(issue)
  assert.equal(draws, 4 + 6)
  assert.equal(await zone.dump(), before)
  assert.equal(outcomeOf(await zone.verify({ code: '11111111' })), 'done')
})
