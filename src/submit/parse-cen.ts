// Submit: contact event numbers from the bodies of three APIs; promises to refuse, with a sentence, whatever isn't whole numbers, and that no body is taken in part.

import { TocsinError } from '../errors.ts'
import { CEN_BYTES, MOST_CENS, parseCen, parseHexCen } from '../format/cen.ts'
import { parseJsonObject, readArray, readObject, readText } from '../operate/read-json.ts'
import { isPhoneTime } from './phone-time.ts'

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
 * `{"cens":[{"uuid","created_at"}]}`, with 32 hex digits in each uuid. Other fields are passed over, as there: apps send back what lists
 * have, too. When the numbers were made is looked at and forgotten: it would tell which of them belong together.
 *
 * @throws TocsinError `bad_request`
 */
export function parseCenList(body: Uint8Array): Uint8Array {
  refuseTooManyMembers(body)
  const list = readArray(parseJsonObject(body, 'any', 'bad_request'), 'cens')
  if (list.length === 0) throw invalid('cens must be a list of at least one number.')
  refuseTooMany(list.length)
  const packed = new Uint8Array(list.length * CEN_BYTES)
  for (const [index, each] of list.entries()) {
    const fields = readObject(each, 'any', 'a number', 'bad_request')
    const number = parseHexCen(readText(fields, 'uuid'))
    if (number === undefined) throw invalid('uuid must be 32 hex digits.')
    packed.set(number, index * CEN_BYTES)
    if (!isPhoneTime(readText(fields, 'created_at')))
      throw invalid('created_at must be a time such as 2020-04-07T12:34:56Z.')
  }
  return packed
}

const MOST_MEMBERS = 4 * MOST_CENS

/** Looked at as bytes: an object of hundreds of thousands of members, or as many objects, costs a second to parse. */
function refuseTooManyMembers(body: Uint8Array): void {
  let objects = 0
  let commas = 0
  for (const byte of body)
    if (byte === 0x7b) objects++
    else if (byte === 0x2c) commas++
  // Each number has two members, and one comma between them and one behind it; some have others.
  if (objects > MOST_CENS + 1 || commas > MOST_MEMBERS)
    throw invalid(
      `There may be at most ${MOST_CENS} numbers, and ${MOST_MEMBERS} fields of all of them together.`,
    )
}

/**
 * The one number of a form with the field `stored_value`: 32 hex digits, a UUID, or base64 of 16 bytes. Other fields are passed over; of several
 * with this name the last one counts, as there.
 *
 * @throws TocsinError `bad_request`
 */
export function parseStoredValue(body: Uint8Array): Uint8Array {
  const values = new URLSearchParams(Buffer.from(body).toString('latin1')).getAll('stored_value')
  const value = values.at(-1) ?? ''
  if (value === '') throw invalid(MISSING_STORED_VALUE)
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
