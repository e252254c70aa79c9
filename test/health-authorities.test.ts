// Test: the health authorities; promises that a change reaches every process within a second, and that bad input changes nothing.

import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { readHead } from '../src/log/read-events.ts'
import {
  addHealthAuthority,
  listHealthAuthorities,
  setHealthAuthorityDisabled,
  setJwksUrl,
  type HealthAuthority,
} from '../src/submit/health-authorities.ts'
import { databaseTestOnce } from './database.ts'
import { makeAuthority, makeKeys, makeRequest, encodeBody } from './key-zone.ts'
import { startSubmitting } from './submitting-process.ts'
import { openSubmittingZone, type SubmittingZone } from './submitting-zone.ts'

type NewAuthority = Omit<HealthAuthority, 'disabled'>

/** Addresses from which no public keys are fetched. */
const BAD_ADDRESSES = [
  '',
  'example.org/jwks',
  'http://example.org/jwks',
  'http://127.0.0.2/jwks',
  'http://localhost.example.org/jwks',
  'ftp://localhost/jwks',
  'file:///etc/passwd',
  'https://user:secret@example.org/jwks',
  'https://example.org/jwks#part',
  'https://example.org/a b',
  `https://example.org/${'x'.repeat(2000)}`,
]

/** An authority without its private key, as it is registered. */
function makePublic(app: string, given: Partial<NewAuthority> = {}): NewAuthority {
  const { privateKey: _, ...authority } = makeAuthority(app)
  return { ...authority, ...given }
}

const add = ({ zone, clock }: SubmittingZone, authority: NewAuthority) =>
  zone.db.transaction((tx) => addHealthAuthority(tx, zone.writer, authority, clock.now()))
const disable = (town: SubmittingZone, app: string, disabled = true) =>
  town.zone.db.transaction((tx) =>
    setHealthAuthorityDisabled(tx, town.zone.writer, app, disabled, town.clock.now()),
  )
const setUrl = ({ zone, clock }: SubmittingZone, app: string, url: string | undefined) =>
  zone.db.transaction((tx) => setJwksUrl(tx, zone.writer, app, url, clock.now()))

databaseTestOnce(
  'what is registered is listed as it was given, app and regions in one letter case',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    const given = makePublic('Org.Example.Other', { regions: ['us', 'Ca', 'US'] })
    const [key] = given.keys
    assert.ok(key)
    const keys = [
      { ...key, validFrom: 10, validThrough: 20 },
      { ...key, kid: 'v2' },
    ]
    await add(town, { ...given, keys })
    const [, listed] = await listHealthAuthorities(town.zone.db)
    assert.deepEqual(listed, {
      app: 'org.example.other',
      issuer: given.issuer,
      audience: given.audience,
      regions: ['US', 'CA'],
      disabled: false,
      keys,
    })
    await disable(town, 'ORG.example.other')
    assert.equal((await listHealthAuthorities(town.zone.db))[1]?.disabled, true)
    await disable(town, 'org.example.other', false)
    assert.equal((await listHealthAuthorities(town.zone.db))[1]?.disabled, false)
    assert.deepEqual(await town.problems(), [])
  },
)

databaseTestOnce('a change reaches every other process within a second', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  await using other = await startSubmitting(db.url, town.folder)
  const late = makeAuthority('org.example.late')
  const submit = async () => {
    const keys = makeKeys(town.clock.now(), 1)
    return other.submit(encodeBody(await makeRequest(late, keys, town.clock.now())))
  }
  assert.equal((await submit())?.code, 'unknown_health_authority_id')
  await add(town, late)
  await setTimeout(1000)
  assert.equal((await submit())?.status, 200)
  await disable(town, late.app)
  await setTimeout(1000)
  assert.equal((await submit())?.code, 'unknown_health_authority_id')
})

