// Authorize: new verification codes; promises that nothing but chance decides them.

import { randomInt } from 'node:crypto'

/** The two forms of a code. */
export interface DrawnCode {
  /** 8 digits: to be said on the phone. */
  readonly short: string
  /** 16 digits and lower-case letters: to stand in a link. */
  readonly long: string
}

const SHORT_LENGTH = 8
const LONG_LENGTH = 16
const LONG_ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyz'

/** Draws a code. */
export function drawCode(): DrawnCode {
  return {
    short: String(randomInt(10 ** SHORT_LENGTH)).padStart(SHORT_LENGTH, '0'),
    long: Array.from({ length: LONG_LENGTH }, () =>
      LONG_ALPHABET.charAt(randomInt(LONG_ALPHABET.length)),
    ).join(''),
  }
}
