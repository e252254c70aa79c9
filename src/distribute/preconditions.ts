// Distribute: conditional and partial requests (RFC 9110, sections 13 and 14), as pure functions; promises to give the whole file whenever a header can't be understood.

/** The request's headers that decide, as they came. */
export interface Conditions {
  readonly ifMatch?: string | undefined
  readonly ifUnmodifiedSince?: string | undefined
  readonly ifNoneMatch?: string | undefined
  readonly ifModifiedSince?: string | undefined
  readonly range?: string | undefined
  readonly ifRange?: string | undefined
}

/** What they are held against. */
export interface Validators {
  /** Strong, with its quotes. */
  readonly etag: string
  readonly modifiedMs: number
  /** Bytes. */
  readonly size: number
  /** Whether the path never gives other bytes, so that a date names them as surely as a tag does. */
  readonly immutable?: boolean
}

/** A part of a file: `start` inclusive, `end` exclusive. */
export interface Part {
  readonly start: number
  readonly end: number
}

/** Ranges in one request; whoever sends more gets the whole file. Enough for a download that is resumed with several holes. */
export const MAX_RANGES = 10

/**
 * Whether the client wants an answer only from a file that it knows, and this is another one (status 412).
 *
 * If-Match decides alone when it is there, and a weak tag never matches it (RFC 9110, sections 13.1.1 and 13.2.2).
 */
export function isOutdated(conditions: Conditions, file: Validators): boolean {
  if (conditions.ifMatch !== undefined)
    return !listOf(conditions.ifMatch).some((each) => each === '*' || each === file.etag)
  const since = parseHttpDate(conditions.ifUnmodifiedSince)
  return since !== undefined && wholeSeconds(file) > since
}

/** Whether the client has the file already. If-None-Match decides alone when it is there (RFC 9110, section 13.2.2). */
export function isFresh(conditions: Conditions, file: Validators): boolean {
  if (conditions.ifNoneMatch !== undefined)
    return listOf(conditions.ifNoneMatch)
      .map((each) => each.replace(/^W\//, ''))
      .some((each) => each === '*' || each === file.etag)
  const since = parseHttpDate(conditions.ifModifiedSince)
  return since !== undefined && wholeSeconds(file) <= since
}

/**
 * The parts that are asked for, none empty, none overlapping another, in the order of the request.
 *
 * Parts that overlap or touch are made one, so that no byte is asked for twice. More ranges than {@link MAX_RANGES}, a unit
 * that isn't bytes, or an outdated If-Range get the whole file, as RFC 9110, section 14.2 allows.
 *
 * @returns undefined for the whole file
 */
export function readRanges(
  conditions: Conditions,
  file: Validators,
): readonly Part[] | 'unsatisfiable' | undefined {
  const { range } = conditions
  if (range === undefined || !namesThisFile(conditions.ifRange, file)) return undefined
  const [, set] = /^bytes=(.*)$/is.exec(range.trim()) ?? []
  // A list may have empty members (RFC 9110, section 5.6.1.2).
  const members = set === undefined ? [] : listOf(set).filter((member) => member !== '')
  if (members.length === 0 || members.length > MAX_RANGES) return undefined
  const parts: Part[] = []
  for (const member of members) {
    const part = readRange(member, file.size)
    if (part === undefined) return undefined
    if (part !== 'unsatisfiable') parts.push(part)
  }
  return parts.length === 0 ? 'unsatisfiable' : coalesce(parts)
}

function readRange(text: string, size: number): Part | 'unsatisfiable' | undefined {
  const match = /^(\d*)-(\d*)$/.exec(text)
  if (match === null) return undefined
  const [, first = '', last = ''] = match
  if (first === '' && last === '') return undefined
  if (first === '') {
    const length = Math.min(Number(last), size)
    return length === 0 ? 'unsatisfiable' : { start: size - length, end: size }
  }
  const start = Number(first)
  const end = last === '' ? size : Math.min(Number(last) + 1, size)
  if (last !== '' && Number(last) < start) return undefined
  return start >= size ? 'unsatisfiable' : { start, end }
}

/** Joins what overlaps or touches; each result stands where the first of its parts stood. */
function coalesce(parts: readonly Part[]): Part[] {
  const joined: { start: number; end: number; place: number }[] = []
  const sorted = parts
    .map((part, place) => ({ ...part, place }))
    .sort((a, b) => a.start - b.start || a.place - b.place)
  for (const part of sorted) {
    const last = joined.at(-1)
    if (last === undefined || part.start > last.end) {
      joined.push(part)
      continue
    }
    last.end = Math.max(last.end, part.end)
    last.place = Math.min(last.place, part.place)
  }
  return joined.sort((a, b) => a.place - b.place).map(({ start, end }) => ({ start, end }))
}

/**
 * Whether If-Range names the file as it is, or is left out.
 *
 * A date counts only where it is a strong validator (RFC 9110, sections 8.8.2.2 and 13.1.5): a file that is replaced may
 * have had two contents in one second.
 */
function namesThisFile(ifRange: string | undefined, file: Validators): boolean {
  if (ifRange === undefined || ifRange === file.etag) return true
  return file.immutable === true && parseHttpDate(ifRange) === wholeSeconds(file)
}

function listOf(text: string): string[] {
  return text.split(',').map((each) => each.trim())
}

/** When the file was modified, as precisely as a header can say it: milliseconds since the epoch. */
function wholeSeconds({ modifiedMs }: Validators): number {
  return Math.floor(modifiedMs / 1000) * 1000
}

// The three forms of RFC 9110, section 5.6.7. Anything else that Date.parse takes for a date is none.
const HTTP_DATES = [
  /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]{5,8}, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/,
]

/** @returns milliseconds since the epoch, or undefined when the text is no date */
function parseHttpDate(text: string | undefined): number | undefined {
  if (text === undefined || !HTTP_DATES.some((form) => form.test(text))) return undefined
  const time = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`)
  return Number.isNaN(time) ? undefined : time
}
