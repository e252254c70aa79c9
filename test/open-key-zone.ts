// Test helper: opens the key zone alone, with everything that a submission and a release need.

import { join } from 'node:path'
import { openDirectoryStore } from '../src/distribute/directory-store.ts'
import type { MasterKey } from '../src/db/secrets.ts'
import { zoneSecret } from '../src/db/zone-secrets.ts'
import { operatorProjection } from '../src/correct/operators.ts'
import { ENCODERS, KINDS } from '../src/kinds.ts'
import { releaseProjection } from '../src/publish/releases.ts'
import { streamProjection } from '../src/publish/streams.ts'
import { healthAuthorityProjection } from '../src/submit/health-authorities.ts'
import { correctionProjection } from '../src/submit/corrections.ts'
import { reportProjection } from '../src/submit/report.ts'
import { statsProjection } from '../src/submit/stats-projection.ts'
import { retentionProjection } from '../src/log/retention-cursor.ts'
import { openZones, type OpenZone } from '../src/operate/open-zones.ts'
import type { PublisherContext } from '../src/publish/publish-due.ts'
import { loadSigner } from '../src/publish/signer.ts'
import { openRevisionKeys } from '../src/submit/revision-keys.ts'
import {
  createPublishContext,
  type SubmissionContext,
  type SubmissionSettings,
} from '../src/submit/submission-context.ts'

/** What follows from the reports of each kind. */
export const OF_KINDS = KINDS.flatMap(({ projections }) => projections)

/** Those of src/main.ts, which takes long to load. */
export const keyProjections = [
  healthAuthorityProjection,
  streamProjection,
  reportProjection,
  correctionProjection,
  statsProjection,
  releaseProjection,
  retentionProjection,
  operatorProjection,
  ...OF_KINDS,
]

/** A key zone, open. */
export interface TestKeyZone extends OpenZone, Pick<PublisherContext, 'encoders'>, AsyncDisposable {
  readonly masterKey: MasterKey
  readonly settings: SubmissionSettings
  readonly submit: SubmissionContext
  readonly publisher: PublisherContext
  readonly publicFolder: string
}

/** Opens a key zone of its own in a fresh database, its files under `folder`. */
export async function openKeyZone(
  ownerUrl: string,
  folder: string,
  now: () => Date,
  timeGrain = 900,
): Promise<TestKeyZone> {
  const zones = await openZones({
    ownerUrl,
    zoneUrls: {},
    masterKeyFile: join(folder, 'master.key'),
    demo: undefined,
    server: true,
    timeGrain,
    poolSize: 8,
    projections: { key: keyProjections, authority: [] },
    now,
  })
  const { key: zone, masterKey } = zones
  const publicFolder = join(folder, 'public')
  const settings: SubmissionSettings = {
    timeGrain,
    clockLeewaySeconds: 5,
    defaultRegion: undefined,
    partialRevisions: false,
    maxWaiting: 2_000,
    revisionKeys: await openRevisionKeys(zone.db, masterKey, now()),
    fingerprintSecret: await zoneSecret(zone.db, masterKey, 'fingerprint'),
  }
  return {
    ...zone,
    encoders: ENCODERS,
    masterKey,
    publicFolder,
    settings,
    submit: createPublishContext(zone.db, settings, now, OF_KINDS),
    publisher: {
      db: zone.db,
      copyDb: zone.copyDb,
      writer: zone.writer,
      store: openDirectoryStore(publicFolder),
      encoders: ENCODERS,
      loadSigner,
      // What is archived, and when, has tests of its own.
      archiveThrough: async () => undefined,
      now,
    },
    [Symbol.asyncDispose]: () => zones[Symbol.asyncDispose](),
  }
}