databaseTestOnce(
  'what can not be registered is refused with a sentence, and nothing changes',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    const good = makePublic('org.example.new')
    const [key] = good.keys
    assert.ok(key)
    const { publicKey: p384 } = generateKeyPairSync('ec', { namedCurve: 'secp384r1' })
    const { publicKey: rsa } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const { privateKey } = makeAuthority()
    const pem = (each: typeof rsa) => each.export({ type: 'spki', format: 'pem' }).toString()
    const secret = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    const badKey = (fields: object) => ({ keys: [{ ...key, ...fields }] })
    const refused: [RegExp, Partial<NewAuthority>][] = [
      [/The app must be/, { app: '' }],
      [/The app must be/, { app: 'a b' }],
      [/The app must be/, { app: 'é' }],
      [/The app must be/, { app: 'x'.repeat(201) }],
      [/The issuer must be/, { issuer: '' }],
      [/The audience must be/, { audience: 'a\nb' }],
      [/At least one region/, { regions: [] }],
      [/"" is no region/, { regions: [''] }],
      [/"U,S" is no region/, { regions: ['US', 'U,S'] }],
      [/is no region/, { regions: ['ABCDEFGHIJK'] }],
      [/The kid must be/, badKey({ kid: '' })],
      [/a kid of its own/, { keys: [key, key] }],
      ...BAD_ADDRESSES.map(
        (jwksUrl) => [/must begin with https/, { jwksUrl }] as [RegExp, Partial<NewAuthority>],
      ),
      [/must be a P-256 key/, badKey({ publicKey: '' })],
      [/must be a P-256 key/, badKey({ publicKey: pem(p384) })],
      [/must be a P-256 key/, badKey({ publicKey: pem(rsa) })],
      [/must be a P-256 key/, badKey({ publicKey: secret })],
      [/must be a P-256 key/, badKey({ publicKey: `${key.publicKey}${secret}` })],
      [/whole seconds/, badKey({ validFrom: 1.5 })],
      [/whole seconds/, badKey({ validFrom: -1 })],
      [/whole seconds/, badKey({ validThrough: Number.NaN })],
      [/must end after it begins/, badKey({ validFrom: 10, validThrough: 10 })],
    ]
    const before = await readHead(town.zone.db)
    for (const [message, fields] of refused)
      await assert.rejects(add(town, { ...good, ...fields }), {
        code: 'authority_invalid',
        message,
      })
    await assert.rejects(add(town, makePublic('Org.Example.Health')), { code: 'authority_exists' })
    await assert.rejects(disable(town, 'org.example.unknown'), { code: 'authority_unknown' })
    assert.deepEqual(await readHead(town.zone.db), before)
    assert.equal((await listHealthAuthorities(town.zone.db)).length, 1)
    await add(town, good)
  },
)

databaseTestOnce(
  'an authority may have an address for its keys, and with a default region none of its own',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    const addresses = [
      'https://example.org:8443/jwks?realm=1',
      'http://127.0.0.1:80/a',
      'http://localhost/',
    ]
    for (const [index, jwksUrl] of addresses.entries()) {
      const given = makePublic(`org.example.x${index}`, { regions: [], keys: [], jwksUrl })
      await town.zone.db.transaction((tx) =>
        addHealthAuthority(tx, town.zone.writer, given, town.clock.now(), 'US'),
      )
      const listed = (await listHealthAuthorities(town.zone.db))[index + 1]
      assert.deepEqual(listed, { ...given, disabled: false })
    }
    assert.deepEqual(await town.problems(), [])
  },
)

databaseTestOnce(
  'the address of the keys is set, changed and removed; what is no change makes no event',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    const { app, keys } = town.authority
    const listed = async () => (await listHealthAuthorities(town.zone.db))[0]
    const before = await listed()
    const changes = ['https://example.org/a', 'http://localhost/b', undefined]
    for (const jwksUrl of changes) {
      await setUrl(town, app.toUpperCase(), jwksUrl)
      const expected = jwksUrl === undefined ? before : { ...before, jwksUrl }
      assert.deepEqual(await listed(), expected)
      const head = await readHead(town.zone.db)
      await setUrl(town, app, jwksUrl)
      assert.deepEqual(await readHead(town.zone.db), head, 'it is so already')
    }
    assert.deepEqual((await listed())?.keys, keys)
    const head = await readHead(town.zone.db)
    for (const url of BAD_ADDRESSES)
      await assert.rejects(setUrl(town, app, url), {
        code: 'authority_invalid',
        message: /must begin with https/,
      })
    for (const url of ['https://example.org/a', undefined])
      await assert.rejects(setUrl(town, 'org.example.unknown', url), { code: 'authority_unknown' })
    assert.deepEqual(await readHead(town.zone.db), head)
    assert.deepEqual(await town.problems(), [])
  },
)

databaseTestOnce(
  'what stands around a public key in its file does not come into the log',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    const plain = makePublic('org.example.commented')
    const keys = plain.keys.map((key) => ({
      ...key,
      publicKey: `made on Monday\n${key.publicKey}\n# x`,
    }))
    await add(town, { ...plain, keys })
    assert.deepEqual((await listHealthAuthorities(town.zone.db))[0]?.keys, plain.keys)
  },
)

databaseTestOnce(
  'of two that register the same app at once, one is told that it exists',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    for (let round = 0; round < 5; round++) {
      const twice = Array.from({ length: 2 }, () =>
        add(town, makePublic(`org.example.app${round}`)),
      )
      const results = await Promise.allSettled(twice)
      const reasons = results.flatMap((each) =>
        each.status === 'rejected' ? [each.reason as unknown] : [],
      )
      assert.deepEqual(
        reasons.map((each) => (each as { code: string }).code),
        ['authority_exists'],
      )
    }
    assert.deepEqual(await town.problems(), [])
  },
)
