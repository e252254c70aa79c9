// Fuzzing: what health systems and phones send to the authority zone; promises a reply to whatever it is, and nothing for a changed API key or token.

import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import * as fc from 'fast-check'
import type { AuthorizeContext } from '../../src/authorize/context.ts'
import { issueCertificate } from '../../src/authorize/issue-certificate.ts'
import { issueCode } from '../../src/authorize/issue-code.ts'
import { parseIssueRequest } from '../../src/authorize/issue-request.ts'
import { createJwtSigner } from '../../src/authorize/jwt.ts'
import type { AuthorizeReply } from '../../src/authorize/reply.ts'
import { createTokens } from '../../src/authorize/tokens.ts'
import { verifyCode } from '../../src/authorize/verify-code.ts'
import { decodeBase64 } from '../../src/format/bytes.ts'
import { keyPairOf, NOW } from './certified-request.ts'
import { mutatedJson } from './json.ts'
import { mutatedText } from './mutate.ts'
import { isClientError, target, valueOf } from './target.ts'

const seconds = NOW.getTime() / 1000
const { privateKey } = keyPairOf(new Uint8Array(32).fill(0x33))
const tokens = createTokens(privateKey, 'tocsin')
const RESULT = { testType: 'confirmed', symptomDate: '2026-03-17', testDate: null } as const
const TOKEN_ID = new Uint8Array(16).fill(4)
const TOKEN = tokens.seal({ id: TOKEN_ID, expiresAt: seconds + 3600 }, RESULT)

const API_KEY = `${'a'.repeat(11)}.${'b'.repeat(43)}`
const KEYS_MAC = new Uint8Array(32).fill(3)
const mac: AuthorizeContext['mac'] = (purpose, ...values) =>
  purpose === 'keys' ? KEYS_MAC : createHmac('sha256', 'x').update(values.join()).digest()

const REALM = { name: 'realm', issuer: 'issuer', audience: 'audience', kid: 'v1', public_key: '' }
const CODE = '12345678'
const codeRow = {
  seq: 1,
  realm: REALM.name,
  uuid: '01234567-89ab-cdef-0123-456789abcdef',
  code_mac: mac('code', REALM.name, CODE),
  long_code_mac: mac('code', REALM.name, 'long'),
  test_type: RESULT.testType,
  symptom_date: RESULT.symptomDate,
  test_date: RESULT.testDate,
  expires_at: seconds + 900,
  long_expires_at: seconds + 900,
  token_id: TOKEN_ID,
  token_expires_at: seconds + 3600,
  keys_mac: KEYS_MAC,
}

/** A database with one realm, one API key and one code that was swapped for a token and that for a certificate. */
function contextFor(type: 'admin' | 'device'): AuthorizeContext {
  const query = async (statement: { name?: string; text: string; values: readonly unknown[] }) => {
    if (statement.name === 'find-caller')
      return { rows: [{ ...REALM, type, mac: mac('api key', API_KEY) }] }
    if (statement.name === 'lock-code') {
      const isKnown = codeRow.code_mac.toString() === String(statement.values[1])
      return { rows: isKnown ? [codeRow] : [] }
    }
    if (statement.name === 'lock-code-of-token') return { rows: [codeRow] }
    // Every uuid is taken: no code is issued.
    return { rows: [{}], rowCount: 1 }
  }
  const db = { query, transaction: (work: (tx: unknown) => unknown) => work({ query }) }
  return {
    db,
    writer: { timeGrain: 900, projections: [] },
    mac,
    tokens,
    certificateSigner: async () => createJwtSigner(privateKey, 'v1'),
    drawCode: () => ({ short: '11111111', long: 'a'.repeat(16) }),
    now: () => NOW,
  } as unknown as AuthorizeContext
}

const ISSUE = {
  testType: 'confirmed',
  symptomDate: '2026-03-17',
  testDate: '2026-03-18',
  tzOffset: -60,
  phone: '',
  smsTemplateLabel: '',
  uuid: codeRow.uuid,
  externalIssuerID: 'somebody',
  onlyGenerateSMS: false,
  padding: 'AAAA',
}
const VERIFY = { code: CODE, accept: ['confirmed', 'likely'], nonce: 'AAAA', padding: 'AAAA' }
const CERTIFY = {
  token: TOKEN,
  ekeyhmac: Buffer.from(KEYS_MAC).toString('base64'),
  padding: 'AAAA',
}

const apiKeys = fc.oneof(
  { weight: 9, arbitrary: fc.constant(API_KEY) },
  { weight: 1, arbitrary: mutatedText([API_KEY]) },
)
const requests = (value: object) => fc.tuple(mutatedJson([value], Object.keys(value)), apiKeys)

function checkReply({ status, body }: AuthorizeReply, apiKey: string): boolean {
  assert.ok(status === 200 || (status >= 400 && status < 500), `status ${status}`)
  assert.ok(apiKey === API_KEY || status === 401)
  assert.ok(JSON.stringify(body).length < 10_000)
  return status === 200
}

export const authorizeTargets = [
  target('request for a code', mutatedJson([ISSUE], Object.keys(ISSUE)), (body) => {
    const request = valueOf(() => parseIssueRequest(body, NOW), isClientError)
    if (request === undefined) return
    const { symptomDate, testDate, uuid = codeRow.uuid, externalIssuer } = request
    const dates = [symptomDate, testDate].filter((date) => date !== null)
    assert.ok(dates.length > 0)
    for (const date of dates) assert.ok(date >= '2026-02-19' && date <= '2026-03-20')
    assert.match(uuid, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    assert.ok((externalIssuer ?? '').isWellFormed() && !externalIssuer?.includes('\0'))
  }),
  target('issuing a code', requests(ISSUE), async ([body, apiKey]) => {
    const isDone = checkReply(await issueCode(contextFor('admin'), apiKey, body), apiKey)
    assert.equal(isDone, false, 'the uuid is taken')
  }),
  target('verifying a code', requests(VERIFY), async ([body, apiKey]) => {
    const reply = await verifyCode(contextFor('device'), apiKey, body)
    if (checkReply(reply, apiKey)) assert.equal(reply.body['testtype'], 'confirmed')
  }),
  target('asking for a certificate', requests(CERTIFY), async ([body, apiKey]) => {
    const reply = await issueCertificate(contextFor('device'), apiKey, body)
    if (!checkReply(reply, apiKey)) return
    const [, claims = ''] = String(reply.body['certificate']).split('.')
    const { tekmac } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { tekmac: string }
    assert.equal(decodeBase64(tekmac)?.length, 32)
  }),
  target('token between code and certificate', mutatedText([TOKEN]), (text) => {
    const opened = valueOf(() => tokens.open(text, NOW), isClientError)
    assert.ok(opened === undefined || text === TOKEN)
  }),
]
