// Test helper: an authority zone with one realm, for tests of keys; promises that its log and tables agree at the end.

import assert from 'node:assert/strict'
import { addRealm, realmProjection } from '../src/authorize/realms.ts'
import { signingKeyProjection } from '../src/authorize/signing-keys.ts'
import type { AuthorityZone } from '../src/authorize/zone.ts'
import { verifyLog } from '../src/log/verify-log.ts'
import { openZones } from '../src/operate/open-zones.ts'
import { databaseTestOnce } from './database.ts'
import { movableClock } from './key-zone.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** When the tests of keys begin. */
const START = '2026-11-25T10:07:30Z'
const PROJECTIONS = [realmProjection, signingKeyProjection]

/** A clock that a test moves. */
export type TestClock = ReturnType<typeof movableClock>

/** A zone of its own with the realm `r`; log and tables must agree at the end. */
export function keyTest(
  name: string,
  body: (zone: AuthorityZone, clock: TestClock) => Promise<void>,
): void {
  databaseTestOnce(name, async ({ url }, t) => {
    const clock = movableClock(START)
    const folder = await temporaryFolder(t)
    await using zones = await openZones({
      ownerUrl: url,
      zoneUrls: {},
      masterKeyFile: `${folder}/master.key`,
      demo: undefined,
      server: true,
      timeGrain: 900,
      poolSize: 8,
      projections: { key: [], authority: PROJECTIONS },
      now: () => clock.now(),
    })
    const zone = { ...zones.authority, masterKey: zones.masterKey }
    const realm = { name: 'r', issuer: 'https://r.example/', audience: 'key-server' }
    await addRealm(zone, realm, 'command', clock.now())
    await body(zone, clock)
    assert.deepEqual((await verifyLog(zone.db, PROJECTIONS)).problems, [])
  })
}
