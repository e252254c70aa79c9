// Test helper: a key zone with a history, and an empty one that is recovered from its archive; promises the same code as the command's.

import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { authorityProjections } from '../src/authorize/context.ts'
import { openArchive } from '../src/log/archive-store.ts'
import { keyProjections } from '../src/main.ts'
import { openZones, type OpenZone, type OpenZones } from '../src/operate/open-zones.ts'
import type { Zone } from '../src/db/zones.ts'
import { findPoint, type Until } from '../src/recover/find-point.ts'
import { openSource } from '../src/recover/open-source.ts'
import { planChain } from '../src/recover/plan-chain.ts'
import { readHeaders } from '../src/recover/read-headers.ts'
import {
  recoverUntil,
  type RecoveredUntil,
  type UntilOptions,
} from '../src/recover/recover-until.ts'
import {
  recoverZone,
  type RecoveredLog,
  type RecoveryOptions,
} from '../src/recover/recover-zone.ts'
import { createDatabase } from './create-database.ts'
import type { TestDatabase } from './database.ts'

/** An empty database on the same server, its zones open without a log. @param folder where its master key lies */
export async function openEmpty(
  { url }: Pick<TestDatabase, 'url'>,
  folder: string,
): Promise<OpenZones & { readonly url: string; readonly masterKeyFile: string }> {
  const empty = await createDatabase(url)
  const masterKeyFile = join(folder, `${randomUUID()}.key`)
  const zones = await openZones({
    ownerUrl: empty.url,
    zoneUrls: {},
    masterKeyFile,
    demo: undefined,
    server: true,
    timeGrain: 900,
    poolSize: 4,
    projections: { key: keyProjections, authority: authorityProjections },
    now: () => new Date('2026-03-20T00:00:00Z'),
    forRecovery: true,
  })
  return {
    ...zones,
    url: empty.url,
    masterKeyFile,
    async [Symbol.asyncDispose]() {
      await zones[Symbol.asyncDispose]()
      await empty[Symbol.asyncDispose]()
    },
  }
}

/** Recovers a zone from the archive in a folder. */
export async function recoverFrom(
  target: OpenZone,
  folder: string,
  zone: Zone,
  identity: string,
  options: RecoveryOptions = {},
): Promise<RecoveredLog> {
  const archive = openArchive(join(folder, zone))
  const identities = [identity]
  const contents = await readHeaders(archive, identities)
  return recoverZone(target, { archive, identities, contents, chain: planChain(contents) }, options)
}

/** Recovers a zone from the archive in a folder, up to a point. */
export async function recoverUntilFrom(
  target: OpenZone,
  folder: string,
  zone: Zone,
  identity: string,
  until: Until,
  options: UntilOptions,
): Promise<RecoveredUntil> {
  const source = await openSource(openArchive(join(folder, zone)), [identity], zone)
  const pointed = await findPoint(source, until)
  if (pointed === undefined) throw new Error('nothing lies behind the point')
  return recoverUntil(target, pointed, options)
}
