// Test helper: an authority zone whose provider hands out cards; promises batches made as real ones are.

import { createLocalJWKSet, jwtVerify } from 'jose'
import type { CodeBatch } from '../src/authorize/batch-events.ts'
import { makeBatch, type NewBatch } from '../src/authorize/batches.ts'
import { jwksObject } from '../src/authorize/jwks-document.ts'
import { addProvider } from '../src/authorize/providers.ts'
import { listSigningKeys } from '../src/authorize/signing-keys.ts'
import type { WithdrawalOrder } from '../src/authorize/withdrawal-orders.ts'
import { outcomeOf, someKeysHmac, zoneTest, type TestAuthorityZone } from './authority-zone.ts'
import type { movableClock } from './key-zone.ts'

/** A batch with its codes. */
export interface Cards {
  readonly batch: CodeBatch
  readonly codes: readonly string[]
}

/** What a test has. */
export interface CardDesk {
  readonly zone: TestAuthorityZone
  readonly clock: ReturnType<typeof movableClock>
  /** Makes a batch: 12 confirmed codes of the provider `lab` for two weeks, unless told otherwise. */
  make(given?: Partial<NewBatch>): Promise<Cards>
  /** What a phone gets for a code, up to a certificate for new keys; `done` or the code of the refusal. */
  report(code: string): Promise<string>
}

/** Seconds. */
export const DAY = 86_400

/** A test in a zone of its own; the zone's log and tables must agree at the end. */
export function cardTest(name: string, body: (desk: CardDesk) => Promise<void>): void {
  zoneTest(name, async (zone, clock) => {
    const realm = zone.realm.name
    for (const [provider, displayName] of [
      ['lab', 'The laboratory'],
      ['clinic', 'The clinic'],
    ] as const)
      await addProvider(zone.zone, { realm, name: provider, displayName }, 'command', clock.now())
    await known()
    await body({
      zone,
      clock,
      make: (given = {}) =>
        makeBatch(zone.zone, { ...usualBatch(realm), ...given }, 'staff:ann', clock.now()),
      report: (code) => report(zone, code),
    })
  })
}

/** What {@link CardDesk.make} makes. */
export function usualBatch(realm: string): NewBatch {
  return {
    realm,
    provider: 'lab',
    label: 'Ward 7',
    language: 'en',
    testType: 'confirmed',
    needsActivation: false,
    size: 12,
    life: 14 * DAY,
  }
}

/** Processes know of a change after a second at the most. */
export function known(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1000))
}

/** What a key server reads in an order: it has nothing but the realm's published keys. */
export async function readOrder(
  { zone, clock }: Pick<CardDesk, 'zone' | 'clock'>,
  order: Pick<WithdrawalOrder, 'jws'> | undefined,
) {
  const keys = await listSigningKeys(zone.zone.db, zone.realm.name, null)
  const jwks = createLocalJWKSet(jwksObject(keys, clock.now()) as never)
  const { payload } = await jwtVerify(order?.jws ?? '', jwks, {
    algorithms: ['ES256'],
    typ: 'tocsin-withdrawal+jwt',
    issuer: zone.realm.issuer,
    audience: zone.realm.audience,
    currentDate: clock.now(),
  })
  return payload
}

async function report(zone: TestAuthorityZone, code: string): Promise<string> {
  const verified = await zone.verify({ code })
  if (verified.status !== 200) return outcomeOf(verified)
  const { token } = verified.body
  return outcomeOf(await zone.certify({ token, ekeyhmac: someKeysHmac() }))
}
