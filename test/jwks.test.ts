// Test: public keys fetched from health authorities' addresses; promises that good answers are taken over, that bad ones change nothing, and that one process at a time asks.

import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { test } from 'node:test'
import { sql } from '../src/db/sql.ts'
import { decodeEvent } from '../src/log/record.ts'
import { readHead } from '../src/log/read-events.ts'
import {
  addAuthorityKey,
  reinstateAuthorityKey,
  revokeAuthorityKey,
  type HealthAuthorityKey,
} from '../src/submit/health-authority-keys.ts'
import {
  addHealthAuthority,
  listHealthAuthorities,
  setJwksUrl,
} from '../src/submit/health-authorities.ts'
import { parseKeySet, planKeySet } from '../src/submit/jwks.ts'
import {
  REFRESH_INTERVAL_MS,
  runKeyRefresh,
  type KeyRefreshContext,
  type RefreshAttempt,
} from '../src/submit/refresh-keys.ts'
import { databaseTestOnce } from './database.ts'
import { makeOfferedKey, startJwksServer, type JwksServer } from './jwks-server.ts'
import { encodeBody, makeKeys, makeRequest } from './key-zone.ts'
import { asOwner, openSubmittingZone, type SubmittingZone } from './submitting-zone.ts'

const [A, B, C] = ['a', 'b', 'c'].map(makeOfferedKey) as [Key, Key, Key]
type Key = ReturnType<typeof makeOfferedKey>
const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))
const keysOf = (...keys: Key[]) => new Map(keys.map(({ kid, pem }) => [kid, pem]))

test('both shapes are read; what is no P-256 key for signatures with a kid is passed over', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'secp384r1' })
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey
  const others = [
    null,
    'text',
    [],
    {},
    { ...publicKey.export({ format: 'jwk' }), kid: 'p384' },
    { ...rsa.export({ format: 'jwk' }), kid: 'rsa' },
    { ...privateKey.export({ format: 'jwk' }), kid: 'private384' },
    { ...B.privateKey.export({ format: 'jwk' }), kid: 'private' },
    { ...B.jwk, kid: undefined },
    { ...B.jwk, kid: 5 },
    { ...B.jwk, kid: 'with space' },
    { ...B.jwk, use: 'enc' },
    { ...B.jwk, alg: 'ECDH-ES' },
    { ...B.jwk, x: B.jwk['y'] },
    { ...B.jwk, y: 5 },
  ]
  const read = [A.jwk, ...others, { ...C.jwk, use: 'sig', alg: 'ES256' }, A.jwk]
  assert.deepEqual(parseKeySet(bytes(read)), keysOf(A, C))
  assert.deepEqual(parseKeySet(bytes({ keys: read, more: 1 })), keysOf(A, C))
})

test('an answer that can not be used says why', () => {
  const answers: [string, unknown][] = [
    ['not_a_key_set', {}],
    ['not_a_key_set', null],
    ['not_a_key_set', 5],
    ['not_a_key_set', { keys: { a: A.jwk } }],
    ['no_key', []],
    ['no_key', { keys: [{ kty: 'RSA' }] }],
    ['too_many_keys', Array.from({ length: 101 }, (_, n) => ({ ...A.jwk, kid: `k${n}` }))],
    ['kid_twice', [A.jwk, { ...B.jwk, kid: 'a' }]],
  ]
  for (const [reason, value] of answers) assert.equal(parseKeySet(bytes(value)), reason)
  for (const text of ['', '<html>', '[', '[]]'])
    assert.equal(parseKeySet(new TextEncoder().encode(text)), 'not_json')
  assert.equal(parseKeySet(Uint8Array.of(0x22, 0xff, 0x22)), 'not_json')
  const hundred = Array.from({ length: 100 }, (_, n) => ({ ...A.jwk, kid: `k${n}` }))
  assert.equal((parseKeySet(bytes(hundred)) as Map<string, string>).size, 100)
})

