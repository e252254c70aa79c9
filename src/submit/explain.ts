// Submit: what the rules say of a captured request; promises to take the way of a real one, to change nothing, and to tell no key, certificate, token or secret.

import { createSecretKey, randomBytes } from 'node:crypto'
import type { Database, Queryable } from '../db/database.ts'
import type { MasterKey } from '../db/secrets.ts'
import { sql } from '../db/sql.ts'
import { secretVersions } from '../db/zone-secrets.ts'
import { TocsinError } from '../errors.ts'
import { truncateToGrain } from '../log/append-event.ts'
import { readHead } from '../log/read-events.ts'
import { formatTimestamp } from '../operate/timestamp.ts'
import { previewAcceptance, type AcceptancePreview, type Candidate } from './accept-reports.ts'
import { createAuthorityCache } from './authority-cache.ts'
import { explainKeys, type ExplainedKey } from './explain-keys.ts'
import { explainRules, type ExplainedRule } from './explain-rules.ts'
import { MAX_BODY_BYTES } from './parse-publish.ts'
import {
  publish,
  PUBLISH_V1,
  refusePublish,
  type PublishContext,
  type PublishReply,
  type SubmissionTrace,
} from './publish-v1.ts'
import { PUBLISH_V1ALPHA1 } from './publish-v1alpha1.ts'
import { createRevisionTokens, createTokenKey, type RevisionTokens } from './revision-token.ts'

/** What explaining needs of the key zone: what its submissions are handled with. */
export interface ExplainContext extends Pick<
  PublishContext,
  'timeGrain' | 'clockLeewaySeconds' | 'defaultRegion' | 'partialRevisions' | 'now'
> {
  /** With the key zone's login. */
  readonly db: Database
  readonly masterKey: MasterKey
}

/** How a request is explained. */
export interface ExplainOptions {
  /** By which API it came; `publish-v1` when left out. */
  readonly api?: keyof typeof APIS
  /** When it comes; now when left out. What is stored is that of now in any case. */
  readonly at?: Date
}

/** Explains a request's body. @throws TocsinError `unavailable`, `master_key_wrong` */
export type Explain = (body: Uint8Array, options?: ExplainOptions) => Promise<Explanation>

/** What the rules say of a request. */
export interface Explanation {
  /** The moment that it is judged for: ISO 8601. */
  readonly at: string
  readonly api: keyof typeof APIS
  /** In the order in which a request meets them. The first that failed makes the reply, unless the request is a repetition. */
  readonly rules: readonly ExplainedRule[]
  /** In the order in which replies count keys; none when the request could not be read. */
  readonly keys: readonly ExplainedKey[]
  readonly reply: ExplainedReply
}

/** The reply that the request would get, but for what is secret in it. */
export interface ExplainedReply {
  readonly status: number
  /** The earlier API keeps the codes to itself. */
  readonly code?: string
  readonly subCode?: string
  readonly error?: string
  readonly warnings?: readonly string[]
  readonly insertedExposures?: number
  /** How many keys the revision token of the reply covers. */
  readonly tokenCovers?: number
  /** Tracking id of the report that the request repeats. */
  readonly repeats?: string
}

const APIS = { 'publish-v1': PUBLISH_V1, 'publish-v1alpha1': PUBLISH_V1ALPHA1 } as const

/** Makes what explains requests: as they would be answered, in a transaction that can't write. */
export function createExplain(context: ExplainContext): Explain {
  return (body, options = {}) =>
    context.db.transaction(async (tx) => {
      await tx.query(sql`set transaction isolation level repeatable read, read only`)
      return explain(tx, context, body, options)
    })
}

async function explain(
  db: Queryable,
  context: ExplainContext,
  body: Uint8Array,
  { api = 'publish-v1', at }: ExplainOptions,
): Promise<Explanation> {
  const { timeGrain, clockLeewaySeconds, defaultRegion, partialRevisions, masterKey } = context
  const now = at ?? context.now()
  const clockGrain = truncateToGrain(now, timeGrain)
  // Whoever asks about another moment means its clock, not where the log stands today.
  const grain = at === undefined ? Math.max(clockGrain, (await readHead(db)).grain) : clockGrain
  let preview: AcceptancePreview | undefined
  const publishContext: PublishContext = {
    findAuthority: createAuthorityCache(db, () => 0),
    commit: {
      async submit(candidate: Candidate) {
        preview = await previewAcceptance(db, candidate, grain)
        return preview.acceptance
      },
    },
    tokens: await readTokens(db, masterKey),
    fingerprintKey: createSecretKey(await readSecret(db, masterKey, 'fingerprint')),
    timeGrain,
    clockLeewaySeconds,
    defaultRegion,
    partialRevisions,
    now: () => now,
  }
  const trace: SubmissionTrace = { passed: [] }
  const reply =
    body.length > MAX_BODY_BYTES
      ? refusePublish(new TocsinError('request_too_large'))
      : await publish(publishContext, APIS[api], body, '', trace)
  const given = { context: publishContext, trace, preview, reply, now, grain }
  return {
    at: formatTimestamp(now.getTime() / 1000),
    api,
    rules: explainRules(given),
    keys: explainKeys(given),
    reply: explainReply(reply, publishContext.tokens, preview),
  }
}

function explainReply(
  { status, trackingId, body: { revisionToken, ...told } }: PublishReply,
  tokens: RevisionTokens,
  preview: AcceptancePreview | undefined,
): ExplainedReply {
  return {
    status,
    ...told,
    ...(revisionToken === undefined
      ? {}
      : { tokenCovers: tokens.open(revisionToken)?.length ?? 0 }),
    ...(preview?.repeated === undefined ? {} : { repeats: trackingId }),
  }
}

/** Tokens under the keys that are stored: unlike a server's, these are never made or destroyed here. */
async function readTokens(db: Queryable, masterKey: MasterKey): Promise<RevisionTokens> {
  const deployment = await readSecret(db, masterKey, 'revision token deployment')
  const versions = await secretVersions(db, masterKey, 'revision token')
  const keys = versions.map(({ version, secret }) => createTokenKey(version, secret, deployment))
  const newest = keys.at(-1) ?? createTokenKey(1, randomBytes(32), deployment)
  return createRevisionTokens({
    newest: () => newest,
    find: (version) => keys.find((key) => key.version === version),
  })
}

/** A secret that is stored. Where no server has run yet there is none, and nothing that any other value would fail to recognise. */
async function readSecret(db: Queryable, masterKey: MasterKey, name: string): Promise<Uint8Array> {
  return (await secretVersions(db, masterKey, name)).at(-1)?.secret ?? randomBytes(32)
}
