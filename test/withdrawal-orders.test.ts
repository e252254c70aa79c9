// Test: orders to withdraw reports, as a key server receives them; promises real signatures, right and wrong, and a look at what became of the reports.

import assert from 'node:assert/strict'
import { createHmac, createPublicKey, randomBytes } from 'node:crypto'
import { receiveOrder } from '../src/correct/receive-order.ts'
import { sql } from '../src/db/sql.ts'
import { readHead } from '../src/log/read-events.ts'
import { addHealthAuthority, setHealthAuthorityDisabled } from '../src/submit/health-authorities.ts'
import { revokeAuthorityKey } from '../src/submit/health-authority-keys.ts'
import { base64url, SIGNER, signJws } from './certificate.ts'
import { databaseTestOnce } from './database.ts'
import { encodeBody, makeAuthority, makeKeys, makeRequest, type TestAuthority } from './key-zone.ts'
import { openSubmittingZone, type SubmittingZone } from './submitting-zone.ts'

const DAY = 86_400
const HEADER = { alg: 'ES256', typ: 'tocsin-withdrawal+jwt', kid: 'v1' }

const randomId = () => randomBytes(16).toString('base64url')
const secondsOf = ({ clock }: SubmittingZone) => Math.floor(clock.now().getTime() / 1000)
const dayOf = (seconds: number) => Math.floor(seconds / DAY) * DAY

/** An order of the zone's authority for the days up to today, unless told otherwise. */
function claimsOf(desk: SubmittingZone, given: Readonly<Record<string, unknown>> = {}) {
  const now = secondsOf(desk)
  return {
    iss: desk.authority.issuer,
    aud: desk.authority.audience,
    iat: now,
    jti: randomId(),
    handles: [randomId()],
    from: dayOf(now) - 7 * DAY,
    through: dayOf(now),
    ...given,
  }
}

const orderOf = (desk: SubmittingZone, given: Readonly<Record<string, unknown>> = {}) =>
  signJws(HEADER, claimsOf(desk, given), desk.authority.privateKey)

const receive = ({ zone, clock }: SubmittingZone, order: string) =>
  receiveOrder({ zone, clockLeewaySeconds: 5, now: clock.now }, order)

/** Uploads some keys under a handle. @returns the report's number */
async function report(
  { zone, clock, submit }: SubmittingZone,
  authority: TestAuthority,
  issuerHandle: string,
): Promise<number> {
  const request = await makeRequest(authority, makeKeys(clock.now(), 3), clock.now(), {
    claims: { issuerHandle },
  })
  const { status, body, trackingId } = await submit(encodeBody(request))
  assert.equal(status, 200, JSON.stringify(body))
  const { rows } = await zone.db.query<{ seq: number }>(
    sql`select seq from report where tracking_id = ${Buffer.from(trackingId, 'hex')}`,
  )
  return rows[0]?.seq ?? -1
}

/** The reports that are withdrawn. */
async function withdrawn({ zone }: SubmittingZone): Promise<number[]> {
  const { rows } = await zone.db.query<{ report: number }>(
    sql`select report from report_mark group by report having sum(change) > 0 order by report`,
  )
  return rows.map((row) => row.report)
}

async function register(desk: SubmittingZone, authority: TestAuthority): Promise<TestAuthority> {
  const { zone, clock } = desk
  await zone.db.transaction((tx) => addHealthAuthority(tx, zone.writer, authority, clock.now()))
  return authority
}