test('what a refresh changes: only fetched keys, and none that a command revoked', () => {
  const known = (key: Key, given: Partial<HealthAuthorityKey> = {}): HealthAuthorityKey => ({
    kid: key.kid,
    publicKey: key.pem,
    validFrom: 1,
    fromJwks: true,
    ...given,
  })
  const nothing = { added: [], replaced: [], revoked: [], reinstated: [] }
  const newKey = (key: Key, kid = key.kid) => ({ kid, publicKey: key.pem, validFrom: 9 })
  const plan = (before: HealthAuthorityKey[], ...offered: Key[]) =>
    planKeySet(before, keysOf(...offered), 9)
  assert.deepEqual(plan([known(A)], A), nothing)
  assert.deepEqual(plan([known(A)], A, B), { ...nothing, added: [newKey(B)] })
  assert.deepEqual(plan([known(A), known(B)], B), { ...nothing, revoked: ['a'] })
  assert.deepEqual(plan([known(A, { revokedBy: 'refresh' })], B), {
    ...nothing,
    added: [newKey(B)],
  })
  assert.deepEqual(plan([known(A, { revokedBy: 'refresh' })], A), { ...nothing, reinstated: ['a'] })
  const replaced = { ...nothing, replaced: [newKey(B, 'a')] }
  const other = { ...B, kid: 'a' }
  assert.deepEqual(plan([known(A)], other), replaced)
  assert.deepEqual(plan([known(A, { revokedBy: 'refresh' })], other), replaced)
  for (const given of [
    { fromJwks: false },
    { fromJwks: false, revokedBy: 'command' },
    { revokedBy: 'command' },
  ] as const)
    for (const offered of [A, other])
      assert.deepEqual(plan([known(A, given)], offered), nothing, JSON.stringify(given))
  assert.deepEqual(plan([known(B, { fromJwks: false }), known(A)], A), nothing)
})

test('a public key that a command revoked is not offered, under whatever kid', () => {
  const known = (key: Key, kid: string, given: Partial<HealthAuthorityKey> = {}) => ({
    kid,
    publicKey: key.pem,
    validFrom: 1,
    ...given,
  })
  const nothing = { added: [], replaced: [], revoked: [], reinstated: [] }
  const plan = (before: HealthAuthorityKey[], ...offered: [string, Key][]) =>
    planKeySet(before, new Map(offered.map(([kid, { pem }]) => [kid, pem])), 9)
  for (const fromJwks of [true, false]) {
    const leaked = known(A, 'a', { fromJwks, revokedBy: 'command' })
    const b = known(B, 'b', { fromJwks: true })
    assert.deepEqual(plan([leaked], ['new', A]), nothing)
    assert.deepEqual(plan([leaked, b], ['b', A]), { ...nothing, revoked: ['b'] })
    const gone = known(A, 'gone', { fromJwks: true, revokedBy: 'refresh' })
    assert.deepEqual(plan([leaked, gone], ['gone', A]), nothing)
    assert.deepEqual(plan([{ ...leaked, kid: 'z' }, b], ['a', A], ['b', B]), nothing)
  }
  // A kid that vanished may be followed by another of the same key: nobody said that it leaked.
  const vanished = known(A, 'a', { fromJwks: true, revokedBy: 'refresh' })
  const added = [{ kid: 'new', publicKey: A.pem, validFrom: 9 }]
  assert.deepEqual(plan([vanished], ['new', A]), { ...nothing, added })
})

const APP = 'org.example.fetched'

