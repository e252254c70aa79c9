// Test: where links lead, for each kind of phone, app and query; what the association files say.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { androidAssociation, appleAssociation, redirectFor, type OpenedLink } from './deep-links.ts'
import type { MobileApp } from './mobile-apps.ts'

const FINGERPRINT = Array<string>(32).fill('AB').join(':')
const PLAY = 'https://play.google.com/store/apps/details?id=org.example.care'
const APP_STORE = 'https://apps.apple.com/app/id123456789'

const ANDROID: MobileApp = {
  name: 'care-android',
  displayName: 'Care',
  platform: 'android',
  appId: 'org.example.care',
  storeUrl: PLAY,
  fingerprints: [FINGERPRINT],
  redirects: true,
  headless: false,
}
const IOS: MobileApp = {
  ...ANDROID,
  name: 'care-ios',
  platform: 'ios',
  appId: 'A1B2C3D4E5.org.example.care',
  storeUrl: APP_STORE,
  fingerprints: [],
}

const PIXEL =
  'Mozilla/5.0 (Linux; Android 13; Pixel 7) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36'
const IPHONE =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 16_3 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1'
const IPAD = 'Mozilla/5.0 (iPad; CPU OS 16_3 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1'
const DESKTOP = 'Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0'

const CODE = '1234567890abcdef'
const INTENT =
  '#Intent;scheme=ens;package=org.example.care;action=android.intent.action.VIEW;category=android.intent.category.BROWSABLE;S.browser_fallback_url=https%3A%2F%2Fplay.google.com%2Fstore%2Fapps%2Fdetails%3Fid%3Dorg.example.care;end'

/** Where it leads, or the page. */
function leads(userAgent: string, query: string, changes: Partial<OpenedLink> = {}): string {
  const target = redirectFor({
    userAgent,
    query,
    region: 'US-WA',
    apps: [ANDROID, IOS],
    ...changes,
  })
  return target.status === 303 ? target.location : target.page
}

test('an Android phone is led to the app, its store, or what the system brings', () => {
  const none = { apps: [IOS] }
  const headless = { apps: [{ ...ANDROID, headless: true }] }
  const picker = 'ensonboarding://picker/us-wa'
  const rows: readonly [query: string, changes: Partial<OpenedLink>, target: string][] = [
    [`c=${CODE}`, {}, `intent://v?c=${CODE}&r=US-WA${INTENT}`],
    ['', {}, PLAY],
    [`c=${CODE}`, headless, picker],
    ['', headless, picker],
    [`c=${CODE}`, none, picker],
    ['', none, picker],
    // What has no store can't be fallen back to.
    [`c=${CODE}`, { apps: [{ ...ANDROID, storeUrl: '' }] }, picker],
    // The realm's apps are all its own: there is no region to turn on.
    [`c=${CODE}`, { region: '' }, `intent://v?c=${CODE}${INTENT}`],
    ['', { region: '' }, PLAY],
    [`c=${CODE}`, { ...headless, region: '' }, 'no-app'],
    [`c=${CODE}`, { ...none, region: '' }, 'no-app'],
  ]
  for (const [query, changes, target] of rows)
    assert.equal(leads(PIXEL, query, changes), target, JSON.stringify([query, changes]))
})

test('an iPhone is led to the store, or to what the system brings', () => {
  const none = { apps: [ANDROID] }
  const rows: readonly [query: string, changes: Partial<OpenedLink>, target: string][] = [
    [`c=${CODE}`, {}, APP_STORE],
    ['', {}, APP_STORE],
    [`c=${CODE}`, none, `ens://v?c=${CODE}&r=US-WA`],
    [`c=${CODE}`, { apps: [{ ...IOS, storeUrl: '' }] }, `ens://v?c=${CODE}&r=US-WA`],
    ['', none, 'ens://onboarding'],
    [`c=${CODE}`, { ...none, region: '' }, 'no-app'],
    ['', { ...none, region: '' }, 'no-app'],
  ]
  for (const [query, changes, target] of rows)
    assert.equal(leads(IPHONE, query, changes), target, JSON.stringify([query, changes]))
})

test('any other device is told to use a phone', () => {
  for (const userAgent of [DESKTOP, IPAD, '', 'curl/8.0']) {
    assert.equal(leads(userAgent, `c=${CODE}`), 'other-device')
    assert.equal(leads(userAgent, 'r=US-WA'), 'other-device')
    assert.equal(leads(userAgent, ''), 'no-code')
    assert.equal(leads(userAgent, 'utm_source=mail'), 'no-code')
  }
})

