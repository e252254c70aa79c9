// Test: signing keys of realms in the database: made, used, retired, destroyed, by several processes at once.

import assert from 'node:assert/strict'
import { jwksArray } from '../src/authorize/jwks-document.ts'
import { importKey, makePrivateKey, publicHalf } from '../src/authorize/key-pairs.ts'
import { destroyNow, rotateNow, runKeySchedule } from '../src/authorize/key-schedule.ts'
import { keyInUse } from '../src/authorize/plan-signing-keys.ts'
import { changeRealm } from '../src/authorize/realms.ts'
import {
  listSigningKeys,
  loadSigner,
  loadSigningKey,
  type KeyPurpose,
  type SigningKey,
} from '../src/authorize/signing-keys.ts'
import type { AuthorityZone } from '../src/authorize/zone.ts'
import { wrapSecret } from '../src/db/secrets.ts'
import { sql } from '../src/db/sql.ts'
import { zoneSecret } from '../src/db/zone-secrets.ts'
import { appendEvents } from '../src/log/append-event.ts'
import { keyTest, type TestClock } from './signing-keys-zone.ts'

const HOUR = 3600
const DAY = 24 * HOUR

const keysOf = ({ db }: AuthorityZone, purpose: KeyPurpose = 'certificate') =>
  listSigningKeys(db, 'r', purpose)

async function keyNamed(zone: AuthorityZone, kid: string): Promise<SigningKey> {
  const key = (await listSigningKeys(zone.db, 'r', null)).find((each) => each.kid === kid)
  assert.ok(key, kid)
  return key
}

const published = async (zone: AuthorityZone, clock: TestClock) =>
  jwksArray(await keysOf(zone), clock.now()).map(({ kid }) => kid)

const signing = async (
  zone: AuthorityZone,
  clock: TestClock,
  purpose: KeyPurpose = 'certificate',
) => keyInUse(await keysOf(zone, purpose), clock.now())?.kid

async function secretNames({ db }: AuthorityZone): Promise<string[]> {
  const { rows } = await db.query<{ name: string }>(
    sql`select name from secret where name like '%key%' order by name`,
  )
  return rows.map(({ name }) => name)
}

async function eventsOf({ db }: AuthorityZone): Promise<string[]> {
  const { rows } = await db.query<{ type: string }>(
    sql`select type from event where type like 'signing-key.%' order by seq`,
  )
  return rows.map(({ type }) => type.slice('signing-key.'.length))
}

keyTest('a key goes through its life: made, used, retired, destroyed', async (zone, clock) => {
  const first = await keyNamed(zone, 'r-v1')
  assert.equal(await runKeySchedule(zone, clock.now()), 0)
  assert.equal(await signing(zone, clock), 'r-v1')
  const signer = await loadSigner(zone, first)
  const jwt = signer.sign({ a: 1 })
  clock.advance(30 * DAY)
  assert.equal(await runKeySchedule(zone, clock.now()), 2)
  assert.deepEqual(await published(zone, clock), ['r-v1', 'r-v2'])
  assert.equal(await signing(zone, clock), 'r-v1')
  clock.advance(HOUR)
  assert.equal(await runKeySchedule(zone, clock.now()), 0)
  assert.equal(await signing(zone, clock), 'r-v2')
  const second = await loadSigner(zone, await keyNamed(zone, 'r-v2'))
  assert.equal(second.read(jwt), undefined)
  assert.deepEqual(second.read(second.sign({ b: 2 })), { b: 2 })
  assert.deepEqual((await loadSigner(zone, first)).read(jwt), { a: 1 })
  clock.advance(HOUR)
  assert.equal(await runKeySchedule(zone, clock.now()), 1)
  assert.deepEqual(await secretNames(zone), ['signing key r-v2'])
  const gone = await keyNamed(zone, 'r-v1')
  const seconds = clock.now().getTime() / 1000
  assert.deepEqual([gone.usedUntil, gone.destroyedAt], [seconds - HOUR, seconds])
  await assert.rejects(loadSigner(zone, first), { code: 'signing_key_invalid' })
  clock.advance(47 * HOUR - 1)
  assert.deepEqual(await published(zone, clock), ['r-v1', 'r-v2'])
  clock.advance(1)
  assert.deepEqual(await published(zone, clock), ['r-v2'])
  assert.deepEqual(await eventsOf(zone), ['made', 'made', 'retired', 'destroyed'])
})