/** Refreshes by hand, with a clock that moves and what was logged and counted. */
async function openRefresh(town: SubmittingZone, server: JwksServer) {
  const { zone, clock } = town
  await zone.db.transaction((tx) =>
    addHealthAuthority(
      tx,
      zone.writer,
      {
        app: APP,
        issuer: 'fetched',
        audience: 'tocsin-test',
        regions: ['US'],
        jwksUrl: server.url,
        keys: [],
      },
      clock.now(),
    ),
  )
  let time = 0
  const logged: string[] = []
  const attempts: RefreshAttempt[] = []
  const context: KeyRefreshContext = {
    db: zone.db,
    writer: zone.writer,
    address: zone.address,
    now: clock.now,
    monotonicMs: () => time,
    logger: {
      info: (event) => logged.push(event),
      error: (event, error, counts) =>
        logged.push([event, counts?.['reason'], String(error)].join(' ')),
    },
    onRefresh: (attempt) => attempts.push(attempt),
    fetchTimeoutMs: 300,
  }
  const running = runKeyRefresh(context, 'manual')
  return {
    context,
    logged,
    attempts,
    running,
    advance: (ms: number) => (time += ms),
    /** Refreshes when the next time has come. */
    async next() {
      time += REFRESH_INTERVAL_MS
      await running.refreshDue()
      return attempts.at(-1)?.ok
    },
    async keys() {
      const all = await listHealthAuthorities(zone.db)
      return all.find(({ app }) => app === APP)?.keys ?? []
    },
    /** Each kid, with a minus when it is revoked. */
    async state() {
      return (await this.keys()).map(
        ({ kid, revokedBy }) => `${revokedBy === undefined ? '' : '-'}${kid}`,
      )
    },
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  }
}

databaseTestOnce(
  'new keys count from now on, one that vanished is revoked, one that returns is reinstated',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    await using server = await startJwksServer()
    await using refresh = await openRefresh(town, server)
    const eventsOf = async () => {
      const { rows } = await town.zone.db.query<{ record: Uint8Array }>(
        sql`select record from event where type = 'authority.keys' order by seq`,
      )
      return rows.map((row) => decodeEvent(row.record).parts[0]?.content)
    }
    server.offer([A.jwk, B.jwk])
    assert.equal(await refresh.next(), true)
    const validFrom = Date.parse('2026-03-20T10:00:00Z') / 1000
    const stored = (key: Key) => ({ kid: key.kid, publicKey: key.pem, validFrom })
    assert.deepEqual(await refresh.keys(), [
      { ...stored(A), fromJwks: true },
      { ...stored(B), fromJwks: true },
    ])
    server.offer({ keys: [B.jwk, A.jwk] })
    await refresh.next()
    assert.equal((await eventsOf()).length, 1, 'nothing changed: no event')
    server.offer({ keys: [B.jwk] })
    await refresh.next()
    assert.deepEqual(await refresh.state(), ['-a', 'b'])
    server.offer([B.jwk, A.jwk, C.jwk])
    await refresh.next()
    assert.deepEqual(await refresh.state(), ['a', 'b', 'c'])
    server.offer([A.jwk, { ...C.jwk, kid: 'b' }])
    await refresh.next()
    assert.deepEqual(await refresh.state(), ['a', 'b', '-c'])
    assert.equal((await refresh.keys())[1]?.publicKey, C.pem)
    const none = { app: APP, added: [], replaced: [], revoked: [], reinstated: [] }
    assert.deepEqual(await eventsOf(), [
      { ...none, added: [stored(A), stored(B)] },
      { ...none, revoked: ['a'] },
      { ...none, added: [stored(C)], reinstated: ['a'] },
      { ...none, replaced: [{ ...stored(C), kid: 'b' }], revoked: ['c'] },
    ])
    assert.deepEqual(await town.problems(), [])
  },
)

