// Test: a body is one JSON object of known fields, or it is refused without being quoted.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TocsinError } from '../errors.ts'
import {
  parseJsonObject,
  readArray,
  readBoolean,
  readInteger,
  readNumber,
  readText,
} from './read-json.ts'

const KNOWN = new Set(['text', 'flag', 'count', 'list'])
const parse = (body: string | Uint8Array) =>
  parseJsonObject(
    typeof body === 'string' ? new TextEncoder().encode(body) : body,
    KNOWN,
    'token_invalid',
  )

test('fields are found in any letter case; null and absence mean the same', () => {
  const fields = parse('{"TEXT":"a","flag":true,"Count":-3,"list":[1]}')
  assert.equal(readText(fields, 'Text'), 'a')
  assert.equal(readBoolean(fields, 'flag'), true)
  assert.equal(readInteger(fields, 'count', 0), -3)
  assert.equal(readNumber(fields, 'count', 0), -3)
  assert.deepEqual(readArray(fields, 'list'), [1])
  for (const empty of [parse('{}'), parse('{"text":null,"flag":null,"count":null,"list":null}')]) {
    assert.equal(readText(empty, 'text'), '')
    assert.equal(readBoolean(empty, 'flag'), false)
    assert.equal(readInteger(empty, 'count', 7), 7)
    assert.equal(readNumber(empty, 'count', 0.5), 0.5)
    assert.deepEqual(readArray(empty, 'list'), [])
  }
})

test('a long s is an s of another letter case, and the sign of Kelvin a k', () => {
  const known = new Set(['mask'])
  const read = (body: string) =>
    parseJsonObject(new TextEncoder().encode(body), known, 'token_invalid')
  for (const name of ['ma\u017fk', 'MA\u017fK', 'mas\u212a'])
    assert.equal(readText(read(`{"${name}":"a"}`), 'mask'), 'a', name)
  assert.throws(() => read('{"mask":"a","ma\u017fk":"b"}'), /given twice/)
  assert.throws(() => read('{"ma\u00dfk":"a"}'), /unknown field/)
})

test('a field of another type is refused by its name, with the code of the request', () => {
  const fields = parse('{"text":1,"flag":"true","count":1.5,"list":{}}')
  const refused = (read: () => unknown, message: RegExp) =>
    assert.throws(read, { code: 'token_invalid', message })
  refused(() => readText(fields, 'text'), /^text must be a string/)
  refused(() => readBoolean(fields, 'flag'), /^flag must be true or false/)
  refused(() => readInteger(fields, 'count', 0), /^count must be a whole number/)
  refused(() => readNumber(fields, 'flag', 0), /^flag must be a number/)
  refused(() => readArray(fields, 'list'), /^list must be an array/)
  assert.equal(readInteger(parse('{"count":2147483647}'), 'count', 0), 2147483647)
  assert.equal(readInteger(parse('{"count":-2147483648}'), 'count', 0), -2147483648)
  for (const count of ['2147483648', '-2147483649', '1e400'])
    refused(() => readInteger(parse(`{"count":${count}}`), 'count', 0), /^count/)
  refused(() => readNumber(parse('{"count":1e400}'), 'count', 0), /^count must be a number/)
})

test('what is not one JSON object of known fields is refused, and never quoted', () => {
  const secret = '12345678'
  for (const body of [
    '',
    'null',
    'true',
    '[]',
    `"${secret}"`,
    `{"text":"${secret}"`,
    `{"text":"${secret}"}{}`,
    `{"text":"${secret}"}]`,
    `{'text':'${secret}'}`,
    `{"text":"${secret}",}`,
    `{"text":"${secret}","other":1}`,
    Buffer.from('{"text":"\u00ff"}', 'latin1'),
    new Uint8Array(new Uint16Array([0x7b, 0x7d]).buffer),
  ])
    assert.throws(
      () => parse(body),
      (error: unknown) =>
        error instanceof TocsinError &&
        error.code === 'token_invalid' &&
        !error.message.includes(secret),
      String(body),
    )
})
