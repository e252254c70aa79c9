// Fuzzing: what people type and what stands in headers, links and texts of a realm; promises that each is read as one thing or as nothing.

import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { plainAddress, prefixOf, UNKNOWN_ADDRESS } from '../../src/authorize/address-prefix.ts'
import { redirectFor } from '../../src/authorize/deep-links.ts'
import { formatPaperCode, readPaperCode } from '../../src/authorize/paper-code.ts'
import { parsePhone } from '../../src/authorize/phone-number.ts'
import { changeSettings, REALM_DEFAULTS } from '../../src/authorize/realm-settings.ts'
import { checkTemplate, fillTemplate, type TextValues } from '../../src/authorize/text-template.ts'
import { readTypedCode } from '../../src/authorize/typed-code.ts'
import { clientAddress } from '../../src/http/client-address.ts'
import { mutatedTree, printTree } from './json.ts'
import { mutatedText } from './mutate.ts'
import { isClientError, target, valueLater, valueOf } from './target.ts'

const PAPER = ['7KQ2-9FJD-X3VW-0ABC-M5TP', '00000000000000000000', 'ZZZZ ZZZZ ZZZZ ZZZZ ZZZZ']
const TYPED = [
  '12345678',
  '123-456-7890',
  '１２３４５６７８',
  'O1l23456',
  'abcdefgh12345678',
  ...PAPER,
]

const FORWARDED = [
  '192.0.2.1, 198.51.100.7',
  '[2001:db8::1]:4711, 192.0.2.1:80',
  '"2001:db8::1", unknown, _hidden',
  '::ffff:192.0.2.1, 64:ff9b::192.0.2.1, fe80::1%eth0',
]
const ADDRESS = /^(unknown|[0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9a-f]{1,4}(:[0-9a-f]{1,4}){7})$/
const PREFIX = /^(unknown|([0-9]{1,3}\.){3}0\/24|([0-9a-f]{1,4}:){2}[0-9a-f]{1,4}::\/48)$/

const TEMPLATES = [
  'Your code for [region] is [code]. It expires in [expires] minutes.',
  'Open [enslink] within [longexpires] hours.',
  '[longcode] [[code]] [unknown]',
]
const VALUES: TextValues = {
  region: 'US-WA',
  code: '12345678',
  longCode: 'a'.repeat(16),
  shortLife: 900,
  longLife: 86400,
  linkDomain: 'us-wa.en.example',
}

const APPS = (['ios', 'android'] as const).map((platform) => ({
  name: platform,
  displayName: 'Care',
  platform,
  fingerprints: [],
  redirects: true,
  appId: 'org.example.care',
  storeUrl: 'https://store.example/care',
  headless: false,
}))
const AGENTS = ['Mozilla/5.0 (iPhone; CPU)', 'Mozilla/5.0 (Linux; Android 14)', 'curl', '']
const QUERIES = ['c=12345678&r=US-WA', 'c=abc', 'r=US-WA', 'c=%00&c=2', 'c=12345678#Intent;end']

const flat = (text: string) => text.replaceAll(/[^0-9A-Z]/gi, '')

