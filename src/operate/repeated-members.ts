// Operate: whether a JSON text names a member of one object twice; promises an answer that the parser, which keeps one of the two, can't give.

/**
 * Whether an object in the text has two members of the same name. Readers differ on which of the two counts, so that a request
 * with such an object can mean one thing to a filter in front and another here.
 *
 * @param text valid JSON
 * @param value what the parser made of it
 */
export function hasRepeatedMembers(text: string, value: unknown): boolean {
  const members = countMembers(value)
  // Where no string has a colon, which is nearly everywhere, there is no need to know where strings end.
  return countAll(text, ':') !== members && countColons(text) !== members
}

function countAll(text: string, character: string): number {
  let count = 0
  for (let at = text.indexOf(character); at !== -1; at = text.indexOf(character, at + 1)) count++
  return count
}

const QUOTE = 0x22
const COLON = 0x3a
const BACKSLASH = 0x5c

/** The colons outside strings: one for each member that was written. */
function countColons(text: string): number {
  let colons = 0
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code === COLON) colons++
    else if (code === QUOTE) index = endOfString(text, index)
  }
  return colons
}

/** Where the closing quote of the string is that opens at `start`. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1)
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1)
  return end
}

function isEscaped(text: string, index: number): boolean {
  let backslashes = 0
  while (text.charCodeAt(index - 1 - backslashes) === BACKSLASH) backslashes++
  return backslashes % 2 === 1
}

/** The members of all objects in a value. Without recursion: nesting may be as deep as a body is long. */
function countMembers(value: unknown): number {
  let members = 0
  const open: unknown[] = [value]
  while (open.length > 0) {
    const each = open.pop()
    if (typeof each !== 'object' || each === null) continue
    if (Array.isArray(each)) for (const item of each) open.push(item)
    else
      for (const name in each) {
        members++
        open.push(each[name as keyof typeof each])
      }
  }
  return members
}
