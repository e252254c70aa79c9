// Cli: health authorities whose certificates the key zone accepts; promises that a change reaches every process within a second.

import { TocsinError } from '../errors.ts'
import {
  addHealthAuthority,
  listHealthAuthorities,
  setHealthAuthorityDisabled,
} from '../submit/health-authorities.ts'
import { stateOfKey } from '../submit/check-authority-key.ts'
import { readKeyOptions } from './authority-key.ts'
import { textOption, type Command } from './command.ts'
import { requiredOption, withData } from './with-data.ts'

/** `tocsin authority add` */
export const authorityAddCommand: Command = {
  summary: 'Registers a health authority whose certificates the key zone accepts.',
  usage:
    'authority add --app ID --issuer I --audience A --regions US,CA [--kid KID --public-key FILE [--valid-from TIME] [--valid-through TIME]] [--jwks URL]',
  options: {
    app: { type: 'string', help: 'healthAuthorityID that apps send' },
    issuer: { type: 'string', help: '`iss` of its certificates' },
    audience: { type: 'string', help: '`aud` of its certificates' },
    regions: {
      type: 'string',
      help: 'regions that its keys belong to, separated by commas; may be left out with TOCSIN_DEFAULT_REGION',
    },
    kid: { type: 'string', help: '`kid` of its certificates' },
    'public-key': { type: 'string', help: 'file with its P-256 public key, PEM' },
    'valid-from': { type: 'string', help: 'time from which on the key counts; default at once' },
    'valid-through': {
      type: 'string',
      help: 'time at which it ends, for example 2027-01-31T00:00Z',
    },
    jwks: {
      type: 'string',
      help: 'https address of its public keys, instead of a key or beside it; asked every 2 minutes',
    },
  },
  async run(context) {
    const jwksUrl = textOption(context, 'jwks')
    const hasKey = ['kid', 'public-key'].some((name) => textOption(context, name) !== undefined)
    if (jwksUrl === undefined && !hasKey)
      throw new TocsinError('usage', '--kid and --public-key are needed, or --jwks.')
    const names = {
      app: requiredOption(context, 'app'),
      issuer: requiredOption(context, 'issuer'),
      audience: requiredOption(context, 'audience'),
      regions: textOption(context, 'regions')?.split(',') ?? [],
    }
    const keys = hasKey ? [await readKeyOptions(context, 'valid-from', 'valid-through')] : []
    const authority = { ...names, keys, ...(jwksUrl === undefined ? {} : { jwksUrl }) }
    return withData(context, async ({ zones, config, now }) => {
      await zones.key.db.transaction((tx) =>
        addHealthAuthority(tx, zones.key.writer, authority, now(), config.defaultRegion),
      )
      context.print(`Certificates of ${authority.issuer} for ${authority.app} are accepted now.`)
      if (jwksUrl !== undefined)
        context.print('A running server fetches its keys within seconds, and then every 2 minutes.')
      return { document: { app: authority.app.toLowerCase(), added: true } }
    })
  },
}

/** `tocsin authority list` */
export const authorityListCommand: Command = {
  summary: 'Lists the health authorities, their public keys, and whether those count now.',
  usage: 'authority list',
  options: {},
  run: (context) =>
    withData(context, async ({ zones, now }) => {
      const seconds = now().getTime() / 1000
      const document = (await listHealthAuthorities(zones.key.db)).map(
        ({ keys, ...authority }) => ({
          ...authority,
          keys: keys.map((key) => ({ ...key, state: stateOfKey(key, seconds) })),
        }),
      )
      if (document.length === 0) context.print('None yet: tocsin authority add registers one.')
      for (const { app, issuer, audience, regions, jwksUrl, disabled, keys } of document) {
        const where = regions.length === 0 ? 'the default region' : `regions ${regions.join(',')}`
        context.print(
          `${app}  issuer ${issuer}, audience ${audience}, ${where}${jwksUrl === undefined ? '' : `, keys from ${jwksUrl}`}${disabled ? ', disabled' : ''}`,
        )
        for (const { kid, state, fromJwks } of keys)
          context.print(
            `  key ${kid}  ${state.replaceAll('_', ' ')}${fromJwks === true ? ', fetched' : ''}`,
          )
      }
      return { document }
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
