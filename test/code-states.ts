// Test helper: a code in each state that it can be in, and each request that concerns it; promises that nothing else happens to it.

import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { activateCode } from '../src/authorize/activate-code.ts'
import { addApiKey } from '../src/authorize/api-keys.ts'
import { batchCodes } from '../src/authorize/batch-events.ts'
import { makeBatch } from '../src/authorize/batches.ts'
import { checkCodeStatus, expireCode } from '../src/authorize/code-status.ts'
import { openAuthorize, type AuthorizeContext } from '../src/authorize/context.ts'
import { invalidateCodes } from '../src/authorize/invalidate-codes.ts'
import { issueOne } from '../src/authorize/issue-api.ts'
import { issueCertificate } from '../src/authorize/issue-certificate.ts'
import { drawBatchId, drawPaperCode } from '../src/authorize/paper-code.ts'
import { addProvider, changeProvider, type MemberState } from '../src/authorize/providers.ts'
import { changeRealm } from '../src/authorize/realms.ts'
import { addGatewaySecret } from './open-authority-data.ts'
import type { AuthorizeReply, AuthorizeRequest } from '../src/authorize/reply.ts'
import { countIssued } from '../src/authorize/stat-counts.ts'
import { reportYourself } from '../src/authorize/user-report.ts'
import { verifyCode } from '../src/authorize/verify-code.ts'
import { dayOf } from '../src/authorize/zone.ts'
import { sql } from '../src/db/sql.ts'
import { TocsinError } from '../src/errors.ts'
import { appendEvents } from '../src/log/append-event.ts'
import { randomPiece } from '../src/operate/random-piece.ts'
import {
  asRequest,
  authorizeOptions,
  claimsIn,
  codeRequest,
  someKeysHmac,
  type TestAuthorityZone,
} from './authority-zone.ts'
import type { movableClock } from './key-zone.ts'

/** A code, and what phones hold that have it. */
export interface KnownCode {
  readonly short: string
  readonly long: string
  readonly uuid: string
  /** Base64, of the phone that has the token. */
  readonly nonce: string
  readonly ekeyhmac: string
  /** The token that counts, and the one before it; one of ours that was never given out where there is none. */
  readonly token: string
  readonly ended: string
}

/** A place in which codes get into states. */
export interface CodeRoom extends AsyncDisposable {
  readonly zone: TestAuthorityZone
  readonly context: AuthorizeContext
  readonly clock: ReturnType<typeof movableClock>
  /** API keys of health systems: the realm's, and the provider's. */
  readonly realmKey: string
  readonly providerKey: string
  /** The newest code that was drawn. */
  newest(): Pick<KnownCode, 'short' | 'long'>
  /** Has what was changed in the configuration counted. */
  settle(): void
}

const PROVIDER = 'clinic'

/** Opens a room in which everything is allowed. */
export async function openRoom(
  zone: TestAuthorityZone,
  clock: CodeRoom['clock'],
): Promise<CodeRoom> {
  const { name: realm } = zone.realm
  const now = clock.now()
  const settings = {
    generateTexts: true,
    textSender: 'gateway',
    gatewayUrl: 'https://gateway.example/',
    testTypes: ['confirmed', 'likely', 'negative', 'user-report'],
  }
  await addGatewaySecret(zone.zone, realm, now)
  await changeRealm(zone.zone, realm, settings, 'command', now)
  await addProvider(zone.zone, { realm, name: PROVIDER, displayName: 'Clinic' }, 'command', now)
  const provider = { realm, type: 'admin', provider: PROVIDER } as const
  const providerKey = await addApiKey(zone.zone, provider, 'command', now)
  let monotonic = 0
  const options = { ...authorizeOptions(() => clock.now()), monotonicMs: () => monotonic }
  const context = await openAuthorize(zone.zone, options)
  let newest = { short: '', long: '' }
  const drawCode: AuthorizeContext['drawCode'] = (lengths) => (newest = context.drawCode(lengths))
  return {
    zone,
    clock,
    realmKey: zone.adminKey,
    providerKey,
    context: {
      ...context,
      drawCode,
    },
    newest: () => newest,
    settle: () => void (monotonic += 5e3),
    [Symbol.asyncDispose]: () => context[Symbol.asyncDispose](),
  }
}

type Handle = (context: AuthorizeContext, request: AuthorizeRequest) => Promise<AuthorizeReply>

let phones = 0

/** Sends a request from a network of its own: many wrong codes from one are slowed. */
async function send(
  context: AuthorizeContext,
  handle: Handle,
  apiKey: string,
  body: object,
): Promise<AuthorizeReply> {
  return handle(context, asRequest(apiKey, body, `network ${phones++}`))
}

