// Cli: single codes; promises that a code is typed or piped in and never an argument, and that who looked is in the log, but not at which.

import { activateCode } from '../authorize/activate-code.ts'
import { codeExpired } from '../authorize/codes.ts'
import { normalizeUuid } from '../authorize/issue-request.ts'
import { findCodeOfUuid, lockCodeOfUuid, type VerificationCode } from '../authorize/lock-codes.ts'
import { readPeppers } from '../authorize/peppers.ts'
import type { AuthorityZone } from '../authorize/zone.ts'
import { TocsinError } from '../errors.ts'
import { appendEvents } from '../log/append-event.ts'
import { formatTimestamp } from '../operate/timestamp.ts'
import { textOption, type Command, type CommandContext } from './command.ts'
import { PREVIEW_OPTION, runInvalidation } from './invalidation.ts'
import {
  isGiven,
  noteLookUp,
  REALM_OPTION,
  requiredArgument,
  requireRealm,
  withAuthority,
} from './with-authority.ts'
import { requiredOption } from './with-data.ts'

/** `tocsin code status` */
export const codeStatusCommand: Command = {
  summary: 'Says what became of a code, by the uuid that it was issued under.',
  usage: 'code status UUID --realm NAME',
  positionals: 1,
  options: { realm: REALM_OPTION },
  async run(context) {
    const uuid = uuidArgument(context, 'code status')
    const realm = requiredOption(context, 'realm')
    return withAuthority(context, async (zone, now) => {
      await requireRealm(zone, realm)
      const code = await findCodeOfUuid(zone.db, realm, uuid)
      if (code === undefined) throw new TocsinError('code_not_found')
      await noteLookUp(zone, 'code.status', realm, now())
      const document = {
        uuid,
        claimed: code.isClaimed,
        invalidated: code.invalidated,
        expiresAt: code.expiresAt,
        longExpiresAt: code.longExpiresAt,
      }
      const state = code.invalidated ? 'invalidated, ' : ''
      context.print(`${state}${document.claimed ? 'claimed' : 'not claimed'}`)
      context.print(`short form until ${formatTimestamp(code.expiresAt)}`)
      context.print(`long form until ${formatTimestamp(code.longExpiresAt)}`)
      return { document }
    })
  },
}

/** `tocsin code expire` */
export const codeExpireCommand: Command = {
  summary: 'Ends a code that nobody has claimed.',
  usage: 'code expire UUID --realm NAME',
  positionals: 1,
  options: { realm: REALM_OPTION },
  async run(context) {
    const uuid = uuidArgument(context, 'code expire')
    const realm = requiredOption(context, 'realm')
    return withAuthority(context, async (zone, now) => {
      await requireRealm(zone, realm)
      const { expiresAt, longExpiresAt } = await expire(zone, realm, uuid, now())
      context.print(`The code has ended: ${formatTimestamp(Math.max(expiresAt, longExpiresAt))}.`)
      return { document: { uuid, expiresAt, longExpiresAt } }
    })
  },
}

/** @returns when its forms end by now @throws TocsinError `code_not_found`, `code_used` */
function expire(
  { db, writer }: AuthorityZone,
  realm: string,
  uuid: string,
  now: Date,
): Promise<Pick<VerificationCode, 'expiresAt' | 'longExpiresAt'>> {
  const seconds = Math.floor(now.getTime() / 1000)
  return db.transaction(async (tx) => {
    const code = await lockCodeOfUuid(tx, realm, uuid)
    if (code === undefined) throw new TocsinError('code_not_found')
    const { expiresAt, longExpiresAt } = code
    if (Math.max(expiresAt, longExpiresAt) <= seconds) return { expiresAt, longExpiresAt }
    if (code.isClaimed) throw new TocsinError('code_used')
    await appendEvents(tx, writer, [codeExpired(code, seconds, 'command')], now)
    return {
      expiresAt: Math.min(expiresAt, seconds),
      longExpiresAt: Math.min(longExpiresAt, seconds),
    }
  })
}