keyTest(
  'several processes that run the schedule at once do each thing once',
  async (zone, clock) => {
    const all = async () => {
      const runs = Array.from({ length: 6 }, () => runKeySchedule(zone, clock.now()))
      return (await Promise.all(runs)).reduce((sum, done) => sum + done)
    }
    clock.advance(30 * DAY)
    assert.equal(await all(), 2)
    clock.advance(2 * HOUR)
    assert.equal(await all(), 1)
    const rotated = await Promise.all(
      Array.from({ length: 6 }, () => rotateNow(zone, 'r', 'certificate', 'staff:a', clock.now())),
    )
    assert.deepEqual(new Set(rotated.map(({ kid }) => kid)), new Set(['r-v3']))
    assert.equal((await keysOf(zone)).length, 3)
    await Promise.all([
      changeRealm(zone, 'r', { keyRotationDays: 1 }, 'command', clock.now()),
      ...Array.from({ length: 6 }, () => runKeySchedule(zone, clock.now())),
    ])
  },
)

keyTest('a realm that replaces no key keeps its own', async (zone, clock) => {
  await changeRealm(zone, 'r', { keyRotationDays: 0 }, 'command', clock.now())
  clock.advance(1000 * DAY)
  assert.equal(await runKeySchedule(zone, clock.now()), 0)
})

keyTest('a key that has leaked is replaced and destroyed at once', async (zone, clock) => {
  const now = () => clock.now()
  const second = await rotateNow(zone, 'r', 'certificate', 'command', now(), true)
  assert.equal(second.usedFrom, now().getTime() / 1000)
  assert.equal(await signing(zone, clock), 'r-v2')
  await destroyNow(zone, 'r', 'r-v1', 'command', now())
  assert.deepEqual(await published(zone, clock), ['r-v2'])
  assert.deepEqual(await secretNames(zone), ['signing key r-v2'])
})

keyTest('a key that has leaked is replaced and destroyed by hand', async (zone, clock) => {
  const now = () => clock.now()
  const second = await rotateNow(zone, 'r', 'certificate', 'command', now())
  assert.equal(second.usedFrom, now().getTime() / 1000 + HOUR)
  for (const kid of ['r-v1', 'r-v2'])
    await assert.rejects(destroyNow(zone, 'r', kid, 'command', now()), {
      code: 'signing_key_in_use',
    })
  clock.advance(HOUR)
  const leaked = await keyNamed(zone, 'r-v1')
  await destroyNow(zone, 'r', 'r-v1', 'staff:chief', now())
  await destroyNow(zone, 'r', 'r-v1', 'staff:chief', now())
  assert.deepEqual(await published(zone, clock), ['r-v2'])
  assert.deepEqual(await secretNames(zone), ['signing key r-v2'])
  await assert.rejects(loadSigningKey(zone, leaked), { code: 'signing_key_invalid' })
  assert.equal(await runKeySchedule(zone, now()), 0)
  assert.equal(await signing(zone, clock), 'r-v2')
  assert.deepEqual(await eventsOf(zone), ['made', 'made', 'retired', 'retired', 'destroyed'])
  // One that the schedule has destroyed is published no more either.
  await rotateNow(zone, 'r', 'certificate', 'command', now())
  clock.advance(2 * HOUR)
  await runKeySchedule(zone, now())
  assert.deepEqual(await published(zone, clock), ['r-v2', 'r-v3'])
  await destroyNow(zone, 'r', 'r-v2', 'command', now())
  assert.deepEqual(await published(zone, clock), ['r-v3'])
  await assert.rejects(destroyNow(zone, 'r', 'r-v9', 'command', now()), {
    code: 'signing_key_unknown',
  })
  const unknown = { code: 'realm_unknown' }
  await assert.rejects(destroyNow(zone, 's', 'r-v1', 'command', now()), unknown)
  await assert.rejects(rotateNow(zone, 's', 'certificate', 'command', now()), unknown)
})

