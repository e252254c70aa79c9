// Test: codes are read right in the ways in which tired people type them, and nothing else is read at all.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { drawLongCode, drawShortCode } from './draw-code.ts'
import { checkCharacter, drawBatchId, drawPaperCode, readPaperCode } from './paper-code.ts'
import { readTypedCode, type TypedCode } from './typed-code.ts'

const PAPER = `01AE5T0Q1K9MZ1R0V7X${checkCharacter('01AE5T0Q1K9MZ1R0V7X')}`
const SHORT = '01980417'
const LONG = '0o1l9ik5w7q2m8zx'

/** Groups of four, as they are printed and as people say them. */
const groups = (code: string) => code.match(/.{1,4}/g) ?? []
const joined = (separator: string) => (code: string) => groups(code).join(separator)
const digitsFrom = (zero: string) => (code: string) =>
  code.replace(/[0-9]/g, (digit) =>
    String.fromCodePoint((zero.codePointAt(0) ?? 0) + Number(digit)),
  )
const replaced = (from: string, to: string) => (code: string) =>
  groups(code).join('-').replaceAll(from, to)
const fullWidth = (code: string) =>
  code.replace(/[0-9A-Za-z-]/g, (character) =>
    String.fromCharCode(character.charCodeAt(0) + 0xfee0),
  )

/** Ways that leave every character what it was: for all kinds of codes. */
const WAYS: Readonly<Record<string, (code: string) => string>> = {
  'as it was printed': joined('-'),
  'in one piece': (code) => code,
  'in lower case': (code) => joined('-')(code).toLowerCase(),
  'in upper case': (code) => joined('-')(code).toUpperCase(),
  'with the shift key now and then': (code) =>
    Array.from(code, (c, i) => (i % 3 === 0 ? c.toUpperCase() : c.toLowerCase())).join(''),
  'with a capital first, as phones do it': (code) =>
    code.charAt(0).toUpperCase() + code.slice(1).toLowerCase(),
  'with spaces for hyphens': joined(' '),
  'with two spaces, as it happens': joined('  '),
  'with a space after each character': (code) => Array.from(code).join(' '),
  'with spaces before and behind': (code) => `  ${joined('-')(code)} `,
  'with a space behind, as phones complete words': (code) => `${code} `,
  'with spaces around the hyphens': joined(' - '),
  'with a tab, copied from a table': joined('\t'),
  'with the end of the line, copied from a letter': (code) => `${joined('-')(code)}\r\n`,
  'with a line for each group': joined('\n'),
  'with no-break spaces, copied from a page': joined('\u00a0'),
  'with narrow no-break spaces': joined('\u202f'),
  'with thin spaces': joined('\u2009'),
  'with the wide spaces of Japanese keyboards': joined('\u3000'),
  'with zero-width spaces, copied from a message': joined('\u200b'),
  'with a byte order mark before it': (code) => `\ufeff${code}`,
  'with the marks of a text from right to left': (code) => `\u200f\u2067${code}\u2069`,
  'with soft hyphens': joined('\u00ad'),
  'with no-break hyphens': joined('\u2011'),
  'with dashes, as phones correct hyphens': joined('\u2013'),
  'with long dashes': joined('\u2014'),
  'with two hyphens': joined('--'),
  'with minus signs': joined('\u2212'),
  'with the long vowel mark of Japanese keyboards': joined('\u30fc'),
  'with dots': joined('.'),
  'with dots in the middle': joined('\u00b7'),
  'with a full stop, for a space twice': (code) => `${joined(' ')(code)}. `,
  'with commas': joined(', '),
  'with slashes': joined('/'),
  'with low lines': joined('_'),
  'with groups of other sizes': (code) => (code.match(/.{1,3}/g) ?? []).join('-'),
  'with a hyphen forgotten': (code) => joined('-')(code).replace('-', ''),
  'with a hyphen behind': (code) => `${joined('-')(code)}-`,
  'in quotes': (code) => `"${joined('-')(code)}"`,
  'in quotes, as phones correct them': (code) => `\u201c${joined('-')(code)}\u201d`,
  'in single quotes, with a space': (code) => `'${joined('-')(code)}' `,
  'in German quotes': (code) => `\u201e${joined('-')(code)}\u201c.`,
  'in brackets, as in the text': (code) => `[${code}]`,
  'in full-width letters and digits': fullWidth,
  'in full-width letters, digits and hyphens': (code) => fullWidth(joined('-')(code)),
  'in Arabic-Indic digits': digitsFrom('\u0660'),
  'in Persian digits': digitsFrom('\u06f0'),
  'in Devanagari digits': digitsFrom('\u0966'),
  'in Bengali digits': digitsFrom('\u09e6'),
}