const newNonce = () => randomBytes(256).toString('base64')

async function done(reply: Promise<AuthorizeReply>): Promise<Record<string, unknown>> {
  const { status, body } = await reply
  assert.equal(status, 200, String(body['error']))
  return body
}

async function neverGiven({ context, clock }: CodeRoom): Promise<string> {
  const tokens = await context.tokens()
  // Longer than any state takes to come about.
  const expiresAt = Math.floor(clock.now().getTime() / 1000) + 30 * 86_400
  const { symptomDate } = codeRequest(clock.now())
  return tokens.seal(
    { id: randomBytes(16), expiresAt },
    { testType: 'negative', symptomDate, testDate: null },
  )
}

async function withoutToken(
  room: CodeRoom,
  code: Pick<KnownCode, 'short' | 'long' | 'uuid'>,
  nonce = newNonce(),
): Promise<KnownCode> {
  const [token, ended] = [await neverGiven(room), await neverGiven(room)]
  return { ...code, nonce, ekeyhmac: someKeysHmac(), token, ended }
}

async function issued(room: CodeRoom, apiKey = room.realmKey): Promise<KnownCode> {
  const text = { phone: '+1 202 555 0123', onlyGenerateSMS: true }
  const asked = codeRequest(room.clock.now(), { testType: 'negative', ...text })
  const body = await done(send(withGateway(room, taken), issueOne, apiKey, asked))
  return withoutToken(room, { ...room.newest(), uuid: String(body['uuid']) })
}

/** Claims a code twice, so that one token has ended. */
async function claimed(room: CodeRoom, code: KnownCode, nonce: string): Promise<KnownCode> {
  const verify = async (by: string) => {
    const asked = { code: code.long, nonce: by }
    const body = await done(send(room.context, verifyCode, room.zone.deviceKey, asked))
    return String(body['token'])
  }
  const ended = await verify('')
  return { ...code, ended, token: await verify(nonce) }
}

const claimedBy = async (room: CodeRoom, code: KnownCode) => claimed(room, code, code.nonce)

async function certified(room: CodeRoom, code: KnownCode): Promise<KnownCode> {
  const { token, ekeyhmac } = code
  await done(send(room.context, issueCertificate, room.zone.deviceKey, { token, ekeyhmac }))
  return code
}

const taken = () => Promise.resolve()

/** The room's context with a gateway of the test's own. */
function withGateway({ context }: CodeRoom, send: () => Promise<void>): AuthorizeContext {
  const sender = { send }
  return {
    ...context,
    senderOf: () => ({ sender: async () => sender, sign: async (text) => text }),
  }
}

let subscribers = 0

async function selfReported(room: CodeRoom): Promise<KnownCode> {
  const context = withGateway(room, taken)
  const phone = `+1 202 555 ${1000 + subscribers++}`
  const nonce = newNonce()
  const { symptomDate } = codeRequest(room.clock.now())
  const asked = { symptomDate, phone, nonce }
  await done(send(context, reportYourself, room.zone.deviceKey, asked))
  const { rows } = await room.zone.zone.db.query<{ uuid: string }>(
    sql`select uuid from verification_code order by seq desc limit 1`,
  )
  return withoutToken(room, { ...room.newest(), uuid: rows[0]?.uuid ?? '' }, nonce)
}

async function selfClaimed(room: CodeRoom): Promise<KnownCode> {
  const code = await selfReported(room)
  const asked = { code: code.short, nonce: code.nonce }
  const body = await done(send(room.context, verifyCode, room.zone.deviceKey, asked))
  return { ...code, token: String(body['token']) }
}

async function failed(room: CodeRoom): Promise<KnownCode> {
  const context = withGateway(room, () => Promise.reject(new TocsinError('sms_failure')))
  const uuid = randomUUID()
  const asked = codeRequest(room.clock.now(), { phone: '+1 202 555 0123', uuid })
  const { status } = await send(context, issueOne, room.realmKey, asked)
  assert.equal(status, 400)
  return withoutToken(room, { ...room.newest(), uuid })
}

/** As somebody tired types it. */
const asTyped = (code: string) => (code.match(/..../g) ?? []).join(' - ').toLowerCase()

