// Authorize: a code as somebody typed it; promises that what no code can look like is known for that without asking the database.

import { codeInLink } from './code-in-link.ts'
import { PAPER_LENGTH, readPaperCode } from './paper-code.ts'
import { looksAsDigits, readCharacters } from './typed-characters.ts'

/** What a text is, by its form. */
export interface TypedCode {
  readonly kind: 'paper' | 'digits' | 'long'
  /** As it was drawn. */
  readonly code: string
}

const SHORT_CODE = /^[0-9]{6,10}$/
const LONG_CODE = /^[0-9a-z]{12,32}$/

/**
 * Reads a code, forgiving what can be: letter case, spaces, hyphens and the like, digits of other scripts, and, where the
 * code has no such letters, O for 0 and I or L for 1. Of a link as cards and texts have it, its code is read. The length alone tells which kind it is: so no realm may
 * have long codes of 20 characters, as paper codes have them.
 *
 * @returns undefined when no code looks like that, or when it is a paper code whose check character is wrong
 */
export function readTypedCode(text: string): TypedCode | undefined {
  const characters = readCharacters(codeInLink(text))
  if (characters === undefined) return undefined
  if (characters.length === PAPER_LENGTH) {
    const code = readPaperCode(characters)
    return code === undefined ? undefined : { kind: 'paper', code }
  }
  // Long codes have the letters that look like digits, so they are left as they are.
  if (LONG_CODE.test(characters)) return { kind: 'long', code: characters }
  const digits = looksAsDigits(characters)
  return SHORT_CODE.test(digits) ? { kind: 'digits', code: digits } : undefined
}
