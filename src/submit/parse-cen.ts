// Submit: contact event numbers from the bodies of three APIs; promises to refuse, with a sentence, whatever isn't whole numbers, and that no body is taken in part.

import { TocsinError } from '../errors.ts'
import { CEN_BYTES, MOST_CENS, parseCen, parseHexCen } from '../format/cen.ts'
import {
  parseJsonObject,
  readArray,
  readObject,
  readText,
  type JsonFields,
} from '../operate/read-json.ts'

/**
 * Numbers one after the other, 16 bytes each.
 *
 * @throws TocsinError `bad_request`
 */
export function parsePackedCens(body: Uint8Array): Uint8Array {
  if (body.length === 0)
    throw invalid(`The body is empty: send numbers of ${CEN_BYTES} bytes, one after the other.`)
  if (body.length % CEN_BYTES !== 0)
    throw invalid(`The body must be whole numbers of ${CEN_BYTES} bytes each.`)
  refuseTooMany(body.length / CEN_BYTES)
  return body
}

/**
 * `{"cens":[{"uuid","created_at"}]}`, with 32 hex digits in each uuid. When the numbers were made is looked at and forgotten: it would tell
 * which of them belong together.
 *
 * @throws TocsinError `bad_request`
 */
export function parseCenList(body: Uint8Array, now: Date): Uint8Array {
  refuseTooManyMembers(body)
  const list = readArray(parseJsonObject(body, LIST_FIELDS, 'bad_request'), 'cens')
  if (list.length === 0) throw invalid('cens must be a list of at least one number.')
  refuseTooMany(list.length)
  const packed = new Uint8Array(list.length * CEN_BYTES)
  for (const [index, each] of list.entries()) {
    const fields = readObject(each, CEN_FIELDS, 'a number', 'bad_request')
    const number = parseHexCen(readText(fields, 'uuid'))
    if (number === undefined) throw invalid('uuid must be 32 hex digits.')
    packed.set(number, index * CEN_BYTES)
    checkTime(fields, now)
  }
  return packed
}

/** Looked at as bytes: an object of hundreds of thousands of members, or as many objects, costs a second to parse. */
function refuseTooManyMembers(body: Uint8Array): void {
  let objects = 0
  let commas = 0
  for (const byte of body)
    if (byte === 0x7b) objects++
    else if (byte === 0x2c) commas++
  // Each number has two members, and one comma between them and one behind it.
  if (objects > MOST_CENS + 1 || commas > 3 * MOST_CENS) refuseTooMany(MOST_CENS + 1)
}

const LIST_FIELDS = new Set(['cens'])
const CEN_FIELDS = new Set(['uuid', 'created_at'])

const TIME = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?))?(Z|[+-]\d\d:?\d\d)?$/i
/** No phone made a number before. */
const EARLIEST = Date.UTC(2020, 0, 1)
/** How far ahead a phone's clock may be, whatever its time zone: milliseconds. */
const LATEST_AHEAD = 86_400_000

function checkTime(fields: JsonFields, now: Date): void {
  const [, day, time = '00:00', zone = ''] = TIME.exec(readText(fields, 'created_at')) ?? []
  const offset =
    zone.toUpperCase() === 'Z' || zone === '' ? 'Z' : `${zone.slice(0, 3)}:${zone.slice(-2)}`
  // The seconds' fraction is the longest that is known; a day that there is not is read as another one.
  const whole = time.replace(/(\.\d{3})\d+$/, '$1')
  const read = day === undefined ? NaN : Date.parse(`${day}T${whole}${offset}`)
  const midnight = day === undefined ? NaN : Date.parse(`${day}T00:00Z`)
  if (Number.isNaN(read) || new Date(midnight).toISOString().slice(0, 10) !== day)
    throw invalid('created_at must be a time such as 2020-04-07T12:34:56Z.')
  if (read < EARLIEST || read > now.getTime() + LATEST_AHEAD)
    throw invalid('created_at lies in the future, or before 2020: set the clock of the phone.')
}

/**
 * The one number of a form with the field `stored_value`: 32 hex digits, a UUID, or base64 of 16 bytes. Other fields are passed over.
 *
 * @throws TocsinError `bad_request`
 */
export function parseStoredValue(body: Uint8Array): Uint8Array {
  const values = new URLSearchParams(Buffer.from(body).toString('latin1')).getAll('stored_value')
  const [value, ...others] = values
  if (value === undefined || value === '') throw invalid(MISSING_STORED_VALUE)
  if (others.length > 0) throw invalid('stored_value is given twice.')
  const number = parseCen(value)
  if (number === undefined)
    throw invalid('stored_value must be a number: 32 hex digits, a UUID, or base64 of 16 bytes.')
  return number
}

/** As apps know it. */
export const MISSING_STORED_VALUE = 'Missing stored_value property'

function refuseTooMany(count: number): void {
  if (count > MOST_CENS) throw invalid(`There may be at most ${MOST_CENS} numbers.`)
}

function invalid(sentence: string): TocsinError {
  return new TocsinError('bad_request', sentence)
}
