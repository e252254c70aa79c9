// Fuzzing: what health systems and phones send to the authority zone; promises a reply to whatever it is, and nothing for a changed API key or token.

import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { checkCodeStatus, expireCode } from '../../src/authorize/code-status.ts'
import type { AuthorizeContext } from '../../src/authorize/context.ts'
import { issueOne, issueSeveral } from '../../src/authorize/issue-api.ts'
import { issueCertificate } from '../../src/authorize/issue-certificate.ts'
import { ISSUE_FIELDS, readIssueRequest } from '../../src/authorize/issue-request.ts'
import { REALM_DEFAULTS } from '../../src/authorize/realm-settings.ts'
import type { AuthorizeReply, AuthorizeRequest } from '../../src/authorize/reply.ts'
import { reportYourself } from '../../src/authorize/user-report.ts'
import { verifyCode } from '../../src/authorize/verify-code.ts'
import { TocsinError } from '../../src/errors.ts'
import { decodeBase64 } from '../../src/format/bytes.ts'
import { parseJsonObject } from '../../src/operate/read-json.ts'
import { API_KEYS, CODE, KEYS_HMAC, openContext, TOKEN, TOKENS } from './authorize-context.ts'
import { NOW } from './certified-request.ts'
import { mutatedJson } from './json.ts'
import { mutatedText } from './mutate.ts'
import { isClientError, target, valueLater, valueOf, type Target } from './target.ts'

const ISSUE = {
  testType: 'confirmed',
  symptomDate: '2026-03-17',
  testDate: '2026-03-18',
  tzOffset: -60,
  phone: '+1 202 555 0123',
  smsTemplateLabel: 'default',
  uuid: '01234567-89ab-cdef-0123-456789abcdef',
  externalIssuerID: 'somebody',
  onlyGenerateSMS: false,
  padding: 'AAAA',
}
const ISSUE_NAMES = Object.keys(ISSUE)
const BATCH = { codes: [ISSUE, { ...ISSUE, phone: '' }], padding: 'AAAA' }
const STATUS = { uuid: ISSUE.uuid, padding: 'AAAA' }
const REPORT = {
  symptomDate: '2026-03-17',
  testDate: '',
  tzOffset: 60,
  phone: ISSUE.phone,
  nonce: Buffer.alloc(256, 5).toString('base64'),
  padding: 'AAAA',
}
const VERIFY = { code: CODE, accept: ['confirmed', 'likely'], nonce: 'AAAA', padding: 'AAAA' }
const CERTIFY = {
  token: TOKEN,
  ekeyhmac: Buffer.from(KEYS_HMAC).toString('base64'),
  padding: 'AAAA',
}

/** What a reply may be: done; or, where the request was right and would have been kept, that the database is away. */
type Outcome = 'done' | 'kept' | 'refused'

function outcomeOf({ status, body }: AuthorizeReply, isOurs: boolean): Outcome {
  assert.ok(status === 200 || status === 503 || (status >= 400 && status < 500), `status ${status}`)
  assert.ok(isOurs || status === 401, 'only our own API key opens')
  assert.ok(JSON.stringify(body).length < 20_000)
  if (status !== 200) assert.ok(String(body['error']).length > 0)
  return status === 200 ? 'done' : status === 503 ? 'kept' : 'refused'
}

type Handler = (context: AuthorizeContext, request: AuthorizeRequest) => Promise<AuthorizeReply>

/** An address with bodies near a right one, now and then under another API key. */
function requestTarget(
  name: string,
  type: 'admin' | 'device',
  handle: Handler,
  right: object,
  check: (outcome: Outcome, body: AuthorizeReply['body']) => void,
): Target {
  const own = API_KEYS[type]
  const apiKeys = fc.oneof(
    { weight: 9, arbitrary: fc.constant(own) },
    { weight: 1, arbitrary: mutatedText(Object.values(API_KEYS)) },
  )
  const bodies = mutatedJson([right], [...Object.keys(right), ...ISSUE_NAMES])
  return target(name, fc.tuple(bodies, apiKeys), async ([body, apiKey]) => {
    const request = { apiKey, body, addressPrefix: '192.0.2.0/24', userAgent: 'fuzz' }
    const reply = await replyOf(() => handle(openContext(), request))
    check(outcomeOf(reply, apiKey === own), reply.body)
  })
}

/** As the routes do: a database that is away is told in the shape of the API. */
async function replyOf(work: () => Promise<AuthorizeReply>): Promise<AuthorizeReply> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof TocsinError) || error.code !== 'unavailable') throw error
    return { status: 503, body: { error: error.message } }
  }
}

const neverDone = (outcome: Outcome) => assert.notEqual(outcome, 'done', 'nothing can be kept')

export const authorizeTargets = [
  target('request for a code', mutatedJson([ISSUE], ISSUE_NAMES), async (body) => {
    const fields = valueOf(
      () => parseJsonObject(body, ISSUE_FIELDS, 'unparsable_request'),
      isClientError,
    )
    if (fields === undefined) return
    const settings = { ...REALM_DEFAULTS, country: 'US', generateTexts: true }
    const read = () => readIssueRequest(fields, settings, NOW)
    const request = await valueLater(read, isClientError)
    if (request === undefined) return
    const { symptomDate, testDate, uuid = ISSUE.uuid, externalIssuer, text } = request
    const dates = [symptomDate, testDate].filter((date) => date !== null)
    assert.ok(dates.length > 0)
    for (const date of dates) assert.ok(date >= '2026-02-19' && date <= '2026-03-20')
    assert.match(uuid, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    assert.ok((externalIssuer ?? '').isWellFormed() && !externalIssuer?.includes('\0'))
    assert.match(text?.phone ?? '+12', /^\+\d{2,15}$/)
  }),
  requestTarget('issuing a code', 'admin', issueOne, ISSUE, neverDone),
  requestTarget('issuing several codes', 'admin', issueSeveral, BATCH, (outcome, body) => {
    if (outcome === 'done') assert.deepEqual(body['codes'], [], 'nothing can be kept')
  }),
  requestTarget('status of a code', 'admin', checkCodeStatus, STATUS, neverDone),
  requestTarget('ending a code', 'admin', expireCode, STATUS, neverDone),
  requestTarget('reporting oneself', 'device', reportYourself, REPORT, neverDone),
  requestTarget('verifying a code', 'device', verifyCode, VERIFY, (outcome, body) => {
    if (outcome === 'done') assert.equal(body['testtype'], 'confirmed')
  }),
  requestTarget(
    'asking for a certificate',
    'device',
    issueCertificate,
    CERTIFY,
    (outcome, body) => {
      if (outcome !== 'done') return
      const [, claims = ''] = String(body['certificate']).split('.')
      const { tekmac } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as {
        tekmac: string
      }
      assert.deepEqual(decodeBase64(tekmac), KEYS_HMAC)
    },
  ),
  target('token between code and certificate', mutatedText([TOKEN]), (text) => {
    const opened = valueOf(() => TOKENS.open(text, NOW), isClientError)
    assert.ok(opened === undefined || text === TOKEN)
  }),
]
