// Test: erasing in the authority zone when it is killed, done twice at once, or partly fails, and the job that does it; promises that the log's check finds nothing wrong after any of it.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { codeCertified, codeExpired, codeFailed } from '../src/authorize/codes.ts'
import { eraseDue } from '../src/authorize/retention.ts'
import {
  runUpkeep,
  UPKEEP_JOBS,
  type UpkeepContext,
  type UpkeepRun,
} from '../src/authorize/run-upkeep.ts'
import { statPart } from '../src/authorize/stat-counts.ts'
import type { AuthorityZone } from '../src/authorize/zone.ts'
import type { Transaction } from '../src/db/database.ts'
import {
  countToday,
  DAY,
  hex,
  HOUR,
  retentionTest,
  type RetentionZone,
} from './authority-retention-zone.ts'
import { killedAt } from './killed-transactions.ts'
import { seededRandom } from './seeded-random.ts'

/** A zone in which every kind of thing is due after two years. @returns what must be gone then */
async function fill(zone: RetentionZone): Promise<Uint8Array[]> {
  const secrets: Uint8Array[] = []
  for (let round = 0; round < 3; round++) {
    const open = await zone.issue({ needsNonce: true }, 30)
    const claimed = await zone.issue()
    const used = await zone.issue()
    const failed = await zone.issue({}, 30)
    const tokens = [await zone.claim(claimed), await zone.claim(used)]
    const keysMac = randomBytes(32)
    await zone.append(
      codeCertified(used, keysMac, 'h'.repeat(22), [countToday(zone.seconds(), 'tokens_claimed')]),
      codeExpired(open, zone.seconds(), 'command'),
      codeFailed(failed, [countToday(zone.seconds(), 'codes_issued', -1)]),
      { type: 'looked.up', parts: [{ retention: 'audit', content: { by: 'command' } }] },
    )
    for (const code of [open, claimed, used, failed])
      secrets.push(...code.macs, code.nonceMac, code.phoneMac)
    secrets.push(...tokens, keysMac)
    zone.clock.advance(DAY)
  }
  return secrets
}

/** That nothing is left which has a time of its own. */
async function assertAllGone(zone: RetentionZone, secrets: readonly Uint8Array[]): Promise<void> {
  const dump = await zone.dump()
  for (const secret of secrets) assert.ok(!dump.includes(hex(secret)))
  for (const { parts, type } of await zone.events())
    for (const { retention, content } of parts)
      assert.ok(
        content === undefined || ['configuration', 'release'].includes(retention),
        `${type} still has its part ${retention}`,
      )
}

for (const when of ['begin', 'commit'] as const)
  retentionTest(
    `killed before any of its transactions can ${when}, erasing goes on`,
    async (zone) => {
      const secrets = await fill(zone)
      zone.clock.advance(2 * 365 * DAY)
      let runs = 0
      for (let ended = false; !ended; runs++) {
        const { failures } = await eraseDue(killedAt(zone.zone, runs, when), zone.clock.now())
        ended = failures.size === 0
        await zone.check()
      }
      assert.ok(runs > 5)
      await assertAllGone(zone, secrets)
    },
  )

retentionTest('a page of events ends before the log does', async (zone) => {
  const part = (count: number) =>
    ({
      type: 'stats.counted',
      parts: [statPart([countToday(zone.seconds(), 'codes_invalid', count)])],
    }) as const
  await zone.append(...Array.from({ length: 4_500 }, (_, index) => part(index + 1)))
  zone.clock.advance(92 * DAY)
  const stop = new AbortController()
  const stopping = {
    ...zone.zone.db,
    transaction: async <Result>(work: (tx: Transaction) => Promise<Result>) => {
      const result = await zone.zone.db.transaction(work)
      if (typeof result === 'object' && JSON.stringify(result).includes('"erased":1999'))
        stop.abort()
      return result
    },
  }
  const { erased } = await eraseDue({ ...zone.zone, db: stopping }, zone.clock.now(), stop.signal)
  assert.equal(erased.statistics, 1999)
  await zone.check()
  assert.equal((await zone.erase()).statistics, 2501)
})

retentionTest('two processes that erase at once erase everything once', async (zone) => {
  const secrets = await fill(zone)
  zone.clock.advance(2 * 365 * DAY)
  const runs = await Promise.all([
    eraseDue(zone.zone, zone.clock.now()),
    eraseDue(zone.other, zone.clock.now()),
  ])
  for (const { failures } of runs) assert.deepEqual([...failures], [])
  const total = (kind: 'token' | 'code' | 'audit' | 'statistics' | 'phone') =>
    runs.reduce((sum, { erased }) => sum + erased[kind], 0)
  assert.equal(total('token'), 9)
  assert.equal(total('phone'), 3)
  assert.equal(total('audit'), 3)
  assert.equal(total('statistics'), 24)
  await zone.check()
  await assertAllGone(zone, secrets)
})

retentionTest('what comes while it is erased is not lost', async (zone) => {
  await fill(zone)
  zone.clock.advance(30 * DAY)
  const work = async () => {
    for (let round = 0; round < 20; round++) await zone.claim(await zone.issue({}, 90))
  }
  await Promise.all([work(), eraseDue(zone.other, zone.clock.now()), work()])
  await zone.check()
  assert.equal((await zone.events()).filter(({ type }) => type === 'code.claimed').length, 46)
})

