// Test: signatures as two numbers and as DER: what OpenSSL makes is read, and nothing else passes for it.

import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { decodeHex } from './bytes.ts'
import { decodeEcdsaSignature, encodeEcdsaSignature } from './ecdsa-signature.ts'
import { FormatError } from './format-error.ts'
import { decodePem, encodePem } from './pem.ts'

const number = fc
  .tuple(fc.nat(32), fc.uint8Array({ minLength: 32, maxLength: 32 }))
  .map(([zeros, bytes]) => bytes.fill(0, 0, zeros))
  .filter((bytes) => bytes.some((byte) => byte !== 0))

test('any two numbers are read again from their DER', () => {
  fc.assert(
    fc.property(number, number, (r, s) => {
      const numbers = Uint8Array.from([...r, ...s])
      assert.deepEqual(decodeEcdsaSignature(encodeEcdsaSignature(numbers)), numbers)
    }),
  )
})

test('a signature of OpenSSL is read, and written again in the same bytes', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  for (let index = 0; index < 50; index++) {
    const der = new Uint8Array(sign('sha256', Buffer.from([index]), privateKey))
    assert.deepEqual(encodeEcdsaSignature(decodeEcdsaSignature(der)), der)
  }
})

test('whatever bytes are read as a signature are its one encoding', () => {
  const valid = fc
    .tuple(number, number)
    .map(([r, s]) => encodeEcdsaSignature(Uint8Array.from([...r, ...s])))
  const mutated = fc.tuple(valid, fc.nat(8), fc.nat(255)).map(([der, at, byte]) => {
    const changed = der.slice()
    changed[at] = byte
    return changed
  })
  fc.assert(
    fc.property(mutated, (der) => {
      let numbers: Uint8Array
      try {
        numbers = decodeEcdsaSignature(der)
      } catch (error) {
        assert.ok(error instanceof FormatError)
        return
      }
      assert.deepEqual(encodeEcdsaSignature(numbers), der)
    }),
    { numRuns: 1_000 },
  )
})

test('encodings that only lenient readers accept are refused', () => {
  const malformed = {
    'no bytes': '',
    'a cut sequence': '3006 020101',
    'bytes behind it': '3006 020101 020101 00',
    'bytes inside behind the numbers': '3007 020101 020101 00',
    'a length of two bytes': '308106 020101 020101',
    'an indefinite length': '3080 020101 020101 0000',
    'a zero in front that is not needed': '3007 02020001 020101',
    'a negative number': '3006 020181 020101',
    zero: '3006 020100 020101',
    'a number without digits': '3005 0200 020101',
    'a number of 33 bytes': `3026 0221${'01'.repeat(33)} 020101`,
    'a number of 34 bytes': `3027 022200${'ff'.repeat(33)} 020101`,
    'another type': '3006 040101 020101',
    'another type around it': '3106 020101 020101',
  }
  for (const [what, hex] of Object.entries(malformed))
    assert.throws(
      () => decodeEcdsaSignature(decodeHex(hex.replaceAll(' ', '')) ?? new Uint8Array()),
      (error: unknown) => error instanceof FormatError && error.code === 'signature_malformed',
      what,
    )
})

test('PEM of any bytes is read again, and OpenSSL writes a public key the same way', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), (bytes) => {
      assert.deepEqual(decodePem('PUBLIC KEY', encodePem('PUBLIC KEY', bytes)), bytes)
    }),
  )
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const der = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }))
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
  assert.equal(encodePem('PUBLIC KEY', der), pem)
  assert.deepEqual(decodePem('PUBLIC KEY', ` ${pem.replaceAll('\n', '\r\n')}`), der)
})

test('text that is not the one PEM block that was asked for is refused', () => {
  const pem = encodePem('PUBLIC KEY', new Uint8Array(30))
  for (const text of [
    '',
    'PUBLIC KEY',
    encodePem('PRIVATE KEY', new Uint8Array(30)),
    encodePem('PUBLIC KEY', new Uint8Array()),
    `${pem}${pem}`,
    pem.replace('AAAA', 'AA?A'),
    pem.replace(/-----END.*/s, ''),
    '-----BEGIN PUBLIC KEY-----',
  ])
    assert.throws(
      () => decodePem('PUBLIC KEY', text),
      (error: unknown) => error instanceof FormatError && error.code === 'pem_malformed',
      text,
    )
})