databaseTestOnce(
  'a certificate counts once its key was fetched, and no longer when it vanished',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    await using server = await startJwksServer()
    await using refresh = await openRefresh(town, server)
    const authority = { ...town.authority, app: APP, issuer: 'fetched', privateKey: A.privateKey }
    const body = async () => {
      const keys = makeKeys(town.clock.now(), 2)
      return encodeBody(
        await makeRequest(authority, keys, town.clock.now(), { header: { kid: 'a' } }),
      )
    }
    const submit = async (request: Uint8Array) => {
      // Longer than a process may go on with what it has read.
      await new Promise((resolve) => setTimeout(resolve, 1000))
      return (await town.submit(request)).status
    }
    const first = await body()
    assert.equal(await submit(first), 401)
    server.offer([A.jwk])
    await refresh.next()
    assert.equal(await submit(first), 200)
    server.offer([B.jwk])
    await refresh.next()
    assert.equal(await submit(await body()), 401)
    assert.equal(await submit(first), 401, 'a repeated request neither')
  },
)

databaseTestOnce(
  'keys that a command added or revoked are left alone, until a command says otherwise',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    await using server = await startJwksServer()
    await using refresh = await openRefresh(town, server)
    const { zone, clock } = town
    const change = (work: typeof revokeAuthorityKey, kid: string) =>
      zone.db.transaction((tx) => work(tx, zone.writer, APP, kid, clock.now()))
    const own = { kid: 'own', publicKey: C.pem, validFrom: 5 }
    await zone.db.transaction((tx) => addAuthorityKey(tx, zone.writer, APP, own, clock.now()))
    server.offer([A.jwk, B.jwk, { ...B.jwk, kid: 'own' }])
    await refresh.next()
    assert.deepEqual((await refresh.keys())[2], own)
    await change(revokeAuthorityKey, 'a')
    await refresh.next()
    assert.deepEqual(await refresh.state(), ['-a', 'b', 'own'], 'it leaked, and is still offered')
    server.offer([{ ...C.jwk, kid: 'a' }])
    await refresh.next()
    assert.deepEqual(await refresh.state(), ['-a', '-b', 'own'])
    await change(reinstateAuthorityKey, 'a')
    assert.equal((await refresh.keys())[0]?.publicKey, A.pem)
    await change(reinstateAuthorityKey, 'b')
    await refresh.next()
    assert.deepEqual(await refresh.state(), ['a', 'b', 'own'])
    const [a, b] = await refresh.keys()
    assert.equal(a?.publicKey, C.pem, 'followed again')
    assert.deepEqual([b?.publicKey, b?.fromJwks], [B.pem, undefined], "the operator's from now on")
    assert.deepEqual(await town.problems(), [])
  },
)

databaseTestOnce(
  'a public key that is offered under two kids is revoked under both, and stays so under a third',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    await using server = await startJwksServer()
    await using refresh = await openRefresh(town, server)
    const { zone, clock } = town
    server.offer([A.jwk, { ...A.jwk, kid: 'twin' }, B.jwk])
    await refresh.next()
    assert.deepEqual(await refresh.state(), ['a', 'b', 'twin'])
    const change = (work: typeof revokeAuthorityKey, kid: string) =>
      zone.db.transaction((tx) => work(tx, zone.writer, APP, kid, clock.now()))
    await change(revokeAuthorityKey, 'twin')
    assert.deepEqual(await refresh.state(), ['-a', 'b', '-twin'])
    server.offer([A.jwk, { ...A.jwk, kid: 'third' }, B.jwk])
    await refresh.next()
    assert.deepEqual(await refresh.state(), ['-a', 'b', '-twin'])
    await change(reinstateAuthorityKey, 'a')
    await refresh.next()
    assert.deepEqual(await refresh.state(), ['a', 'b', 'third', '-twin'], 'it is trusted again')
    assert.deepEqual(await town.problems(), [])
  },
)

