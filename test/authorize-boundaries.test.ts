// Test: what is whose: a provider's key and others' codes, a key that was made a moment ago, quotas that self-reports can't use up, a gateway without a secret.

import assert from 'node:assert/strict'
import { addApiKey } from '../src/authorize/api-keys.ts'
import { checkCodeStatus, expireCode } from '../src/authorize/code-status.ts'
import { addProvider } from '../src/authorize/providers.ts'
import { realmQuota, takeQuota } from '../src/authorize/quota.ts'
import { changeRealm, lockRealm } from '../src/authorize/realms.ts'
import { statEvents } from '../src/authorize/stat-counts.ts'
import { dayOf } from '../src/authorize/zone.ts'
import { appendEvents } from '../src/log/append-event.ts'
import { asRequest, codeRequest, outcomeOf, zoneTest } from './authority-zone.ts'

zoneTest(
  "a provider's key counts at once, and sees no other provider's codes",
  async (zone, clock) => {
    const realm = zone.realm.name
    const keyOf = async (provider: string) => {
      await addProvider(
        zone.zone,
        { realm, name: provider, displayName: provider },
        'command',
        clock.now(),
      )
      return addApiKey(zone.zone, { realm, type: 'admin', provider }, 'command', clock.now())
    }
    const bob = await keyOf('bob')
    // What is known of keys is as fresh as can be, and without the next one.
    assert.equal(outcomeOf(await zone.issue(codeRequest(clock.now()), bob)), 'done')
    const anne = await keyOf('anne')
    const issued = await zone.issue(codeRequest(clock.now()), anne)
    assert.equal(outcomeOf(issued), 'done', 'a key that was made a moment ago')
    const { uuid } = issued.body
    for (const ask of [checkCodeStatus, expireCode])
      assert.equal(outcomeOf(await ask(zone.context, asRequest(bob, { uuid }))), 'code_not_found')
    for (const key of [anne, zone.adminKey])
      assert.equal(outcomeOf(await checkCodeStatus(zone.context, asRequest(key, { uuid }))), 'done')
    assert.equal(outcomeOf(await expireCode(zone.context, asRequest(anne, { uuid }))), 'done')
  },
)

zoneTest('self-reports and printed codes use up no quota of others', async (zone, clock) => {
  const { db, writer } = zone.zone
  const realm = await changeRealm(
    zone.zone,
    zone.realm.name,
    { dailyQuota: 2 },
    'command',
    clock.now(),
  )
  const place = { realm: realm.name, day: dayOf(clock.now()) }
  const counts = (['codes_issued', 'user_reports_issued'] as const).map((kind) => ({
    ...place,
    kind,
    subjectKind: 'realm' as const,
    subject: '',
    count: 50,
  }))
  await db.transaction((tx) => appendEvents(tx, writer, statEvents(counts), clock.now()))
  assert.deepEqual((await realmQuota(db, realm, place.day)).issued, 0)
  assert.equal((await realmQuota(db, realm, place.day, 'reported')).issued, 50)
  const take = (pool: 'issued' | 'reported') =>
    db.transaction(async (tx) =>
      takeQuota(tx, await lockRealm(tx, realm.name), pool, undefined, 1, place.day),
    )
  await take('issued')
  await assert.rejects(take('reported'), { code: 'quota_exceeded' })
})

zoneTest('a gateway needs its secret first', async (zone, clock) => {
  const settings = { textSender: 'gateway', gatewayUrl: 'https://gateway.example/' }
  await assert.rejects(changeRealm(zone.zone, zone.realm.name, settings, 'command', clock.now()), {
    code: 'realm_invalid',
    message: /gateway-secret/,
  })
})
