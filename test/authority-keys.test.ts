// Test: the public keys of health authorities, by command; promises stable errors, one event a change, and that every process sees it within a second.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { ECDH } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { readHead } from '../src/log/read-events.ts'
import { stateOfKey } from '../src/submit/check-authority-key.ts'
import { setHealthAuthorityDisabled } from '../src/submit/health-authorities.ts'
import {
  addAuthorityKey,
  reinstateAuthorityKey,
  revokeAuthorityKey,
} from '../src/submit/health-authority-keys.ts'
import { databaseTestOnce } from './database.ts'
import { makeOfferedKey, startJwksServer } from './jwks-server.ts'
import { encodeBody, makeKeys, makeRequest } from './key-zone.ts'
import { startSubmitting } from './submitting-process.ts'
import { openSubmittingZone, type SubmittingZone } from './submitting-zone.ts'
import { temporaryFolder } from './temporary-folder.ts'
import { tocsin } from './run-command.ts'

const ROOT = join(import.meta.dirname, '..')
const APP = 'org.example.health'
const KEY = makeOfferedKey('v2')

const add = ({ zone, clock }: SubmittingZone, app: string, kid = 'v2', fields: object = {}) => {
  const key = { kid, publicKey: KEY.pem, validFrom: 0, ...fields }
  return zone.db.transaction((tx) => addAuthorityKey(tx, zone.writer, app, key, clock.now()))
}
const revoke = ({ zone, clock }: SubmittingZone, app: string, kid: string) =>
  zone.db.transaction((tx) => revokeAuthorityKey(tx, zone.writer, app, kid, clock.now()))
const reinstate = ({ zone, clock }: SubmittingZone, app: string, kid: string) =>
  zone.db.transaction((tx) => reinstateAuthorityKey(tx, zone.writer, app, kid, clock.now()))

databaseTestOnce(
  'what can not be done has a code of its own, and changes nothing',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    const before = await readHead(town.zone.db)
    const refused: [string, () => Promise<void>][] = [
      ['authority_unknown', () => add(town, 'org.example.unknown')],
      ['authority_unknown', () => revoke(town, 'org.example.unknown', 'v1')],
      ['authority_unknown', () => reinstate(town, 'org.example.unknown', 'v1')],
      ['authority_key_exists', () => add(town, APP, 'v1')],
      ['authority_key_unknown', () => revoke(town, APP, 'v2')],
      ['authority_key_unknown', () => reinstate(town, APP, 'v2')],
      ['authority_key_not_revoked', () => reinstate(town, APP, 'v1')],
      ['authority_invalid', () => add(town, APP, 'a b')],
      ['authority_invalid', () => add(town, APP, 'v2', { publicKey: 'no key' })],
      ['authority_invalid', () => add(town, APP, 'v2', { validFrom: 5, validThrough: 5 })],
    ]
    for (const [code, attempt] of refused) await assert.rejects(attempt(), { code })
    assert.deepEqual(await readHead(town.zone.db), before)
    await revoke(town, APP, 'v1')
    await assert.rejects(add(town, APP, 'v1'), { code: 'authority_key_exists' })
    const revoked = await readHead(town.zone.db)
    await revoke(town, APP, 'v1')
    assert.deepEqual(await readHead(town.zone.db), revoked, 'it is revoked already')
  },
)

/** The same public key with its point compressed: other bytes, accepted as well. */
function compress(pem: string): string {
  const der = Buffer.from(pem.replaceAll(/-----.*-----|\s/g, ''), 'base64')
  const point = ECDH.convertKey(der.subarray(-65), 'prime256v1', undefined, undefined, 'compressed')
  const short = Buffer.concat([der.subarray(0, -65), point as Buffer])
  // The lengths of the whole and of the bit string: 32 bytes less.
  for (const place of [1, short.length - 35]) short[place] = (short[place] ?? 0) - 32
  return `-----BEGIN PUBLIC KEY-----\n${short.toString('base64')}\n-----END PUBLIC KEY-----\n`
}

databaseTestOnce(
  'a public key has one kid: a revoked one does not come back under another',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    await add(town, APP)
    const refused = async () => {
      const before = await readHead(town.zone.db)
      for (const publicKey of [KEY.pem, `of north\n${KEY.pem}`, compress(KEY.pem)])
        await assert.rejects(add(town, APP, 'v3', { publicKey }), {
          code: 'authority_key_repeated',
          message: /"v2"/,
        })
      assert.deepEqual(await readHead(town.zone.db), before)
    }
    await refused()
    await revoke(town, APP, 'v2')
    await refused()
    await add(town, APP, 'v3', { publicKey: compress(makeOfferedKey('v3').pem) })
    assert.deepEqual(await town.problems(), [])
  },
)