/** Ways that take a letter for a digit: for codes that have no such letters. */
const LOOKALIKES: Readonly<Record<string, (code: string) => string>> = {
  'O for 0': replaced('0', 'O'),
  'o for 0': replaced('0', 'o'),
  'I for 1': replaced('1', 'I'),
  'i for 1': replaced('1', 'i'),
  'L for 1': replaced('1', 'L'),
  'l for 1': replaced('1', 'l'),
  'the capital that Turkish keyboards have for i': replaced('1', '\u0130'),
  'the small letter that Turkish keyboards have for I': replaced('1', '\u0131'),
  'O for 0 once only': (code) => code.replace('0', 'O'),
  'I and l for 1, O and o for 0, all in one': (code) =>
    code.replace('0', 'O').replace('1', 'l').replaceAll('0', 'o').replaceAll('1', 'I'),
}

test('a paper code is read right, however it was typed', () => {
  assert.ok(Object.keys({ ...WAYS, ...LOOKALIKES }).length >= 30)
  for (const code of [PAPER, ...drawn(() => drawPaperCode(drawBatchId()))])
    for (const [way, type] of Object.entries({ ...WAYS, ...LOOKALIKES }))
      reads(type(code), { kind: 'paper', code }, way)
})

test('a short code is read right, however it was typed', () => {
  for (const length of [6, 7, 8, 9, 10])
    for (const code of [SHORT, ...drawn(() => drawShortCode(length))])
      for (const [way, type] of Object.entries({ ...WAYS, ...LOOKALIKES }))
        reads(type(code), { kind: 'digits', code }, way)
})

test('a long code is read right, however it was typed, but no letter is taken for a digit', () => {
  for (const length of [12, 16, 19, 21, 32])
    for (const code of [LONG, ...drawn(() => drawLongCode(length))])
      for (const [way, type] of Object.entries(WAYS)) reads(type(code), { kind: 'long', code }, way)
  reads('O0I1L-O0I1L-O0I1', { kind: 'long', code: 'o0i1lo0i1lo0i1' }, 'as it is')
})

test('a link as cards and texts have it is read as its code', () => {
  const links: readonly ((code: string) => string)[] = [
    (code) => `https://us-wa.links.example/v?c=${code}`,
    (code) => ` HTTPS://us-wa.links.example/v?c=${code}\r\n`,
    (code) => `https://us-wa.links.example/v?r=US-WA&c=${code}&x=1`,
    (code) => `http://127.0.0.1:8080/v?c=${code}#top`,
    (code) => `ens://v?r=US-WA&c=${code}`,
    (code) => `ens://v?c=${code}&r=US-WA.`,
    (code) => `https://${'a'.repeat(200)}.example/v?c=${code}`,
  ]
  for (const link of links) {
    reads(link(PAPER), { kind: 'paper', code: PAPER }, link(''))
    reads(link(SHORT), { kind: 'digits', code: SHORT }, link(''))
    reads(link(LONG), { kind: 'long', code: LONG }, link(''))
    assert.equal(readPaperCode(link(PAPER)), PAPER, link(''))
    reads(link(''), undefined, link(''))
    reads(link(`${PAPER.slice(0, -1)}U`), undefined, link(''))
  }
  for (const other of [
    `https://x.example/v?xc=${SHORT}`,
    `https://x.example/v#?c=${SHORT}`,
    `https://x.example/${SHORT}`,
    `ftp://x.example/v?c=${SHORT}`,
    `v?c=${SHORT}`,
    `see https://x.example/v?c=${SHORT}`,
    `https://x.example/v?c=%3${SHORT}`,
    `https://${'a'.repeat(500)}.example/v?c=${SHORT}`,
  ])
    reads(other, undefined, other)
})

