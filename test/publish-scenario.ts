// Test helper: a key zone in which everything happens that publishing knows: padding, holding, splitting, revising, retention, new configurations.

import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { ReportType } from '../src/format/report-type.ts'
import { publishDue } from '../src/publish/publish-due.ts'
import { makeSigningKey } from '../src/publish/signer.ts'
import { listStreams, updateStream, type StreamKey } from '../src/publish/streams.ts'
import { createDatabase, type TestDatabase } from './database.ts'
import { makeKeys, type TestAuthority, type TestKey } from './key-zone.ts'
import { openPublishingZone, type PublishingZone } from './publishing-zone.ts'
import { sendReport } from './send-report.ts'

const HOUR = 3600

/** The clock moves by this much in a round, seconds. */
const ROUND = 2 * HOUR

/** Two that overlap, with padding, and one that has nothing to do with them. */
export const SCENARIO_STREAMS = ['north', 'plain', 'south'] as const

/** The streams of {@link openScenario}, and what happens to them. */
export interface Scenario extends AsyncDisposable {
  readonly test: PublishingZone
  /** Has the stream without padding only: the same uploads, the same signing keys. */
  readonly twin: PublishingZone
  /** Two more hours, with everything in them; the twin has published them, the other has not. */
  nextRound(): Promise<void>
  /** A day without anything: nothing is held any longer afterwards. */
  wait(): void
}

/** What a report of the last round needs to be revised. */
interface Revisable {
  readonly keys: readonly TestKey[]
  readonly token: unknown
}

/**
 * Opens the scenario.
 *
 * `north` and `south` overlap, are padded to 20 keys and split at 24; `plain` splits at four. All hold a single report back. A
 * file leaves the index two hours after its window, and is removed in the round after.
 */
export async function openScenario(database: TestDatabase, t: TestContext): Promise<Scenario> {
  const twinDatabase = await createDatabase(database.url)
  const test = await openPublishingZone(database, t)
  const twin = await openPublishingZone(twinDatabase, t)
  const padded = { hold: 2, minimum: 20, maximum: 40, retention: ROUND }
  await test.addStream('north', { ...padded, inputRegions: ['US', 'CA'] })
  await test.addStream('south', { ...padded, inputRegions: ['US', 'MX'], period: ROUND })
  const plain = { region: 'GB', hold: 2, maximum: 4, retention: ROUND }
  await test.addStream('plain', plain)
  const first = (await listStreams(test.zone.db)).find(({ name }) => name === 'plain')?.keys ?? []
  await twin.addStream('plain', { ...plain, keys: first })
  const keyChoices = [first, [await secondKey(test.folder), ...first]]
  const zones = await Promise.all(
    [test, twin].map(async (zone) => ({
      zone,
      authority: await zone.addAuthority('org.example.islands', ['GB']),
      revisable: undefined as Revisable | undefined,
    })),
  )
  const neighbours = [
    await test.addAuthority('org.example.canada', ['CA']),
    await test.addAuthority('org.example.mexico', ['MX']),
  ]
  let round = 0
  const now = () => test.clock.now()
  const advance = (seconds: number) => {
    for (const { zone } of zones) zone.clock.advance(seconds)
  }
  return {
    test,
    twin,
    async nextRound() {
      round++
      const keys = Array.from({ length: 4 }, () => makeKeys(now(), 2))
      const [kept = [], corrected = [], lonely = [], shared = []] = keys
      const tokens = new Map<PublishingZone, unknown>()
      for (const each of zones) {
        const { zone, authority, revisable } = each
        await changeKeys(zone, keyChoices[round % 2] ?? first)
        // Published in the round before, and now something else or nothing.
        if (revisable !== undefined)
          await revise(zone, authority, revisable, round % 4 < 2 ? 'confirmed' : 'negative')
        each.revisable = { keys: kept, token: await likely(zone, authority, kept) }
        tokens.set(zone, await likely(zone, authority, corrected))
      }
      await test.upload(shared)
      for (const authority of neighbours) await test.upload(makeKeys(now(), 2), authority)
      advance(HOUR)
      for (const { zone, authority } of zones) {
        // Before it was ever published.
        const report = { keys: corrected, token: tokens.get(zone) }
        await revise(zone, authority, report, 'confirmed')
        // Alone in its window, so that it is held; in other rounds the window is empty.
        if (round % 2 === 0) await zone.upload(lonely, authority)
      }
      if (round % 2 === 0) await test.upload()
      advance(HOUR)
      await publishDue(twin.zone.publisher)
    },
    wait: () => advance(26 * HOUR),
    async [Symbol.asyncDispose]() {
      await test[Symbol.asyncDispose]()
      await twin[Symbol.asyncDispose]()
      await twinDatabase[Symbol.asyncDispose]()
    },
  }
}

async function secondKey(folder: string): Promise<StreamKey> {
  const keyFile = join(folder, 'second.pem')
  const publicKey = await makeSigningKey(keyFile)
  return { keyId: '310', keyVersion: 'v2', publicKey, keyFile, from: 0, through: null }
}

async function changeKeys({ zone, clock }: PublishingZone, keys: readonly StreamKey[]) {
  await zone.db.transaction((tx) =>
    updateStream(tx, zone.writer, 'plain', () => ({ keys }), clock.now()),
  )
}

/** @returns the token that revises it */
async function likely(zone: PublishingZone, authority: TestAuthority, keys: readonly TestKey[]) {
  const reply = await sendReport(zone, authority, keys, { reportType: 'likely' })
  return reply.body.revisionToken
}

async function revise(
  zone: PublishingZone,
  authority: TestAuthority,
  { keys, token }: Revisable,
  reportType: ReportType,
) {
  await sendReport(zone, authority, keys, { reportType, fields: { revisionToken: token } })
}
