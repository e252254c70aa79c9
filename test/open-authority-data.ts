// Test helper: the authority zone of a database as it is, and realms of its own; promises the real data, for tests and benchmarks.

import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { authorityProjections } from '../src/authorize/context.ts'
import type { Realm } from '../src/authorize/realms.ts'
import { gatewaySecretName } from '../src/authorize/senders.ts'
import type { AuthorityZone } from '../src/authorize/zone.ts'
import { addSecretVersion } from '../src/db/zone-secrets.ts'
import { openZones, type OpenZone } from '../src/operate/open-zones.ts'

/** Opens the authority zone of a database as it is. */
export async function openAuthorityData(
  ownerUrl: string,
  folder: string,
  now: () => Date,
): Promise<AsyncDisposable & { readonly zone: AuthorityZone & Pick<OpenZone, 'address'> }> {
  const zones = await openZones({
    ownerUrl,
    zoneUrls: {},
    masterKeyFile: join(folder, 'master.key'),
    demo: undefined,
    server: true,
    timeGrain: 900,
    poolSize: 8,
    projections: { key: [], authority: authorityProjections },
    now,
  })
  return {
    zone: { ...zones.authority, masterKey: zones.masterKey },
    [Symbol.asyncDispose]: () => zones[Symbol.asyncDispose](),
  }
}

/** A realm that no other test has. */
export function testRealm(): Pick<Realm, 'name' | 'issuer' | 'audience'> {
  const name = `realm-${randomBytes(4).toString('hex')}`
  return { name, issuer: `https://${name}.example/`, audience: 'key-server' }
}

/** The secret without which no realm sends texts through a gateway. */
export function addGatewaySecret(zone: AuthorityZone, realm: string, now: Date): Promise<void> {
  return addSecretVersion(zone.db, zone.masterKey, gatewaySecretName(realm), 0, now)
}
