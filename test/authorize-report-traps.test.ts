// Test: where other verification servers betray people or lose their codes: who reported before, decoys that can be told apart, failures between claim and reply, many at once, and codes that are too few to be guessed.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { openAuthorize } from '../src/authorize/context.ts'
import { drawLongCode, drawShortCode, type RandomBytes } from '../src/authorize/draw-code.ts'
import { createGuessLimits } from '../src/authorize/guess-limits.ts'
import { hitProbability } from '../src/authorize/guessing.ts'
import { issueCertificate } from '../src/authorize/issue-certificate.ts'
import { drawPaperCode } from '../src/authorize/paper-code.ts'
import { REALM_DEFAULTS } from '../src/authorize/realm-settings.ts'
import { verifyCode } from '../src/authorize/verify-code.ts'
import type { Database } from '../src/db/database.ts'
import { TocsinError } from '../src/errors.ts'
import { buildApp } from '../src/http/app.ts'
import { authorityZoneRoutes } from '../src/http/authority-zone-routes.ts'
import { createLogger } from '../src/operate/logger.ts'
import {
  asRequest,
  authorizeOptions,
  claimsIn,
  codeRequest,
  countEvents,
  daysBefore,
  outcomeOf as answerOf,
  someKeysHmac,
  zoneTest,
} from './authority-zone.ts'
import { CHAFF } from './http-phone.ts'
import { outcomeOf, slowGateway, timed, trapTest, type Reply } from './trap-desk.ts'

const lengthOf = ({ body }: Reply) => JSON.stringify(body).length

trapTest(
  'a phone that reported before is answered as any other: same fields, a real expiry, the same size and time',
  async ({ clock, change, post, report, corpus }) => {
    await using gateway = await slowGateway(600)
    await change({ gatewayUrl: gateway.url })
    const body = report()
    const first = await timed(() => post('user-report', body))
    const replies = [first]
    const phones = [body.phone, corpus.phones.newNumber(), body.phone, corpus.phones.newNumber()]
    for (const phone of phones)
      replies.push(await timed(() => post('user-report', report({ phone }))))
    for (const { result, milliseconds } of replies) {
      assert.equal(outcomeOf(result), '200')
      assert.deepEqual(Object.keys(result.body), Object.keys(first.result.body))
      assert.equal(result.body['expiresAtTimestamp'], clock.now().getTime() / 1000 + 900)
      assert.equal(Date.parse(String(result.body['expiresAt'])), clock.now().getTime() + 900_000)
      assert.deepEqual([...result.headers.keys()], [...first.result.headers.keys()])
      assert.ok(lengthOf(result) >= 2_400 && lengthOf(result) < 4_800)
      // Nobody waits for the text, so nobody sees that there is none.
      assert.ok(milliseconds < 500, `${milliseconds} ms`)
    }
    await corpus.context.background.idle()
    assert.equal(gateway.texts(), 3, 'each phone gets one text')
    // A nonce that can't be kept is refused before anybody looks for the phone.
    for (const size of [1, 255, 257]) {
      const nonce = randomBytes(size).toString('base64')
      const [before, never] = await Promise.all(
        [body.phone, corpus.phones.newNumber()].map((phone) =>
          post('user-report', { ...body, phone, nonce }),
        ),
      )
      assert.equal(outcomeOf(before as Reply), '400 unparsable_request')
      assert.equal(before?.body['error'], never?.body['error'])
      assert.deepEqual([...(before?.headers.keys() ?? [])], [...(never?.headers.keys() ?? [])])
    }
    await corpus.context.background.idle()
    assert.equal(gateway.texts(), 3)
  },
)