test('browsers are sent to the first app that takes them', () => {
  const second = { ...ANDROID, name: 'other', appId: 'org.example.other' }
  const quiet = { ...ANDROID, redirects: false }
  assert.match(
    leads(PIXEL, `c=${CODE}`, { apps: [ANDROID, second] }),
    /;package=org\.example\.care;/,
  )
  assert.match(
    leads(PIXEL, `c=${CODE}`, { apps: [quiet, second] }),
    /;package=org\.example\.other;/,
  )
  assert.equal(leads(PIXEL, `c=${CODE}`, { apps: [quiet] }), 'ensonboarding://picker/us-wa')
  const quietIos = { ...IOS, redirects: false }
  assert.equal(leads(IPHONE, `c=${CODE}`, { apps: [quietIos] }), `ens://v?c=${CODE}&r=US-WA`)
})

test("of a link only the code is handed on, with the realm's own region", () => {
  const apps: readonly MobileApp[] = []
  const rows: readonly [query: string, target: string][] = [
    ['r=DE', 'ens://v?r=US-WA'],
    ['c=12345678&r=DE', 'ens://v?c=12345678&r=US-WA'],
    ['r=DE&c=12345678', 'ens://v?c=12345678&r=US-WA'],
    ['c=12345678&c=87654321', 'ens://v?c=12345678&r=US-WA'],
    ['c=12345678&x=1&url=https://evil.example', 'ens://v?c=12345678&r=US-WA'],
    ['c=0ABC-DEFG-HJKM-NPQR-STVW', 'ens://v?c=0ABC-DEFG-HJKM-NPQR-STVW&r=US-WA'],
    [`c=${'1'.repeat(64)}`, `ens://v?c=${'1'.repeat(64)}&r=US-WA`],
    ['utm_source=mail', 'ens://onboarding'],
    ['c=', 'ens://onboarding'],
    ['C=12345678', 'ens://onboarding'],
  ]
  for (const [query, target] of rows) assert.equal(leads(IPHONE, query, { apps }), target, query)
})

const HOSTILE = [
  'c=1%0d%0aset-cookie:a=b',
  'c=1\r\nset-cookie:a=b',
  'c=1%00',
  'c=https://evil.example/',
  'c=//evil.example',
  'c=1%23Intent;package=evil.app;end',
  'c=1;package=evil.app',
  'c=1#Intent;package=evil.app;end',
  'c=%3Cscript%3E',
  'c=1"onload="x',
  'c=%E2%80%AE1',
  'c=%FF%FE',
  'c=%',
  `c=${'1'.repeat(65)}`,
  `c=${'1'.repeat(1_000_000)}`,
  '&'.repeat(100_000),
  'c[]=1',
  'c[__proto__]=1',
  '__proto__=1&constructor=2',
]

test('a hostile link leads nowhere that the realm did not choose', () => {
  const enx = { apps: [] }
  for (const query of HOSTILE) {
    const told = query.slice(0, 60)
    assert.equal(leads(PIXEL, query), PLAY, told)
    assert.equal(leads(IPHONE, query), APP_STORE, told)
    assert.equal(leads(PIXEL, query, enx), 'ensonboarding://picker/us-wa', told)
    assert.equal(leads(IPHONE, query, enx), 'ens://onboarding', told)
    assert.equal(leads(DESKTOP, query), 'no-code', told)
    assert.equal(leads(IPHONE, `${query}&r=x`, enx), 'ens://v?r=US-WA', told)
  }
})

test("a store's address can not end the intent that it is a part of", () => {
  const storeUrl = 'https://store.example/a;end;b?c=#Intent;package=evil.app;end'
  const target = leads(PIXEL, `c=${CODE}`, { apps: [{ ...ANDROID, storeUrl }] })
  assert.deepEqual(target.split('#').length, 2)
  assert.equal(target.split(';').filter((part) => part.startsWith('package=')).length, 1)
  assert.ok(target.includes(`=${encodeURIComponent(storeUrl)};end`))
})

test('the association files have the form that the systems expect', () => {
  const second = {
    ...IOS,
    name: 'second',
    appId: 'A1B2C3D4E5.org.example.second',
    redirects: false,
  }
  assert.equal(
    JSON.stringify(appleAssociation([ANDROID, IOS, second])),
    '{"applinks":{"apps":[],"details":[{"appID":"A1B2C3D4E5.org.example.care","paths":["*"]},{"appID":"A1B2C3D4E5.org.example.second","paths":["*"]}]}}',
  )
  assert.equal(
    JSON.stringify(androidAssociation([IOS, { ...ANDROID, headless: true, redirects: false }])),
    `[{"relation":["delegate_permission/common.handle_all_urls"],"target":{"namespace":"android_app","package_name":"org.example.care","sha256_cert_fingerprints":["${FINGERPRINT}"]}}]`,
  )
  assert.equal(appleAssociation([ANDROID]), undefined)
  assert.equal(androidAssociation([IOS]), undefined)
})
