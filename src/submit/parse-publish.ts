// Submit: the body of POST /v1/publish as a value; promises to refuse, with a sentence, whatever isn't exactly one.

import { TocsinError } from '../errors.ts'

/** One key as it was sent, not yet judged. */
export interface SubmittedKey {
  /** Base64 as sent: the certificate's HMAC covers these very characters. */
  readonly key: string
  /** Intervals of 10 minutes since the epoch. */
  readonly rollingStart: number
  readonly rollingPeriod: number
  /** 0 lets the server choose. */
  readonly transmissionRisk: number
}

/** A request to publish keys. Fields that were left out hold what their absence means. */
export interface PublishRequest {
  readonly keys: readonly SubmittedKey[]
  readonly healthAuthorityId: string
  /** The certificate, a compact JWS. */
  readonly verificationPayload: string
  /** Base64 of the secret under which the keys were MACed. */
  readonly hmacKey: string
  /** 0 when not given. */
  readonly symptomOnsetInterval: number
  readonly traveler: boolean
  /** Base64; empty when there is none. */
  readonly revisionToken: string
}

/** The greatest body that is read, in bytes. */
export const MAX_BODY_BYTES = 64_000

/**
 * Reads a body. Field names count in any letter case, as existing apps spell some of them differently; `null` is as good
 * as leaving a field out.
 *
 * @throws TocsinError `bad_request`
 */
export function parsePublishRequest(body: Uint8Array): PublishRequest {
  const fields = readObject(parseJson(body), REQUEST_FIELDS, 'the request')
  const keys = fields.get('temporaryexposurekeys') ?? []
  if (!Array.isArray(keys)) throw refuse('temporaryExposureKeys must be an array.')
  readText(fields, 'padding')
  return {
    keys: keys.map(readKey),
    healthAuthorityId: readText(fields, 'healthAuthorityID'),
    verificationPayload: readText(fields, 'verificationPayload'),
    hmacKey: readText(fields, 'hmacKey'),
    symptomOnsetInterval: readInteger(fields, 'symptomOnsetInterval', 0),
    traveler: readBoolean(fields, 'traveler'),
    revisionToken: readText(fields, 'revisionToken'),
  }
}

const REQUEST_FIELDS = new Set([
  'temporaryexposurekeys',
  'healthauthorityid',
  'verificationpayload',
  'hmackey',
  'symptomonsetinterval',
  'traveler',
  'revisiontoken',
  'padding',
])

const KEY_FIELDS = new Set(['key', 'rollingstartnumber', 'rollingperiod', 'transmissionrisk'])

// A key without a period is valid for a day, as the phones' own format has it.
const DEFAULT_ROLLING_PERIOD = 144

function readKey(value: unknown): SubmittedKey {
  const fields = readObject(value, KEY_FIELDS, 'a key')
  return {
    key: readText(fields, 'key'),
    rollingStart: readInteger(fields, 'rollingStartNumber', 0),
    rollingPeriod: readInteger(fields, 'rollingPeriod', DEFAULT_ROLLING_PERIOD),
    transmissionRisk: readInteger(fields, 'transmissionRisk', 0),
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true })

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(body))
  } catch (error) {
    // The parser's own message would quote the body.
    throw new TocsinError('bad_request', 'The body must be one JSON object in UTF-8.', {
      cause: error,
    })
  }
}

function readObject(
  value: unknown,
  known: ReadonlySet<string>,
  what: string,
): Map<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw refuse(`${what} must be a JSON object.`)
  const fields = new Map<string, unknown>()
  for (const [name, field] of Object.entries(value)) {
    const folded = name.toLowerCase()
    if (!known.has(folded)) throw refuse(`unknown field ${JSON.stringify(name.slice(0, 40))}`)
    if (field !== null) fields.set(folded, field)
  }
  return fields
}

function readText(fields: ReadonlyMap<string, unknown>, name: string): string {
  const value = fields.get(name.toLowerCase()) ?? ''
  if (typeof value !== 'string') throw refuse(`${name} must be a string.`)
  return value
}

function readBoolean(fields: ReadonlyMap<string, unknown>, name: string): boolean {
  const value = fields.get(name.toLowerCase()) ?? false
  if (typeof value !== 'boolean') throw refuse(`${name} must be true or false.`)
  return value
}

function readInteger(fields: ReadonlyMap<string, unknown>, name: string, absent: number): number {
  const value = fields.get(name.toLowerCase()) ?? absent
  if (!Number.isInteger(value) || Math.abs(value as number) > 0x7fffffff)
    throw refuse(`${name} must be a whole number of 32 bits.`)
  return value as number
}

function refuse(sentence: string): TocsinError {
  return new TocsinError('bad_request', sentence)
}
