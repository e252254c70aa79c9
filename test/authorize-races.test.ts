// Test: codes, tokens and realms when much happens at the same moment, in one process and in several.

import assert from 'node:assert/strict'
import { fork, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { DatabaseError } from 'pg'
import { addApiKey } from '../src/authorize/api-keys.ts'
import { AlreadyIssued } from '../src/authorize/code-table.ts'
import { issueOne } from '../src/authorize/issue-api.ts'
import { issueCertificate } from '../src/authorize/issue-certificate.ts'
import { addRealm, listRealms } from '../src/authorize/realms.ts'
import { verifyCode } from '../src/authorize/verify-code.ts'
import type { Database } from '../src/db/database.ts'
import { TocsinError } from '../src/errors.ts'
import type { RacerAnswer, RacerTask } from './authorize-racer.ts'
import {
  asRequest,
  claimsIn,
  codeRequest,
  countEvents,
  getToken,
  outcomeOf,
  someKeysHmac,
  testRealm,
  zoneTest,
  type TestAuthorityZone,
} from './authority-zone.ts'

const UUID = '5148c75c-2bc5-4874-9d1c-f9185f0a1b8a'
const AT_ONCE = 16

/** The next message of a process; fails when it ends without one. */
async function messageOf(child: ChildProcess): Promise<unknown> {
  const ended = once(child, 'exit').then(() => assert.fail('the process ended early'))
  const [message] = (await Promise.race([once(child, 'message'), ended])) as [unknown]
  return message
}

const allAtOnce = <Result>(work: (index: number) => Promise<Result>, count = AT_ONCE) =>
  Promise.all(Array.from({ length: count }, (_, index) => work(index)))

/** A phone with a network of its own: many tries at once from one are slowed. */
function phoneOf({ context, deviceKey }: TestAuthorityZone, index: number) {
  const send = (body: object) => asRequest(deviceKey, body, `phone ${index}`)
  return {
    verify: (body: object) => verifyCode(context, send(body)),
    certify: (body: object) => issueCertificate(context, send(body)),
  }
}

zoneTest(
  'a code that one phone verifies many times at once, with its nonce, has one token',
  async (zone, clock) => {
    const { code } = (await zone.issue(codeRequest(clock.now()))).body
    const nonce = randomBytes(256).toString('base64')
    const verified = await allAtOnce((index) => phoneOf(zone, index).verify({ code, nonce }))
    const ids = new Set(verified.map((reply) => claimsIn(reply.body['token'])['jti']))
    assert.equal(ids.size, 1)
    assert.equal(countEvents(await zone.dump(), 'code.claimed'), 1)
  },
)

zoneTest(
  'a code that many phones verify at once has many tokens, one of which brings a certificate',
  async (zone, clock) => {
    const { code } = (await zone.issue(codeRequest(clock.now()))).body
    const verified = await allAtOnce((index) => phoneOf(zone, index).verify({ code }))
    const tokens = verified.map((reply) => reply.body['token'])
    assert.equal(new Set(tokens.map((token) => claimsIn(token)['jti'])).size, AT_ONCE)
    const replies = await allAtOnce((index) =>
      phoneOf(zone, index).certify({ token: tokens[index], ekeyhmac: someKeysHmac() }),
    )
    const outcomes = replies.map(outcomeOf).sort()
    assert.deepEqual(outcomes, ['done', ...Array.from({ length: 15 }, () => 'token_expired')])
    const dump = await zone.dump()
    assert.equal(countEvents(dump, 'code.claimed'), AT_ONCE)
    assert.equal(countEvents(dump, 'code.certified'), 1)
  },
)

zoneTest(
  'two phones that swap a code all the way at once: one certificate, round after round',
  async (zone, clock) => {
    const round = async (number: number) => {
      const { code } = (await zone.issue(codeRequest(clock.now()))).body
      // Every fourth pair has nonces, and the second phone comes up to 18 ms after the first; in every twentieth once that is done.
      const phone = async (index: number, before: Promise<unknown>) => {
        await before
        const { verify, certify } = phoneOf(zone, 2 * number + index)
        const nonce = number % 4 === 0 ? randomBytes(32).toString('base64') : ''
        const verified = await verify({ code, nonce })
        if (verified.status !== 200) return outcomeOf(verified)
        const { token } = verified.body
        return outcomeOf(await certify({ token, ekeyhmac: someKeysHmac() }))
      }
      const first = phone(0, Promise.resolve())
      return Promise.all([first, phone(1, number % 20 === 19 ? first : wait(number % 20))])
    }
    const seen = new Set<string>()
    for (let first = 0; first < 200; first += 10)
      for (const pair of await allAtOnce((index) => round(first + index), 10)) {
        assert.equal(pair.filter((outcome) => outcome === 'done').length, 1, pair.join())
        pair.forEach((outcome) => seen.add(outcome))
      }
    assert.deepEqual([...seen].sort(), ['code_invalid', 'done', 'token_expired'])
    assert.equal(countEvents(await zone.dump(), 'code.certified'), 200)
  },
)

zoneTest('a token that many phones use at once gives one of them a certificate', async (zone) => {
  const { token } = await getToken(zone)
  const replies = await allAtOnce((index) =>
    phoneOf(zone, index).certify({ token, ekeyhmac: someKeysHmac() }),
  )
  const outcomes = replies.map(outcomeOf).sort()
  assert.deepEqual(outcomes, ['done', ...Array.from({ length: 15 }, () => 'token_expired')])
  assert.equal(countEvents(await zone.dump(), 'code.certified'), 1)
})

/** Has what is asked for in `ask` decided in one group: the one before it takes as long as that. */
async function inOneGroup<Result>(
  { context }: TestAuthorityZone,
  ask: () => Promise<Result>,
): Promise<Result> {
  const { promise: asked, resolve: goOn } = Promise.withResolvers<void>()
  const before = context.desk({
    macs: [],
    tokenId: undefined,
    async decide() {
      await asked
      throw new TocsinError('code_invalid')
    },
  })
  const answer = ask()
  await wait(300)
  goOn()
  await assert.rejects(before, { code: 'code_invalid' })
  return answer
}

zoneTest('within a group, too, each is judged by what the one before it left', async (zone) => {
  const FEW = 8
  const { code, token } = await getToken(zone)
  const verify = (index: number) => phoneOf(zone, index).verify({ code })
  const verified = await inOneGroup(zone, () => allAtOnce(verify, FEW))
  const tokens = [token, ...verified.map(({ body }) => body['token'])]
  assert.equal(new Set(tokens.map((each) => claimsIn(each)['jti'])).size, 1 + FEW)
  const certify = (index: number) =>
    phoneOf(zone, index).certify({ token: tokens.at(-1), ekeyhmac: someKeysHmac() })
  const certified = await inOneGroup(zone, () => allAtOnce(certify, FEW))
  const refused = Array.from({ length: FEW - 1 }, () => 'token_expired')
  assert.deepEqual(certified.map(outcomeOf).sort(), ['done', ...refused])
  const dump = await zone.dump()
  assert.equal(countEvents(dump, 'code.claimed'), 1 + FEW)
  assert.equal(countEvents(dump, 'code.certified'), 1)
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
  const asked = codeRequest(clock.now(), { uuid: UUID })
  const replies = await allAtOnce(() => zone.issue(asked), 50)
  const refused = replies.filter((reply) => reply.status !== 200)
  assert.equal(refused.length, 49)
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
  const asked = asRequest(zone.adminKey, codeRequest(clock.now(), { uuid: UUID }))
  const replies = await allAtOnce(() => issueOne(context, asked))
  assert.equal(replies.filter((reply) => outcomeOf(reply) === 'done').length, 1)
  const code = { short: '11111111', long: 'the same' }
  const draw = () =>
    issueOne(
      { ...context, drawCode: () => code },
      asRequest(zone.adminKey, codeRequest(clock.now())),
    )
  await draw()
  await assert.rejects(draw, AlreadyIssued)
  assert.deepEqual(errors, [])
})

zoneTest(
  'a realm that is added many times at once is added once, with one key',
  async (zone, clock) => {
    const asked = testRealm()
    const added = await Promise.allSettled(
      Array.from({ length: 4 }, () => addRealm(zone.zone, asked, 'command', clock.now())),
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

for (const nonce of ['', randomBytes(256).toString('base64')])
  zoneTest(
    `two processes that swap the same codes, with ${nonce === '' ? 'no' : 'one'} nonce, give one certificate for each`,
    async (zone, clock) => {
      const codes: string[] = []
      for (let index = 0; index < 40; index++)
        codes.push(String((await zone.issue(codeRequest(clock.now()))).body['code']))
      const racer = async () => {
        const child = fork(join(import.meta.dirname, 'authorize-racer.ts'))
        const task: RacerTask = {
          ownerUrl: zone.ownerUrl,
          folder: zone.folder,
          deviceKey: zone.deviceKey,
          now: clock.now().toISOString(),
          codes,
          nonce,
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
      let claims = 0
      codes.forEach((_, index) => {
        const pair = [one[index], other[index]].flatMap((each) => each ?? [])
        assert.equal(pair.filter(({ outcome }) => outcome === 'done').length, 1)
        const [lost] = pair.filter(({ outcome }) => outcome !== 'done')
        assert.ok(['code_invalid', 'token_expired'].includes(lost?.outcome ?? ''), lost?.outcome)
        const ids = new Set(pair.flatMap(({ tokenId }) => tokenId ?? []))
        // With the nonce both are one phone to the server, and have one token.
        if (nonce !== '') assert.equal(ids.size, 1)
        claims += ids.size
      })
      const dump = await zone.dump()
      assert.equal(countEvents(dump, 'code.claimed'), claims)
      assert.equal(countEvents(dump, 'code.certified'), codes.length)
    },
  )

zoneTest('codes, tokens and uuids of one realm mean nothing in another', async (zone, clock) => {
  const { name: realm } = await addRealm(zone.zone, testRealm(), 'command', clock.now())
  const device = await addApiKey(zone.zone, { realm, type: 'device' }, 'command', clock.now())
  const admin = await addApiKey(zone.zone, { realm, type: 'admin' }, 'command', clock.now())
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
  const issue = () => issueOne(context, asRequest(zone.adminKey, codeRequest(clock.now())))
  assert.equal((await issue()).body['code'], '11111111')
  assert.equal((await issue()).body['code'], '22222222')
  const before = await zone.dump()
  await assert.rejects(issue, AlreadyIssued)
  assert.equal(draws, 4 + 6)
  assert.equal(await zone.dump(), before)
  assert.equal(outcomeOf(await zone.verify({ code: '11111111' })), 'done')
})
