// Test helper: opens the key zone alone, with everything that a submission and a release need.

import { createSecretKey } from 'node:crypto'
import { join } from 'node:path'
import { openDirectoryStore } from '../src/distribute/directory-store.ts'
import { zoneSecret } from '../src/db/zone-secrets.ts'
import { releaseProjection } from '../src/publish/releases.ts'
import { streamProjection } from '../src/publish/streams.ts'
import { healthAuthorityProjection } from '../src/submit/health-authorities.ts'
import { reportProjection } from '../src/submit/report.ts'
import { openZones, type OpenZone } from '../src/operate/open-zones.ts'
import type { PublisherContext } from '../src/publish/publish-due.ts'
import { loadSigner } from '../src/publish/signer.ts'
import { createAcceptReports } from '../src/submit/accept-reports.ts'
import { createGroupCommit } from '../src/submit/group-commit.ts'
import { createAuthorityCache } from '../src/submit/health-authorities.ts'
import type { PublishContext } from '../src/submit/publish-v1.ts'
import { createRevisionTokens } from '../src/submit/revision-token.ts'

const keyProjections = [
  healthAuthorityProjection,
  streamProjection,
  reportProjection,
  releaseProjection,
]

/** A key zone, open. */
export interface TestKeyZone extends OpenZone, AsyncDisposable {
  readonly submit: PublishContext
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
  return {
    ...zone,
    publicFolder,
    submit: {
      findAuthority: createAuthorityCache(zone.db, () => performance.now()),
      commit: createGroupCommit(64, 2_000, createAcceptReports(zone.db, zone.writer, now)),
      tokens: createRevisionTokens(await zoneSecret(zone.db, masterKey, 'revision token')),
      fingerprintKey: createSecretKey(await zoneSecret(zone.db, masterKey, 'fingerprint')),
      timeGrain,
      clockLeewaySeconds: 5,
      now,
    },
    publisher: {
      db: zone.db,
      copyDb: zone.copyDb,
      writer: zone.writer,
      store: openDirectoryStore(publicFolder),
      loadSigner,
      now,
    },
    [Symbol.asyncDispose]: () => zones[Symbol.asyncDispose](),
  }
}
