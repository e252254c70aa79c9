// Test: the apps of a realm in a real zone: as events, and as the table that follows from them.

import assert from 'node:assert/strict'
import {
  listMobileApps,
  mobileAppProjection,
  removeMobileApp,
  setMobileApp,
} from '../src/authorize/mobile-apps.ts'
import type { AuthorityZone } from '../src/authorize/zone.ts'
import { TocsinError } from '../src/errors.ts'
import { verifyLog } from '../src/log/verify-log.ts'
import { countEvents, zoneTest, type TestAuthorityZone } from './authority-zone.ts'
import { ANDROID, IOS } from './link-server.ts'

/** The zone with the table of apps among those that follow from events. */
function withApps({ zone }: TestAuthorityZone): AuthorityZone {
  const others = zone.writer.projections.filter(({ tables }) => !tables.includes('mobile_app'))
  return { ...zone, writer: { ...zone.writer, projections: [...others, mobileAppProjection] } }
}

const codeOf = (error: unknown) => (error instanceof TocsinError ? error.code : String(error))

zoneTest(
  'apps are set, replaced and removed, each time as an event that makes the table again',
  async (opened, clock) => {
    const zone = withApps(opened)
    const realm = opened.realm.name
    const set = (app: unknown, name = realm) =>
      setMobileApp(zone, name, app, 'command', clock.now())
    const remove = (name: string) => removeMobileApp(zone, realm, name, 'staff:ann', clock.now())
    const events = async (type: string) => countEvents(await opened.dump(), type)
    assert.deepEqual(await listMobileApps(zone.db, realm), [])
    assert.deepEqual(await set(IOS), IOS)
    await set(ANDROID)
    assert.deepEqual(await listMobileApps(zone.db, realm), [ANDROID, IOS])
    await set({ ...IOS })
    assert.equal(await events('mobile-app.set'), 2, 'what is there already makes no event')
    const renamed = { ...IOS, displayName: "Robert'); drop table mobile_app; --" }
    await set(renamed)
    assert.deepEqual(await listMobileApps(zone.db, realm), [ANDROID, renamed])
    await remove(ANDROID.name)
    assert.deepEqual(await listMobileApps(zone.db, realm), [renamed])
    const before = await opened.dump()
    assert.equal(
      await set({ ...IOS, storeUrl: 'javascript:alert(1)' }).catch(codeOf),
      'app_invalid',
    )
    assert.equal(await set(IOS, 'nowhere').catch(codeOf), 'realm_unknown')
    assert.equal(await remove(ANDROID.name).catch(codeOf), 'app_unknown')
    assert.equal(await opened.dump(), before, 'what was refused changed nothing')
    const twice = await Promise.all([1, 2].map(() => remove(IOS.name).catch(codeOf)))
    assert.deepEqual(twice.filter((outcome) => outcome === 'app_unknown').length, 1)
    assert.equal(await events('mobile-app.removed'), 2)
    await set(ANDROID)
    assert.deepEqual((await verifyLog(zone.db, zone.writer.projections)).problems, [])
  },
)
