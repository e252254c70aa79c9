// Correct: which reports, or single keys, a correction is meant for; promises one form of each condition, or a refusal that names the field.

import { TocsinError } from '../errors.ts'
import { decodeBase64, decodeHex, encodeHex } from '../format/bytes.ts'

/**
 * Conditions, which hold together; of several values of one condition any. At least one condition.
 *
 * `keys` selects those keys alone, and not the reports that brought them; every other condition selects whole reports.
 */
export interface Selection {
  /** 32 hex digits each. */
  readonly trackingIds?: readonly string[]
  /** 16 bytes each: 32 hex digits. */
  readonly keys?: readonly string[]
  /** 22 characters of base64url each. */
  readonly issuerHandles?: readonly string[]
  /** healthAuthorityID as apps send it; several for an issuer that has several apps. */
  readonly healthAuthority?: string | readonly string[]
  /** Which API brought it, such as `publish-v1`. */
  readonly source?: string
  readonly regions?: readonly string[]
  /** Unix seconds: accepted then or later. */
  readonly acceptedFrom?: number
  /** Unix seconds: accepted earlier. */
  readonly acceptedBefore?: number
}

/** Values of one condition at the most. */
const MAX_VALUES = 100_000

const FIELDS = new Set<string>([
  'trackingIds',
  'keys',
  'issuerHandles',
  'healthAuthority',
  'source',
  'regions',
  'acceptedFrom',
  'acceptedBefore',
] satisfies (keyof Selection)[])

/**
 * Reads a selection. What it gives can be read again, and is the same for the same conditions: values sorted, each once, in one form.
 *
 * @throws TocsinError `selection_invalid`
 */
export function parseSelection(raw: unknown): Selection {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw))
    throw invalid('the selection must be an object of conditions')
  const fields = new Map<string, unknown>(
    Object.entries(raw).filter(([, value]) => value !== undefined && value !== null),
  )
  for (const name of fields.keys())
    if (!FIELDS.has(name)) throw invalid(`there is no condition "${name.slice(0, 40)}"`)
  const selection: Selection = {
    ...list(fields, 'trackingIds', readHex, 'must be 32 hex digits each'),
    ...list(fields, 'keys', readKey, 'must be 16 bytes each, in base64 or as 32 hex digits'),
    ...list(fields, 'issuerHandles', readHandle, 'must be 22 characters of base64url each'),
    ...list(fields, 'healthAuthority', readApp, 'must be 1 to 255 printable characters'),
    ...text(fields, 'source'),
    ...list(fields, 'regions', readRegion, 'must be names of regions such as US'),
    ...time(fields, 'acceptedFrom'),
    ...time(fields, 'acceptedBefore'),
  }
  if (Object.keys(selection).length === 0) throw invalid('name at least one condition')
  const { acceptedFrom, acceptedBefore } = selection
  if (acceptedFrom !== undefined && acceptedBefore !== undefined && acceptedFrom >= acceptedBefore)
    throw invalid('acceptedBefore must be later than acceptedFrom')
  return selection
}

/** The health authorities of a selection; undefined where they do not matter. */
export function appsOf({ healthAuthority }: Selection): readonly string[] | undefined {
  return typeof healthAuthority === 'string' ? [healthAuthority] : healthAuthority
}

/** The bytes of hex digits that were read before. */
export function bytesOf(hex: string): Uint8Array {
  return decodeHex(hex) ?? new Uint8Array()
}

function list<Name extends string>(
  fields: ReadonlyMap<string, unknown>,
  name: Name,
  read: (text: string) => string | undefined,
  rule: string,
): { [N in Name]?: string[] } {
  const given = fields.get(name)
  if (given === undefined) return {}
  const values: unknown[] = typeof given === 'string' ? [given] : Array.isArray(given) ? given : []
  if (values.length === 0 || values.length > MAX_VALUES)
    throw invalid(`${name} must be a list of 1 to ${MAX_VALUES} texts`)
  const known = values.map((value) => (typeof value === 'string' ? read(value) : undefined))
  if (!known.every((value) => value !== undefined)) throw invalid(`${name} ${rule}`)
  return { [name]: [...new Set(known)].sort() } as { [N in Name]?: string[] }
}

function readHex(text: string): string | undefined {
  return /^[0-9a-f]{32}$/i.test(text) ? text.toLowerCase() : undefined
}

function readKey(text: string): string | undefined {
  const hex = readHex(text)
  if (hex !== undefined) return hex
  const bytes = decodeBase64(text)
  return bytes?.length === 16 ? encodeHex(bytes) : undefined
}

function readHandle(text: string): string | undefined {
  if (!/^[\w-]{22}$/.test(text)) return undefined
  // The last character has 4 bits that say nothing: one form for one handle.
  return Buffer.from(text, 'base64url').toString('base64url')
}

function readApp(text: string): string | undefined {
  return /^[\x20-\x7e]{1,255}$/.test(text) ? text.toLowerCase() : undefined
}

function readRegion(text: string): string | undefined {
  return /^[a-z0-9-]{1,40}$/i.test(text) ? text.toUpperCase() : undefined
}

function text(fields: ReadonlyMap<string, unknown>, name: 'source'): { source?: string } {
  const given = fields.get(name)
  if (given === undefined) return {}
  if (typeof given !== 'string' || !/^[a-z0-9-]{1,40}$/.test(given))
    throw invalid(`${name} must be the name of an API such as publish-v1`)
  return { source: given }
}

function time<Name extends string>(
  fields: ReadonlyMap<string, unknown>,
  name: Name,
): { [N in Name]?: number } {
  const given = fields.get(name)
  if (given === undefined) return {}
  if (!Number.isSafeInteger(given) || (given as number) < 0)
    throw invalid(`${name} must be a time in whole unix seconds`)
  return { [name]: given as number } as { [N in Name]?: number }
}

function invalid(problem: string): TocsinError {
  return new TocsinError('selection_invalid', `The selection can't be used: ${problem}.`)
}
