// Cli: health authorities whose certificates the key zone accepts; promises that a change reaches every process within a second.

import { readFile } from 'node:fs/promises'
import { TocsinError } from '../errors.ts'
import {
  addHealthAuthority,
  listHealthAuthorities,
  setHealthAuthorityDisabled,
} from '../submit/health-authorities.ts'
import { textOption, type Command, type CommandContext } from './command.ts'
import { requiredOption, withData } from './with-data.ts'

/** `tocsin authority add` */
export const authorityAddCommand: Command = {
  summary: 'Registers a health authority whose certificates the key zone accepts.',
  usage:
    'authority add --app ID --issuer I --audience A --regions US,CA --kid KID --public-key FILE [--valid-from TIME] [--valid-through TIME]',
  options: {
    app: { type: 'string', help: 'healthAuthorityID that apps send' },
    issuer: { type: 'string', help: '`iss` of its certificates' },
    audience: { type: 'string', help: '`aud` of its certificates' },
    regions: { type: 'string', help: 'regions that its keys belong to, separated by commas' },
    kid: { type: 'string', help: '`kid` of its certificates' },
    'public-key': { type: 'string', help: 'file with its P-256 public key, PEM' },
    'valid-from': { type: 'string', help: 'time from which on the key counts; default at once' },
    'valid-through': {
      type: 'string',
      help: 'time at which it ends, for example 2027-01-31T00:00Z',
    },
  },
  async run(context) {
    const publicKeyFile = requiredOption(context, 'public-key')
    const publicKey = await readFile(publicKeyFile, 'utf8').catch((error: unknown) => {
      throw new TocsinError('authority_invalid', `The public key ${publicKeyFile} can't be read.`, {
        cause: error,
      })
    })
    const authority = {
      app: requiredOption(context, 'app'),
      issuer: requiredOption(context, 'issuer'),
      audience: requiredOption(context, 'audience'),
      regions: requiredOption(context, 'regions').split(','),
      keys: [{ kid: requiredOption(context, 'kid'), publicKey, ...readValidity(context) }],
    }
    return withData(context, async ({ zones, now }) => {
      await zones.key.db.transaction((tx) =>
        addHealthAuthority(tx, zones.key.writer, authority, now()),
      )
      context.print(`Certificates of ${authority.issuer} for ${authority.app} are accepted now.`)
      return { document: { app: authority.app.toLowerCase(), added: true } }
    })
  },
}

/** `tocsin authority list` */
export const authorityListCommand: Command = {
  summary: 'Lists the health authorities.',
  usage: 'authority list',
  options: {},
  run: (context) =>
    withData(context, async ({ zones }) => {
      const authorities = await listHealthAuthorities(zones.key.db)
      if (authorities.length === 0) context.print('None yet: tocsin authority add registers one.')
      for (const { app, issuer, audience, regions, disabled, keys } of authorities)
        context.print(
          `${app}  issuer ${issuer}, audience ${audience}, regions ${regions.join(',')}, keys ${keys.map((key) => key.kid).join(',')}${disabled ? ', disabled' : ''}`,
        )
      return { document: authorities }
    }),
}

/** `tocsin authority disable` */
export const authorityDisableCommand = switchCommand(
  'disable',
  'Refuses the certificates of a health authority from now on.',
)

/** `tocsin authority enable` */
export const authorityEnableCommand = switchCommand(
  'enable',
  'Accepts the certificates of a disabled health authority again.',
)

function switchCommand(verb: 'disable' | 'enable', summary: string): Command {
  const disabled = verb === 'disable'
  return {
    summary,
    usage: `authority ${verb} APP`,
    positionals: 1,
    options: {},
    async run(context) {
      const [app] = context.positionals
      if (app === undefined)
        throw new TocsinError('usage', `Say which: tocsin authority ${verb} APP.`)
      return withData(context, async ({ zones, now }) => {
        await zones.key.db.transaction((tx) =>
          setHealthAuthorityDisabled(tx, zones.key.writer, app, disabled, now()),
        )
        context.print(`Certificates for ${app} are ${disabled ? 'refused' : 'accepted'} now.`)
        return { document: { app: app.toLowerCase(), disabled } }
      })
    },
  }
}

function readValidity(context: CommandContext): { validFrom: number; validThrough?: number } {
  const validThrough = timeOption(context, 'valid-through')
  return {
    validFrom: timeOption(context, 'valid-from') ?? 0,
    ...(validThrough === undefined ? {} : { validThrough }),
  }
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
