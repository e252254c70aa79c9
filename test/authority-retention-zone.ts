// Test helper: an authority zone whose log is written event by event; promises that after each erasing the log's check finds nothing wrong.

import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { apiKeyProjection } from '../src/authorize/api-keys.ts'
import { codeProjection, userReportProjection } from '../src/authorize/code-table.ts'
import { codeClaimed, codeIssued, type CodeId, type IssuedCode } from '../src/authorize/codes.ts'
import { eraseDue } from '../src/authorize/retention.ts'
import type { ErasedKind } from '../src/authorize/retention-rules.ts'
import { realmProjection } from '../src/authorize/realms.ts'
import { signingKeyProjection } from '../src/authorize/signing-keys.ts'
import { statProjection, type StatCount } from '../src/authorize/stat-counts.ts'
import { TOKEN_LIFE } from '../src/authorize/tokens.ts'
import type { AuthorityZone } from '../src/authorize/zone.ts'
import type { Address } from '../src/db/database.ts'
import { sql } from '../src/db/sql.ts'
import { appendEvents } from '../src/log/append-event.ts'
import { decodeEvent, type NewEvent, type StoredEvent } from '../src/log/record.ts'
import { retentionProjection, type Erasure } from '../src/log/retention-cursor.ts'
import { verifyLog } from '../src/log/verify-log.ts'
import { openZones } from '../src/operate/open-zones.ts'
import { dumpZone } from './authority-zone.ts'
import { databaseTestOnce } from './database.ts'
import { movableClock } from './key-zone.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** When these tests begin: within a grain, and not at the beginning of a day. */
export const BEGINNING = '2026-11-25T10:07:30Z'

export const HOUR = 3_600
export const DAY = 86_400

/** A code as the tests keep it. */
export interface IssuedForTest extends CodeId {
  readonly macs: readonly Uint8Array[]
  readonly nonceMac: Uint8Array
  readonly phoneMac: Uint8Array
  readonly longExpiresAt: number
}

/** The zone, and what is done to it. */
export interface RetentionZone {
  readonly zone: AuthorityZone
  readonly address: Address
  /** The same data through connections of its own. */
  readonly other: AuthorityZone
  readonly clock: ReturnType<typeof movableClock>
  seconds(): number
  append(...events: readonly NewEvent[]): Promise<number[]>
  issue(change?: Partial<IssuedCode>, phoneDays?: number): Promise<IssuedForTest>
  /** Claims a code. @returns the token's id */
  claim(code: CodeId, nonceMac?: Uint8Array): Promise<Uint8Array>
  /** Erases what is due, and checks the log. */
  erase(): Promise<Erasure<ErasedKind>['erased']>
  check(): Promise<void>
  dump(): Promise<string>
  events(): Promise<StoredEvent[]>
}

/** A count of one of something today. */
export function countToday(at: number, kind: StatCount['kind'], count = 1): StatCount {
  return {
    realm: 'north',
    day: Math.floor(at / DAY),
    kind,
    subjectKind: 'realm',
    subject: '',
    count,
  }
}

/** A test in such a zone. */
export function retentionTest(name: string, body: (zone: RetentionZone) => Promise<void>): void {
  databaseTestOnce(name, async (database, t) => {
    const clock = movableClock(BEGINNING)
    const folder = await temporaryFolder(t)
    await using first = await openZone(database.url, folder, clock)
    await using second = await openZone(database.url, folder, clock)
    const zone = actionsIn(first.zone, second.zone, first.address, clock)
    await body(zone)
    await zone.check()
  })
}

async function openZone(
  ownerUrl: string,
  folder: Awaited<ReturnType<typeof temporaryFolder>>,
  clock: ReturnType<typeof movableClock>,
) {
  const zones = await openZones({
    ownerUrl,
    zoneUrls: {},
    masterKeyFile: join(folder, 'master.key'),
    demo: undefined,
    server: true,
    timeGrain: 900,
    poolSize: 4,
    projections: {
      key: [],
      authority: [
        realmProjection,
        signingKeyProjection,
        apiKeyProjection,
        codeProjection,
        userReportProjection,
        statProjection,
        retentionProjection,
      ],
    },
    now: () => clock.now(),
  })
  return {
    zone: { ...zones.authority, masterKey: zones.masterKey },
    address: zones.authority.address,
    [Symbol.asyncDispose]: () => zones[Symbol.asyncDispose](),
  }
}

function actionsIn(
  zone: AuthorityZone,
  other: AuthorityZone,
  address: Address,
  clock: RetentionZone['clock'],
): RetentionZone {
  const seconds = () => Math.floor(clock.now().getTime() / 1000)
  const append = async (...events: readonly NewEvent[]) => {
    const stored = await zone.db.transaction((tx) =>
      appendEvents(tx, zone.writer, events, clock.now()),
    )
    return stored.map(({ seq }) => seq)
  }
  const check = async () =>
    assert.deepEqual((await verifyLog(zone.db, zone.writer.projections)).problems, [])
  return {
    zone,
    other,
    address,
    clock,
    seconds,
    append,
    check,
    async issue(change = {}, phoneDays) {
      const code: IssuedCode = {
        ...newCode(seconds()),
        ...change,
      }
      const [codeMac, longCodeMac, nonceMac, phoneMac] = randomMacs()
      const phone =
        phoneDays === undefined
          ? undefined
          : {
              realm: 'north',
              phoneMac,
              pepper: 1,
              forgetDay: dayAt(seconds()) + phoneDays,
            }
      const own = code.needsNonce ? nonceMac : null
      const [seq = 0] = await append(
        codeIssued(
          code,
          {
            pepper: 1,
            codeMac,
            longCodeMac,
            nonceMac: own,
          },
          phone,
          [countToday(seconds(), 'codes_issued')],
        ),
      )
      const { longExpiresAt } = code
      return {
        seq,
        place: 0,
        macs: [codeMac, longCodeMac],
        nonceMac,
        phoneMac,
        longExpiresAt,
      }
    },
    async claim(code, nonceMac) {
      const id = randomBytes(16)
      const counts = [
        countToday(seconds(), 'codes_claimed'),
        countToday(seconds(), 'claim_age_seconds', 0),
      ]
      const token = {
        id,
        expiresAt: seconds() + TOKEN_LIFE,
      }
      await append(codeClaimed(code, token, nonceMac ?? null, counts))
      return id
    },
    async erase() {
      const { erased, failures } = await eraseDue(zone, clock.now())
      assert.deepEqual([...failures], [])
      await check()
      return erased
    },
    dump: () => dumpZone(zone),
    async events() {
      const { rows } = await zone.db.query<{
        record: Uint8Array
      }>(sql`select record from event order by seq`)
      return rows.map(({ record }) => decodeEvent(record))
    },
  }
}

function newCode(seconds: number): IssuedCode {
  return {
    realm: 'north',
    uuid: randomUUID(),
    shortLife: 900,
    provider: null,
    apiKey: 'abcdefgh',
    testType: 'confirmed',
    symptomDate: '2026-11-20',
    testDate: null,
    staff: null,
    expiresAt: seconds + 900,
    longExpiresAt: seconds + DAY,
    externalIssuer: null,
    needsNonce: false,
  }
}

function randomMacs(): [Uint8Array, Uint8Array, Uint8Array, Uint8Array] {
  return [randomBytes(32), randomBytes(32), randomBytes(32), randomBytes(32)]
}

/** The day of a second. */
export function dayAt(seconds: number): number {
  return Math.floor(seconds / DAY)
}

/** Bytes as a dump shows them. */
export function hex(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString('hex')
}
