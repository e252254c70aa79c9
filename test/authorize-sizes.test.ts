// Test: what somebody who sees the network sees of a reply: right and wrong codes, given and refused certificates and decoys are of one distribution of lengths.

import assert from 'node:assert/strict'
import type { GuessLimits } from '../src/authorize/guess-limits.ts'
import { buildApp } from '../src/http/app.ts'
import { authorityZoneRoutes } from '../src/http/authority-zone-routes.ts'
import { createLogger } from '../src/operate/logger.ts'
import { codeRequest, someKeysHmac, zoneTest, type TestAuthorityZone } from './authority-zone.ts'
import { databaseTestOnce } from './database.ts'
import { CHAFF } from './http-phone.ts'

/** Of each kind. */
const REPLIES = 120

/** Replies of one kind, as they are seen from outside. */
interface Kind {
  readonly name: string
  readonly outcome: string
  /** Bytes of the bodies. */
  readonly lengths: number[]
  readonly milliseconds: number[]
}

/** So many wrong codes would be slowed. */
const UNLIMITED: GuessLimits = {
  mayTry: () => ({ allowed: true }),
  countWrong: () => undefined,
  countRight: () => undefined,
  countNeither: () => undefined,
  brakes: () => [],
}

/** Serves the addresses, and collects replies by kind. */
async function watch(zone: TestAuthorityZone) {
  const routes = authorityZoneRoutes({ ...zone.context, guesses: UNLIMITED })
  const app = await buildApp(routes, 'test', createLogger('silent'))
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const kinds = new Map<string, Kind>()
  return {
    kinds,
    async post(name: string, path: string, body: object, headers: object = {}) {
      const began = performance.now()
      const response = await fetch(`${url}/api/${path}`, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: {
          'content-type': 'application/json',
          'x-api-key': zone.deviceKey,
          ...headers,
        },
      })
      const bytes = Buffer.from(await response.arrayBuffer())
      const took = performance.now() - began
      const fields = JSON.parse(bytes.toString()) as Record<string, unknown>
      const outcome = response.status === 200 ? 'done' : String(fields['errorCode'])
      const kind = kinds.get(name) ?? { name, outcome, lengths: [], milliseconds: [] }
      assert.equal(outcome, kind.outcome)
      kind.lengths.push(bytes.length)
      kind.milliseconds.push(took)
      kinds.set(name, kind)
      return fields
    },
    [Symbol.asyncDispose]: () => app.close(),
  }
}

/** A reply, and those that must take as long. */
const TIMED = [
  ['right code', 'wrong code'],
  ['right code', 'expired code'],
  ['right code', 'wrong check character'],
  ['certificate', 'refused certificate'],
] as const

zoneTest(
  'bodies of every kind of reply have lengths of one distribution, and refusals take as long as successes',
  async (zone, clock) => {
    const issue = async () => String((await zone.issue(codeRequest(clock.now()))).body['code'])
    const expired: string[] = []
    for (let index = 0; index < REPLIES; index++) expired.push(await issue())
    clock.advance(3600)
    await using watched = await watch(zone)
    for (let index = 0; index < REPLIES; index++) {
      const { token } = await watched.post('right code', 'verify', { code: await issue() })
      const wrong = String(index).padStart(8, '0')
      await watched.post('wrong code', 'verify', { code: wrong })
      await watched.post('expired code', 'verify', { code: expired[index] })
      await watched.post('wrong check character', 'verify', {
        code: `ABCD${wrong}EFGH000${index % 10}`,
      })
      const asked = { token, ekeyhmac: someKeysHmac() }
      await watched.post('certificate', 'certificate', asked)
      await watched.post('refused certificate', 'certificate', {
        ...asked,
        ekeyhmac: someKeysHmac(),
      })
      for (const path of ['verify', 'certificate', 'user-report'])
        await watched.post(`decoy of ${path}`, path, {}, CHAFF)
    }
    const outcomes = [...watched.kinds.values()].map(({ name, outcome }) => `${name}: ${outcome}`)
    assert.deepEqual(outcomes, [
      'right code: done',
      'wrong code: code_invalid',
      'expired code: code_expired',
      'wrong check character: code_invalid',
      'certificate: done',
      'refused certificate: token_expired',
      'decoy of verify: done',
      'decoy of certificate: done',
      'decoy of user-report: done',
    ])
    for (const { name, lengths } of watched.kinds.values())
      assert.ok(Math.min(...lengths) >= 2_400 && Math.max(...lengths) < 4_800, name)
    const [first, ...others] = [...watched.kinds.values()]
    assert.ok(first !== undefined)
    for (const other of others) {
      const apart = distance(first.lengths, other.lengths)
      // Two samples of one distribution are this far apart once in a million times.
      const most = Math.sqrt((-Math.log(1e-6 / 2) * 2) / (2 * REPLIES))
      assert.ok(apart < most, `${other.name}: ${apart} apart`)
      const means = mean(first.lengths) - mean(other.lengths)
      assert.ok(Math.abs(means) < 350, `${other.name}: ${means} bytes longer`)
    }
    const timeOf = (name: string) =>
      median([...watched.kinds.values()].find((kind) => kind.name === name)?.milliseconds ?? [])
    for (const [accepted, refused] of TIMED) {
      const ratio = timeOf(refused) / timeOf(accepted)
      // What is refused without a look into the database would be many times faster.
      assert.ok(ratio > 0.6 && ratio < 3, `${refused} takes ${ratio.toFixed(2)} of ${accepted}`)
    }
  },
  databaseTestOnce,
)

/** How far two samples are apart (Kolmogorov-Smirnov): 0 for alike, 1 for nothing in common. */
function distance(one: readonly number[], other: readonly number[]): number {
  const share = (of: readonly number[], limit: number) =>
    of.filter((value) => value <= limit).length / of.length
  return Math.max(...one.concat(other).map((at) => Math.abs(share(one, at) - share(other, at))))
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value) / values.length
}