retentionTest('a clock that goes back erases nothing, and nothing twice', async (zone) => {
  await fill(zone)
  zone.clock.advance(20 * DAY)
  await zone.erase()
  zone.clock.advance(-15 * DAY)
  const late = await zone.issue()
  const token = await zone.claim(late)
  assert.deepEqual(new Set(Object.values(await zone.erase())), new Set([0]))
  // Its token leaves by the log's time, which is later.
  zone.clock.advance(10 * DAY)
  await zone.erase()
  assert.ok((await zone.dump()).includes(hex(token)))
  zone.clock.advance(7 * DAY)
  await zone.erase()
  assert.ok(!(await zone.dump()).includes(hex(token)))
  assert.equal((await zone.erase())['code-secret'], 0)
})

retentionTest('codes in every state agree with the log on each day of two years', async (zone) => {
  const random = seededRandom(7)
  const pick = (below: number) => Math.floor(random.number() * below)
  for (let day = 0; day < 45; day++) {
    const code = await zone.issue(
      { needsNonce: pick(3) === 0, longExpiresAt: zone.seconds() + HOUR * (1 + pick(24 * 60)) },
      pick(2) === 0 ? undefined : 1 + pick(60),
    )
    const nonce = code.nonceMac
    const claims = pick(3)
    for (let claim = 0; claim < claims; claim++) await zone.claim(code, nonce)
    const counts = [countToday(zone.seconds(), 'tokens_claimed')]
    const kind = pick(5)
    if (kind === 0)
      await zone.append(codeFailed(code, [countToday(zone.seconds(), 'codes_issued', -1)]))
    if (kind === 1) await zone.append(codeExpired(code, zone.seconds(), 'command'))
    if (kind === 2 && claims > 0)
      await zone.append(codeCertified(code, randomBytes(32), 'h'.repeat(22), counts))
    zone.clock.advance(DAY - HOUR * pick(20))
    await zone.erase()
  }
  for (let step = 0; step < 30; step++) {
    zone.clock.advance(20 * DAY)
    await zone.erase()
  }
  await assertAllGone(zone, [])
})

retentionTest('what fails keeps nothing else from being erased', async (zone) => {
  await fill(zone)
  zone.clock.advance(2 * 365 * DAY)
  const query: Transaction['query'] = (statement) => {
    if (statement.text.includes('from user_report')) throw new Error('broken')
    return zone.zone.db.query(statement)
  }
  const transaction = <Result>(work: (tx: Transaction) => Promise<Result>) =>
    zone.zone.db.transaction((tx) =>
      work({
        ...tx,
        query: (statement: Parameters<Transaction['query']>[0]) => {
          if (statement.text.includes('from user_report')) throw new Error('broken')
          return tx.query(statement)
        },
      } as Transaction),
    )
  const broken = { ...zone.zone, db: { ...zone.zone.db, query, transaction } }
  const { erased, failures } = await eraseDue(broken, zone.clock.now())
  assert.deepEqual([...failures.keys()], ['phone'])
  assert.ok(erased.token > 0 && erased['code-secret'] > 0 && erased.audit > 0)
  await zone.check()
  assert.equal((await zone.erase()).phone, 3)
})

retentionTest(
  'upkeep is done by one process, and by another when that one has gone',
  async (zone) => {
    await fill(zone)
    zone.clock.advance(2 * 365 * DAY)
    const runs: UpkeepRun[] = []
    const context = (of: AuthorityZone): UpkeepContext => ({
      zone: of,
      address: zone.address,
      now: () => zone.clock.now(),
      logger: {
        info: () => undefined,
        error: (event, error) => assert.fail(`${event}: ${error}`),
      },
      onRun: (run) => void runs.push(run),
    })
    await using other = runUpkeep(context(zone.other), 'manual')
    {
      await using first = runUpkeep(context(zone.zone), 'manual')
      const run = await first.runNow()
      assert.deepEqual(runs, [run])
      assert.ok((run?.erased.token ?? 0) > 0)
      assert.deepEqual([...(run?.failures ?? [])], [])
      assert.equal(run?.succeededAt.get('peppers'), zone.seconds())
      assert.equal(await other.runNow(), undefined)
    }
    const run = await other.runNow()
    assert.equal(run?.erased.token, 0)
    assert.equal(run?.succeededAt.size, UPKEEP_JOBS.length)
  },
)

retentionTest('a job that fails is told once, and when it works again', async (zone) => {
  const told: string[] = []
  let isBroken = true
  const query: AuthorityZone['db']['query'] = (statement) => {
    if (isBroken && statement.text.includes('from realm')) throw new Error('broken')
    return zone.zone.db.query(statement)
  }
  await using upkeep = runUpkeep(
    {
      zone: {
        ...zone.zone,
        db: {
          ...zone.zone.db,
          query,
        },
      },
      address: zone.address,
      now: () => zone.clock.now(),
      logger: {
        info: (event, counts) => void told.push(`${event} ${String(counts?.['job'])}`),
        error: (event, _error, counts) => void told.push(`${event} ${String(counts?.['job'])}`),
      },
    },
    'manual',
  )
  for (let run = 0; run < 2; run++)
    assert.deepEqual([...((await upkeep.runNow())?.failures.keys() ?? [])], ['signing-keys'])
  isBroken = false
  zone.clock.advance(300)
  const { succeededAt } = (await upkeep.runNow()) as UpkeepRun
  assert.equal(succeededAt.get('signing-keys'), zone.seconds())
  assert.deepEqual(told, [
    'upkeep of the authority zone failed signing-keys',
    'upkeep of the authority zone works again signing-keys',
  ])
})