async function paper(room: CodeRoom, needsActivation: boolean): Promise<KnownCode> {
  const { zone, clock } = room
  const { codes } = await makeBatch(
    zone.zone,
    {
      realm: zone.realm.name,
      provider: PROVIDER,
      label: 'cards',
      language: 'en',
      size: 1,
      needsActivation,
      testType: 'negative',
      life: 7 * 86400,
    },
    'command',
    clock.now(),
  )
  const [short = ''] = codes
  return withoutToken(room, { short, long: asTyped(short), uuid: randomUUID() })
}

async function activated(room: CodeRoom): Promise<KnownCode> {
  const code = await paper(room, true)
  const { zone, context, clock } = room
  const dates = { testDate: codeRequest(clock.now()).symptomDate, symptomDate: '', tzOffset: 0 }
  await activateCode(context, zone.realm.name, code.short, dates, 'command', clock.now())
  return code
}

/** One of a batch that was never completed. */
async function leftBehind(room: CodeRoom): Promise<KnownCode> {
  const { zone, context, clock } = room
  const id = drawBatchId(randomPiece)
  const short = drawPaperCode(id, randomPiece)
  const peppers = await context.peppers()
  const mac = peppers.under(peppers.version, 'code', zone.realm.name, short)
  const batch = {
    id,
    realm: zone.realm.name,
    provider: PROVIDER,
    label: 'cards',
    language: 'en',
    size: 1,
    ...({
      needsActivation: false,
      testType: 'negative',
      handle: null,
    } as const),
    expiresAt: Math.floor(clock.now().getTime() / 1e3) + 86400,
  }
  const place = { realm: zone.realm.name, day: dayOf(clock.now()) }
  const counts = countIssued(place, null, '', false, 1)
  const event = batchCodes(batch, peppers.version, [mac], counts)
  await zone.zone.db.transaction((tx) => appendEvents(tx, zone.zone.writer, [event], clock.now()))
  return withoutToken(room, { short, long: asTyped(short), uuid: randomUUID() })
}

async function invalidated(
  { zone, clock }: CodeRoom,
  code: KnownCode,
  scope: 'code' | 'batch',
): Promise<KnownCode> {
  const { name: realm } = zone.realm
  const asked =
    scope === 'code'
      ? ({ realm, scope, uuid: code.uuid } as const)
      : ({ realm, scope, batch: code.short.slice(0, 4) } as const)
  const options = { retroactive: false }
  await invalidateCodes(zone.zone, asked, options, 'command', clock.now())
  return code
}

async function ended(room: CodeRoom, code: KnownCode, expected: number): Promise<KnownCode> {
  const { status } = await send(room.context, expireCode, room.realmKey, { uuid: code.uuid })
  assert.equal(status, expected)
  return code
}

/** A state: how a code gets there, and what happens once all codes that are needed are there. */
export interface CodeState {
  readonly make: (room: CodeRoom) => Promise<KnownCode>
  readonly afterwards?: (room: CodeRoom) => void | Promise<void>
}

const HOUR = 3600
const later = (seconds: number) => (room: CodeRoom) => room.clock.advance(seconds)
const provider =
  (state: MemberState) =>
  async ({ zone, clock }: CodeRoom) => {
    await changeProvider(zone.zone, zone.realm.name, PROVIDER, { state }, 'command', clock.now())
  }
const maintenance = async ({ zone, clock }: CodeRoom) => {
  const settings = { maintenance: true }
  await changeRealm(zone.zone, zone.realm.name, settings, 'command', clock.now())
}
const anonymous = async (room: CodeRoom) => claimed(room, await issued(room), '')
const named = async (room: CodeRoom) => claimedBy(room, await issued(room))
const certifiedOne = async (room: CodeRoom) => certified(room, await named(room))
const ofProvider = (room: CodeRoom) => issued(room, room.providerKey)

