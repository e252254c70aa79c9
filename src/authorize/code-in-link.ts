// Authorize: the code of a link that somebody pasted or scanned; promises that a text that is no such link stays as it is.

/** No link that holds a code is longer: those of cards fit into their QR code, those of texts into one text. */
const MOST_CHARACTERS = 512

/** A link as cards and texts have it: https, or the address of the phone's own. */
const LINK = /^\s*(?:https?|ens):\/\/[^\s?#]*\?(?:[^\s#]*?&)?c=([^\s&#]*)/i

/** What stands behind `c=` in a link; any other text as it came. */
export function codeInLink(text: string): string {
  if (text.length > MOST_CHARACTERS) return text
  return LINK.exec(text)?.[1] ?? text
}