databaseTestOnce('an order withdraws what came under its handles on its days', async (db, t) => {
  await using desk = await openSubmittingZone(db, t)
  const { authority, clock } = desk
  const other = await register(desk, makeAuthority('org.example.other'))
  const [handle, second, kept] = [randomId(), randomId(), randomId()]
  const today = dayOf(secondsOf(desk))
  await report(desk, authority, handle)
  clock.set(new Date((today + DAY) * 1000))
  const wanted = [await report(desk, authority, handle)]
  await report(desk, authority, kept)
  // Whoever has seen a handle of somebody else's.
  await report(desk, other, handle)
  clock.set(new Date((today + 2 * DAY - 1) * 1000))
  wanted.push(await report(desk, authority, second))
  clock.set(new Date((today + 2 * DAY) * 1000))
  await report(desk, authority, handle)
  const days = { from: today + DAY, through: today + DAY }
  const claims = claimsOf(desk, { handles: [handle, second], ...days })
  const order = signJws(HEADER, claims, authority.privateKey)
  assert.deepEqual(await receive(desk, order), { jti: claims.jti, reports: null, keys: null })
  assert.deepEqual(await withdrawn(desk), wanted)
  // What it counts as an order for the days before and after is another question.
  await report(desk, authority, handle)
  assert.deepEqual(await withdrawn(desk), wanted)
  const [note] = (
    await desk.zone.db.query<Record<string, unknown>>(
      sql`select encode(id, 'hex') as id, made_by, scope, reports, keys from correction`,
    )
  ).rows
  assert.deepEqual(note, {
    id: Buffer.from(claims.jti, 'base64url').toString('hex'),
    made_by: `order of ${authority.issuer}`,
    scope: 'retroactive',
    reports: 2,
    keys: 6,
  })
  assert.deepEqual(await desk.problems(), [])
})

databaseTestOnce(
  'what is still on its way is withdrawn as it comes, to the last day',
  async (db, t) => {
    await using desk = await openSubmittingZone(db, t)
    const { authority, clock } = desk
    const handle = randomId()
    const wanted = [await report(desk, authority, handle)]
    const tomorrow = dayOf(secondsOf(desk)) + DAY
    await receive(desk, orderOf(desk, { handles: [handle], through: tomorrow }))
    wanted.push(await report(desk, authority, handle))
    await report(desk, authority, randomId())
    clock.set(new Date((tomorrow + DAY - 1) * 1000))
    wanted.push(await report(desk, authority, handle))
    clock.set(new Date((tomorrow + DAY) * 1000))
    await report(desk, authority, handle)
    assert.deepEqual(await withdrawn(desk), wanted)
    assert.deepEqual(await desk.problems(), [])
  },
)

databaseTestOnce(
  'an order reaches all apps of its issuer and audience, and no other',
  async (db, t) => {
    await using desk = await openSubmittingZone(db, t)
    const { authority } = desk
    const app = (name: string, given: Partial<TestAuthority> = {}) =>
      register(desk, { ...authority, app: name, ...given })
    const later = await app('org.example.second')
    const elsewhere = await app('org.example.third', { audience: 'another' })
    const handle = randomId()
    const wanted = [await report(desk, authority, handle), await report(desk, later, handle)]
    await report(desk, elsewhere, handle)
    const claims = { handles: [handle], aud: ['nobody', authority.audience] }
    await receive(desk, orderOf(desk, claims))
    wanted.push(await report(desk, later, handle))
    await report(desk, elsewhere, handle)
    assert.deepEqual(await withdrawn(desk), wanted)
    const { rows } = await desk.zone.db.query<{ n: number }>(
      sql`select count(*) as n from correction`,
    )
    assert.equal(rows[0]?.n, 1, 'it is one withdrawal')
    assert.deepEqual(await desk.problems(), [])
  },
)

databaseTestOnce('an order that comes twenty times at once is carried out once', async (db, t) => {
  await using desk = await openSubmittingZone(db, t)
  const { authority, clock, zone } = desk
  const handle = randomId()
  for (let count = 0; count < 10; count++) await report(desk, authority, handle)
  const claims = claimsOf(desk, { handles: [handle] })
  const order = signJws(HEADER, claims, authority.privateKey)
  const before = (await readHead(zone.db)).nextSeq
  const answers = await Promise.all(Array.from({ length: 20 }, () => receive(desk, order)))
  const answer = { jti: claims.jti, reports: 10, keys: 30 }
  for (const each of answers) assert.deepEqual(each, answer)
  assert.equal((await readHead(zone.db)).nextSeq, before + 1)
  // Weeks later, and after more has come, the answer is the same; after 30 days it is none.
  await report(desk, authority, handle)
  clock.advance(30 * DAY - 60)
  assert.deepEqual(await receive(desk, order), answer)
  assert.equal((await withdrawn(desk)).length, 11)
  clock.advance(60)
  await assert.rejects(receive(desk, order), { code: 'order_too_old' })
  assert.deepEqual(await desk.problems(), [])
})

