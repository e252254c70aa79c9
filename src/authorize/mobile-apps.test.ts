// Test: which mobile apps a realm can have.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TocsinError } from '../errors.ts'
import { checkMobileApp } from './mobile-apps.ts'

const FINGERPRINT = Array.from({ length: 32 }, (_, index) =>
  (index * 7 + 160).toString(16).slice(-2).padStart(2, '0'),
).join(':')

const ANDROID = {
  name: 'care-android',
  displayName: 'Care & "Alert"',
  platform: 'android',
  appId: 'org.example.care',
  storeUrl: 'https://play.google.com/store/apps/details?id=org.example.care',
  fingerprints: [FINGERPRINT.toUpperCase()],
  redirects: true,
  headless: false,
}

const IOS = {
  ...ANDROID,
  name: 'care-ios',
  platform: 'ios',
  appId: 'A1B2C3D4E5.org.example.care',
  storeUrl: 'https://apps.apple.com/app/id123456789',
  fingerprints: [],
}

test('an app of each system is taken as it is, with fingerprints in capitals', () => {
  assert.deepEqual(checkMobileApp(ANDROID), ANDROID)
  assert.deepEqual(checkMobileApp(IOS), IOS)
  assert.deepEqual(checkMobileApp({ ...IOS, storeUrl: '', redirects: false }).storeUrl, '')
  assert.equal(FINGERPRINT.length, 95)
  const small = { ...ANDROID, fingerprints: [FINGERPRINT], headless: true }
  assert.deepEqual(checkMobileApp(small), { ...ANDROID, headless: true })
})

const LONGEST = {
  name: 'a'.repeat(40),
  displayName: '😀'.repeat(100),
  appId: `a.${'b'.repeat(198)}`,
  storeUrl: `https://a.example/${'b'.repeat(482)}`,
}

test('each text is taken up to its greatest length, and not beyond', () => {
  assert.deepEqual(checkMobileApp({ ...ANDROID, ...LONGEST }), { ...ANDROID, ...LONGEST })
  for (const [field, text] of Object.entries(LONGEST))
    refuses({ ...ANDROID, [field]: `${text}a` }, field)
  const bundle = `A1B2C3D4E5.${'b'.repeat(155)}`
  assert.equal(checkMobileApp({ ...IOS, appId: bundle }).appId, bundle)
  refuses({ ...IOS, appId: `${bundle}b` }, 'appId')
})

const REFUSED: Readonly<Record<string, readonly unknown[]>> = {
  name: ['', 'Care', '-care', 'care app', 'care\n', "care'", '../care', 7, null, undefined],
  displayName: ['', '   ', 'a\nb', 'a\u0000', 'a\u202eb', '\ud800', 7, undefined],
  platform: ['windows', 'Android', '', null, undefined, ['android']],
  appId: [
    'care',
    'org..care',
    '.org.care',
    '1org.care',
    'org.care;end',
    'org.care\n',
    'org.câre',
    7,
    undefined,
  ],
  storeUrl: [
    'javascript:alert(1)',
    'data:text/html,x',
    'http://play.google.com/',
    'HTTPS://play.google.com/',
    '//play.google.com/',
    'https://',
    'https:///play.google.com/',
    'https:/play.google.com/',
    'https://play.google.com@evil.example/',
    'https://user:word@evil.example/',
    'https://play.google.com\\@evil.example/',
    'https://play.google.com/\r\nset-cookie: a=b',
    'https://play.google.com/\n',
    'https://play.google.com/"onclick="x',
    'https://play.google.com/<b>',
    'https://play.google.com/a b',
    'https://play.google.com:99999/',
    'https://bücher.example/',
    ' https://play.google.com/',
    7,
    null,
    undefined,
  ],
  fingerprints: [
    [],
    undefined,
    FINGERPRINT,
    [FINGERPRINT.slice(3)],
    [`${FINGERPRINT}:00`],
    [FINGERPRINT.replaceAll(':', '')],
    [FINGERPRINT.replace('a', 'g')],
    [`${FINGERPRINT}\n`],
    [FINGERPRINT, FINGERPRINT.toUpperCase()],
    [7],
    Array.from(
      { length: 21 },
      (_, index) => `${String(index).padStart(2, '0')}${FINGERPRINT.slice(2)}`,
    ),
  ],
  redirects: [undefined, 'true', 1, null],
  headless: [undefined, 'false', 0, null],
}

test('an app with a wrong field is refused with the name of the field, and without its value', () => {
  for (const [field, values] of Object.entries(REFUSED))
    for (const value of values) refuses({ ...ANDROID, [field]: value }, field)
  for (const appId of [
    'org.example.care',
    'A1B2C3D4E5',
    'a1b2c3d4e5.org',
    'A1B2C3D4E5.',
    'A1B2C3D4E5.a b',
    'A1B2C3D4E5.*',
  ])
    refuses({ ...IOS, appId }, 'appId')
  refuses({ ...IOS, fingerprints: [FINGERPRINT] }, 'fingerprints')
  refuses({ ...IOS, fingerprints: undefined }, 'fingerprints')
  refuses({ ...IOS, headless: true }, 'headless')
})

test('what is no app at all is refused', () => {
  for (const value of [null, undefined, 'app', 7, [], [ANDROID], { ...ANDROID, '<b>': 1 }])
    refuses(value, 'The app')
  refuses(JSON.parse(`{"__proto__": ${JSON.stringify(ANDROID)}}`), 'The app')
  refuses({}, 'platform')
})

function refuses(value: unknown, told: string): void {
  assert.throws(
    () => checkMobileApp(value),
    (error) => {
      assert.ok(error instanceof TocsinError)
      assert.deepEqual([error.code, error.status], ['app_invalid', 400])
      assert.ok(error.message.startsWith(told), `${error.message} for ${JSON.stringify(value)}`)
      assert.doesNotMatch(error.message, /evil|alert|<b>/)
      return true
    },
  )
}
