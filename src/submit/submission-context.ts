// Submit: what handling submissions needs, made from plain values; promises that a thread or a test is set up as the server is.

import { createSecretKey } from 'node:crypto'
import type { Database } from '../db/database.ts'
import { createAcceptReports } from './accept-reports.ts'
import { createAuthorityCache } from './authority-cache.ts'
import { createGroupCommit } from '../log/group-commit.ts'
import type { Projection } from '../log/projection.ts'
import { sizeOfOther } from './decide-reports.ts'
import type { PublishContext } from './publish-v1.ts'
import { correctionProjection } from './corrections.ts'
import { reportProjection } from './report.ts'
import { createRevisionKeys, type RevisionKeys, type RevisionKeySettings } from './revision-keys.ts'
import { createRevisionTokens } from './revision-token.ts'
import { statsProjection } from './stats-projection.ts'

/** How submissions are handled: values that can be handed to a thread. */
export interface SubmissionSettings {
  /** Seconds. */
  readonly timeGrain: number
  readonly clockLeewaySeconds: number
  /** The region of a health authority that has none. */
  readonly defaultRegion: string | undefined
  /** Whether known keys that a revision token does not cover are dropped, instead of refusing the request. */
  readonly partialRevisions: boolean
  /** Submissions that may wait for their answer; beyond that they are refused as `unavailable`. */
  readonly maxWaiting: number
  readonly revisionKeys: RevisionKeySettings
  /** 32 bytes of the key zone's own. */
  readonly fingerprintSecret: Uint8Array
}

/** What handling submissions needs, and what must be done from time to time meanwhile. */
export interface SubmissionContext extends PublishContext {
  /** See {@link RevisionKeys.refresh}: for whenever the time has moved. */
  readonly refreshKeys: RevisionKeys['refresh']
}

/** Submissions that are committed together at the most: enough to share a commit, few enough to keep its locks short. */
const MAX_GROUP = 64

/** Of reports of other kinds, which may be large: what a group of them takes in memory, and for how long it holds the head. */
const MAX_GROUP_BYTES = 8 << 20

/** Smaller groups cost more than is gained by the database having the next one already. */
const ENOUGH_BEHIND = 16

/** Makes it. @param db with the key zone's login @param ofKinds what else follows from reports of other kinds */
export function createPublishContext(
  db: Database,
  settings: SubmissionSettings,
  now: () => Date,
  ofKinds: readonly Projection[] = [],
): SubmissionContext {
  const { timeGrain, clockLeewaySeconds, defaultRegion, partialRevisions, maxWaiting } = settings
  const writer = {
    timeGrain,
    projections: [reportProjection, correctionProjection, statsProjection, ...ofKinds],
  }
  const keys = createRevisionKeys(db, settings.revisionKeys, now)
  return {
    findAuthority: createAuthorityCache(db, () => performance.now()),
    commit: createGroupCommit(
      MAX_GROUP,
      maxWaiting,
      ENOUGH_BEHIND,
      createAcceptReports(db, writer, now),
      { most: MAX_GROUP_BYTES, weigh: sizeOfOther },
    ),
    tokens: createRevisionTokens(keys),
    refreshKeys: keys.refresh,
    fingerprintKey: createSecretKey(settings.fingerprintSecret),
    timeGrain,
    clockLeewaySeconds,
    defaultRegion,
    partialRevisions,
    now,
  }
}