databaseTestOnce(
  'a bad answer changes nothing, counts as a failure and is told once, without a word of it',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    await using server = await startJwksServer()
    await using elsewhere = await startJwksServer()
    elsewhere.offer([B.jwk])
    await using refresh = await openRefresh(town, server)
    server.offer([A.jwk])
    await refresh.next()
    const before = await readHead(town.zone.db)
    const good = JSON.stringify([B.jwk])
    const huge = `[${' '.repeat(1024 * 1024)}${good.slice(1)}`
    const answers: [string, Parameters<JwksServer['answer']>[0]][] = [
      ['status', (response) => response.writeHead(500).end(good)],
      ['status', (response) => response.writeHead(204).end()],
      ['status', (response) => response.writeHead(404).end('hunter2')],
      ['not_json', (response) => response.end('hunter2')],
      ['no_key', (response) => response.end('[]')],
      ['no_key', (response) => response.end('{"keys":[]}')],
      ['too_large', (response) => response.end(huge)],
      [
        'too_large',
        (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(huge)),
      ],
      ['timeout', () => undefined],
      ['timeout', (response) => void response.writeHead(200).write('[')],
      ['unreachable', (response) => response.destroy()],
      [
        'unreachable',
        (response) =>
          response.writeHead(200, { 'content-length': 500 }).write('[', () => response.destroy()),
      ],
      ['redirect', (response) => response.writeHead(302, { location: elsewhere.url }).end()],
      ['redirect', (response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end()],
      ['redirect', (response) => response.writeHead(302, { location: '/jwks' }).end()],
      ['redirect', (response) => response.writeHead(302).end()],
    ]
    refresh.logged.length = 0
    let last = ''
    const expected: string[] = []
    for (const [reason, how] of answers) {
      server.answer(how)
      assert.equal(await refresh.next(), false, reason)
      if (reason !== last) expected.push(reason)
      last = reason
    }
    assert.deepEqual(
      refresh.logged.map((line) => / fetched (\w+) TocsinError: /.exec(line)?.[1]),
      expected,
    )
    assert.doesNotMatch(refresh.logged.join('\n'), /hunter2/)
    assert.deepEqual(elsewhere.asked, [])
    assert.deepEqual(await readHead(town.zone.db), before)
    assert.deepEqual(await refresh.state(), ['a'])
    refresh.logged.length = 0
    server.answer((response, path) =>
      path === '/jwks'
        ? response.writeHead(301, { location: '/moved' }).end()
        : response.end(JSON.stringify([A.jwk])),
    )
    assert.equal(await refresh.next(), true, 'within the same host a redirect is followed')
    assert.deepEqual(refresh.logged, ['the keys of a health authority are fetched again'])
  },
)

databaseTestOnce('what is fetched while the database is away is no success', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  await using server = await startJwksServer()
  await using refresh = await openRefresh(town, server)
  server.offer([A.jwk])
  const [row] = await asOwner(db, [`alter table key_zone.event rename to away`, `select 1 as done`])
  assert.equal(row?.['done'], 1)
  assert.equal(await refresh.next(), false)
  assert.match(refresh.logged.join('\n'), /can not be fetched database /)
  await asOwner(db, [`alter table key_zone.away rename to event`])
  assert.equal(await refresh.next(), true)
  assert.deepEqual(await refresh.state(), ['a'])
})

databaseTestOnce(
  'an address is asked every two minutes, by one process at a time; another takes over',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    await using server = await startJwksServer()
    await using refresh = await openRefresh(town, server)
    server.offer([A.jwk])
    await refresh.running.refreshDue()
    refresh.advance(REFRESH_INTERVAL_MS - 1)
    await refresh.running.refreshDue()
    assert.equal(server.asked.length, 1)
    refresh.advance(1)
    await Promise.all([refresh.running.refreshDue(), refresh.running.refreshDue()])
    assert.equal(server.asked.length, 2)
    await using other = runKeyRefresh(refresh.context, 'manual')
    await other.refreshDue()
    assert.equal(server.asked.length, 2, 'the first has the lock')
    // The first one's session ends, as when its server restarts: it must notice, and whoever comes first has the lock.
    await asOwner(db, [
      `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'
         and database = (select oid from pg_database where datname = current_database())`,
    ])
    await other.refreshDue()
    assert.equal(server.asked.length, 3)
    refresh.advance(REFRESH_INTERVAL_MS)
    await refresh.running.refreshDue()
    assert.equal(server.asked.length, 3)
    await other[Symbol.asyncDispose]()
    await refresh.running.refreshDue()
    assert.equal(server.asked.length, 4)
  },
)