export const codeTargets = [
  target('typed code', mutatedText(TYPED), (text) => {
    const read = readTypedCode(text)
    if (read === undefined) return
    const forms = {
      paper: /^[0-9A-HJKMNP-TV-Z]{20}$/,
      digits: /^\d{6,10}$/,
      long: /^[0-9a-z]{12,32}$/,
    }
    assert.match(read.code, forms[read.kind])
    assert.deepEqual(readTypedCode(read.code), read, 'what was read is read again as the same')
  }),
  target('paper code', mutatedText(PAPER), (text) => {
    const code = readPaperCode(text)
    if (code === undefined) return
    assert.equal(readPaperCode(formatPaperCode(code)), code)
    // All of it was typed: nothing is made up or left out.
    assert.ok(flat(text.normalize('NFKC')).length >= 1 && code.length === 20)
  }),
  target(
    'client address',
    fc.tuple(mutatedText(FORWARDED), mutatedText(['192.0.2.1', '2001:db8::1']), fc.nat(4)),
    ([forwarded, socket, proxies]) => {
      const address = clientAddress(forwarded, socket, proxies)
      assert.match(address, ADDRESS)
      if (proxies === 0) assert.equal(address, plainAddress(socket))
    },
  ),
  target('prefix of an address', mutatedText(FORWARDED.join(', ').split(', ')), (text) => {
    const prefix = prefixOf(text)
    assert.match(prefix, PREFIX)
    const plain = plainAddress(text)
    assert.equal(plain === UNKNOWN_ADDRESS, prefix === UNKNOWN_ADDRESS)
    assert.equal(prefixOf(plain), prefix, 'each way of writing it has the same prefix')
  }),
  target(
    'phone number',
    fc.tuple(
      mutatedText(['+1 (202) 555-0123', '202 555 0123', 'tel:+49-30-123456', '+4930123456;ext=7']),
      fc.constantFrom('', 'US', 'DE', 'XX', '__proto__'),
    ),
    async ([text, country]) => {
      const number = await valueLater(() => parsePhone(text, country), isClientError)
      if (number === undefined) return
      assert.match(number, /^\+[1-9]\d{1,14}$/)
      assert.equal(await parsePhone(number, ''), number)
    },
  ),
  target(
    'template of a text',
    fc.tuple(mutatedText(TEMPLATES), fc.constantFrom('issue', 'user-report'), fc.boolean()),
    ([template, kind, hasLinkDomain]) => {
      const isRight = valueOf(
        () => (checkTemplate(template, kind, hasLinkDomain), true),
        isClientError,
      )
      const text = fillTemplate(template, {
        ...VALUES,
        linkDomain: hasLinkDomain ? VALUES.linkDomain : '',
      })
      if (isRight !== true) return
      assert.ok(text.length <= 918)
      assert.equal(text.split('12345678').length + text.split('a'.repeat(16)).length > 2, true)
      assert.doesNotMatch(text, /\[(code|longcode|enslink|expires|longexpires|region)\]/)
    },
  ),
  target(
    'link with a code',
    fc.tuple(mutatedText(AGENTS), mutatedText(QUERIES), fc.constantFrom('US-WA', ''), fc.nat(2)),
    ([userAgent, query, region, apps]) => {
      const led = redirectFor({ userAgent, query, region, apps: APPS.slice(0, apps) })
      if (led.status === 404) return
      assert.match(led.location, /^[\x21-\x7e]{1,1000}$/)
      assert.match(
        led.location,
        /^(https:\/\/store\.example\/care$|ens:\/\/|ensonboarding:\/\/|intent:\/\/v\?)/,
      )
      assert.ok(led.location.split('#').length <= 2 && !led.location.slice(0, -4).includes(';end'))
    },
  ),
  target(
    'settings of a realm',
    mutatedTree([REALM_DEFAULTS], Object.keys(REALM_DEFAULTS)),
    (tree) => {
      const given = valueOf(
        () => JSON.parse(printTree(tree)) as unknown,
        (error) => error instanceof SyntaxError,
      )
      if (typeof given !== 'object' || given === null) return
      const change = () => changeSettings(REALM_DEFAULTS, given as Record<string, unknown>)
      const settings = valueOf(change, isClientError)
      if (settings === undefined) return
      assert.deepEqual(Object.keys(settings).sort(), Object.keys(REALM_DEFAULTS).sort())
      const kept = JSON.stringify(settings)
      // Half a character and NUL alone are written as such by JSON.
      assert.doesNotMatch(kept, /(?<!\\)(\\\\)*\\u(d[89a-f]|0000)/)
      assert.ok(kept.length < 100_000)
    },
  ),
]