trapTest(
  'while texts fail, too, nobody learns which phone reported before; and a text that failed blocks nobody',
  async ({ post, done, report, corpus }) => {
    const [before, never] = [report(), report()]
    await done('user-report', before)
    await corpus.context.background.idle()
    corpus.phones.answerWith(400)
    const replies = [await post('user-report', before), await post('user-report', never)]
    for (const reply of replies) assert.equal(outcomeOf(reply), '200')
    await corpus.context.background.idle()
    assert.equal(corpus.phones.codeOf(never.phone), '')
    corpus.phones.answerWith(200)
    await done('user-report', never)
    await corpus.context.background.idle()
    assert.match(corpus.phones.codeOf(never.phone), /^\d{8}$/)
  },
)

trapTest(
  'a phone whose code nobody claimed may report again once it expired; one whose code was claimed waits its days',
  async ({ clock, done, report, corpus, change }) => {
    await change({ userReportDays: 2 })
    const body = report()
    const codeAfter = async () => {
      await done('user-report', body)
      await corpus.context.background.idle()
      return corpus.phones.codeOf(body.phone)
    }
    const first = await codeAfter()
    clock.advance(899)
    assert.equal(await codeAfter(), first, 'it lives: no other one is sent')
    clock.advance(1)
    const second = await codeAfter()
    assert.notEqual(second, first)
    await done('verify', { code: second, nonce: body.nonce })
    clock.advance(86_400)
    assert.equal(await codeAfter(), second)
    clock.advance(86_400)
    assert.notEqual(await codeAfter(), second)
  },
)

trapTest('the time zone of a self-report counts', async ({ clock, post, report }) => {
  const tomorrow = daysBefore(clock.now(), -1)
  for (const name of ['symptomDate', 'testDate']) {
    const dated = (tzOffset: number, date: string) =>
      post('user-report', report({ symptomDate: '', [name]: date, tzOffset })).then(outcomeOf)
    assert.equal(await dated(0, tomorrow), '400 invalid_date')
    for (const east of [-840, 840]) assert.equal(await dated(east, tomorrow), '200')
    assert.equal(await dated(0, daysBefore(clock.now(), 29)), '400 invalid_date')
    assert.equal(await dated(-60, daysBefore(clock.now(), 29)), '200')
  }
})

trapTest(
  'a decoy of each address is answered with the headers, status and size class of a real request, well-formed or not',
  async ({ send, done, wanted, report }) => {
    const [one, two] = [await done('issue', wanted()), await done('issue', wanted())]
    const { token } = await done('verify', { code: one['code'] })
    const bodies = {
      verify: { code: two['code'] },
      certificate: { token, ekeyhmac: someKeysHmac() },
      'user-report': report(),
    }
    for (const to of ['verify', 'certificate', 'user-report'] as const) {
      const good = JSON.stringify(bodies[to])
      for (const request of [
        { body: good },
        { body: good, headers: { 'content-type': 'text/plain' } },
        { body: good.padEnd(70_000) },
        { body: good, method: 'PUT' },
      ]) {
        const real = await send(to, request)
        const decoy = await send(to, { ...request, headers: { ...request.headers, ...CHAFF } })
        assert.equal(decoy.status, real.status, to)
        assert.deepEqual([...decoy.headers.keys()], [...real.headers.keys()], to)
        assert.equal(decoy.headers.get('content-type'), 'application/json')
        for (const reply of [decoy, real])
          assert.ok(lengthOf(reply) >= 2_400 && lengthOf(reply) < 4_800, to)
        if (request.body === good && request.method === undefined) {
          const isGood = request.headers === undefined
          assert.equal(real.status, isGood ? 200 : 400, to)
        }
      }
      // What is in a decoy is not looked into.
      const real = await send(to, { body: '{' })
      const decoy = await send(to, { body: '{', headers: CHAFF })
      assert.deepEqual([...decoy.headers.keys()], [...real.headers.keys()], to)
      assert.ok(lengthOf(decoy) >= 2_400 && lengthOf(decoy) < 4_800, to)
    }
  },
)

