// Test helper: a key zone that takes submissions, with a health authority and a clock that moves; promises to look into the real tables.

import type { TestContext } from 'node:test'
import { connectOnce, parseAddress } from '../src/db/database.ts'
import { verifyLog } from '../src/log/verify-log.ts'
import { addHealthAuthority } from '../src/submit/health-authorities.ts'
import { publishV1, type PublishReply } from '../src/submit/publish-v1.ts'
import type { TestDatabase } from './database.ts'
import { encodeBody, makeAuthority, makeKeys, makeRequest, movableClock } from './key-zone.ts'
import type { TestAuthority, TestKey } from './key-zone.ts'
import { openKeyZone, type TestKeyZone } from './open-key-zone.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** What a test of submissions needs. */
export interface SubmittingZone extends AsyncDisposable {
  readonly zone: TestKeyZone
  readonly folder: string
  readonly clock: ReturnType<typeof movableClock>
  readonly authority: TestAuthority
  /** A request's body with a certificate over its keys, signed now. */
  body(keys?: readonly TestKey[], options?: Parameters<typeof makeRequest>[3]): Promise<Uint8Array>
  submit(body: Uint8Array): Promise<PublishReply>
  /** How many rows there are. */
  counts(): Promise<{ reports: number; keys: number; events: number }>
  /** What `tocsin log verify` finds. */
  problems(): Promise<readonly string[]>
}

/** Where the clock of these tests stands at first. */
export const START = '2026-03-20T10:07:00Z'

/** Opens a zone with a health authority for the region US. */
export async function openSubmittingZone(
  database: TestDatabase,
  t: TestContext,
): Promise<SubmittingZone> {
  const folder = await temporaryFolder(t)
  const clock = movableClock(START)
  const zone = await openKeyZone(database.url, folder, clock.now)
  const authority = makeAuthority()
  await zone.db.transaction((tx) => addHealthAuthority(tx, zone.writer, authority, clock.now()))
  return {
    zone,
    folder,
    clock,
    authority,
    body: async (keys = makeKeys(clock.now(), 3), options = {}) =>
      encodeBody(await makeRequest(authority, keys, clock.now(), options)),
    submit: (body) => publishV1(zone.submit, body, 'okhttp android'),
    async counts() {
      const { rows } = await zone.db.query<{ reports: number; keys: number; events: number }>({
        text: `select (select count(*) from report) as reports, (select count(*) from diagnosis_key) as keys,
                 (select count(*) from event where type = 'report') as events`,
        values: [],
      })
      return rows[0] ?? { reports: -1, keys: -1, events: -1 }
    },
    problems: async () => (await verifyLog(zone.db, zone.writer.projections)).problems,
    [Symbol.asyncDispose]: () => zone[Symbol.asyncDispose](),
  }
}

/** Runs statements as the owner, in a database of the same server or the test's own. */
export async function asOwner(
  { url }: TestDatabase,
  statements: readonly string[],
  database?: string,
): Promise<Record<string, unknown>[]> {
  const address = parseAddress(url)
  const client = await connectOnce(database === undefined ? address : { ...address, database })
  try {
    let rows: Record<string, unknown>[] = []
    for (const statement of statements) rows = (await client.query(statement)).rows as typeof rows
    return rows
  } finally {
    await client.end()
  }
}

/** The name of a test's database. */
export function nameOf({ url }: TestDatabase): string {
  return parseAddress(url).database ?? ''
}