/** Every state. */
export const STATES = {
  unknown: {
    make: (room) =>
      withoutToken(room, { short: '00000000', long: 'a'.repeat(16), uuid: randomUUID() }),
  },
  issued: { make: (room) => issued(room) },
  'claimed without nonce': { make: anonymous },
  'claimed with nonce': { make: named },
  certified: { make: certifiedOne },
  'short form expired': { make: (room) => issued(room), afterwards: later(HOUR) },
  'short form expired, claimed': { make: named, afterwards: later(HOUR) },
  'short form expired, certified': { make: certifiedOne, afterwards: later(HOUR) },
  'both forms expired': { make: (room) => issued(room), afterwards: later(24 * HOUR) },
  'both forms expired, token alive': {
    make: async (room) => {
      const code = await issued(room)
      room.clock.advance(HOUR)
      const late = await claimedBy(room, code)
      room.clock.advance(-HOUR)
      return late
    },
    afterwards: later(24 * HOUR),
  },
  'ended, then unclaimed': { make: async (room) => ended(room, await issued(room), 200) },
  'claimed, then not ended': { make: async (room) => ended(room, await named(room), 400) },
  'invalidated unclaimed': { make: async (room) => invalidated(room, await issued(room), 'code') },
  'invalidated claimed': { make: async (room) => invalidated(room, await named(room), 'code') },
  'invalidated certified': {
    make: async (room) => invalidated(room, await certifiedOne(room), 'code'),
  },
  'failed: its text was not sent': { make: failed },
  'self-report unclaimed': { make: selfReported },
  'self-report claimed': { make: selfClaimed },
  'self-report certified': { make: async (room) => certified(room, await selfClaimed(room)) },
  'paper inactive': { make: (room) => paper(room, true) },
  'paper activated': { make: activated },
  'paper without activation': { make: (room) => paper(room, false) },
  'paper claimed': { make: async (room) => claimedBy(room, await paper(room, false)) },
  'paper certified': {
    make: async (room) => certified(room, await claimedBy(room, await paper(room, false))),
  },
  'paper expired': { make: (room) => paper(room, false), afterwards: later(7 * 24 * HOUR) },
  'paper of an invalidated batch': {
    make: async (room) => invalidated(room, await paper(room, false), 'batch'),
  },
  'paper of an invalidated batch, claimed': {
    make: async (room) =>
      invalidated(room, await claimedBy(room, await paper(room, false)), 'batch'),
  },
  'paper of an incomplete batch': { make: leftBehind },
  'provider suspended': { make: ofProvider, afterwards: provider('suspended') },
  'provider suspended, claimed': {
    make: async (room) => claimedBy(room, await ofProvider(room)),
    afterwards: provider('suspended'),
  },
  'provider closed': { make: ofProvider, afterwards: provider('closed') },
  'provider closed, certified': {
    make: async (room) => certified(room, await claimedBy(room, await ofProvider(room))),
    afterwards: provider('closed'),
  },
  'realm in maintenance': { make: (room) => issued(room), afterwards: maintenance },
  'realm in maintenance, claimed': { make: named, afterwards: maintenance },
} as const satisfies Readonly<Record<string, CodeState>>

type Ask = (room: CodeRoom, code: KnownCode) => Promise<AuthorizeReply>

const verify =
  (form: 'short' | 'long', fields: (code: KnownCode) => object): Ask =>
  ({ context, zone }, code) =>
    send(context, verifyCode, zone.deviceKey, { code: code[form], ...fields(code) })
const certify =
  (fields: (code: KnownCode) => object): Ask =>
  ({ context, zone }, code) =>
    send(context, issueCertificate, zone.deviceKey, fields(code))
const admin =
  (handle: Handle, fields: (code: KnownCode, room: CodeRoom) => object): Ask =>
  (room, code) =>
    send(room.context, handle, room.realmKey, fields(code, room))

// Codes here are negative or self-reports.
const accept = ['negative', 'user-report']
const noNonce = () => ({ accept })
const sameNonce = ({ nonce }: KnownCode) => ({ nonce, accept })
const otherNonce = () => ({ nonce: newNonce(), accept })
const wrongAccept = ({ nonce }: KnownCode) => ({ nonce, accept: ['confirmed', 'likely'] })

/** Every request. */
export const REQUESTS = {
  'short, no nonce': verify('short', noNonce),
  'short, same nonce': verify('short', sameNonce),
  'short, other nonce': verify('short', otherNonce),
  'short, wrong accept': verify('short', wrongAccept),
  'long, no nonce': verify('long', noNonce),
  'long, same nonce': verify('long', sameNonce),
  'long, other nonce': verify('long', otherNonce),
  'long, wrong accept': verify('long', wrongAccept),
  'token, same keys': certify(({ token, ekeyhmac }) => ({ token, ekeyhmac })),
  'token, other keys': certify(({ token }) => ({ token, ekeyhmac: someKeysHmac() })),
  'ended token': certify(({ ended: token, ekeyhmac }) => ({ token, ekeyhmac })),
  checkcodestatus: admin(checkCodeStatus, ({ uuid }) => ({ uuid })),
  expirecode: admin(expireCode, ({ uuid }) => ({ uuid })),
  'issue, same uuid': admin(issueOne, ({ uuid }, { clock }) => codeRequest(clock.now(), { uuid })),
} as const satisfies Readonly<Record<string, Ask>>

/** The `jti` of a token. */
export function idOf(token: unknown): string {
  return String(claimsIn(token)['jti'])
}
