// Fuzzing: the whole way of a submission but for the database; promises that every body gets a reply, and that no key is stored without a certificate.

import assert from 'node:assert/strict'
import { createSecretKey } from 'node:crypto'
import * as fc from 'fast-check'
import type { Queryable } from '../../src/db/database.ts'
import { TocsinError } from '../../src/errors.ts'
import { decodeBase64 } from '../../src/format/bytes.ts'
import { EXPORT_REPORT_TYPES } from '../../src/format/report-type.ts'
import { decodeEvent, encodeEvent, SALT_LENGTH } from '../../src/log/record.ts'
import {
  previewAcceptance,
  type Acceptance,
  type AcceptancePreview,
} from '../../src/submit/accept-reports.ts'
import { explainKeys } from '../../src/submit/explain-keys.ts'
import { explainRules } from '../../src/submit/explain-rules.ts'
import {
  publish,
  PUBLISH_V1,
  type PublishContext,
  type PublishReply,
  type SubmissionTrace,
} from '../../src/submit/publish-v1.ts'
import { PUBLISH_V1ALPHA1 } from '../../src/submit/publish-v1alpha1.ts'
import { reportContent, reportEvent } from '../../src/submit/report.ts'
import {
  AUTHORITY,
  BODY,
  BODY_NAMES,
  CLAIMS,
  HEADER,
  KEYS,
  NOW,
  signAnew,
  tekmacOf,
} from './certified-request.ts'
import { encodeTree, mutatedJson, mutatedTree } from './json.ts'
import { mutatedText } from './mutate.ts'
import { tokensOf } from './some-tokens.ts'
import { keySets } from './submit-targets.ts'
import { hex, target } from './target.ts'

const GRAIN = 900
const grain = Math.floor(NOW.getTime() / 1000 / GRAIN) * GRAIN
const bytesOf = (key: (typeof KEYS)[number]) => Buffer.from(key.key, 'base64')
const CERTIFIED = hexOf(KEYS)
const tokens = tokensOf(9)
const [FIRST] = KEYS as [(typeof KEYS)[number]]
const revisable = [{ ...FIRST, keyData: bytesOf(FIRST) }]
const bodies = [BODY, { ...BODY, revisionToken: tokens.seal(revisable) }]
const earlierBodies = bodies.map(({ healthAuthorityID, traveler, ...rest }) => ({
  ...rest,
  appPackageName: healthAuthorityID,
  regions: traveler ? ['US', 'US'] : ['US'],
  platform: 'android',
  deviceVerificationPayload: 'AAAA',
}))
const EARLIER_NAMES = [...BODY_NAMES, ...Object.keys(earlierBodies[0] ?? {})]

function hexOf(keys: readonly { readonly key: string }[]): ReadonlySet<string> {
  return new Set(keys.map(({ key }) => hex(decodeBase64(key) ?? new Uint8Array())))
}

/** What is stored before the submission comes, and how the deployment is set up. */
interface Deployment {
  /** As what the first of the keys is stored; not at all when undefined. */
  readonly stored: number | undefined
  readonly partialRevisions: boolean
  readonly regions: readonly string[]
}

const deployment: fc.Arbitrary<Deployment> = fc.record({
  stored: fc.constantFrom(undefined, ...Object.values(EXPORT_REPORT_TYPES)),
  partialRevisions: fc.boolean(),
  regions: fc.constantFrom(['US'], []),
})

/** A database in which there is at most one key. */
function databaseOf({ stored }: Deployment): Queryable {
  const row = {
    key_data: bytesOf(FIRST),
    rolling_start: FIRST.rollingStart,
    rolling_period: FIRST.rollingPeriod,
    report_type: stored,
    revised_type: null,
  }
  const query = async ({ name }: { readonly name?: string }) => ({
    rows: name === 'find-known-keys' && stored !== undefined ? [row] : [],
  })
  return { query } as unknown as Queryable
}

/** What is accepted, by way of the form in which the log keeps it. */
function throughLog(acceptance: Acceptance, certified: ReadonlySet<string>): Acceptance {
  if (acceptance instanceof TocsinError) return acceptance
  const { keyData } = acceptance.content.keys
  for (let at = 0; at < keyData.length; at += 16)
    assert.ok(certified.has(hex(keyData.subarray(at, at + 16))), 'a key without certificate')
  const event = { ...reportEvent(acceptance.content, 'unknown'), seq: 1, grain }
  const { record } = encodeEvent(event, new Uint8Array(event.parts.length * SALT_LENGTH))
  return { content: reportContent(decodeEvent(record)), grain }
}

