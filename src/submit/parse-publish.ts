// Submit: the body of POST /v1/publish as a value; promises to refuse, with a sentence, whatever isn't exactly one.

import { compareTexts } from '../format/tekmac.ts'
import {
  parseJsonObject,
  readArray,
  readBoolean,
  readInteger,
  readObject,
  readText,
  type JsonFields,
} from '../operate/read-json.ts'

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

/** Orders keys by the bytes of the text sent, then by all else, so that no order of sending shows. */
export function compareKeys(a: SubmittedKey, b: SubmittedKey): number {
  return (
    compareTexts(a.key, b.key) ||
    a.rollingStart - b.rollingStart ||
    a.rollingPeriod - b.rollingPeriod ||
    a.transmissionRisk - b.transmissionRisk
  )
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
  /** Where the keys are to be published; all regions of the health authority when left out. */
  readonly regions?: readonly string[]
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
  const fields = parseJsonObject(body, REQUEST_FIELDS, 'bad_request')
  readText(fields, 'padding')
  return {
    keys: readSubmittedKeys(fields),
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

/** The keys of a request. @throws TocsinError `bad_request` */
export function readSubmittedKeys(fields: JsonFields): SubmittedKey[] {
  return readArray(fields, 'temporaryExposureKeys').map(
    (value) => readUsualKey(value) ?? readKey(value),
  )
}

/** What nearly every app sends, at a tenth of the work: all four fields, spelt as they are documented; undefined for anything else. */
function readUsualKey(value: unknown): SubmittedKey | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { key, rollingStartNumber, rollingPeriod, transmissionRisk } = value as Record<
    string,
    unknown
  >
  const isUsual =
    typeof key === 'string' &&
    isInteger32(rollingStartNumber) &&
    isInteger32(rollingPeriod) &&
    isInteger32(transmissionRisk) &&
    Object.keys(value).length === KEY_FIELDS.size
  return isUsual
    ? { key, rollingStart: rollingStartNumber, rollingPeriod, transmissionRisk }
    : undefined
}

function isInteger32(value: unknown): value is number {
  return typeof value === 'number' && (value | 0) === value
}

function readKey(value: unknown): SubmittedKey {
  const fields = readObject(value, KEY_FIELDS, 'a key', 'bad_request')
  return {
    key: readText(fields, 'key'),
    rollingStart: readInteger(fields, 'rollingStartNumber', 0),
    rollingPeriod: readInteger(fields, 'rollingPeriod', DEFAULT_ROLLING_PERIOD),
    transmissionRisk: readInteger(fields, 'transmissionRisk', 0, 64),
  }
}
