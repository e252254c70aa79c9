// Test: the keys of tokens in the database, as several processes read and replace them.

import assert from 'node:assert/strict'
import { setTimeout as wait } from 'node:timers/promises'
import { importKey, makePrivateKey } from '../src/authorize/key-pairs.ts'
import {
  createTokenKeys,
  TOKEN_KEY_SCHEDULE,
  tokenKeysOf,
  type TokenKeys,
} from '../src/authorize/token-keys.ts'
import type { AuthorityZone } from '../src/authorize/zone.ts'
import { secretVersions, zoneSecret } from '../src/db/zone-secrets.ts'
import { TocsinError } from '../src/errors.ts'
import { keyTest } from './signing-keys-zone.ts'

const HOUR = 3600
const DAY = 24 * HOUR

/** How many versions the keys of tokens have. */
const versionsOf = async ({ db, masterKey }: AuthorityZone) =>
  (await secretVersions(db, masterKey, 'token key')).map(({ version }) => version)

const reads = (keys: TokenKeys, kid: string, token: string) => keys.find(kid)?.read(token)

keyTest(
  'the key of tokens is replaced after 30 days, and reads its last tokens',
  async (zone, clock) => {
    const live = await createTokenKeys(zone, () => clock.now())
    const first = (await live.current()).newest()
    clock.set('2026-12-24T23:59:59Z')
    assert.equal((await live.current()).newest().kid, first.kid)
    clock.set('2026-12-25T00:00:00Z')
    const second = (await live.current()).newest()
    assert.notEqual(second.kid, first.kid)
    const token = first.sign({ a: 1 })
    // Another process makes a token with the old key in the last second of the day on which this one made the new key.
    clock.set('2026-12-26T23:59:59Z')
    clock.advance(HOUR)
    assert.deepEqual(reads(await live.current(), first.kid, token), { a: 1 })
    clock.advance(1)
    assert.equal(reads(await live.current(), first.kid, token), undefined)
    assert.deepEqual(await versionsOf(zone), [1, 2])
    clock.set('2026-12-27T11:59:59Z')
    await live.current()
    assert.deepEqual(await versionsOf(zone), [1, 2])
    clock.advance(1)
    await live.current()
    assert.deepEqual(await versionsOf(zone), [2])
    clock.set('2026-11-01T00:00:00Z')
    assert.equal((await live.current()).newest().kid, second.kid)
    assert.deepEqual(await versionsOf(zone), [2])
  },
)

keyTest(
  'the key of tokens of an earlier version reads its tokens for a day',
  async (zone, clock) => {
    const der = await zoneSecret(zone.db, zone.masterKey, 'token key', makePrivateKey)
    const earlier = tokenKeysOf([importKey(der)]).newest()
    const token = earlier.sign({ a: 1 })
    const live = await createTokenKeys(zone, () => clock.now())
    const keys = await live.current(token)
    assert.notEqual(keys.newest().kid, earlier.kid)
    assert.deepEqual(reads(keys, earlier.kid, token), { a: 1 })
    assert.deepEqual(await versionsOf(zone), [1, 2])
    clock.advance(25 * HOUR)
    assert.deepEqual(reads(await live.current(token), earlier.kid, token), { a: 1 })
    clock.advance(36 * HOUR)
    await live.current()
    assert.deepEqual(await versionsOf(zone), [2])
  },
)

keyTest('processes that make a key of tokens at once end with the same', async (zone, clock) => {
  const open = () => createTokenKeys(zone, () => clock.now())
  const processes = await Promise.all(Array.from({ length: 6 }, open))
  const kids = async () =>
    new Set(await Promise.all(processes.map(async (each) => (await each.current()).newest().kid)))
  const [first, ...others] = await kids()
  assert.deepEqual(others, [])
  clock.advance(30 * DAY)
  const later = await kids()
  assert.equal(later.size, 1)
  // Whoever comes while one reads waits for what it finds.
  clock.advance(30 * DAY)
  const [live] = processes
  const both = await Promise.all([live?.current(), live?.current()])
  assert.equal(both[0], both[1])
  assert.ok(!later.has(both[0]?.newest().kid ?? ''))
  assert.ok(!later.has(first ?? ''))
  assert.deepEqual(await versionsOf(zone), [2, 3])
})

keyTest(
  'a token of a key that another process made just now is known at once',
  async (zone, clock) => {
    let readings = 0
    const counting: Pick<AuthorityZone, 'db' | 'masterKey'> = {
      masterKey: zone.masterKey,
      db: {
        ...zone.db,
        query: (statement) => {
          if (statement.text.startsWith('select version')) readings++
          return zone.db.query(statement)
        },
      },
    }
    const late = await createTokenKeys(counting, () => clock.now())
    const before = await late.current()
    // The same moment to the process that is late; to the other one it is time for a new key.
    const other = await createTokenKeys(
      zone,
      () => new Date(clock.now().getTime() + 30 * DAY * 1000),
    )
    const { kid, sign } = (await other.current()).newest()
    const token = sign({ a: 1 })
    readings = 0
    assert.equal(await late.current(), before)
    assert.equal(readings, 0)
    const all = await Promise.all(Array.from({ length: 20 }, () => late.current(token)))
    for (const keys of all) assert.deepEqual(reads(keys, kid, token), { a: 1 })
    assert.equal(readings, 1)
    // Made-up ones don't make it read each time.
    await wait(200)
    readings = 0
    const signal = AbortSignal.timeout(500)
    const begun = performance.now()
    while (!signal.aborted) {
      const madeUp = tokenKeysOf([importKey(makePrivateKey())])
        .newest()
        .sign({})
      await Promise.all([late.current(madeUp), late.current(madeUp), wait(1)])
    }
    const most = (performance.now() - begun) / 100 + 2
    assert.ok(readings >= 1 && readings <= most, `${readings} readings`)
    for (const text of ['', '.', 'a.b.c', `${'a'.repeat(5000)}.b.c`, '{}', 'bnVsbA.b.c']) {
      readings = 0
      await late.current(text)
      assert.equal(readings, 0, text.slice(0, 10))
    }
  },
)

keyTest(
  'the keys of tokens are read once a second; without a database they stay',
  async (zone, clock) => {
    let readings = 0
    let away = false
    const failing: Pick<AuthorityZone, 'db' | 'masterKey'> = {
      masterKey: zone.masterKey,
      db: {
        ...zone.db,
        query: (statement) => {
          readings++
          return away ? Promise.reject(new TocsinError('unavailable')) : zone.db.query(statement)
        },
      },
    }
    const live = await createTokenKeys(failing, () => clock.now())
    const { kid } = (await live.current()).newest()
    readings = 0
    for (let step = 0; step < 50; step++) {
      clock.advance(0.1)
      await Promise.all([live.current(), live.current()])
    }
    assert.equal(readings, 5 / TOKEN_KEY_SCHEDULE.readEvery)
    const same = await live.current()
    clock.advance(1)
    assert.equal(await live.current(), same)
    away = true
    clock.advance(31 * DAY)
    assert.equal((await live.current()).newest().kid, kid)
    away = false
    clock.advance(1)
    assert.notEqual((await live.current()).newest().kid, kid)
  },
)