/** Sends a body, and has the way that it took explained. */
async function submit(
  given: Deployment,
  api: typeof PUBLISH_V1,
  body: Uint8Array,
  agent: string,
  certified: ReadonlySet<string> = CERTIFIED,
): Promise<PublishReply> {
  const authority = { ...AUTHORITY, regions: given.regions }
  let preview: AcceptancePreview | undefined
  const context: PublishContext = {
    findAuthority: async (app) => (app.toLowerCase() === AUTHORITY.app ? authority : undefined),
    commit: {
      async submit(candidate) {
        preview = await previewAcceptance(databaseOf(given), candidate, grain)
        return throughLog(preview.acceptance, certified)
      },
    },
    tokens,
    fingerprintKey: createSecretKey(new Uint8Array(32).fill(8)),
    timeGrain: GRAIN,
    clockLeewaySeconds: 5,
    defaultRegion: undefined,
    partialRevisions: given.partialRevisions,
    now: () => NOW,
  }
  const trace: SubmissionTrace = { passed: [] }
  const reply = await publish(context, api, body, agent, trace)
  const submission = { context, trace, preview, reply, now: NOW, grain }
  const told = JSON.stringify([explainRules(submission), explainKeys(submission)])
  const secret = trace.request?.hmacKey ?? ''
  assert.ok(secret.length < 20 || !told.includes(secret), 'a secret is told')
  return reply
}

function checkReply({ status, trackingId, body }: PublishReply, { regions }: Deployment): void {
  // The one that is the operator's to mend.
  const isUnset = regions.length === 0 && body.code === 'health_authority_missing_region_config'
  assert.ok(status === 200 || (status >= 400 && status < 500) || isUnset, `status ${status}`)
  assert.match(trackingId, /^[0-9a-f]{32}$/)
  const { revisionToken, insertedExposures = 0, error } = body
  if (status !== 200) assert.ok(error !== undefined && insertedExposures === 0)
  if (revisionToken !== undefined)
    assert.ok((tokens.open(revisionToken)?.length ?? -1) >= insertedExposures)
  assert.ok(JSON.stringify(body).length < 20_000, 'a reply has a bound')
}

const agents = mutatedText(['okhttp android', 'bluetoothd (unknown version) CFNetwork', 'iPhone'])

export const publishTargets = [
  target(
    'submission',
    fc.tuple(deployment, mutatedJson(bodies, BODY_NAMES), agents),
    async ([given, body, agent]) => checkReply(await submit(given, PUBLISH_V1, body, agent), given),
  ),
  target(
    'submission by the earlier API',
    fc.tuple(deployment, mutatedJson(earlierBodies, EARLIER_NAMES), agents),
    async ([given, body, agent]) =>
      checkReply(await submit(given, PUBLISH_V1ALPHA1, body, agent), given),
  ),
  target(
    'submission with any claims',
    fc.tuple(
      deployment,
      fc.constantFrom(...bodies),
      mutatedTree([HEADER], ['alg', 'kid', 'crit']).map(encodeTree),
      mutatedTree([CLAIMS], Object.keys(CLAIMS)).map(encodeTree),
    ),
    async ([given, fields, header, claims]) => {
      const body = JSON.stringify({ ...fields, verificationPayload: signAnew(header, claims) })
      checkReply(await submit(given, PUBLISH_V1, new TextEncoder().encode(body), ''), given)
    },
  ),
  // Whoever signs does not see the keys, but their HMAC alone.
  target(
    'submission with any keys',
    fc.tuple(deployment, fc.constantFrom(...bodies), keySets),
    async ([given, fields, keys]) => {
      const body = {
        ...fields,
        temporaryExposureKeys: keys.map(({ rollingStart, ...key }) => ({
          ...key,
          rollingStartNumber: rollingStart,
        })),
        verificationPayload: signAnew(HEADER, { ...CLAIMS, tekmac: tekmacOf(keys) }),
      }
      const bytes = new TextEncoder().encode(JSON.stringify(body))
      checkReply(await submit(given, PUBLISH_V1, bytes, '', hexOf(keys)), given)
    },
  ),
]