databaseTestOnce("nobody is told of a correction that is somebody else's", async (db, t) => {
  await using desk = await openSubmittingZone(db, t)
  const other = await register(desk, makeAuthority('org.example.other'))
  const handle = randomId()
  for (let count = 0; count < 10; count++) await report(desk, desk.authority, handle)
  const claims = claimsOf(desk, { handles: [handle] })
  await receive(desk, signJws(HEADER, claims, desk.authority.privateKey))
  const theirs = { ...claims, iss: other.issuer }
  await assert.rejects(receive(desk, signJws(HEADER, theirs, other.privateKey)), {
    code: 'correction_id_taken',
  })
})

databaseTestOnce('a wrong order does nothing, whatever is wrong with it', async (db, t) => {
  await using desk = await openSubmittingZone(db, t)
  const { authority, zone, clock } = desk
  const other = await register(desk, makeAuthority('org.example.other'))
  const handle = randomId()
  await report(desk, authority, handle)
  const good = (given: Readonly<Record<string, unknown>> = {}) =>
    claimsOf(desk, { handles: [handle], ...given })
  const signed = (given: Readonly<Record<string, unknown>>, header: object = {}) =>
    signJws({ ...HEADER, ...header }, good(given), authority.privateKey)
  const now = secondsOf(desk)
  const today = dayOf(now)
  const hs256 = (key: string | Buffer) => {
    const text = `${base64url({ ...HEADER, alg: 'HS256' })}.${base64url(good())}`
    return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`
  }
  const pem = authority.keys[0]?.publicKey ?? ''
  const der = createPublicKey(pem).export({ type: 'spki', format: 'der' })
  const [head = '', payload = '', signature = ''] = signed({}).split('.')
  const certificate = await makeRequest(authority, makeKeys(clock.now(), 1), clock.now(), {
    claims: { issuerHandle: handle },
  })
  const wrong: [what: string, code: string, order: string][] = [
    ['nothing', 'order_invalid', ''],
    ['no JWS', 'order_invalid', 'abc'],
    ['alg none', 'order_invalid', `${base64url({ ...HEADER, alg: 'none' })}.${payload}.`],
    ['HS256, PEM', 'order_invalid', hs256(pem)],
    ['HS256, DER', 'order_invalid', hs256(der)],
    ['crit', 'order_invalid', signed({}, { crit: ['exp'] })],
    ['a certificate', 'order_invalid', String(certificate['verificationPayload'])],
    ['no typ', 'order_invalid', signed({}, { typ: undefined })],
    ['typ JWT', 'order_invalid', signed({}, { typ: 'JWT' })],
    ['typ in capitals', 'order_invalid', signed({}, { typ: 'Tocsin-Withdrawal+JWT' })],
    ['no kid', 'order_invalid', signed({}, { kid: undefined })],
    ['an unknown kid', 'order_unauthorized', signed({}, { kid: 'v2' })],
    ['a wrong key', 'order_unauthorized', signJws(HEADER, good(), SIGNER.privateKey)],
    ["another's key", 'order_unauthorized', signJws(HEADER, good(), other.privateKey)],
    ['other claims', 'order_unauthorized', `${head}.${base64url(good())}.${signature}`],
    ['no signature', 'order_unauthorized', `${head}.${payload}.`],
    ["another's iss", 'order_unauthorized', signed({ iss: other.issuer })],
    ['an unknown iss', 'order_unauthorized', signed({ iss: 'https://nobody.example/' })],
    ['iss is none', 'order_invalid', signed({ iss: [authority.issuer] })],
    ['an unknown aud', 'order_unauthorized', signed({ aud: 'nobody' })],
    ['no aud', 'order_unauthorized', signed({ aud: undefined })],
    ['no iat', 'order_invalid', signed({ iat: undefined })],
    ['iat is a text', 'order_invalid', signed({ iat: String(now) })],
    ['the future', 'order_not_yet_valid', signed({ iat: now + 6 })],
    ['nbf', 'order_not_yet_valid', signed({ nbf: now + 6 })],
    ['too old', 'order_too_old', signed({ iat: now - 30 * DAY })],
    ['expired', 'order_too_old', signed({ exp: now - 5 })],
    ['no jti', 'order_invalid', signed({ jti: undefined })],
    ['a short jti', 'order_invalid', signed({ jti: randomId().slice(1) })],
    ['a loose jti', 'order_invalid', signed({ jti: `${'A'.repeat(21)}B` })],
    ['no handles', 'order_invalid', signed({ handles: undefined })],
    ['empty handles', 'order_invalid', signed({ handles: [] })],
    ['one handle', 'order_invalid', signed({ handles: handle })],
    ['a wrong handle', 'order_invalid', signed({ handles: [handle, 'x'] })],
    ['a number', 'order_invalid', signed({ handles: [5] })],
    ['twice', 'order_invalid', signed({ handles: [handle, handle] })],
    ['no from', 'order_invalid', signed({ from: undefined })],
    ['a time of day', 'order_invalid', signed({ from: today - 3600 })],
    ['negative', 'order_invalid', signed({ from: -DAY })],
    ['backwards', 'order_invalid', signed({ from: today, through: today - DAY })],
    ['too far', 'order_invalid', signed({ through: today + 3 * DAY })],
  ]
  const before = await readHead(zone.db)
  for (const [what, code, order] of wrong)
    await assert.rejects(
      receive(desk, order),
      (error: Error & { code: string }) => {
        assert.equal(error.code, code, what)
        assert.ok(!error.message.includes(handle), what)
        return true
      },
      what,
    )
  assert.deepEqual(await readHead(zone.db), before)
  assert.deepEqual(await withdrawn(desk), [])
  // The borders of what is accepted.
  const borders = [
    { iat: now + 5 },
    { iat: now - 30 * DAY + 1, through: today - 28 * DAY, from: 0 },
    { exp: now - 4 },
    { from: today, through: today + 2 * DAY },
  ]
  for (const given of borders) await receive(desk, signed(given))
  assert.equal((await withdrawn(desk)).length, 1)
})

databaseTestOnce('no key orders anything that counts no longer', async (db, t) => {
  await using desk = await openSubmittingZone(db, t)
  const { zone, clock } = desk
  const now = secondsOf(desk)
  const refused = (authority: TestAuthority, kid = 'v1') => {
    const claims = claimsOf(desk, { iss: authority.issuer })
    const order = signJws({ ...HEADER, kid }, claims, authority.privateKey)
    return assert.rejects(receive(desk, order), { code: 'order_unauthorized' })
  }
  const withKey = async (app: string, given: object) => {
    const made = makeAuthority(app)
    const keys = made.keys.map((key) => ({ ...key, ...given }))
    return register(desk, { ...made, keys })
  }
  await refused(await withKey('org.example.ended', { validThrough: now }))
  await refused(await withKey('org.example.early', { validFrom: now + 1 }))
  const revoked = await withKey('org.example.revoked', {})
  await zone.db.transaction((tx) =>
    revokeAuthorityKey(tx, zone.writer, revoked.app, 'v1', clock.now()),
  )
  await refused(revoked)
  const disabled = await withKey('org.example.disabled', {})
  await zone.db.transaction((tx) =>
    setHealthAuthorityDisabled(tx, zone.writer, disabled.app, true, clock.now()),
  )
  await refused(disabled)
})

databaseTestOnce('an order is no certificate', async (db, t) => {
  await using desk = await openSubmittingZone(db, t)
  const body = await makeRequest(desk.authority, makeKeys(desk.clock.now(), 1), desk.clock.now())
  const { status } = await desk.submit(encodeBody({ ...body, verificationPayload: orderOf(desk) }))
  assert.equal(status, 401)
  assert.equal((await desk.counts()).reports, 0)
})
