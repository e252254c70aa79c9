// Test: signed texts, against a vector that was made without this code, and changed in each of their parts.

import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto'
import { test } from 'node:test'
import { signText, textSigner, verifyText, type TextContext } from './signed-text.ts'

// Made with node:crypto alone over "EN Report.+15550123456.2026-03-09.Your code: 12345678 \nAuthentication:".
const VECTOR = {
  text: 'Your code: 12345678',
  publicKey: createPublicKey({
    key: Buffer.from(
      'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEx9gPADZtJg3/wYYeRE+88exkE1cFPn49BCc1xhwRFChwV1ci3M7Hr+eaEBtUHWyq4EZEruNzHQI9UvLg6jlsrg==',
      'base64',
    ),
    format: 'der',
    type: 'spki',
  }),
  signed:
    'Your code: 12345678 \nAuthentication:0309:r1v2sms:MEUCIG3IkmuwHbwuXln2ndEf6qOBQrsWWX3oXP0cHFY4wr+TAiEAx1p4BU5JfwqgCl9LgeRwpI+jtyHOYTOoYASZrtB7VWE',
}

const KID = 'r1v2sms'
const CONTEXT: TextContext = {
  purpose: 'EN Report',
  phone: '+15550123456',
  day: new Date('2026-03-09T12:00:00Z'),
}
const KEYS = new Map([[KID, VECTOR.publicKey]])

test('a text that was signed elsewhere is recognised', () => {
  assert.equal(verifyText(VECTOR.signed, CONTEXT, KEYS), VECTOR.text)
})

test('what is signed and what is sent, byte by byte', () => {
  let signed = ''
  // Its base64 would end with one =.
  const signature = Buffer.from('fbff', 'hex')
  const text = signText('Привет https://us-wa.en.example/v?c=abc', {
    purpose: 'User Report',
    phone: '+4915123456789',
    day: new Date('2026-12-31T23:59:59Z'),
    kid: KID,
    sign: (bytes) => {
      signed = Buffer.from(bytes).toString()
      return signature
    },
  })
  assert.equal(
    signed,
    'User Report.+4915123456789.2026-12-31.Привет https://us-wa.en.example/v?c=abc \nAuthentication:',
  )
  assert.equal(text, 'Привет https://us-wa.en.example/v?c=abc \nAuthentication:1231:r1v2sms:+/8')
})

test('the day is that of UTC, whatever the time zone of the machine', () => {
  for (const zone of ['Pacific/Kiritimati', 'Pacific/Pago_Pago']) {
    process.env['TZ'] = zone
    const text = signText('x', { ...CONTEXT, kid: KID, sign: () => Uint8Array.of(1) })
    assert.match(text, /:0309:/)
  }
  delete process.env['TZ']
})

test('a text goes through a signature and back, and the signature is of ECDSA with SHA-256', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const options = { ...CONTEXT, kid: KID, sign: textSigner(privateKey) }
  for (const text of [
    '',
    'Your code: 1',
    'a \nAuthentication:0101:x:AA \nAuthentication:',
    'ж€🔔\n',
  ]) {
    const signed = signText(text, options)
    assert.equal(verifyText(signed, CONTEXT, new Map([[KID, publicKey]])), text)
    const [body = '', signature = ''] = signed.split(`0309:${KID}:`)
    assert.ok(
      verify(
        'sha256',
        Buffer.from(`EN Report.+15550123456.2026-03-09.${body}`),
        publicKey,
        Buffer.from(signature, 'base64'),
      ),
    )
    assert.equal(verifyText(signed, CONTEXT, KEYS), undefined, 'with another key')
  }
})

test('a text that was changed, or is for somebody or something else, is not recognised', () => {
  const { signed } = VECTOR
  const last = signed.at(-1) === 'E' ? 'F' : 'E'
  const changed = [
    '',
    VECTOR.text,
    signed.replace('12345678', '12345679'),
    signed.replace(' \nAuth', '\nAuth'),
    signed.replace(' \nAuth', ' \r\nAuth'),
    signed.replace('0309', '0310'),
    signed.replace('r1v2sms', 'r1v3sms'),
    signed.replace('MEUC', 'MEUD'),
    `${signed.slice(0, -1)}${last}`,
    `${signed}=`,
    `${signed}\n`,
    `${signed}:AA`,
    `Hello. ${signed}`,
  ]
  for (const text of changed) assert.equal(verifyText(text, CONTEXT, KEYS), undefined, text)
  const elsewhere: readonly Partial<TextContext>[] = [
    { purpose: 'User Report' },
    { phone: '+15550123457' },
    { day: new Date('2026-03-10T00:00:00Z') },
    { day: new Date('2025-03-09T12:00:00Z') },
  ]
  for (const context of elsewhere)
    assert.equal(verifyText(signed, { ...CONTEXT, ...context }, KEYS), undefined)
})