trapTest(
  "a decoy's delay follows the real requests of its own address, not those of the others",
  async ({ corpus, done, send, report, wanted }) => {
    const { db } = corpus.context
    const meanOf = async (times: readonly Promise<{ milliseconds: number }>[]) => {
      const all = await Promise.all(times)
      return all.reduce((sum, { milliseconds }) => sum + milliseconds, 0) / all.length
    }
    const codes = [await done('issue', wanted()), await done('issue', wanted())]
    let meanOfReports: Promise<number> | undefined
    let meanOfVerify = 0
    // Reports wait for their realm, one after the other; tokens do not.
    await db.transaction(async (tx) => {
      await tx.query({ text: `select 1 from realm where name = 'main' for update`, values: [] })
      const reports = Array.from({ length: 3 }, () => timed(() => done('user-report', report())))
      meanOfReports = meanOf(reports)
      meanOfVerify = await meanOf(codes.map(({ code }) => timed(() => done('verify', { code }))))
      await tx.query({ text: 'select pg_sleep(0.6)', values: [] })
    })
    const decoys = (to: 'user-report' | 'verify') =>
      meanOf(
        Array.from({ length: 10 }, () => timed(() => send(to, { body: '{}', headers: CHAFF }))),
      )
    const real = (await meanOfReports) ?? 0
    const [reports, verifies] = [await decoys('user-report'), await decoys('verify')]
    assert.ok(real >= 600 && reports >= 600, `${reports} ms, real ones ${real} ms`)
    assert.ok(verifies < 400 && meanOfVerify < 400, `${verifies} ms, real ones ${meanOfVerify} ms`)
  },
)

for (const moment of ['before', 'after'] as const)
  zoneTest(
    `the database fails ${moment} a claim is committed: the same code works again, and a nonce gets one token`,
    async (zone, clock) => {
      const there = zone.zone.db
      let failures = 0
      const db: Database = {
        ...there,
        async transaction(work) {
          let isClaim = false
          const result = await there.transaction(async (tx) => {
            const done = await work(tx)
            const { rows } = await tx.query<{ claims: number }>({
              text: `select count(*)::int as claims from verification_code where claimed`,
              values: [],
            })
            isClaim = failures > 0 && (rows[0]?.claims ?? 0) > 0
            if (isClaim && moment === 'before') {
              failures--
              throw new TocsinError('unavailable')
            }
            return done
          })
          if (isClaim) {
            failures--
            throw new TocsinError('unavailable')
          }
          return result
        },
      }
      await using context = await openAuthorize(
        { ...zone.zone, db },
        authorizeOptions(() => clock.now()),
      )
      const app = await buildApp(authorityZoneRoutes(context), 'test', createLogger('silent'))
      try {
        const url = await app.listen({ host: '127.0.0.1', port: 0 })
        const headers = { 'content-type': 'application/json', 'x-api-key': zone.deviceKey }
        const ask = async (name: string, body: object) => {
          const sent = { method: 'POST', headers, body: JSON.stringify(body) }
          const response = await fetch(`${url}/api/${name}`, sent)
          return { status: response.status, body: (await response.json()) as Reply['body'] }
        }
        const { code } = (await zone.issue(codeRequest(clock.now()))).body
        const nonce = randomBytes(256).toString('base64')
        failures = 1
        const lost = await ask('verify', { code, nonce })
        assert.deepEqual([lost.status, failures], [503, 0])
        const replies = [await ask('verify', { code, nonce }), await ask('verify', { code, nonce })]
        const ids = replies.map(({ body }) => claimsIn(body['token'])['jti'])
        assert.equal(ids[0], ids[1])
        const token = replies[0]?.body['token']
        const certified = await ask('certificate', { token, ekeyhmac: someKeysHmac() })
        assert.equal(answerOf(certified), 'done')
        assert.equal(countEvents(await zone.dump(), 'code.claimed'), 1)
      } finally {
        await app.close()
      }
    },
  )

