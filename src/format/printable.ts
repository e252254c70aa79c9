// Format: text of others on a screen; promises that it can neither command a terminal nor begin a line nor turn the direction of one.

/** Control characters, format characters (also those of direction), line and paragraph separators, lone surrogates. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu

/** Text for one line: what doesn't show itself is written as in JSON, which stays the same JSON. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) =>
    Array.from(
      { length: character.length },
      (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`,
    ).join(''),
  )
}

/** Whether a name is one that people choose: at most 100 printable characters of ASCII. */
export function isPlainName(name: string): boolean {
  return /^[ -~]{0,100}$/.test(name)
}
