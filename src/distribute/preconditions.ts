// Distribute: conditional and partial requests (RFC 9110, sections 13 and 14), as pure functions; promises to give the whole file whenever a header can't be understood.

/** The request's headers that decide, as they came. */
export interface Conditions {
  readonly ifNoneMatch?: string
  readonly ifModifiedSince?: string
  readonly range?: string
  readonly ifRange?: string
}

/** What they are held against. */
export interface Validators {
  /** Strong, with its quotes. */
  readonly etag: string
  readonly modifiedMs: number
  /** Bytes. */
  readonly size: number
}

/** Whether the client has the file already. If-None-Match decides alone when it is there (RFC 9110, section 13.2.2). */
export function isFresh(conditions: Conditions, file: Validators): boolean {
  if (conditions.ifNoneMatch !== undefined)
    return conditions.ifNoneMatch
      .split(',')
      .map((each) => each.trim().replace(/^W\//, ''))
      .some((each) => each === '*' || each === file.etag)
  const since = parseHttpDate(conditions.ifModifiedSince)
  return since !== undefined && Math.floor(file.modifiedMs / 1000) * 1000 <= since
}

/**
 * The part that is asked for: `start` inclusive, `end` exclusive.
 *
 * One range is answered; several, a unit that isn't bytes, or an outdated If-Range get the whole file, as RFC 9110,
 * section 14.2 allows.
 *
 * @returns undefined for the whole file
 */
export function readRange(
  conditions: Conditions,
  file: Validators,
): { start: number; end: number } | 'unsatisfiable' | undefined {
  const { range, ifRange } = conditions
  if (range === undefined || (ifRange !== undefined && ifRange !== file.etag)) return undefined
  const match = /^bytes=(\d*)-(\d*)$/i.exec(range.trim())
  if (match === null) return undefined
  const [, first = '', last = ''] = match
  if (first === '' && last === '') return undefined
  if (first === '') {
    const length = Math.min(Number(last), file.size)
    return length === 0 ? 'unsatisfiable' : { start: file.size - length, end: file.size }
  }
  const start = Number(first)
  const end = last === '' ? file.size : Math.min(Number(last) + 1, file.size)
  if (last !== '' && Number(last) < start) return undefined
  return start >= file.size ? 'unsatisfiable' : { start, end }
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
