// Test helper: what several requests in turn lead to: quotas, guesses, texts that fail; promises the answer that each of them gets.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { TestContext } from 'node:test'
import { claimsIn, someKeysHmac } from '../authority-zone.ts'
import { checkReply, exchange, outcomeOf, post, prepare, type Corpus } from './run-row.ts'

/** Runs each of them. */
export async function runSequences(corpus: Corpus, t: TestContext): Promise<void> {
  await t.test(
    'a quota of two: the third is refused, and a refused one costs nothing',
    async () => {
      const { day } = await prepare(corpus, 'limited', {})
      const good = { testType: 'confirmed', symptomDate: day(1) }
      const uuid = randomUUID()
      const bodies = [{ ...good, uuid }, { ...good, uuid }, { ...good, testType: 'x' }, good, good]
      const outcomes: string[] = []
      for (const body of bodies) {
        const reply = await post(corpus, 'issue', body, 'limited')
        checkReply(reply, 'issue')
        outcomes.push(outcomeOf(reply))
      }
      assert.deepEqual(outcomes, [
        '200',
        '409 uuid_already_exists',
        '400 invalid_test_type',
        '200',
        '429 quota_exceeded',
      ])
    },
  )

  await t.test('wrong short codes from one network are slowed, in JSON', async () => {
    const key = corpus.keys.get('main')?.device ?? ''
    const headers = {
      'content-type': 'application/json',
      'x-api-key': key,
      'x-forwarded-for': '198.51.100.7',
    }
    const outcomes: string[] = []
    for (let tries = 0; tries < 12; tries++) {
      const body = JSON.stringify({ code: String(10_000_000 + tries) })
      const reply = await exchange(corpus, 'verify', { method: 'POST', body, headers })
      checkReply(reply, 'verify')
      outcomes.push(outcomeOf(reply))
      if (reply.status !== 429) continue
      const seconds = Number(reply.headers.get('retry-after'))
      assert.ok(Number.isInteger(seconds) && seconds > 0)
      const again = Date.parse(reply.headers.get('x-retry-after') ?? '')
      assert.ok(Math.abs(again - corpus.clock.now().getTime() - seconds * 1000) < 1000)
    }
    assert.ok(outcomes.slice(0, 10).every((outcome) => outcome === '400 code_invalid'))
    assert.equal(outcomes.at(-1), '429')
  })

  await t.test('a text that fails takes its code back, and its uuid is free again', async () => {
    const { day, phone } = await prepare(corpus, 'main', {})
    const body = { testType: 'confirmed', symptomDate: day(1), uuid: randomUUID(), phone }
    for (const [status, outcome] of [
      [400, '400 sms_failure'],
      [429, '400 sms_queue_full'],
    ] as const) {
      corpus.phones.answerWith(status)
      assert.equal(outcomeOf(await post(corpus, 'issue', body)), outcome)
      const asked = await post(corpus, 'checkcodestatus', { uuid: body.uuid })
      assert.equal(outcomeOf(asked), '404 code_not_found')
    }
    corpus.phones.answerWith(200)
    assert.equal(outcomeOf(await post(corpus, 'issue', body)), '200')
  })

  await t.test('a self-report whose text fails may be repeated at once', async () => {
    const { day, phone, nonce } = await prepare(corpus, 'main', {})
    const body = { phone, nonce, testDate: day(1) }
    corpus.phones.answerWith(400)
    assert.equal(outcomeOf(await post(corpus, 'user-report', body)), '200')
    await corpus.context.background.idle()
    corpus.phones.answerWith(200)
    assert.equal(outcomeOf(await post(corpus, 'user-report', body)), '200')
    await corpus.context.background.idle()
    assert.match(corpus.phones.codeOf(phone), /^\d{8}$/)
  })

  await t.test('a phone that reported itself gets no second text', async () => {
    const { day, phone, nonce } = await prepare(corpus, 'main', { selfReport: true })
    const code = corpus.phones.codeOf(phone)
    const replies = [
      await post(corpus, 'user-report', { phone, nonce, testDate: day(1) }),
      await post(corpus, 'user-report', { phone, nonce, testDate: day(2) }),
    ]
    assert.deepEqual(replies.map(outcomeOf), ['200', '200'])
    await corpus.context.background.idle()
    assert.equal(corpus.phones.codeOf(phone), code)
  })

  await t.test('a code that is claimed again: the token before has ended', async () => {
    const { code } = await prepare(corpus, 'main', { state: 'issued' })
    const [first, second] = [
      await post(corpus, 'verify', { code }),
      await post(corpus, 'verify', { code }),
    ].map(({ body }) => body['token'])
    const swap = async (token: unknown) =>
      outcomeOf(await post(corpus, 'certificate', { token, ekeyhmac: someKeysHmac() }))
    assert.equal(await swap(first), '400 token_expired')
    assert.equal(await swap(second), '200')
    assert.equal(outcomeOf(await post(corpus, 'verify', { code })), '400 code_invalid')
  })

  await t.test('the claims of a token', async () => {
    const { token, day } = await prepare(corpus, 'main', { state: 'claimed' })
    const claims = claimsIn(token)
    assert.equal(claims['iss'], claims['aud'])
    assert.equal(claims['sub'], `confirmed.${day(3)}.`)
    assert.equal(Number(claims['exp']) - Number(claims['iat']), 24 * 3600)
  })

  // Last: a day goes by.
  await t.test('a token after 24 hours', async () => {
    const { token, ekeyhmac } = await prepare(corpus, 'main', { state: 'claimed' })
    corpus.clock.advance(24 * 3600 - 2)
    assert.equal(outcomeOf(await post(corpus, 'certificate', { token, ekeyhmac })), '200')
    corpus.clock.advance(3)
    const late = await post(corpus, 'certificate', { token, ekeyhmac })
    assert.equal(outcomeOf(late), '400 token_invalid')
  })
}