databaseTestOnce('changes of one authority at once do not get into each other', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  const { zone, clock } = town
  const disable = (disabled: boolean) =>
    zone.db.transaction((tx) =>
      setHealthAuthorityDisabled(tx, zone.writer, APP, disabled, clock.now()),
    )
  const pems = Array.from({ length: 4 }, (_, index) => makeOfferedKey(`k${index}`).pem)
  const results = await Promise.allSettled(
    Array.from({ length: 8 }, (_, index) => [
      add(town, APP, `k${index >> 1}`, { publicKey: pems[index >> 1] }),
      disable(index % 2 === 0),
      revoke(town, APP, 'v1'),
    ]).flat(),
  )
  const codes = results.flatMap((each) =>
    each.status === 'rejected' ? [(each.reason as { code: string }).code] : [],
  )
  assert.deepEqual(
    codes,
    Array.from({ length: 4 }, () => 'authority_key_exists'),
  )
  assert.deepEqual(await town.problems(), [])
})

databaseTestOnce(
  'two processes see a new key, its revocation and its reinstatement within a second',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    const { clock, folder, authority } = town
    await using other = await startSubmitting(db.url, folder)
    const body = async () => {
      const options = { header: { kid: 'v2' }, privateKey: KEY.privateKey }
      return encodeBody(
        await makeRequest(authority, makeKeys(clock.now(), 1), clock.now(), options),
      )
    }
    /** What both say a second after the change. */
    const statuses = async (here: Uint8Array, there: Uint8Array) => {
      await setTimeout(1000)
      return [(await town.submit(here)).status, (await other.submit(there))?.status]
    }
    const first = await body()
    assert.deepEqual(await statuses(first, await body()), [401, 401])
    await add(town, APP)
    assert.deepEqual(await statuses(first, await body()), [200, 200])
    await revoke(town, APP, 'v2')
    assert.deepEqual(await statuses(await body(), await body()), [401, 401])
    assert.deepEqual(await statuses(first, first), [401, 401], 'a repeated request neither')
    await reinstate(town, APP, 'v2')
    assert.deepEqual(await statuses(first, await body()), [200, 200])
    assert.deepEqual(await town.problems(), [])
  },
)

databaseTestOnce('a key that has ended still answers a repeated request', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  const { clock, authority } = town
  const now = Math.floor(clock.now().getTime() / 1000)
  await add(town, APP, 'v2', { validFrom: now - 60, validThrough: now + 60 })
  const options = { header: { kid: 'v2' }, privateKey: KEY.privateKey }
  const make = async () =>
    encodeBody(await makeRequest(authority, makeKeys(clock.now(), 1), clock.now(), options))
  await setTimeout(1000)
  const [first, second] = [await make(), await make()]
  assert.equal((await town.submit(first)).status, 200)
  clock.advance(61)
  assert.equal((await town.submit(first)).status, 200)
  assert.equal((await town.submit(second)).status, 401)
})

test('the state of a key', () => {
  const key = { kid: 'a', publicKey: '', validFrom: 10, validThrough: 20 }
  assert.deepEqual(
    [9, 10, 19, 20].map((seconds) => stateOfKey(key, seconds)),
    ['not_yet_valid', 'valid', 'valid', 'expired'],
  )
  assert.equal(stateOfKey({ ...key, revokedBy: 'refresh' }, 15), 'revoked')
  assert.equal(stateOfKey({ kid: 'a', publicKey: '', validFrom: 0 }, 2 ** 40), 'valid')
})

/** Runs a command that must fail. */
async function fails(words: string, code: string, env: Record<string, string> = {}): Promise<void> {
  const { status, out, err } = await tocsin(words.split(' '), env)
  assert.equal(out, '', words)
  assert.match(err, new RegExp(`^tocsin: ${code}: [^\\n]+\\n$`), words)
  assert.equal(status, code === 'usage' ? 2 : 1, words)
}

test('wrong usage is told before anything is opened', async (t) => {
  const pem = join(await temporaryFolder(t), 'key.pem')
  await writeFile(pem, KEY.pem)
  const names = '--app Org.North --issuer north --audience keys --regions US'
  const key = '--app org.north --kid v2'
  await fails(`authority add ${names}`, 'usage')
  await fails(`authority add ${names} --kid v1 --jwks https://north.example/`, 'usage')
  await fails(`authority key add ${key}`, 'usage')
  await fails(`authority key add ${key} --public-key ${pem} --from tomorrow`, 'usage')
  await fails(`authority key add ${key} --public-key ${pem}.gone`, 'authority_invalid')
  await fails('authority key revoke --app org.north', 'usage')
  await fails(`authority key revoke ${key} --through 2500-01-01T00:00Z`, 'usage')
  await fails(`authority key replace ${key}`, 'usage')
  await fails(`authority key ${key}`, 'usage')
  await fails('authority jwks', 'usage')
  await fails('authority jwks org.north', 'usage')
  await fails('authority jwks --remove', 'usage')
  await fails('authority jwks org.north --url', 'usage')
  await fails('authority jwks org.north --url https://north.example/ --remove', 'usage')
})

