// Test helper: both zones of a database, open, and what a login of theirs is denied; promises the logins' real connections.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { connectOnce, type Address } from '../src/db/database.ts'
import type { Zone } from '../src/db/zones.ts'
import { openZones, type OpenOptions, type OpenZones } from '../src/operate/open-zones.ts'
import { temporaryFolder } from './temporary-folder.ts'

const DENIED = '42501'

/** Opens both zones. @param folder where the master key lies */
export async function openBoth(
  ownerUrl: string,
  t: TestContext,
  folder?: string,
  zoneUrls: OpenOptions['zoneUrls'] = {},
): Promise<OpenZones> {
  return openZones({
    ownerUrl,
    zoneUrls,
    masterKeyFile: join(folder ?? (await temporaryFolder(t)), 'master.key'),
    demo: undefined,
    server: true,
    timeGrain: 900,
    poolSize: 2,
    projections: { key: [], authority: [] },
    now: () => new Date('2026-03-20T10:00:00Z'),
  })
}

/** Runs a statement. */
export type Run = (statement: string) => Promise<Record<string, unknown>[]>

/** Runs `work` with a login's real connection. */
export async function asLogin<Result>(
  address: Address,
  work: (run: Run) => Promise<Result>,
): Promise<Result> {
  const client = await connectOnce(address)
  try {
    return await work(
      async (statement) => (await client.query<Record<string, unknown>>(statement)).rows,
    )
  } finally {
    await client.end()
  }
}

/** Each statement must be refused for want of a right. */
export async function assertDenied(run: Run, statements: readonly string[]): Promise<void> {
  for (const statement of statements)
    await assert.rejects(run(statement), { code: DENIED }, statement)
}

/** The other zone. */
export const otherOf = (zone: Zone): Zone => (zone === 'key' ? 'authority' : 'key')
