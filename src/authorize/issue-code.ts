// Authorize: POST /api/issue, a health system asks for a verification code; promises that the code is known to whom it is told and to nobody else.

import { randomUUID } from 'node:crypto'
import { TocsinError } from '../errors.ts'
import { appendEvents } from '../log/append-event.ts'
import { findCaller, type Caller } from './api-keys.ts'
import { AlreadyIssued, codeIssued } from './codes.ts'
import type { AuthorizeContext } from './context.ts'
import type { DrawnCode } from './draw-code.ts'
import { parseIssueRequest, type IssueRequest } from './issue-request.ts'
import { isUuidTaken } from './lock-codes.ts'
import { answer, type AuthorizeReply } from './reply.ts'

/** How long a code lives, in seconds: its short form, and its long form when that is sent to the phone. */
const SHORT_LIFE = 15 * 60
const LONG_LIFE = 24 * 3600

/** A code that was issued, as only its receiver ever sees it. */
export interface NewCode extends DrawnCode {
  readonly uuid: string
  /** Unix seconds. */
  readonly expiresAt: number
  readonly longExpiresAt: number
}

/** Handles one request, from its body to its reply. */
export function issueCode(
  context: AuthorizeContext,
  apiKey: string | undefined,
  body: Uint8Array,
): Promise<AuthorizeReply> {
  return answer('unparsable_request', async () => {
    const caller = await findCaller(context.db, context.mac, apiKey, 'admin')
    const request = parseIssueRequest(body, context.now())
    const code = await makeCode(context, caller, request, false)
    return {
      uuid: code.uuid,
      code: code.short,
      expiresAt: formatTime(code.expiresAt),
      expiresAtTimestamp: code.expiresAt,
      longExpiresAt: formatTime(code.longExpiresAt),
      longExpiresAtTimestamp: code.longExpiresAt,
    }
  })
}

/** How often a code is drawn anew when the realm has one like it. */
const MAX_DRAWS = 6

/**
 * Issues a code.
 *
 * @param sendsLong whether somebody will be sent the long form; else it lives no longer than the short one
 * @throws TocsinError `uuid_already_exists`
 */
export async function makeCode(
  context: AuthorizeContext,
  caller: Caller,
  request: IssueRequest,
  sendsLong: boolean,
): Promise<NewCode> {
  const uuid = request.uuid ?? randomUUID()
  for (let draws = 1; ; draws++) {
    try {
      return await recordCode(context, caller, { ...request, uuid }, sendsLong)
    } catch (error) {
      // The same code, or the same uuid at the same moment: the next round tells them apart.
      if (!(error instanceof AlreadyIssued) || draws === MAX_DRAWS) throw error
    }
  }
}

function recordCode(
  context: AuthorizeContext,
  { realm, apiKey }: Caller,
  request: IssueRequest & { readonly uuid: string },
  sendsLong: boolean,
): Promise<NewCode> {
  const now = context.now()
  const seconds = Math.floor(now.getTime() / 1000)
  const drawn = context.drawCode()
  const expiresAt = seconds + SHORT_LIFE
  const longExpiresAt = sendsLong ? seconds + LONG_LIFE : expiresAt
  const event = codeIssued({
    ...request,
    realm: realm.name,
    codeMac: context.mac('code', realm.name, drawn.short),
    longCodeMac: context.mac('code', realm.name, drawn.long),
    expiresAt,
    longExpiresAt,
    apiKey,
  })
  return context.db.transaction(async (tx) => {
    if (await isUuidTaken(tx, realm.name, request.uuid))
      throw new TocsinError('uuid_already_exists')
    await appendEvents(tx, context.writer, [event], now)
    return { ...drawn, uuid: request.uuid, expiresAt, longExpiresAt }
  })
}

/** A time as RFC 1123 has it, in the spelling that existing health systems know. */
function formatTime(seconds: number): string {
  return new Date(seconds * 1000).toUTCString().replace('GMT', 'UTC')
}
