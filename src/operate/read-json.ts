// Operate: the body of a request as fields; promises to refuse, with a sentence that never quotes it, whatever isn't exactly one JSON object of known fields.

import { TocsinError, type ErrorCode } from '../errors.ts'
import { hasRepeatedMembers } from './repeated-members.ts'

/** The fields of a JSON object, by their names in lower case; those that were `null` are undefined. */
export interface JsonFields {
  readonly values: ReadonlyMap<string, unknown>
  /** With which code a field of the wrong type is refused. */
  readonly code: ErrorCode
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Reads a body that is one JSON object.
 *
 * @param known the names that it may have, in lower case; `any` where others are to be passed over
 * @param code with which code it is refused, in whole or in part
 * @throws TocsinError `code`
 */
export function parseJsonObject(
  body: Uint8Array,
  known: ReadonlySet<string> | 'any',
  code: ErrorCode,
): JsonFields {
  let text: string
  let value: unknown
  try {
    text = decoder.decode(body)
    value = JSON.parse(text)
  } catch (error) {
    // The parser's own message would quote the body.
    throw new TocsinError(code, 'The body must be one JSON object in UTF-8.', { cause: error })
  }
  if (hasRepeatedMembers(text, value)) throw new TocsinError(code, 'A field is given twice.')
  return readObject(value, known, 'the request', code)
}

/**
 * Takes a value as an object. Field names count in any letter case, as existing apps spell some of them differently; `null`
 * is as good as leaving a field out; a field that is given twice, in whatever case, is refused.
 *
 * @throws TocsinError `code`
 */
export function readObject(
  value: unknown,
  known: ReadonlySet<string> | 'any',
  what: string,
  code: ErrorCode,
): JsonFields {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new TocsinError(code, `${what} must be a JSON object.`)
  const values = new Map<string, unknown>()
  for (const name of Object.keys(value)) {
    const field: unknown = value[name as keyof typeof value]
    const lower = name.toLowerCase()
    // The long s, too, is an s in another letter case (Unicode, CaseFolding.txt), though it is a small letter.
    const isKnown = known !== 'any' && known.has(lower)
    const folded = isKnown ? lower : lower.replaceAll('\u017f', 's')
    if (known !== 'any' && !known.has(folded))
      throw new TocsinError(code, `unknown field ${JSON.stringify(name.slice(0, 40))}`)
    if (values.has(folded)) throw new TocsinError(code, 'A field is given twice.')
    values.set(folded, field ?? undefined)
  }
  return { values, code }
}

/** A text; empty when it was left out. @throws TocsinError */
export function readText(fields: JsonFields, name: string): string {
  const value = fields.values.get(name.toLowerCase()) ?? ''
  if (typeof value !== 'string') throw wrongType(fields, name, 'a string')
  return value
}

/** True or false; false when it was left out. @throws TocsinError */
export function readBoolean(fields: JsonFields, name: string): boolean {
  const value = fields.values.get(name.toLowerCase()) ?? false
  if (typeof value !== 'boolean') throw wrongType(fields, name, 'true or false')
  return value
}

/** A whole number of so many bits, its sign among them, or what its absence means. @throws TocsinError */
export function readInteger(
  fields: JsonFields,
  name: string,
  absent: number,
  bits: 32 | 64 = 32,
): number {
  const value = fields.values.get(name.toLowerCase()) ?? absent
  const bound = 2 ** (bits - 1)
  if (!Number.isInteger(value) || (value as number) < -bound || (value as number) >= bound)
    throw wrongType(fields, name, `a whole number of ${bits} bits`)
  return value as number
}

/** A number, or what its absence means. @throws TocsinError */
export function readNumber(fields: JsonFields, name: string, absent: number): number {
  const value = fields.values.get(name.toLowerCase()) ?? absent
  if (!Number.isFinite(value)) throw wrongType(fields, name, 'a number')
  return value as number
}

/** An array; empty when it was left out. @throws TocsinError */
export function readArray(fields: JsonFields, name: string): readonly unknown[] {
  const value = fields.values.get(name.toLowerCase()) ?? []
  if (!Array.isArray(value)) throw wrongType(fields, name, 'an array')
  return value
}

function wrongType(fields: JsonFields, name: string, expected: string): TocsinError {
  return new TocsinError(fields.code, `${name} must be ${expected}.`)
}