zoneTest(
  'two phones that verify one code at the same moment, each at a server of its own, leave one live token',
  async (zone, clock) => {
    await using other = await openAuthorize(
      zone.zone,
      authorizeOptions(() => clock.now()),
    )
    for (let round = 0; round < 20; round++) {
      const { code } = (await zone.issue(codeRequest(clock.now()))).body
      const send = (phone: number, body: object) =>
        asRequest(zone.deviceKey, body, `phone ${round} ${phone}`)
      const contexts = [zone.context, other]
      const verified = await Promise.all(
        contexts.map((context, phone) => verifyCode(context, send(phone, { code }))),
      )
      assert.deepEqual(verified.map(answerOf), ['done', 'done'])
      const outcomes: string[] = []
      for (const [phone, { body }] of verified.entries()) {
        const asked = { token: body['token'], ekeyhmac: someKeysHmac() }
        const context = contexts[phone] ?? other
        outcomes.push(answerOf(await issueCertificate(context, send(phone, asked))))
      }
      assert.deepEqual(outcomes.sort(), ['done', 'token_expired'])
    }
    assert.equal(countEvents(await zone.dump(), 'code.certified'), 20)
  },
)

trapTest(
  'with 64 connections at once and eight to the database, nobody is refused',
  async ({ done, post, wanted }) => {
    const codes: unknown[] = []
    for (let number = 0; number < 128; number++) codes.push((await done('issue', wanted()))['code'])
    const outcomes = new Map<string, number>()
    const count = (reply: Reply) =>
      outcomes.set(outcomeOf(reply), (outcomes.get(outcomeOf(reply)) ?? 0) + 1)
    const phone = async () => {
      for (let code = codes.pop(); code !== undefined; code = codes.pop()) {
        const verified = await post('verify', { code })
        count(verified)
        const { token } = verified.body
        count(await post('certificate', { token, ekeyhmac: someKeysHmac() }))
      }
    }
    await Promise.all(Array.from({ length: 64 }, phone))
    assert.deepEqual([...outcomes], [['200', 256]])
  },
)

/** The min-entropy of what a drawing makes, in bits, from every byte that it can be given; places are drawn alike. */
function minEntropy(draw: (random: RandomBytes) => string, places: number): number {
  const counts = new Map<string, number>()
  for (let byte = 0; byte < 256; byte++) {
    let asked = 0
    const text = draw((length) => {
      // A byte that is passed over is drawn again: the second time it counts for none.
      asked++
      return new Uint8Array(length).fill(asked === 1 ? byte : 0)
    })
    if (asked === 1) counts.set(text, (counts.get(text) ?? 0) + 1)
  }
  const all = [...counts.values()].reduce((sum, count) => sum + count, 0)
  return -places * Math.log2(Math.max(...counts.values()) / all)
}

test('the min-entropy of each kind of code is what the limits of guesses need', () => {
  const { shortLength, longLength } = REALM_DEFAULTS
  const short = minEntropy((random) => drawShortCode(1, random), shortLength)
  const long = minEntropy((random) => drawLongCode(1, random), longLength)
  const paper = minEntropy((random) => drawPaperCode('ABCD', random), 15)
  assert.deepEqual(
    [short, long, paper].map((bits) => bits.toFixed(1)),
    ['26.6', '82.7', '75.0'],
  )
  const hits = (bits: number, liveCodes: number, guesses: number) =>
    hitProbability({ codeSpace: Math.round(2 ** bits), liveCodes, guesses })
  // Those that no limit holds up: a million guesses a day.
  for (const bits of [long, paper]) assert.ok(hits(bits, 10_000_000, 1_000_000) < 1e-6)
  // Those that the limits hold up: all that one network is answered in a day, at a large realm and at a small one.
  let now = 0
  let answered = 0
  const limits = createGuessLimits({ now: () => now, key: 'key of a test' })
  for (; now < 86_400_000; now += 1_000) {
    if (!limits.mayTry('realm', 'network').allowed) continue
    limits.countWrong('realm', 'network')
    answered++
  }
  assert.ok(hits(short, 1_000, answered) < 1 / 800, `${answered} guesses`)
  assert.ok(hits(short, 10, answered) < 1 / 80_000, `${answered} guesses`)
  assert.ok(hits(short, 1_000, 1_000_000) > 0.99, 'without limits they would be found')
})
