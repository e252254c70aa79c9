// Cli: API keys of a realm; promises that a key is shown once, on the terminal or in a file of mode 0600 that was not there before.

import { addApiKey, API_KEY_TYPES, listApiKeys, revokeApiKey } from '../authorize/api-keys.ts'
import type { AuthorityZone } from '../authorize/zone.ts'
import { TocsinError } from '../errors.ts'
import { printable } from '../format/printable.ts'
import { formatTimestamp } from '../operate/timestamp.ts'
import { textOption, type Command } from './command.ts'
import { writeNewText } from './new-file.ts'
import { endOption } from './stream-options.ts'
import {
  choiceOption,
  chosenRealm,
  countOrNone,
  given,
  noteLookUp,
  ONE_REALM_OPTION,
  REALM_OPTION,
  requiredArgument,
  textOrNone,
  withAuthority,
} from './with-authority.ts'
import { requiredOption } from './with-data.ts'

/** `tocsin api-key add` */
export const apiKeyAddCommand: Command = {
  summary: 'Makes an API key of a realm; it is shown once.',
  usage: 'api-key add --realm NAME --type device|admin|stats [OPTIONS] [--out FILE]',
  options: {
    realm: REALM_OPTION,
    type: {
      type: 'string',
      help: 'device for an app (verify, certificate), admin for a health system (issue), stats for whoever reads statistics',
    },
    name: { type: 'string', help: 'what people call it' },
    provider: { type: 'string', help: "provider whose codes it issues; default the realm's own" },
    expires: {
      type: 'string',
      help: 'time at which it ends, for example 2027-01-31T00:00Z; none (default) for no end',
    },
    'daily-quota': {
      type: 'string',
      help: 'codes a day; none (default) for what the realm says',
    },
    out: { type: 'string', help: 'new file for the key, instead of printing it' },
  },
  async run(context) {
    const realm = requiredOption(context, 'realm')
    requiredOption(context, 'type')
    const type = choiceOption(context, 'type', API_KEY_TYPES) ?? 'device'
    const fields = given({
      name: textOption(context, 'name'),
      provider: textOrNone(context, 'provider'),
      expiresAt: endOption(context, 'expires'),
      dailyQuota: countOrNone(context, 'daily-quota'),
    })
    const file = textOption(context, 'out')
    return withAuthority(context, async (zone, now) => {
      const make = () => addApiKey(zone, { realm, type, ...fields }, 'command', now())
      if (file === undefined) {
        const apiKey = await make()
        context.print(apiKey)
        return { document: { realm, type, apiKey } }
      }
      const prefix = await writeKey(file, make, (made) =>
        revokeApiKey(zone, realm, made, 'command', now()),
      )
      context.print(`The API key ${prefix} (type ${type}, realm ${realm}) is in ${file}`)
      return { document: { realm, type, prefix, file } }
    })
  },
}

/** Makes an API key for a new file. @param revoke undoes a key that could not be kept @returns its prefix */
export async function writeKey(
  file: string,
  make: () => Promise<string>,
  revoke: (prefix: string) => Promise<void>,
): Promise<string> {
  let prefix: string | undefined
  try {
    await writeNewText(file, async () => {
      const apiKey = await make()
      prefix = apiKey.slice(0, apiKey.indexOf('.'))
      return apiKey
    })
    return prefix ?? ''
  } catch (error) {
    if (prefix !== undefined) await revoke(prefix)
    throw error
  }
}

/** `tocsin api-key list` */
export const apiKeyListCommand: Command = {
  summary: 'Lists API keys: what each is for, its end and the day of its last use; never the key.',
  usage: 'api-key list [--realm NAME]',
  options: { realm: ONE_REALM_OPTION },
  run: (context) =>
    withAuthority(context, async (zone, now) => {
      const chosen = await chosenRealm(context, zone)
      const keys = await listApiKeys(zone.db, chosen)
      await noteLookUp(zone, 'api-keys', chosen, now())
      if (keys.length === 0) context.print('None yet: tocsin api-key add makes one.')
      const document = keys.map(({ mac: _mac, pepper: _pepper, lastUsedDay, ...key }) => ({
        ...key,
        lastUsed: lastUsedDay === null ? null : dateOfDay(lastUsedDay),
      }))
      for (const key of document) {
        const isOver = key.expiresAt !== null && key.expiresAt * 1000 <= now().getTime()
        const state = key.revoked ? 'revoked' : isOver ? 'expired' : 'works'
        const end = key.expiresAt === null ? 'no end' : `ends ${formatTimestamp(key.expiresAt)}`
        const parts = [
          `${key.prefix}  ${key.type} of ${key.realm}`,
          state,
          end,
          ...(key.provider === null ? [] : [`provider ${key.provider}`]),
          ...(key.dailyQuota === null ? [] : [`${key.dailyQuota} codes a day`]),
          key.lastUsed === null ? 'never used' : `last used ${key.lastUsed}`,
          ...(key.name === '' ? [] : [key.name]),
        ]
        context.print(printable(parts.join(', ')))
      }
      return { document }
    }),
}

function dateOfDay(day: number): string {
  return new Date(day * 86_400_000).toISOString().slice(0, 10)
}

/** `tocsin api-key revoke` */
export const apiKeyRevokeCommand: Command = {
  summary: 'Revokes an API key: every process refuses it within a second, for good.',
  usage: 'api-key revoke PREFIX\n       tocsin api-key revoke -- -PREFIX',
  positionals: 1,
  options: {},
  async run(context) {
    const prefix = requiredArgument(context, 'PREFIX', 'api-key revoke')
    // A person who pastes the key itself has told it to the shell's history by now, and must not find it in an error, too.
    if (!/^[\w-]{11}$/.test(prefix))
      throw new TocsinError('usage', 'PREFIX is the 11 characters before the full stop.')
    return withAuthority(context, async (zone, now) => {
      const realm = await realmOfKey(zone, prefix)
      await revokeApiKey(zone, realm, prefix, 'command', now())
      context.print(`The API key ${prefix} of realm ${realm} is revoked.`)
      return { document: { realm, prefix, revoked: true } }
    })
  },
}

async function realmOfKey({ db }: AuthorityZone, prefix: string): Promise<string> {
  const key = (await listApiKeys(db, null)).find((each) => each.prefix === prefix)
  if (key === undefined)
    throw new TocsinError('api_key_unknown', 'There is no API key of this prefix.')
  return key.realm
}
