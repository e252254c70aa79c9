// Authorize: requests and replies as existing apps and health systems know them; promises that a refusal is as long as a success, and says under its known code what to mend.

import { TocsinError, type ErrorCode } from '../errors.ts'
import { randomPiece } from '../operate/random-piece.ts'

/** A request as the web server hands it over. */
export interface AuthorizeRequest {
  /** `X-API-Key`. */
  readonly apiKey: string | undefined
  readonly body: Uint8Array
  /** Of the address that it came from, see `prefixOf`: kept for nothing but slowing those who guess. */
  readonly addressPrefix: string
  readonly userAgent: string
}

/** A reply: status and the JSON body's fields. */
export interface AuthorizeReply {
  readonly status: number
  readonly body: Record<string, unknown>
  /** Seconds after which trying again may help. */
  readonly retryAfter?: number
}

/** The code under which an API refuses a request that is none. */
export type UnreadableCode = 'unparsable_request' | 'token_invalid' | ''

/**
 * Carries out a request. A refusal is a reply, too.
 *
 * @throws TocsinError `unavailable`; whatever nobody expected
 */
export async function answer(
  unreadable: UnreadableCode,
  work: () => Promise<Record<string, unknown>>,
): Promise<AuthorizeReply> {
  try {
    return { status: 200, body: padded(await work()) }
  } catch (error) {
    if (!(error instanceof TocsinError) || error.code === 'unavailable') throw error
    // A secret that is gone, for example, is for the operator to know, not for the phone.
    if (error.status >= 500) throw new Error(error.message, { cause: error })
    return refuseRequest(error, unreadable)
  }
}

/** The reply to a request that was refused, here or before it came here. */
export function refuseRequest(error: TocsinError, unreadable: UnreadableCode): AuthorizeReply {
  const { status, errorCode, sentence } = describeRefusal(error, unreadable)
  return {
    status,
    // Older apps read the second one.
    body: padded({ error: sentence, errorCode, error_code: errorCode }),
    ...(error.retryAfter === undefined ? {} : { retryAfter: error.retryAfter }),
  }
}

/** What a refusal says. */
export function describeRefusal(
  error: TocsinError,
  unreadable: UnreadableCode,
): { readonly status: number; readonly errorCode: string; readonly sentence: string } {
  const isUnreadable = UNREADABLE.includes(error.code)
  return {
    status: isUnreadable ? 400 : error.status,
    errorCode: isUnreadable ? unreadable : (KNOWN_CODES[error.code] ?? error.code),
    sentence: error.code === 'unauthorized' ? 'unauthorized' : error.message,
  }
}

// What is wrong with a request as such has one status and one code here.
const UNREADABLE: readonly ErrorCode[] = [
  'bad_request',
  'unparsable_request',
  'unsupported_media_type',
  'request_too_large',
]

// Where existing apps know another code than ours, or none.
const KNOWN_CODES: { readonly [Code in ErrorCode]?: string } = {
  unauthorized: '',
  texts_not_offered: '',
  bulk_not_offered: '',
  code_used: '',
  too_many_guesses: '',
  maintenance: 'maintenance_mode',
  test_type_not_accepted: 'unsupported_test_type',
  unavailable: 'internal_server_error',
  internal_error: 'internal_server_error',
}

/** Characters of a body, padding among them: from the first to less than twice as many. */
const LEAST_LENGTH = 2_400
const FIELD_LENGTH = ',"padding":""'.length

/** Adds the padding: however long the rest is, the whole is as long as chance wants. */
export function padded(fields: Record<string, unknown>): Record<string, unknown> {
  // In bytes: a text may have letters that take several.
  const rest = Buffer.byteLength(JSON.stringify(fields)) + FIELD_LENGTH
  // A reply with many codes is long in any case.
  const wanted =
    LEAST_LENGTH * Math.ceil(rest / LEAST_LENGTH) + (randomPiece(2).readUInt16BE() % LEAST_LENGTH)
  const missing = Math.max(0, wanted - rest)
  const padding = randomPiece(Math.ceil((missing * 3) / 4))
    .toString('base64')
    .slice(0, missing)
  return { ...fields, padding }
}
