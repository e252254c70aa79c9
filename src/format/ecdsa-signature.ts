// Format: an ECDSA signature on P-256, ASN.1 DER <-> two numbers; promises one encoding for each signature (DER, not BER).

import { concatBytes } from './bytes.ts'
import { FormatError } from './format-error.ts'

const SEQUENCE = 0x30
const INTEGER = 0x02
const NUMBER_BYTES = 32

/** ECDSA-Sig-Value (RFC 3279, section 2.2.3). @param numbers r and s, 32 bytes each, as WebCrypto has them */
export function encodeEcdsaSignature(numbers: Uint8Array): Uint8Array {
  const integers = [
    encodeInteger(numbers.subarray(0, NUMBER_BYTES)),
    encodeInteger(numbers.subarray(NUMBER_BYTES, 2 * NUMBER_BYTES)),
  ]
  const body = concatBytes(integers)
  return concatBytes([Uint8Array.of(SEQUENCE, body.length), body])
}

function encodeInteger(number: Uint8Array): Uint8Array {
  let start = 0
  while (start < number.length - 1 && number[start] === 0) start++
  const digits = number.subarray(start)
  // A first bit that is 1 would make it negative.
  const sign = (digits[0] ?? 0) & 0x80 ? Uint8Array.of(0) : new Uint8Array()
  return concatBytes([Uint8Array.of(INTEGER, sign.length + digits.length), sign, digits])
}

/**
 * r and s, 32 bytes each.
 *
 * @throws FormatError `signature_malformed` for anything but the one DER encoding of two numbers from 1 to 2^256 - 1
 */
export function decodeEcdsaSignature(der: Uint8Array): Uint8Array {
  const numbers = new Uint8Array(2 * NUMBER_BYTES)
  if (der[0] !== SEQUENCE || der[1] !== der.length - 2) throw signatureMalformed()
  const middle = readInteger(der, 2, numbers.subarray(0, NUMBER_BYTES))
  const end = readInteger(der, middle, numbers.subarray(NUMBER_BYTES))
  if (end !== der.length) throw signatureMalformed()
  return numbers
}

/** Reads one into `number`. @returns where it ends */
function readInteger(der: Uint8Array, offset: number, number: Uint8Array): number {
  const length = der[offset + 1] ?? 0
  const start = offset + 2
  const end = start + length
  if (der[offset] !== INTEGER || length === 0 || end > der.length) throw signatureMalformed()
  const first = der[start] as number
  const second = der[start + 1] ?? 0
  const hasSign = first === 0
  // Negative; zero; or a zero in front that no sign needs.
  if (first & 0x80 || (hasSign && (length === 1 || !(second & 0x80)))) throw signatureMalformed()
  const digits = der.subarray(hasSign ? start + 1 : start, end)
  if (digits.length > NUMBER_BYTES) throw signatureMalformed()
  number.set(digits, NUMBER_BYTES - digits.length)
  return end
}

function signatureMalformed(): FormatError {
  return new FormatError(
    'signature_malformed',
    'A signature is no ASN.1 DER encoding of two numbers.',
  )
}
