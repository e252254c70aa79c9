// Authorize: POST /api/checkcodestatus and /api/expirecode, a health system asks what became of a code, and ends it; promises that who looked is in the log, and nothing of the code.

import { TocsinError } from '../errors.ts'
import { appendEvents } from '../log/append-event.ts'
import type { NewEvent } from '../log/record.ts'
import { parseJsonObject, readText } from '../operate/read-json.ts'
import { actorOf, type Caller } from './callers.ts'
import { codeExpired } from './codes.ts'
import type { AuthorizeContext } from './context.ts'
import { normalizeUuid } from './issue-request.ts'
import { findCodeOfUuid, lockCodeOfUuid, type VerificationCode } from './lock-codes.ts'
import { answer, type AuthorizeReply, type AuthorizeRequest } from './reply.ts'
import type { Actor } from './zone.ts'

/** Handles POST /api/checkcodestatus. */
export function checkCodeStatus(
  context: AuthorizeContext,
  request: AuthorizeRequest,
): Promise<AuthorizeReply> {
  return answer('', async () => {
    const caller = await context.findCaller(request.apiKey, 'admin')
    const uuid = readUuidAlone(request.body)
    const code = await findCodeOfUuid(context.db, caller.realm.name, uuid)
    refuseOthers(caller, code)
    const looked = lookedUp('code.status', caller.realm.name, actorOf(caller))
    await context.db.transaction((tx) => appendEvents(tx, context.writer, [looked], context.now()))
    return {
      claimed: code.isClaimed,
      expiresAtTimestamp: code.expiresAt,
      longExpiresAtTimestamp: code.longExpiresAt,
    }
  })
}

/** Handles POST /api/expirecode. */
export function expireCode(
  context: AuthorizeContext,
  request: AuthorizeRequest,
): Promise<AuthorizeReply> {
  return answer('', async () => {
    const caller = await context.findCaller(request.apiKey, 'admin')
    const uuid = readUuidAlone(request.body)
    return context.db.transaction(async (tx) => {
      const now = context.now()
      const seconds = Math.floor(now.getTime() / 1000)
      const code = await lockCodeOfUuid(tx, caller.realm.name, uuid)
      refuseOthers(caller, code)
      const isOver = code.expiresAt <= seconds && code.longExpiresAt <= seconds
      if (!isOver && code.isClaimed) throw new TocsinError('code_used', 'bad request')
      if (!isOver)
        await appendEvents(tx, context.writer, [codeExpired(code, seconds, actorOf(caller))], now)
      return {
        uuid,
        expiresAtTimestamp: Math.min(code.expiresAt, isOver ? Infinity : seconds),
        longExpiresAtTimestamp: Math.min(code.longExpiresAt, isOver ? Infinity : seconds),
      }
    })
  })
}

/** A provider's key sees the provider's codes; the realm's own keys see all. @throws TocsinError `code_not_found` */
function refuseOthers(
  { apiKey }: Pick<Caller, 'apiKey'>,
  code: VerificationCode | undefined,
): asserts code is VerificationCode {
  if (code === undefined || (apiKey.provider !== null && code.provider !== apiKey.provider))
    throw new TocsinError('code_not_found')
}

/** Somebody looked something up: who and what kind of thing, never which. */
export function lookedUp(what: string, realm: string, by: Actor): NewEvent {
  return { type: 'looked-up', parts: [{ retention: 'audit', content: { what, realm, by } }] }
}

const FIELDS = new Set(['uuid', 'padding'])

function readUuidAlone(body: Uint8Array): string {
  const fields = parseJsonObject(body, FIELDS, 'unparsable_request')
  readText(fields, 'padding')
  const uuid = normalizeUuid(readText(fields, 'uuid'))
  if (uuid === undefined) throw new TocsinError('code_not_found')
  return uuid
}
