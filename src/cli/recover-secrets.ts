// Cli: which secrets a recovered deployment lacks, and what that means for people; promises the kinds that the zones really use.

import { listRealms } from '../authorize/realms.ts'
import { gatewaySecretName } from '../authorize/senders.ts'
import { listSigningKeys, loadSigningKey } from '../authorize/signing-keys.ts'
import { checkWrapped, readWrapped, restoreWrapped } from '../db/secrets-backup.ts'
import type { MasterKey } from '../db/secrets.ts'
import type { Zone } from '../db/zones.ts'
import { TocsinError } from '../errors.ts'
import type { OpenZones } from '../operate/open-zones.ts'
import type { CommandContext } from './command.ts'
import type { SecretsBackup } from './secrets.ts'

/** A secret that is not there. */
export interface MissingSecret {
  readonly zone: Zone
  readonly name: string
  readonly meaning: string
}

/** What every deployment has, by the beginning of its name. */
const KINDS: readonly MissingSecret[] = [
  {
    zone: 'key',
    name: 'fingerprint',
    meaning: 'an upload that is repeated is not recognised: a phone that had no reply is refused',
  },
  {
    zone: 'key',
    name: 'revision token',
    meaning: 'revision tokens that phones have count no more: they can not change their reports',
  },
  {
    zone: 'authority',
    name: 'pepper',
    meaning: 'codes and API keys that were issued count no more: make new ones',
  },
  {
    zone: 'authority',
    name: 'token key',
    meaning: 'phones between code and certificate must begin again with a new code',
  },
]
const SIGNING_KEY: MissingSecret = {
  zone: 'authority',
  name: 'signing key',
  meaning: 'certificates can not be signed: make a new key with tocsin key rotate',
}

/** The kinds that a backup lacks: all that can be said before the log is there. */
export function kindsMissing(
  backup: SecretsBackup | undefined,
  zones: readonly Zone[],
): MissingSecret[] {
  return [...KINDS, SIGNING_KEY].filter(
    ({ zone, name }) =>
      zones.includes(zone) &&
      backup?.zones[zone].some((secret) => secret.name.startsWith(name)) !== true,
  )
}

/** Puts the secrets of a backup into the zones. @throws TocsinError `master_key_wrong` when the master key opens one of them not */
export async function restoreSecrets(
  { masterKey, ...open }: OpenZones,
  backup: SecretsBackup,
  zones: readonly Zone[],
): Promise<void> {
  for (const zone of zones) checkWrapped(masterKey, backup.zones[zone])
  for (const zone of zones)
    await open[zone].db.transaction((tx) => restoreWrapped(tx, backup.zones[zone]))
}

/** What recovered zones lack. */
export async function findMissing(
  open: OpenZones,
  zones: readonly Zone[],
): Promise<MissingSecret[]> {
  const missing: MissingSecret[] = []
  for (const zone of zones) {
    const names = (await readWrapped(open[zone].db)).map(({ name }) => name)
    missing.push(
      ...KINDS.filter(
        (kind) => kind.zone === zone && !names.some((name) => name.startsWith(kind.name)),
      ),
    )
    if (zone === 'authority') missing.push(...(await findMissingOfRealms(open, names)))
  }
  return missing
}

async function findMissingOfRealms(
  { authority: { db }, masterKey }: OpenZones,
  names: readonly string[],
): Promise<MissingSecret[]> {
  const missing: MissingSecret[] = []
  for (const key of await listSigningKeys(db, null, null)) {
    if (key.destroyedAt !== null || (await isLoadable(db, masterKey, key))) continue
    missing.push({
      zone: 'authority',
      name: `signing key ${key.kid}`,
      meaning: `what realm "${key.realm}" signs with it can not be signed: make a new key with tocsin key rotate`,
    })
  }
  for (const { name, settings } of await listRealms(db))
    if (settings.textSender === 'gateway' && !names.includes(gatewaySecretName(name)))
      missing.push({
        zone: 'authority',
        name: gatewaySecretName(name),
        meaning: `no texts of realm "${name}": make a new one with tocsin realm gateway-secret`,
      })
  return missing
}

async function isLoadable(
  db: OpenZones['authority']['db'],
  masterKey: MasterKey,
  key: Parameters<typeof loadSigningKey>[1],
): Promise<boolean> {
  try {
    await loadSigningKey({ db, masterKey }, key)
    return true
  } catch (error) {
    if (error instanceof TocsinError && error.code === 'signing_key_invalid') return false
    throw error
  }
}

/** Tells what is missing, and what that means. */
export function printMissing(context: CommandContext, missing: readonly MissingSecret[]): void {
  for (const { zone, name, meaning } of missing)
    context.print(`Missing in the ${zone} zone: ${name}. So ${meaning}.`)
}
