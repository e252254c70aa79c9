// Test: settings of realms and what is said of staff; promises that two realms never share a host, and that what no text can be is refused where it is kept.

import assert from 'node:assert/strict'
import { changeSettings, REALM_DEFAULTS } from '../src/authorize/realm-settings.ts'
import { addRealm, changeRealm, findRealm, type Realm } from '../src/authorize/realms.ts'
import { setStaff } from '../src/authorize/staff.ts'
import { TocsinError } from '../src/errors.ts'
import { testRealm, zoneTest } from './authority-zone.ts'

const SHARED = new TocsinError('realm_invalid', 'Another realm has this linkDomain.')

zoneTest('of realms that take one host at the same moment, one gets it', async (town, clock) => {
  const { zone } = town
  const now = clock.now()
  const others: Realm[] = []
  for (let each = 0; each < 3; each++)
    others.push(await addRealm(zone, testRealm(), 'command', now))
  const change = (name: string, linkDomain: string) =>
    changeRealm(zone, name, { linkDomain }, 'command', now)
  const changed = await Promise.allSettled(others.map(({ name }) => change(name, 'en.example')))
  const refused = changed.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []))
  assert.deepEqual(refused, [SHARED, SHARED])

  const settings = { linkDomain: 'en.example' }
  await assert.rejects(addRealm(zone, { ...testRealm(), settings }, 'command', now), SHARED)
  const [taken] = changed.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
  await change(taken?.name ?? '', 'other.example')
  await change(town.realm.name, 'en.example')
})

zoneTest('changes that are made of what is there lose nothing', async ({ zone, realm }, clock) => {
  await Promise.all(
    Array.from({ length: 5 }, (_, index) =>
      changeRealm(
        zone,
        realm.name,
        ({ textTemplates }) => ({
          textTemplates: { ...textTemplates, [`text-${index}`]: '[code]' },
        }),
        'command',
        clock.now(),
      ),
    ),
  )
  const { settings } = (await findRealm(zone.db, realm.name)) ?? realm
  assert.equal(Object.keys(settings.textTemplates).length, 6)
})

zoneTest('NUL and half a character are refused', async ({ zone, realm }, clock) => {
  const isRefusal = (error: unknown) => error instanceof TocsinError && error.status === 400
  for (const odd of ['\0', '\ud800', '\udfff', '\u0001']) {
    for (const given of [
      { textTemplates: { default: `${odd}[code]` } },
      { textTemplates: { default: '[code]', [`a${odd}`]: '[code]' } },
      { userReportTemplate: `${odd}[code]` },
      { displayName: odd },
    ])
      assert.throws(() => changeSettings(REALM_DEFAULTS, given), isRefusal, JSON.stringify(given))
    for (const email of [`a${odd}@example.org`, `a@example.org${odd}`]) {
      const given = { displayName: 'Ann', roles: ['issue'] as const, email }
      const name = { realm: realm.name, name: 'ann' }
      await assert.rejects(setStaff(zone, name, given, 'add', 'command', clock.now()), isRefusal)
    }
  }
  changeSettings(REALM_DEFAULTS, { userReportTemplate: 'Two\r\n\tlines 💩 [code]' })
})
