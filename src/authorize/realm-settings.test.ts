// Test: the settings of a realm: what is taken and what is refused, with the name of the setting.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { changeSettings, REALM_DEFAULTS } from './realm-settings.ts'

const change = (given: Record<string, unknown>) => changeSettings(REALM_DEFAULTS, given)

test('settings are taken over those that were there, and the others stay', () => {
  const changed = change({
    shortLength: 6,
    testTypes: ['confirmed', 'user-report'],
    memberQuota: 5,
  })
  assert.deepEqual(changed, {
    ...REALM_DEFAULTS,
    shortLength: 6,
    testTypes: ['confirmed', 'user-report'],
    memberQuota: 5,
  })
  assert.equal(changeSettings(changed, { memberQuota: null }).memberQuota, null)
  assert.deepEqual(change({}), REALM_DEFAULTS)
})

const REFUSED: readonly [name: string, value: unknown][] = [
  ['shortLength', 5],
  ['shortLength', 11],
  ['shortLength', 6.5],
  ['shortLength', '8'],
  ['shortLength', null],
  ['shortLife', 59],
  ['longLength', 11],
  ['longLength', 20],
  ['longLength', 33],
  ['longLife', 60],
  ['paperLife', 61 * 86_400],
  ['certificateLife', 3601],
  ['maintenance', 'true'],
  ['bulk', 1],
  ['displayName', 'a\u0000b'],
  ['displayName', 'a'.repeat(101)],
  ['displayName', '\ud800'],
  ['region', 'usa'],
  ['language', 'english language'],
  ['country', 'us'],
  ['textSender', 'twilio'],
  ['textSender', 'gateway'],
  ['gatewayUrl', 'http://gateway.example/'],
  ['gatewayUrl', 'ftp://gateway.example/'],
  ['linkDomain', 'Example.org'],
  ['linkDomain', 'localhost'],
  ['testTypes', []],
  ['testTypes', ['confirmed', 'confirmed']],
  ['testTypes', ['positive']],
  ['testTypes', 'confirmed'],
  ['textTemplates', { other: 'Code [code]' }],
  ['textTemplates', { default: 'no code' }],
  ['textTemplates', { default: '[code] [longcode]' }],
  ['textTemplates', { default: '[enslink]' }],
  ['textTemplates', null],
  ['userReportTemplate', '[longexpires] [code]'],
  ['dailyQuota', 0],
  ['memberQuota', 1_000_001],
  ['quotaPercent', 9],
  ['keyRotationDays', -1],
]

test('what can not be carried out is refused with the name of the setting', () => {
  for (const [name, value] of REFUSED) {
    // A template is named by its label.
    const named = new RegExp(name === 'textTemplates' ? 'textTemplates|default' : name)
    assert.throws(
      () => change({ [name]: value }),
      { code: 'realm_invalid', message: named },
      `${name} ${JSON.stringify(value)}`,
    )
  }
  assert.throws(() => change({ nothing: 1 }), /no setting "nothing"/)
  assert.throws(
    () => change(JSON.parse('{"__proto__": 1}') as Record<string, unknown>),
    /no setting/,
  )
})

test('a link needs a host or a region, a gateway its address', () => {
  const textTemplates = { default: 'Open [enslink]' }
  assert.equal(change({ textTemplates, region: 'US-WA' }).region, 'US-WA')
  assert.equal(
    change({ textTemplates, linkDomain: 'us-wa.en.example' }).textTemplates['default'],
    'Open [enslink]',
  )
  const gatewayUrl = 'https://gateway.example/send'
  assert.equal(change({ textSender: 'gateway', gatewayUrl }).gatewayUrl, gatewayUrl)
})