const setUrl = ({ zone, clock }: SubmittingZone, url: string | undefined) =>
  zone.db.transaction((tx) => setJwksUrl(tx, zone.writer, APP, url, clock.now()))

databaseTestOnce(
  'a new address is asked at the next look, the old one never again; without one the keys stay',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    await using server = await startJwksServer()
    await using elsewhere = await startJwksServer()
    await using refresh = await openRefresh(town, server)
    server.offer([A.jwk, B.jwk])
    elsewhere.answer((response) => response.writeHead(500).end())
    await refresh.next()
    await setUrl(town, elsewhere.url)
    await refresh.running.refreshDue()
    assert.deepEqual([server.asked.length, elsewhere.asked.length], [1, 1], 'it waits for nothing')
    assert.deepEqual(await refresh.state(), ['a', 'b'], 'until the new one answers, they stay')
    elsewhere.offer([B.jwk, C.jwk])
    await refresh.next()
    assert.deepEqual(await refresh.state(), ['-a', 'b', 'c'])
    const before = await refresh.keys()
    await setUrl(town, undefined)
    await refresh.next()
    assert.deepEqual(await refresh.keys(), before)
    assert.deepEqual([server.asked.length, elsewhere.asked.length], [1, 2])
    await setUrl(town, elsewhere.url)
    await refresh.running.refreshDue()
    assert.equal(elsewhere.asked.length, 3, 'as if it were new')
    assert.deepEqual(await town.problems(), [])
  },
)

databaseTestOnce(
  'what an address answers once it is changed or removed counts no longer',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    await using server = await startJwksServer()
    await using refresh = await openRefresh(town, server)
    server.offer([A.jwk])
    await refresh.next()
    for (const url of ['https://new.invalid/jwks', undefined]) {
      await setUrl(town, server.url)
      refresh.advance(REFRESH_INTERVAL_MS)
      const attempts = refresh.attempts.length
      // The answer is on its way when the address changes: it may be the reason for the change.
      server.answer(
        (response) => void setUrl(town, url).then(() => response.end(JSON.stringify([C.jwk]))),
      )
      await refresh.running.refreshDue()
      assert.deepEqual(await refresh.state(), ['a'])
      assert.equal(refresh.attempts.length, attempts, 'neither a success nor a failure')
    }
  },
)

databaseTestOnce(
  'the failure of a new address is told, also when the old one had failed alike',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    await using server = await startJwksServer()
    await using elsewhere = await startJwksServer()
    await using refresh = await openRefresh(town, server)
    for (const { answer } of [server, elsewhere])
      answer((response) => response.writeHead(500).end())
    await refresh.next()
    await refresh.next()
    assert.equal(refresh.logged.length, 1)
    await setUrl(town, elsewhere.url)
    await refresh.next()
    assert.equal(refresh.logged.length, 2)
    await setUrl(town, undefined)
    await refresh.next()
    elsewhere.offer([A.jwk])
    await setUrl(town, elsewhere.url)
    await refresh.next()
    assert.deepEqual(refresh.logged.slice(2), ['the keys of a health authority changed'])
  },
)

databaseTestOnce('a process that stops does not wait for a slow address', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  await using server = await startJwksServer()
  await using refresh = await openRefresh(town, server)
  let asked: () => void = () => undefined
  const isAsked = new Promise<void>((resolve) => (asked = resolve))
  server.answer(() => asked())
  const running = runKeyRefresh({ ...refresh.context, fetchTimeoutMs: 60_000 }, 'timer')
  await isAsked
  const startedAt = performance.now()
  await running[Symbol.asyncDispose]()
  assert.ok(performance.now() - startedAt < 5_000)
  assert.deepEqual(refresh.attempts, [], 'stopping is no failure')
})