databaseTestOnce('keys are managed by commands alone', async (db, t) => {
  const folder = await temporaryFolder(t)
  const env = { TOCSIN_DATABASE_URL: db.url, TOCSIN_DATA: join(folder, 'data') }
  const pem = join(folder, 'key.pem')
  await writeFile(pem, KEY.pem)
  const run = async (words: string, given: Record<string, string> = env) => {
    const { status, out, err } = await tocsin([...words.split(' '), '--json'], given)
    assert.deepEqual({ status, err }, { status: 0, err: '' }, words)
    return JSON.parse(out.trimEnd().split('\n').at(-1) ?? '') as unknown
  }
  const names = '--app Org.North --issuer north --audience keys --jwks https://north.example/jwks'
  await fails(`authority add ${names}`, 'authority_invalid', env)
  await run(`authority add ${names}`, { ...env, TOCSIN_DEFAULT_REGION: 'US' })
  const key = '--app org.north --kid v2'
  const add = `authority key add ${key} --public-key ${pem}`
  const validity = '--from 2026-01-01T00:00Z --through 2500-01-01T00:00Z'
  assert.deepEqual(await run(`${add} ${validity}`), { app: 'org.north', kid: 'v2', added: true })
  await fails(add, 'authority_key_exists', env)
  await fails(`authority key reinstate ${key}`, 'authority_key_not_revoked', env)
  const revoked = await run(`authority key revoke ${key}`)
  assert.deepEqual(revoked, { app: 'org.north', kid: 'v2', revoked: true })
  const authority = {
    app: 'org.north',
    issuer: 'north',
    audience: 'keys',
    regions: [],
    jwksUrl: 'https://north.example/jwks',
    disabled: false,
  }
  const stored = {
    kid: 'v2',
    publicKey: KEY.pem,
    validFrom: Date.UTC(2026, 0, 1) / 1000,
    validThrough: Date.UTC(2500, 0, 1) / 1000,
  }
  assert.deepEqual(await run('authority list'), [
    { ...authority, keys: [{ ...stored, revokedBy: 'command', state: 'revoked' }] },
  ])
  const { out } = await tocsin(['authority', 'list'], env)
  assert.match(
    out,
    /^org\.north {2}issuer north, audience keys, the default region, keys from https:\S+\n {2}key v2 {2}revoked\n$/,
  )
  const reinstated = await run(`authority key reinstate ${key}`)
  assert.deepEqual(reinstated, { app: 'org.north', kid: 'v2', reinstated: true })
  assert.deepEqual(await run('authority list'), [
    { ...authority, keys: [{ ...stored, state: 'valid' }] },
  ])
  const changed = await run('authority jwks Org.North --url https://new.example/jwks')
  assert.deepEqual(changed, { app: 'org.north', jwksUrl: 'https://new.example/jwks' })
  const { out: moved } = await tocsin(['authority', 'list'], env)
  assert.match(moved, /, keys from https:\/\/new\.example\/jwks\n {2}key v2 {2}valid\n$/)
  await fails('authority jwks org.north --url http://new.example/jwks', 'authority_invalid', env)
  await fails('authority jwks org.south --remove', 'authority_unknown', env)
  const removed = await run('authority jwks org.north --remove')
  assert.deepEqual(removed, { app: 'org.north', jwksUrl: null })
  const { jwksUrl: _, ...withoutAddress } = authority
  assert.deepEqual(await run('authority list'), [
    { ...withoutAddress, keys: [{ ...stored, state: 'valid' }] },
  ])
  assert.equal(((await run('log verify')) as { valid: boolean }).valid, true)
})

databaseTestOnce(
  'a running server fetches the keys of an authority that a command adds',
  async (db, t) => {
    await using server = await startJwksServer()
    server.offer([KEY.jwk])
    const folder = await temporaryFolder(t)
    const env = { TOCSIN_DATABASE_URL: db.url, TOCSIN_DATA: join(folder, 'data'), TOCSIN_PORT: '0' }
    const { PATH = '', HOME = '' } = process.env
    const child = spawn(process.execPath, [join(ROOT, 'bin/tocsin'), 'start'], {
      cwd: folder,
      env: { PATH, HOME, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    t.after(() => child.kill('SIGKILL'))
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
    await new Promise((resolve) => child.stdout.once('data', resolve))
    const add = `authority add --app a --issuer i --audience k --regions US --jwks ${server.url}`
    assert.equal((await tocsin(add.split(' '), env)).status, 0)
    let keys: { kid: string; state: string; fromJwks: boolean }[] = []
    for (let round = 0; round < 20 && keys.length === 0; round++) {
      await setTimeout(500)
      const { out } = await tocsin(['authority', 'list', '--json'], env)
      keys = (JSON.parse(out) as { keys: typeof keys }[])[0]?.keys ?? []
    }
    assert.deepEqual(
      keys.map(({ kid, state, fromJwks }) => ({ kid, state, fromJwks })),
      [{ kid: 'v2', state: 'valid', fromJwks: true }],
    )
    assert.equal(server.asked.length, 1)
    child.kill('SIGTERM')
    assert.equal(await ended, 0)
  },
)
