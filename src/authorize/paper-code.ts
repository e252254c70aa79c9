// Authorize: the codes on printed cards; promises that one wrong character, or two that changed places, never make another code.

import { randomPiece } from '../operate/random-piece.ts'
import { codeInLink } from './code-in-link.ts'
import { drawCharacters, type RandomBytes } from './draw-code.ts'
import { looksAsDigits, readCharacters } from './typed-characters.ts'

/** Crockford's base32, by value: without I, L and O, which look like digits, and U. */
export const PAPER_ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** Characters of a code: those that name the batch, the random ones (75 bits) and the check character. */
export const PAPER_LENGTH = 20
const BATCH_LENGTH = 4
const RANDOM_LENGTH = 15

/**
 * Draws the name of a batch, 4 characters: about a million are possible, so whoever draws one sees whether it is taken.
 * It is no secret.
 */
export function drawBatchId(random: RandomBytes = randomPiece): string {
  return drawCharacters(PAPER_ALPHABET, BATCH_LENGTH, random)
}

/**
 * Draws a code of a batch.
 *
 * @param batch as `drawBatchId` makes it
 * @returns 20 characters: the batch, 15 random ones, the check character
 * @throws RangeError when that is no name of a batch
 */
export function drawPaperCode(batch: string, random: RandomBytes = randomPiece): string {
  if (batch.length !== BATCH_LENGTH) throw new RangeError('the name of a batch has 4 characters')
  const first = batch + drawCharacters(PAPER_ALPHABET, RANDOM_LENGTH, random)
  return first + checkCharacter(first)
}

/**
 * The last character of a code. The characters are elements of the field of 32, and a is one that generates it; the
 * code is right when the sum of its 20 characters, times a^19 for the first down to a^0 for the last, is 0. No two of
 * these powers are alike, and none is 0: so every single wrong character and every two characters that changed
 * places, wherever they stand, make another sum.
 *
 * @param first19 what stands before it, in upper case
 * @throws RangeError when that is not 19 characters of the alphabet
 */
export function checkCharacter(first19: string): string {
  if (first19.length !== PAPER_LENGTH - 1) throw new RangeError('not the length of a paper code')
  let sum = 0
  for (const character of first19) {
    const value = PAPER_ALPHABET.indexOf(character)
    if (value < 0) throw new RangeError('not a character of a paper code')
    sum = timesGenerator(sum ^ value)
  }
  // Minus is plus in this field: what makes the sum 0 is the sum itself.
  return PAPER_ALPHABET.charAt(sum)
}

/** As it stands on the card: five groups of four. */
export function formatPaperCode(code: string): string {
  return (code.match(/.{4}/g) ?? []).join('-')
}

/**
 * Reads a code as somebody typed it, or as a scanner reads the card: as a link.
 *
 * @returns the 20 characters as they were drawn; undefined when it can't be a code, or was mistyped
 */
export function readPaperCode(text: string): string | undefined {
  const characters = readCharacters(codeInLink(text))
  if (characters === undefined) return undefined
  const code = looksAsDigits(characters).toUpperCase()
  // Of the letters and digits that are left, U alone is not in the alphabet.
  if (code.length !== PAPER_LENGTH || code.includes('U')) return undefined
  return checkCharacter(code.slice(0, -1)) === code.at(-1) ? code : undefined
}

/** x^5 + x^2 + 1 is primitive: the powers of x, which is 2 here, are all 31 elements but 0. */
const POLYNOMIAL = 0b10_0101
const HIGHEST_BIT = 0b1_0000

function timesGenerator(value: number): number {
  const shifted = value << 1
  return (value & HIGHEST_BIT) === 0 ? shifted : shifted ^ POLYNOMIAL
}
