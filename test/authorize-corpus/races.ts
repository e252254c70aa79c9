// Test helper: requests that come together; promises one code, one certificate and one uuid, whoever comes first.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { TestContext } from 'node:test'
import { someKeysHmac } from '../authority-zone.ts'
import { outcomeOf, post, prepare, type Corpus } from './run-row.ts'

/** Runs each of them. */
export async function runRaces(corpus: Corpus, t: TestContext): Promise<void> {
  const outcomes = async (requests: readonly ReturnType<typeof post>[]) =>
    (await Promise.all(requests)).map(outcomeOf).sort()

  await t.test(
    'two phones claim one code: both get a token, one of them a certificate',
    async () => {
      const { code } = await prepare(corpus, 'main', { state: 'issued' })
      const replies = await Promise.all([
        post(corpus, 'verify', { code }),
        post(corpus, 'verify', { code }),
      ])
      assert.deepEqual(replies.map(outcomeOf), ['200', '200'])
      const certified = replies.map(({ body }) =>
        post(corpus, 'certificate', { token: body['token'], ekeyhmac: someKeysHmac() }),
      )
      assert.deepEqual(await outcomes(certified), ['200', '400 token_expired'])
    },
  )

  await t.test('two certificates for one token: one, as there', async () => {
    const { token } = await prepare(corpus, 'main', { state: 'claimed' })
    const asked = [1, 2].map(() => post(corpus, 'certificate', { token, ekeyhmac: someKeysHmac() }))
    assert.deepEqual(await outcomes(asked), ['200', '400 token_expired'])
  })

  await t.test('the same certificate twice: both', async () => {
    const { token, ekeyhmac } = await prepare(corpus, 'main', { state: 'claimed' })
    const asked = [1, 2].map(() => post(corpus, 'certificate', { token, ekeyhmac }))
    assert.deepEqual(await outcomes(asked), ['200', '200'])
  })

  await t.test('ten codes of one uuid: one', async () => {
    const { day } = await prepare(corpus, 'main', {})
    const body = { testType: 'confirmed', symptomDate: day(1), uuid: randomUUID() }
    const asked = Array.from({ length: 10 }, () => post(corpus, 'issue', body))
    assert.deepEqual(await outcomes(asked), [
      '200',
      ...Array<string>(9).fill('409 uuid_already_exists'),
    ])
  })

  await t.test('ten ends of one code: all are answered alike', async () => {
    const { uuid } = await prepare(corpus, 'main', { state: 'issued' })
    const asked = Array.from({ length: 10 }, () => post(corpus, 'expirecode', { uuid }))
    assert.deepEqual(await outcomes(asked), Array<string>(10).fill('200'))
  })

  await t.test('a code that is claimed and ended at once is one of the two', async () => {
    const { uuid, code } = await prepare(corpus, 'main', { state: 'issued' })
    const [claimed, ended] = await Promise.all([
      post(corpus, 'verify', { code }),
      post(corpus, 'expirecode', { uuid }),
    ])
    const both = `${outcomeOf(claimed)}, ${outcomeOf(ended)}`
    assert.ok(['200, 400', '400 code_expired, 200'].includes(both), both)
  })

  await t.test('twenty codes at once differ', async () => {
    const { day } = await prepare(corpus, 'main', {})
    const body = { testType: 'likely', symptomDate: day(1) }
    const replies = await Promise.all(Array.from({ length: 20 }, () => post(corpus, 'issue', body)))
    assert.equal(new Set(replies.map((reply) => reply.body['code'])).size, 20)
    assert.equal(new Set(replies.map((reply) => reply.body['uuid'])).size, 20)
  })
}
