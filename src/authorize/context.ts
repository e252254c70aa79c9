// Authorize: what its requests need; promises that secrets are unwrapped once a process, and that what was refused and not yet counted is written before it ends.

import { randomBytes } from 'node:crypto'
import { TocsinError } from '../errors.ts'
import { appendEvents } from '../log/append-event.ts'
import type { Projection } from '../log/projection.ts'
import { retentionProjection } from '../log/retention-cursor.ts'
import type { Logger } from '../operate/logger.ts'
import { apiKeyProjection } from './api-keys.ts'
import { createBackground, type Background } from './background.ts'
import { batchProjection } from './batches.ts'
import { createFindCaller, type FindCaller } from './callers.ts'
import { createCodeDesk, type CodeDesk } from './code-desk.ts'
import { codeProjection, userReportProjection } from './code-table.ts'
import { drawCode } from './draw-code.ts'
import { COLLECT_MS, createFailureCounts, type FailureCounts } from './failure-counts.ts'
import { createGuessLimits, type GuessLimits } from './guess-limits.ts'
import { handleProjection } from './handles.ts'
import type { JwtSigner } from './jwt.ts'
import { createKnowledge, type Known, type Knowledge } from './known.ts'
import { mobileAppProjection } from './mobile-apps.ts'
import { createPeppers, type OpenPeppers } from './peppers.ts'
import { keyInUse } from './plan-signing-keys.ts'
import { providerProjection } from './providers.ts'
import { realmProjection, type Realm } from './realms.ts'
import { createReportLimits, type ReportLimits } from './report-limits.ts'
import { createSenders, type FindSender } from './senders.ts'
import { loadSigner, signingKeyProjection, type SigningKey } from './signing-keys.ts'
import { staffProjection } from './staff.ts'
import { statEvents, statProjection } from './stat-counts.ts'
import { createTokenKeys } from './token-keys.ts'
import { openTokens, type OpenTokens } from './tokens.ts'
import { withdrawalOrderProjection } from './withdrawal-orders.ts'
import type { AuthorityZone } from './zone.ts'

/** Every table of the authority zone that follows from events. */
export const authorityProjections: readonly Projection[] = [
  realmProjection,
  signingKeyProjection,
  providerProjection,
  staffProjection,
  apiKeyProjection,
  mobileAppProjection,
  handleProjection,
  batchProjection,
  codeProjection,
  userReportProjection,
  statProjection,
  retentionProjection,
  withdrawalOrderProjection,
]

/** What a request needs of the authority zone. */
export interface AuthorizeContext extends AuthorityZone, AsyncDisposable {
  readonly known: Knowledge
  readonly peppers: OpenPeppers
  readonly findCaller: FindCaller
  readonly desk: CodeDesk
  readonly tokens: OpenTokens
  /** What signs a realm's certificates now. @throws TocsinError `signing_key_invalid` */
  readonly certificateSigner: (known: Known, realm: Realm) => Promise<JwtSigner>
  readonly senderOf: FindSender
  /** What goes on behind answers. */
  readonly background: Background
  readonly reports: ReportLimits
  readonly guesses: GuessLimits
  readonly failures: FailureCounts
  /** Draws a code in both forms. */
  readonly drawCode: typeof drawCode
  readonly now: () => Date
}

/** What opening needs beside the zone. */
export interface AuthorizeOptions {
  /** `iss` and `aud` of tokens. */
  readonly tokenIssuer: string
  readonly now: () => Date
  /** A clock that never goes back, in milliseconds. */
  readonly monotonicMs: () => number
  readonly logger: Logger
}

/** Prepares the authority zone for requests; makes the secrets that are missing. */
export async function openAuthorize(
  zone: AuthorityZone,
  { tokenIssuer, now, monotonicMs, logger }: AuthorizeOptions,
): Promise<AuthorizeContext> {
  const { db, writer, masterKey } = zone
  const known = createKnowledge(db, monotonicMs)
  const peppers = createPeppers(db, masterKey, now)
  const background = createBackground(logger)
  const failures = createFailureCounts(
    async (counts) => {
      await db.transaction((tx) => appendEvents(tx, writer, statEvents(counts), now()))
    },
    (error) => logger.error('counting refused codes failed', error),
    COLLECT_MS,
  )
  return {
    db,
    writer,
    masterKey,
    known,
    peppers,
    failures,
    drawCode,
    now,
    findCaller: createFindCaller({
      db,
      writer,
      known,
      peppers,
      now,
    }),
    desk: createCodeDesk(db, writer, now),
    tokens: openTokens(await createTokenKeys(zone, now), tokenIssuer),
    certificateSigner: createSigners(zone, now),
    senderOf: createSenders(zone, now),
    background,
    reports: createReportLimits(monotonicMs, randomBytes(32)),
    guesses: createGuessLimits({
      now: monotonicMs,
      key: randomBytes(32),
      alarm: (realm, isBraked) =>
        isBraked
          ? logger.error(
              'more wrong codes than typing errors explain',
              new TocsinError('too_many_guesses'),
              { realm },
            )
          : logger.info('wrong codes are few again', { realm }),
    }),
    async [Symbol.asyncDispose]() {
      await background.idle()
      await failures[Symbol.asyncDispose]()
    },
  }
}

function createSigners(
  zone: AuthorityZone,
  now: () => Date,
): AuthorizeContext['certificateSigner'] {
  const signers = new Map<string, Promise<JwtSigner>>()
  const load = (key: SigningKey) => {
    const loading = signers.get(key.kid) ?? loadSigner(zone, key)
    signers.set(key.kid, loading)
    // A failure is tried again with the next request.
    loading.catch(() => signers.delete(key.kid))
    return loading
  }
  return async ({ signingKeys }, { name }) => {
    const own = signingKeys.filter((key) => key.realm === name && key.purpose === 'certificate')
    const key = keyInUse(own, now())
    if (key === undefined)
      throw new TocsinError('signing_key_invalid', `Realm "${name}" has no key that signs now.`)
    return load(key)
  }
}
