// Test: the index of a feed, which a hostile server writes: no line leads anywhere but to the feed's own files.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { DEFAULT_LIMITS } from './limits.ts'
import { isFileName, parseFileName, readIndex } from './read-index.ts'
import { VerificationError } from './verification-error.ts'

const read = (text: string, limits = DEFAULT_LIMITS) =>
  readIndex(new TextEncoder().encode(text), limits)

function refuses(text: string, code: string, limits = DEFAULT_LIMITS) {
  assert.throws(
    () => read(text, limits),
    (error: unknown) => error instanceof VerificationError && error.code === code,
    text.slice(0, 80),
  )
}

test('the files of an index come oldest first, each once', () => {
  const lines = [
    'us/1606784400-1606788000-00001.zip',
    'us/1606780800-1606784400-00002.zip',
    'us/1606780800-1606784400-00001.zip',
    'us/999999999-1606780800-00001.zip',
    'us/1606780800-1606784400-00001.zip',
    'us/0a1b2c3d/1606777200-1606780800-00001.zip',
  ]
  assert.deepEqual(read(lines.join('\n')), [lines[3], lines[5], lines[2], lines[1], lines[0]])
  for (const text of [`${lines[0]}\n`, `${lines[0]}\r\n`]) assert.deepEqual(read(text), [lines[0]])
})

test('an empty index lists nothing', () => {
  for (const text of ['', '\n', '\r\n']) assert.deepEqual(read(text), [])
})

test('names of another custom keep the order of the index', () => {
  const lines = ['x/b.zip', 'x/1605818700-1605819000-0001-ff23e2.zip', 'x/1-2-00001.zip']
  assert.deepEqual(read(lines.join('\n')), lines)
  assert.equal(parseFileName('x/1605818700-1605819000-0001-ff23e2.zip'), undefined)
})

test('a line that leads elsewhere, or is no file, makes the index invalid', () => {
  for (const line of [
    '../secret.zip',
    'us/../../secret.zip',
    'us/..zip',
    './us/a.zip',
    '/us/a.zip',
    '//example.net/a.zip',
    'https://example.net/a.zip',
    'file:///etc/a.zip',
    'us\\..\\a.zip',
    'us/%2e%2e/a.zip',
    'us/a.zip?b',
    'us/a.zip#b',
    'us/ a.zip',
    'us/a.zip ',
    'us//a.zip',
    'us/a.txt',
    'us/.zip',
    'us/ä.zip',
    'us/a\0.zip',
    'a/b/c/d/e/f.zip',
    `us/${'a'.repeat(101)}.zip`,
    '<!doctype html>',
  ])
    for (const text of [line, `us/a.zip\n${line}\nus/b.zip`]) refuses(text, 'index_invalid')
})

test('every name that is let through stays below the address of its feed', () => {
  const part = fc.constantFrom(
    '.',
    '..',
    '/',
    '%2e',
    '%2f',
    '\\',
    ':',
    '@',
    '?',
    '#',
    'a',
    '0-1-2',
    '.zip',
    ' ',
    '\t',
  )
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
      const name = `${parts.join('')}.zip`
      if (!isFileName(name)) return
      const base = 'https://example.org/exports/'
      assert.ok(new URL(name, base).href.startsWith(base))
      assert.equal(new URL(name, base).href, base + name)
    }),
    { numRuns: 5_000 },
  )
})

test('an index beyond its limits is refused', () => {
  const three = 'us/a.zip\nus/b.zip\nus/c.zip'
  refuses(three, 'index_too_large', { ...DEFAULT_LIMITS, maxIndexFiles: 2 })
  refuses(three, 'index_too_large', { ...DEFAULT_LIMITS, maxIndexBytes: three.length - 1 })
  assert.equal(read(three, { ...DEFAULT_LIMITS, maxIndexBytes: three.length }).length, 3)
})
