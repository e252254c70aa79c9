// Verify: the list of a feed's files; promises names that lead nowhere but below the feed's own address, oldest first.

import { printable } from '../format/printable.ts'
import type { Limits } from './limits.ts'
import { VerificationError } from './verification-error.ts'

// A folder or file: no dot in front (so no "." or ".."), nothing that an address or a file system could take for more.
const SEGMENT = '[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}'
const NAME = new RegExp(`^(?:${SEGMENT}/){0,4}${SEGMENT}\\.zip$`)
const MAX_LINE = 300

/** Whether a line of an index names a file: at most five plain segments, relative, ending in `.zip`. */
export function isFileName(line: string): boolean {
  return line.length <= MAX_LINE && NAME.test(line)
}

/**
 * The files that an index lists, oldest first, each once.
 *
 * @throws VerificationError `index_invalid`, `index_too_large`
 */
export function readIndex(
  bytes: Uint8Array,
  limits: Pick<Limits, 'maxIndexBytes' | 'maxIndexFiles'>,
): string[] {
  if (bytes.length > limits.maxIndexBytes)
    throw new VerificationError(
      'index_too_large',
      `The index has more than ${limits.maxIndexBytes} bytes.`,
    )
  const text = new TextDecoder().decode(bytes)
  const names = new Set<string>()
  let index = -1
  for (const name of linesOf(text)) {
    index++
    if (name === '') continue
    if (!isFileName(name))
      throw new VerificationError(
        'index_invalid',
        `Line ${index + 1} of the index is no file of this feed: ${printable(JSON.stringify(name.slice(0, 80)))}.`,
      )
    names.add(name)
    if (names.size > limits.maxIndexFiles)
      throw new VerificationError(
        'index_too_large',
        `The index lists more than ${limits.maxIndexFiles} files.`,
      )
  }
  return oldestFirst([...names])
}

/** Line by line: a million of empty ones take no more room than the text. */
function* linesOf(text: string): Generator<string, void> {
  for (let start = 0; start <= text.length;) {
    const found = text.indexOf('\n', start)
    const end = found < 0 ? text.length : found
    yield text.slice(start, end > start && text[end - 1] === '\r' ? end - 1 : end)
    start = end + 1
  }
}

/** The time span and number that a file's name gives, or undefined when it follows another custom. */
export function parseFileName(
  name: string,
): { readonly start: number; readonly end: number; readonly number: number } | undefined {
  const match = /(?:^|\/)(\d{1,12})-(\d{1,12})-(\d{1,9})\.zip$/.exec(name)
  if (match === null) return undefined
  return { start: Number(match[1]), end: Number(match[2]), number: Number(match[3]) }
}

/** By time when all names give one; else as the index has them, which the server is told to keep in order. */
export function oldestFirst(names: readonly string[]): string[] {
  const parsed = names.map((name) => ({ name, span: parseFileName(name) }))
  const known = parsed.flatMap(({ name, span }) => (span === undefined ? [] : [{ name, span }]))
  if (known.length < names.length) return [...names]
  return known
    .sort(
      (a, b) =>
        a.span.start - b.span.start || a.span.end - b.span.end || a.span.number - b.span.number,
    )
    .map(({ name }) => name)
}
