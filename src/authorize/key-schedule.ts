// Authorize: carries out the schedule of signing keys, and what somebody wants done at once; promises that two who do it at the same time do it once.

import type { Transaction } from '../db/database.ts'
import { TocsinError } from '../errors.ts'
import { appendEvents } from '../log/append-event.ts'
import type { NewEvent } from '../log/record.ts'
import {
  keyInUse,
  keyToFollow,
  planRotation,
  planSigningKeys,
  SIGNING_KEY_RULES,
  type Step,
} from './plan-signing-keys.ts'
import { listRealms, lockRealm } from './realms.ts'
import {
  destroySigningKey,
  KEY_PURPOSES,
  listSigningKeys,
  makeSigningKey,
  signingKeyRetired,
  type KeyActor,
  type KeyPurpose,
  type SigningKey,
} from './signing-keys.ts'
import type { RealmSettings } from './realm-settings.ts'
import type { AuthorityZone } from './zone.ts'

/**
 * Does for all realms what their schedules ask for now. To be called every few minutes, by any number of processes.
 *
 * @returns how many keys were made, retired and destroyed
 */
export async function runKeySchedule(zone: AuthorityZone, now: Date): Promise<number> {
  const realms = await listRealms(zone.db)
  const all = await listSigningKeys(zone.db, null, null)
  let done = 0
  for (const { name, settings } of realms)
    for (const purpose of KEY_PURPOSES) {
      const keys = all.filter((key) => key.realm === name && key.purpose === purpose)
      // Most times there is nothing, and nobody has to wait for the lock.
      if (planFor(keys, purpose, settings, now).length === 0) continue
      done += await zone.db.transaction(async (tx) => {
        const realm = await lockRealm(tx, name)
        const current = await listSigningKeys(tx, name, purpose)
        const steps = planFor(current, purpose, realm.settings, now)
        return carryOut(tx, zone, { realm: name, purpose, keys: current, steps }, 'schedule', now)
      })
    }
  return done
}

/**
 * Has a new key follow the one in use, as the schedule would when that one is old enough: published at once, used an hour
 * later. One that is to follow already is left as it is; the first of its purpose is used at once.
 *
 * @param atOnce whether a new one is used from now on instead, in place of all others
 * @returns the key that follows, or is in use
 * @throws TocsinError `realm_unknown`, `signing_keys_too_many`
 */
export function rotateNow(
  zone: AuthorityZone,
  realm: string,
  purpose: KeyPurpose,
  by: KeyActor,
  now: Date,
  atOnce = false,
): Promise<SigningKey> {
  return zone.db.transaction(async (tx) => {
    await lockRealm(tx, realm)
    const keys = await listSigningKeys(tx, realm, purpose)
    const steps = planRotation(keys, now, atOnce)
    if (steps === undefined)
      throw new TocsinError(
        'signing_keys_too_many',
        `The realm has ${SIGNING_KEY_RULES.most} keys that are published or can sign: wait until the oldest is published no more, or destroy it.`,
      )
    await carryOut(tx, zone, { realm, purpose, keys, steps }, by, now)
    const after = await listSigningKeys(tx, realm, purpose)
    return (keyToFollow(after, now) ?? keyInUse(after, now)) as SigningKey
  })
}

/**
 * Destroys the private half of a key at once and publishes its public half no more: what it ever signed counts no longer, as
 * it must be when the key has leaked. Done before, it stays done.
 *
 * @throws TocsinError `realm_unknown`; `signing_key_unknown` when the realm has none of this kid; `signing_key_in_use` when it signs, or is to sign
 */
export function destroyNow(
  zone: AuthorityZone,
  realm: string,
  kid: string,
  by: KeyActor,
  now: Date,
): Promise<void> {
  return zone.db.transaction(async (tx) => {
    await lockRealm(tx, realm)
    const key = (await listSigningKeys(tx, realm, null)).find((each) => each.kid === kid)
    if (key === undefined)
      throw new TocsinError('signing_key_unknown', 'The realm has no signing key of this kid.')
    if ((key.usedUntil ?? Infinity) * 1000 > now.getTime())
      throw new TocsinError(
        'signing_key_in_use',
        `The key "${kid}" signs, or is to sign: make a new one, and destroy this one when the new one is in use: an hour later, or with --at-once now.`,
      )
    const events: NewEvent[] = []
    if (key.usedUntil !== 0) events.push(signingKeyRetired(kid, 0, by))
    if (key.destroyedAt === null) events.push(await destroySigningKey(tx, key, by, now))
    await appendEvents(tx, zone.writer, events, now)
  })
}

/** Certificates have a key in any case; texts when they are signed, and phones are told of each one by hand: time replaces none. */
function planFor(
  keys: readonly SigningKey[],
  purpose: KeyPurpose,
  { keyRotationDays, signTexts }: RealmSettings,
  now: Date,
): Step[] {
  if (purpose === 'certificate')
    return planSigningKeys(keys, { now, rotationDays: keyRotationDays })
  const steps = planSigningKeys(keys, { now, rotationDays: 0 })
  return signTexts ? steps : steps.filter((step) => step.do === 'destroy')
}

interface Planned {
  readonly realm: string
  readonly purpose: KeyPurpose
  /** All of that realm and purpose. */
  readonly keys: readonly SigningKey[]
  readonly steps: readonly Step[]
}

async function carryOut(
  tx: Transaction,
  zone: AuthorityZone,
  { realm, purpose, keys, steps }: Planned,
  by: KeyActor,
  now: Date,
): Promise<number> {
  const events: NewEvent[] = []
  for (const step of steps)
    if (step.do === 'make') {
      const { number, usedFrom } = step
      events.push(await makeSigningKey(tx, zone, { realm, purpose, number, usedFrom }, by, now))
    } else if (step.do === 'retire') events.push(signingKeyRetired(step.kid, step.usedUntil, by))
    else {
      const key = keys.find(({ kid }) => kid === step.kid)
      if (key !== undefined) events.push(await destroySigningKey(tx, key, by, now))
    }
  await appendEvents(tx, zone.writer, events, now)
  return events.length
}