/** `tocsin code activate` */
export const codeActivateCommand: Command = {
  summary: 'Activates the code on a card, which is read from standard input.',
  usage:
    'code activate --realm NAME --test-date DATE|--symptom-date DATE [--utc-offset MINUTES]\n       (one of the dates is needed, both may be given; the code comes on standard input)',
  options: {
    realm: REALM_OPTION,
    'test-date': { type: 'string', help: 'day of the test, YYYY-MM-DD, at most 28 days ago' },
    'symptom-date': {
      type: 'string',
      help: 'day of the first symptoms, YYYY-MM-DD, at most 28 days ago',
    },
    'utc-offset': {
      type: 'string',
      help: 'minutes from UTC where the person is, for what is today; default 0',
    },
  },
  async run(context) {
    const realm = requiredOption(context, 'realm')
    const dates = {
      testDate: textOption(context, 'test-date') ?? '',
      symptomDate: textOption(context, 'symptom-date') ?? '',
      tzOffset: offsetOption(context),
    }
    if (dates.testDate === '' && dates.symptomDate === '')
      throw new TocsinError('usage', '--test-date or --symptom-date is needed.')
    const typed = await readCode(context)
    return withAuthority(context, async (zone, now) => {
      await requireRealm(zone, realm)
      const peppers = () => readPeppers(zone.db, zone.masterKey, now())
      const { db, writer } = zone
      const desk = { db, writer, peppers }
      const document = await activateCode(desk, realm, typed, dates, 'command', now())
      context.print(
        `The card of batch ${document.batch} works until ${formatTimestamp(document.expiresAt)}.`,
      )
      return { document }
    })
  },
}

/** `tocsin code invalidate` */
export const codeInvalidateCommand: Command = {
  summary:
    'Invalidates one code from now on: by its uuid, or the one on a card, read from standard input. Orders to withdraw reports are for batches and providers only.',
  usage:
    'code invalidate UUID --realm NAME [--preview]\n       tocsin code invalidate --card --realm NAME [--preview]',
  positionals: 1,
  options: {
    realm: REALM_OPTION,
    card: {
      type: 'boolean',
      help: 'the code on a card, typed or scanned to standard input, in place of UUID',
    },
    ...PREVIEW_OPTION,
  },
  async run(context) {
    const realm = requiredOption(context, 'realm')
    if (!isGiven(context, 'card')) {
      const uuid = uuidArgument(context, 'code invalidate')
      return runInvalidation(context, { realm, scope: 'code', uuid })
    }
    if (context.positionals.length > 0)
      throw new TocsinError('usage', '--card reads the code from standard input: name no UUID.')
    return runInvalidation(context, { realm, scope: 'paper-code', code: await readCode(context) })
  },
}

/** Its uuid in lower case. A code in its place is refused without being repeated. @throws TocsinError `usage` */
function uuidArgument(context: CommandContext, command: string): string {
  const uuid = normalizeUuid(requiredArgument(context, 'UUID', command))
  if (uuid === undefined)
    throw new TocsinError(
      'usage',
      'UUID must have the form 01234567-89ab-cdef-0123-456789abcdef; a code is never an argument.',
    )
  return uuid
}

function offsetOption(context: CommandContext): number {
  const text = textOption(context, 'utc-offset') ?? '0'
  if (!/^[+-]?\d{1,3}$/.test(text))
    throw new TocsinError('usage', '--utc-offset must be minutes, such as --utc-offset=-480.')
  return Number(text)
}

/** No code has so many characters, however it is written, and no link that a card's QR code holds. */
const MOST_TYPED = 512

/** The first line of standard input. @throws TocsinError `usage` when there is none */
async function readCode(context: CommandContext): Promise<string> {
  if (process.stdin.isTTY) context.note('Type the code, then Enter:')
  const typed = await firstLine()
  if (typed === '') throw new TocsinError('usage', 'Give the code on standard input.')
  return typed
}

async function firstLine(): Promise<string> {
  let text = ''
  process.stdin.setEncoding('utf8')
  for await (const piece of process.stdin) {
    text += String(piece)
    if (/\n/.test(text) || text.length > MOST_TYPED) break
  }
  return (text.split('\n')[0] ?? '').trim()
}
