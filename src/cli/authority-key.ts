// Cli: public keys of a health authority; promises that a change reaches every process within a second.

import { readFile } from 'node:fs/promises'
import { TocsinError } from '../errors.ts'
import {
  addAuthorityKey,
  reinstateAuthorityKey,
  revokeAuthorityKey,
  type HealthAuthorityKey,
} from '../submit/health-authority-keys.ts'
import { textOption, type Command, type CommandContext } from './command.ts'
import { requiredOption, withData, type CommandData } from './with-data.ts'

/** `tocsin authority key` */
export const authorityKeyCommand: Command = {
  summary:
    'Adds a public key to a health authority, revokes one, or lets a revoked one count again.',
  usage:
    'authority key add --app ID --kid KID --public-key FILE [--from TIME] [--through TIME]\n       tocsin authority key revoke|reinstate --app ID --kid KID',
  positionals: 1,
  options: {
    app: { type: 'string', help: 'healthAuthorityID of the health authority' },
    kid: { type: 'string', help: '`kid` of its certificates' },
    'public-key': { type: 'string', help: 'file with the P-256 public key, PEM' },
    from: { type: 'string', help: 'time from which on the key counts; default at once' },
    through: { type: 'string', help: 'time at which it ends, for example 2027-01-31T00:00Z' },
  },
  async run(context) {
    const [verb = ''] = context.positionals
    const change = Object.hasOwn(CHANGES, verb) ? CHANGES[verb as keyof typeof CHANGES] : undefined
    if (change === undefined)
      throw new TocsinError('usage', 'Say what: tocsin authority key add, revoke or reinstate.')
    const app = requiredOption(context, 'app')
    const kid = requiredOption(context, 'kid')
    const apply = await change.prepare(context, app, kid)
    return withData(context, async (data) => {
      await apply(data)
      context.print(`The key ${kid} of ${app} is ${change.done}.`)
      return { document: { app: app.toLowerCase(), kid, [change.done]: true } }
    })
  },
}

type Prepare = (
  context: CommandContext,
  app: string,
  kid: string,
) => Promise<(data: CommandData) => Promise<void>>

/** What can be done to a key, and how it is told. */
const CHANGES = {
  add: {
    done: 'added',
    async prepare(context, app) {
      const key = await readKeyOptions(context, 'from', 'through')
      return ({ zones: { key: zone }, now }) =>
        zone.db.transaction((tx) => addAuthorityKey(tx, zone.writer, app, key, now()))
    },
  },
  revoke: { done: 'revoked', prepare: prepareSwitch(revokeAuthorityKey) },
  reinstate: { done: 'reinstated', prepare: prepareSwitch(reinstateAuthorityKey) },
} as const satisfies Record<string, { done: string; prepare: Prepare }>

/** Revoking and reinstating, which take nothing but the kid. */
function prepareSwitch(change: typeof revokeAuthorityKey): Prepare {
  return async (context, app, kid) => {
    for (const name of ['public-key', 'from', 'through'])
      if (textOption(context, name) !== undefined)
        throw new TocsinError('usage', `--${name} is for tocsin authority key add alone.`)
    return ({ zones: { key: zone }, now }) =>
      zone.db.transaction((tx) => change(tx, zone.writer, app, kid, now()))
  }
}

/**
 * The public key that `--kid` and `--public-key` name.
 *
 * @param from name of the option with the time at which it begins to count
 * @param through name of the one with its end
 * @throws TocsinError `usage`, `authority_invalid` when the file can't be read
 */
export async function readKeyOptions(
  context: CommandContext,
  from: string,
  through: string,
): Promise<HealthAuthorityKey> {
  const kid = requiredOption(context, 'kid')
  const file = requiredOption(context, 'public-key')
  const validFrom = timeOption(context, from) ?? 0
  const validThrough = timeOption(context, through)
  const publicKey = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new TocsinError('authority_invalid', `The public key ${file} can't be read.`, {
      cause: error,
    })
  })
  return { kid, publicKey, validFrom, ...(validThrough === undefined ? {} : { validThrough }) }
}

/** A time with its zone, as unix seconds. */
function timeOption(context: CommandContext, name: string): number | undefined {
  const text = textOption(context, name)
  if (text === undefined) return undefined
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)$/.test(text)
    ? Date.parse(text)
    : NaN
  if (Number.isNaN(time))
    throw new TocsinError('usage', `--${name} must be a time such as 2027-01-31T00:00Z.`)
  return Math.floor(time / 1000)
}
