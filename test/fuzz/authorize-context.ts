// Fuzzing: an authority zone with one realm, its API keys and a code; promises real handlers on a desk that keeps nothing.

import { createHash, createHmac } from 'node:crypto'
import type { ApiKeyType, StoredApiKey } from '../../src/authorize/api-keys.ts'
import { createFindCaller } from '../../src/authorize/callers.ts'
import type { CodeDesk } from '../../src/authorize/code-desk.ts'
import type { AuthorizeContext } from '../../src/authorize/context.ts'
import { createGuessLimits } from '../../src/authorize/guess-limits.ts'
import { createJwtSigner } from '../../src/authorize/jwt.ts'
import type { Known } from '../../src/authorize/known.ts'
import type { VerificationCode } from '../../src/authorize/lock-codes.ts'
import type { Peppers } from '../../src/authorize/peppers.ts'
import { REALM_DEFAULTS } from '../../src/authorize/realm-settings.ts'
import type { Realm } from '../../src/authorize/realms.ts'
import { tokenKeysOf } from '../../src/authorize/token-keys.ts'
import { createTokens } from '../../src/authorize/tokens.ts'
import { dayOf } from '../../src/authorize/zone.ts'
import { TocsinError } from '../../src/errors.ts'
import { keyPairOf, NOW } from './certified-request.ts'

const seconds = NOW.getTime() / 1000
const { privateKey } = keyPairOf(new Uint8Array(32).fill(0x33))

/** An API key of each type, all with one secret. */
export const API_KEYS: Readonly<Record<ApiKeyType, string>> = {
  admin: `${'a'.repeat(11)}.${'s'.repeat(43)}`,
  device: `${'d'.repeat(11)}.${'s'.repeat(43)}`,
  stats: `${'t'.repeat(11)}.${'s'.repeat(43)}`,
}

/** The code in its short form, and what the keys' HMAC is. */
export const CODE = '12345678'
export const KEYS_HMAC = new Uint8Array(32).fill(3)

const under: Peppers['under'] = (_, purpose, ...values) =>
  createHmac('sha256', purpose)
    .update(Buffer.concat(values.map((each) => createHash('sha256').update(each).digest())))
    .digest()
const PEPPERS: Peppers = {
  version: 1,
  under,
  every: (purpose, ...values) => [under(1, purpose, ...values)],
}

const REALM: Realm = {
  name: 'realm',
  number: 1,
  issuer: 'issuer',
  audience: 'audience',
  settings: {
    ...REALM_DEFAULTS,
    testTypes: ['confirmed', 'likely', 'negative', 'user-report'],
    bulk: true,
    generateTexts: true,
    country: 'US',
    adminUserReport: true,
    textSender: 'gateway',
    gatewayUrl: 'https://gateway.example/',
  },
}

const stored = (type: ApiKeyType): StoredApiKey => ({
  prefix: API_KEYS[type].slice(0, 11),
  realm: REALM.name,
  type,
  name: '',
  provider: null,
  dailyQuota: null,
  expiresAt: null,
  revoked: false,
  lastUsedDay: dayOf(NOW),
  mac: under(1, 'api key', API_KEYS[type]),
  pepper: 1,
})

const KNOWN: Known = {
  realms: new Map([[REALM.name, REALM]]),
  providers: new Map(),
  apiKeys: new Map(
    (['admin', 'device', 'stats'] as const).map((type) => [stored(type).prefix, stored(type)]),
  ),
  handles: new Map(),
  signingKeys: [],
}

const TOKEN_ID = new Uint8Array(16).fill(4)

const UNUSED: VerificationCode = {
  seq: 1,
  place: 0,
  realm: REALM.name,
  uuid: '01234567-89ab-cdef-0123-456789abcdef',
  testType: 'confirmed',
  symptomDate: '2026-03-17',
  testDate: null,
  expiresAt: seconds + 900,
  longExpiresAt: seconds + 900,
  shortLife: 900,
  provider: null,
  apiKey: null,
  staff: null,
  externalIssuer: null,
  needsNonce: false,
  pepper: 1,
  codeMac: under(1, 'code', REALM.name, CODE),
  longCodeMac: null,
  nonceMac: null,
  token: undefined,
  keysMac: undefined,
  isClaimed: false,
  handle: null,
  invalidated: false,
  isActivated: false,
  batch: undefined,
}

/** The same with a certificate over {@link KEYS_HMAC}, for {@link TOKEN}. */
const USED: VerificationCode = {
  ...UNUSED,
  token: { id: TOKEN_ID, expiresAt: seconds + 3600 },
  keysMac: under(1, 'keys', TOKEN_ID, KEYS_HMAC),
  handle: 'AAECAwQFBgcICQoLDA0ODw',
}

/** Makes and reads tokens; and one of them. */
export const TOKENS = createTokens(tokenKeysOf([privateKey]), 'tocsin')
export const TOKEN = TOKENS.seal({ id: TOKEN_ID, expiresAt: seconds + 3600 }, USED)

/** Whatever comes so far as to be kept is refused as by a database that is away. */
const away = () => Promise.reject(new TocsinError('unavailable'))

const desk: CodeDesk = async ({ macs, tokenId, decide }) => {
  const isCode = macs.some((mac) => Buffer.compare(mac, UNUSED.codeMac ?? mac) === 0)
  const isToken = tokenId !== undefined && Buffer.compare(tokenId, TOKEN_ID) === 0
  const found = isToken ? USED : isCode ? UNUSED : undefined
  return (await decide(found, { query: away } as never, NOW)).result
}

/** What handlers need; tries are never limited. */
export function openContext(): AuthorizeContext {
  const base = {
    db: { query: away, transaction: away },
    writer: { timeGrain: 900, projections: [] },
    known: async () => KNOWN,
    peppers: async () => PEPPERS,
    now: () => NOW,
  } as unknown as AuthorizeContext
  return {
    ...base,
    findCaller: createFindCaller(base),
    desk,
    tokens: async () => TOKENS,
    certificateSigner: async () => createJwtSigner(privateKey, 'realm-v1'),
    guesses: createGuessLimits({ now: () => 0, key: 'k' }),
    reports: { mayReport: () => 0 },
    background: { run: () => undefined, idle: () => Promise.resolve() },
    failures: { add: () => undefined, [Symbol.asyncDispose]: () => Promise.resolve() },
    drawCode: () => ({ short: '11111111', long: 'a'.repeat(16) }),
  }
}
