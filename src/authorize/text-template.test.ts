// Test: templates of texts: what is filled in, and which of them a realm may keep.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TocsinError } from '../errors.ts'
import { REALM_DEFAULTS } from './realm-settings.ts'
import { checkTemplate, fillTemplate, type TemplateKind, type TextValues } from './text-template.ts'

const VALUES: TextValues = {
  region: 'US-WA',
  code: '12345678',
  longCode: 'abcdefgh12345678',
  shortLife: 900,
  longLife: 86_400,
  linkDomain: 'us-wa.en.example',
}

/** The refusal's sentences; empty when there is none. */
const refusalOf = (template: string, kind: TemplateKind, hasLinkDomain: boolean) => {
  try {
    checkTemplate(template, kind, hasLinkDomain)
    return ''
  } catch (error) {
    assert.ok(error instanceof TocsinError)
    assert.equal(error.code, 'realm_invalid')
    return error.message
  }
}

test('each name is filled in, as often as it stands there', () => {
  assert.equal(
    fillTemplate('[region]: [code] ([expires] min), [longcode] ([longexpires] h), [code]', VALUES),
    'US-WA: 12345678 (15 min), abcdefgh12345678 (24 h), 12345678',
  )
  assert.equal(
    fillTemplate('Tap [enslink]', VALUES),
    'Tap https://us-wa.en.example/v?c=abcdefgh12345678',
  )
  assert.equal(
    fillTemplate('Tap [enslink]', { ...VALUES, linkDomain: '' }),
    'Tap ens://v?r=US-WA&c=abcdefgh12345678',
  )
})

test('minutes and hours are never more than a code has', () => {
  const values = { ...VALUES, shortLife: 119, longLife: 7199 }
  assert.equal(fillTemplate('[expires] [longexpires]', values), '1 1')
})

test('what was filled in is not filled in again, and other words stay', () => {
  const values = { ...VALUES, region: '[code]', code: '$& $1' }
  assert.equal(fillTemplate('[region] [code] [Code] [x] []', values), '[code] $& $1 [Code] [x] []')
})

test('the texts that a realm has at first are accepted', () => {
  for (const hasLinkDomain of [false, true]) {
    assert.equal(
      refusalOf(REALM_DEFAULTS.textTemplates['default'] ?? '', 'issue', hasLinkDomain),
      '',
    )
    assert.equal(refusalOf(REALM_DEFAULTS.userReportTemplate, 'user-report', hasLinkDomain), '')
  }
})

test('without a link a text has exactly one kind of code', () => {
  const oneKind = /\[enslink\], or exactly one of \[code\] and \[longcode\]/
  assert.equal(refusalOf('[code] [expires] [region]', 'issue', false), '')
  assert.equal(refusalOf('[longcode] [longexpires]', 'issue', false), '')
  assert.equal(refusalOf('en: [code] fr: [code]', 'issue', false), '')
  assert.match(refusalOf('[expires]', 'issue', false), oneKind)
  assert.match(refusalOf('[code] [longcode]', 'issue', false), oneKind)
  assert.match(refusalOf('', 'issue', true), oneKind)
})

test('with a link a text may have the short code too, but nothing that the link has', () => {
  const both = /\[enslink\] must have no \[region\] and no \[longcode\]/
  for (const hasLinkDomain of [false, true]) {
    assert.equal(refusalOf('[enslink] [longexpires]', 'issue', hasLinkDomain), '')
    assert.equal(refusalOf('[enslink] or [code] [expires]', 'issue', hasLinkDomain), '')
    assert.match(refusalOf('[enslink] [longcode]', 'issue', hasLinkDomain), both)
    assert.match(refusalOf('[enslink] [region]', 'issue', hasLinkDomain), both)
  }
})

test('the text of self-reports says nothing of the long life', () => {
  assert.equal(refusalOf('[enslink] [expires]', 'user-report', true), '')
  assert.match(
    refusalOf('[code] [longexpires]', 'user-report', false),
    /must not have \[longexpires\]/,
  )
})

test('names that there are not are named, all mistakes at once', () => {
  const sentence = refusalOf('[Code] [link] [long-code] [link]', 'issue', false)
  for (const name of ['[Code]', '[link]', '[long-code]'])
    assert.equal(sentence.split(`can not have ${name}:`).length, 2, name)
  assert.match(sentence, /exactly one of/)
  assert.equal(refusalOf('[City Health] [code] [1]', 'issue', false), '')
  assert.ok(refusalOf('[x]'.repeat(200) + `[${'y'.repeat(100)}]`, 'issue', false).length < 1000)
  const many = Array.from({ length: 90 }, (_, index) => `[${'x'.repeat(index + 1)}]`).join('')
  assert.ok(refusalOf(many.slice(0, 800), 'issue', false).length < 1000)
})

test('a template has 800 characters at the most, a text 918', () => {
  const padded = (template: string, length: number) => template.padEnd(length, 'x')
  assert.equal(refusalOf(padded('[code]', 800), 'issue', false), '')
  assert.match(refusalOf(padded('[code]', 801), 'issue', false), /at most 800 .* has 801\./)
  // Six times a long code of 32 characters: 22 more than its name each.
  const codes = '[longcode]'.repeat(6)
  assert.equal(refusalOf(padded(codes, 918 - 6 * 22), 'issue', false), '')
  assert.match(refusalOf(padded(codes, 919 - 6 * 22), 'issue', false), /at most 918 .* have 919\./)
  // A link of the phone's own: 23 + 32 characters in place of 9; one with a host: 13 + 253 + 32.
  assert.equal(refusalOf(padded('[enslink]', 800), 'issue', false), '')
  assert.equal(refusalOf(padded('[enslink]', 918 - (298 - 9)), 'issue', true), '')
  assert.match(refusalOf(padded('[enslink]', 919 - (298 - 9)), 'issue', true), /have 919\./)
})
