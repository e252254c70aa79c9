// Authorize: replies as existing apps and health systems know them; promises that a refusal is as long as a success, and says under its known code what to mend.

import { TocsinError, type ErrorCode } from '../errors.ts'
import { replyPadding } from '../operate/reply-padding.ts'

/** A reply: status and the JSON body's fields. */
export interface AuthorizeReply {
  readonly status: number
  readonly body: Record<string, unknown>
}

/** The code under which an API refuses a request that is none. */
export type UnreadableCode = 'unparsable_request' | 'token_invalid'

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
    return { status: 200, body: { ...(await work()), padding: replyPadding() } }
  } catch (error) {
    if (!(error instanceof TocsinError) || error.code === 'unavailable') throw error
    // A secret that is gone, for example, is for the operator to know, not for the phone.
    if (error.status >= 500) throw new Error(error.message, { cause: error })
    return refuseRequest(error, unreadable)
  }
}

/** The reply to a request that was refused, here or before it came here. */
export function refuseRequest(error: TocsinError, unreadable: UnreadableCode): AuthorizeReply {
  const isUnreadable = UNREADABLE.includes(error.code)
  const errorCode = isUnreadable ? unreadable : (KNOWN_CODES[error.code] ?? error.code)
  return {
    status: isUnreadable ? 400 : error.status,
    body: {
      error: error.code === 'unauthorized' ? 'unauthorized' : error.message,
      errorCode,
      // Older apps read this one.
      error_code: errorCode,
      padding: replyPadding(),
    },
  }
}

// What is wrong with a request as such has one status and one code here.
const UNREADABLE: readonly ErrorCode[] = [
  'bad_request',
  'unsupported_media_type',
  'request_too_large',
]

// Where existing apps know another code than ours, or none.
const KNOWN_CODES: { readonly [Code in ErrorCode]?: string } = {
  unauthorized: '',
  texts_not_offered: '',
  test_type_not_accepted: 'unsupported_test_type',
  unavailable: 'internal_server_error',
  internal_error: 'internal_server_error',
}