keyTest('more than five keys are refused, and nothing is made', async (zone, clock) => {
  const rotate = () => rotateNow(zone, 'r', 'certificate', 'command', clock.now())
  for (let number = 2; number <= 5; number++) {
    assert.equal((await rotate()).kid, `r-v${number}`)
    clock.advance(HOUR)
  }
  const before = await secretNames(zone)
  await assert.rejects(rotate(), { code: 'signing_keys_too_many' })
  assert.deepEqual(await secretNames(zone), before)
  await destroyNow(zone, 'r', 'r-v1', 'command', clock.now())
  assert.equal((await rotate()).kid, 'r-v6')
})

keyTest('texts have a key once they are signed, and time replaces none', async (zone, clock) => {
  await changeRealm(zone, 'r', { signTexts: true }, 'command', clock.now())
  assert.equal(await runKeySchedule(zone, clock.now()), 0, 'it is there at once')
  assert.equal(await signing(zone, clock, 'text'), 'r-v1sms')
  assert.equal((await rotateNow(zone, 'r', 'text', 'command', clock.now())).kid, 'r-v2sms')
  clock.advance(HOUR)
  assert.equal(await signing(zone, clock, 'text'), 'r-v2sms')
  assert.deepEqual(await published(zone, clock), ['r-v1'])
  clock.advance(400 * DAY)
  await runKeySchedule(zone, clock.now())
  assert.deepEqual(await secretNames(zone), [
    'signing key r-v1',
    'signing key r-v2',
    'signing key r-v2sms',
  ])
})

keyTest('a key that is gone, or another than was announced, signs nothing', async (zone) => {
  const key = await keyNamed(zone, 'r-v1')
  const wrapped = wrapSecret(zone.masterKey, 'signing key r-v1', makePrivateKey())
  await zone.db.query(sql`update secret set wrapped = ${wrapped} where name = 'signing key r-v1'`)
  await assert.rejects(loadSigner(zone, key), { code: 'signing_key_invalid' })
  await zone.db.query(sql`delete from secret where name = 'signing key r-v1'`)
  await assert.rejects(loadSigner(zone, key), { code: 'signing_key_invalid' })
  assert.deepEqual(await secretNames(zone), [])
})

keyTest(
  'the key of a realm of an earlier version signs on until it is replaced',
  async (zone, clock) => {
    const secret = await zoneSecret(zone.db, zone.masterKey, 'certificate key old', makePrivateKey)
    const publicKey = publicHalf(importKey(secret))
    const content = { name: 'old', issuer: 'i', audience: 'a', kid: 'old-v1', publicKey }
    const parts = [{ retention: 'configuration' as const, content }]
    await zone.db.transaction((tx) =>
      appendEvents(tx, zone.writer, [{ type: 'realm.added', parts }], clock.now()),
    )
    const keys = () => listSigningKeys(zone.db, 'old', 'certificate')
    const [old] = await keys()
    assert.ok(old)
    assert.equal(keyInUse([old], clock.now())?.kid, 'old-v1')
    const { sign } = await loadSigner(zone, old)
    assert.equal((await loadSigner(zone, old)).read(sign({ a: 1 }))?.['a'], 1)
    await runKeySchedule(zone, clock.now())
    clock.advance(2 * HOUR)
    await runKeySchedule(zone, clock.now())
    assert.equal(keyInUse(await keys(), clock.now())?.kid, 'old-v2')
    assert.deepEqual(await secretNames(zone), ['signing key old-v2', 'signing key r-v1'])
  },
)

keyTest('no event and no row holds a private half', async (zone, clock) => {
  await rotateNow(zone, 'r', 'text', 'command', clock.now())
  const { rows } = await zone.db.query<{ record: Uint8Array; wrapped: Uint8Array | null }>(
    sql`select record, null as wrapped from event union all select wrapped, wrapped from secret`,
  )
  const stored = Buffer.concat(rows.map(({ record }) => record)).toString('latin1')
  assert.ok(stored.includes('BEGIN PUBLIC KEY'))
  for (const key of await listSigningKeys(zone.db, null, null)) {
    const privateKey = await loadSigningKey(zone, key)
    const d = Buffer.from(privateKey.export({ format: 'jwk' }).d ?? '', 'base64url')
    for (const encoding of ['latin1', 'hex', 'base64', 'base64url'] as const)
      assert.ok(!stored.includes(d.toString(encoding)))
  }
})