test('a digit is what the script that it is from says', () => {
  const isDecimal = /^\p{Nd}{10}$/u
  const scripts = Intl.supportedValuesOf('numberingSystem').filter((numberingSystem) =>
    isDecimal.test(inScript(numberingSystem)),
  )
  assert.ok(scripts.length > 40, `${scripts.length}`)
  for (const script of scripts)
    reads(inScript(script), { kind: 'digits', code: '9876543210' }, script)
})

test('a paper code with one wrong character is no code of any kind', () => {
  for (let place = 0; place < 20; place++)
    for (const character of '0123456789ABCDEFGHJKMNPQRSTUVWXYZ') {
      const typed = PAPER.slice(0, place) + character + PAPER.slice(place + 1)
      if (typed !== PAPER) reads(typed, undefined, typed)
    }
})

test('what no code looks like is not read', () => {
  const wrong: Readonly<Record<string, string>> = {
    nothing: '',
    'a space': ' ',
    'hyphens alone': '----',
    'quotes alone': '""',
    'invisible characters alone': '\u200b\ufeff',
    'five digits': '12345',
    'eleven digits': '12345678901',
    'eleven letters': 'abcdefghijk',
    'a short code with a letter that is like no digit': '1234567B',
    'a letter too many for a long code': 'a'.repeat(33),
    'half a paper code': PAPER.slice(0, 11),
    'a long code of 20 characters': 'abcdefghijklmnopqrst',
    'the letter U in a paper code': `U${PAPER.slice(1)}`,
    'two codes': `${SHORT};${SHORT}`,
    'a sign': '+12345678',
    'a fraction': '1234567\u00bd',
    'an equals sign': `code=${SHORT}`,
    'a quote inside': `1234'5678`,
    'a bracket inside': '1234(5678',
    'a percent sign': '%31%32%33%34%35%36',
    'an accent': '1234567\u0301890abcd',
    'letters of another script':
      '\u0430\u0441\u0435\u043e\u0440\u0445\u0430\u0441\u0435\u043e\u0440\u0445',
    'numbers that are no digits': '\u4e00\u4e8c\u4e09\u56db\u4e94\u516d',
    'a picture': `${SHORT}\u{1f600}`,
    'half a character': `${SHORT}\ud83d`,
    'a zero byte': `${SHORT}\0`,
    'a zero byte inside': '1234\x005678',
    'an escape': `\x1b[1m${SHORT}`,
    'a vertical tab': `1234\v5678`,
    'a delete': `${SHORT}\x7f`,
    'a control character of the second set': `${SHORT}\x85`,
    'far too much': SHORT + ' '.repeat(121),
    'very far too much': '1'.repeat(10_000_000),
  }
  for (const [what, typed] of Object.entries(wrong)) reads(typed, undefined, what)
  reads(SHORT + ' '.repeat(120), { kind: 'digits', code: SHORT }, '128 characters')
})

test('whatever is typed, what is read has the form of a code and is read as itself', () => {
  const pieces = [
    '0',
    '7',
    'o',
    'I',
    'z',
    'U',
    '-',
    ' ',
    '\u200b',
    '"',
    '(',
    '\u0667',
    '\uff2b',
    '\ufdfa',
    '\ud800',
    'ß',
    '\u0130',
    '\u2460',
    '\0',
  ]
  let read = 0
  for (let index = 0; index < 50_000; index++) {
    const few = pieces.slice(index % 9, 5 + (index % 15))
    const typed = Array.from(drawLongCode(4 + (index % 30)), (character) =>
      few.length > 0 ? few[character.charCodeAt(0) % few.length] : character,
    ).join('')
    const code = readTypedCode(typed)
    if (code === undefined) continue
    read++
    assert.match(code.code, FORMS[code.kind])
    assert.deepEqual(readTypedCode(code.code), code)
  }
  assert.ok(read > 1_000, `${read}`)
})

const FORMS = {
  paper: /^[0-9A-HJKMNP-TV-Z]{20}$/,
  digits: /^[0-9]{6,10}$/,
  long: /^([0-9a-z]{12,19}|[0-9a-z]{21,32})$/,
}

const inScript = (numberingSystem: string) =>
  new Intl.NumberFormat('en', { numberingSystem, useGrouping: false }).format(9_876_543_210)

const drawn = (draw: () => string) => Array.from({ length: 20 }, draw)

function reads(typed: string, expected: TypedCode | undefined, way: string): void {
  assert.deepEqual(readTypedCode(typed), expected, way)
}
