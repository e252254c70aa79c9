// Authorize: new verification codes; promises that nothing but chance decides them, and each with the same probability.

import { randomPiece } from '../operate/random-piece.ts'

/** Random bytes, as many as asked for: at most 65,536. */
export type RandomBytes = (length: number) => Uint8Array

/** How long codes of a realm are. */
export interface CodeLengths {
  readonly shortLength: number
  readonly longLength: number
}

/** The two forms of a code. */
export interface DrawnCode {
  /** Digits: to be said on the phone. */
  readonly short: string
  /** Digits and lower-case letters: to stand in a link. */
  readonly long: string
}

const DIGITS = '0123456789'
const LONG_ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyz'

/** Draws a code in both forms. */
export function drawCode({ shortLength, longLength }: CodeLengths): DrawnCode {
  return { short: drawShortCode(shortLength), long: drawLongCode(longLength) }
}

/** Draws that many digits. The first may be 0: codes are texts, not numbers. */
export function drawShortCode(length: number, random: RandomBytes = randomPiece): string {
  return drawCharacters(DIGITS, length, random)
}

/** Draws that many digits and lower-case letters. */
export function drawLongCode(length: number, random: RandomBytes = randomPiece): string {
  return drawCharacters(LONG_ALPHABET, length, random)
}

const BYTES = 256

/** Draws characters of an alphabet of at most 256, each with the same probability. */
export function drawCharacters(alphabet: string, length: number, random: RandomBytes): string {
  // The bytes from here on would be a part of a round through the alphabet, and favour its first characters.
  const limit = BYTES - (BYTES % alphabet.length)
  let text = ''
  while (text.length < length) {
    const bytes = random(length - text.length)
    for (const byte of bytes) if (byte < limit) text += alphabet.charAt(byte % alphabet.length)
  }
  return text
}
