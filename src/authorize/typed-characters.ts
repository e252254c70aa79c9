// Authorize: the letters and digits of what somebody typed; promises to forgive how they were typed, never which.

/** What anybody types has room in this; more is refused before any work is done. */
const MAX_LENGTH = 128

// Tabs and line ends come with what is pasted. No other control character is anybody's typing.
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/

/**
 * What stands between characters: spaces and what is invisible (also Braille's empty cell), dashes (also the minus, the
 * bullet and Japanese keyboards' long vowel mark), low lines, dots, commas and slashes.
 */
const SEPARATOR =
  /[\s\p{Z}\p{Default_Ignorable_Code_Point}\u2800\p{Pd}\u2212\u2043\u30fc\p{Pc}.\u00b7\u2022\u2027\u30fb\u3002,\u060c\u3001/]/gu

/** What stands around a code: quotes and brackets. */
const AROUND =
  /^[\p{Pi}\p{Pf}\p{Ps}\p{Pe}"'`\u2032\u2033<>]+|[\p{Pi}\p{Pf}\p{Ps}\p{Pe}"'`\u2032\u2033<>]+$/gu

/**
 * The letters and digits of a text: a to z in lower case, digits of whatever script as 0 to 9, without what stands
 * between and around them.
 *
 * @returns undefined when there are none, or anything else besides, or when it is far too long
 */
export function readCharacters(text: string): string | undefined {
  if (text.length > MAX_LENGTH || CONTROL.test(text) || !text.isWellFormed()) return undefined
  const characters = text
    // Full-width and the like.
    .normalize('NFKC')
    .replace(SEPARATOR, '')
    .replace(AROUND, '')
    .replace(/\p{Nd}/gu, asciiDigit)
    // Turkish keyboards: the capital of i and the small letter of I.
    .replace(/[İı]/g, 'i')
    .toLowerCase()
  return /^[0-9a-z]+$/.test(characters) ? characters : undefined
}

/** Takes the letters that look like digits, O, I and L, for these. @param characters in lower case */
export function looksAsDigits(characters: string): string {
  return characters.replaceAll('o', '0').replace(/[il]/g, '1')
}

/** Unicode keeps the ten digits of a script together, from 0 to 9: how many stand before one is what it is worth. */
function asciiDigit(digit: string): string {
  const point = digit.codePointAt(0) ?? 0
  let first = point
  while (/\p{Nd}/u.test(String.fromCodePoint(first - 1))) first--
  // Two scripts may follow each other without a gap.
  return String((point - first) % 10)
}
