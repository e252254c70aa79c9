// Cli: a token by which a health authority asks a key server for its statistics; promises one that ends within the hour and opens nothing else.

import { createJwtSigner } from '../authorize/jwt.ts'
import { keyInUse } from '../authorize/plan-signing-keys.ts'
import { listSigningKeys, loadSigningKey } from '../authorize/signing-keys.ts'
import { TocsinError } from '../errors.ts'
import { textOption, type Command, type CommandContext } from './command.ts'
import { noteLookUp, requiredArgument, requireRealm, withAuthority } from './with-authority.ts'
import { requiredOption } from './with-data.ts'

const USUAL_MINUTES = 5
const MOST_MINUTES = 60

/** `tocsin realm stats-token` */
export const realmStatsTokenCommand: Command = {
  summary:
    "Signs a token for POST /v1/stats of a key server, with the realm's certificate key: send it as Authorization: Bearer TOKEN.",
  usage: 'realm stats-token NAME --audience A [--minutes N]',
  positionals: 1,
  options: {
    audience: { type: 'string', help: "the key server's TOCSIN_STATS_AUDIENCE" },
    minutes: {
      type: 'string',
      help: `how long it works, 1 to ${MOST_MINUTES}; default ${USUAL_MINUTES}`,
    },
  },
  async run(context) {
    const name = requiredArgument(context, 'NAME', 'realm stats-token')
    const audience = requiredOption(context, 'audience')
    const minutes = minutesOption(context)
    return withAuthority(context, async (zone, now) => {
      const { issuer } = await requireRealm(zone, name)
      const key = keyInUse(await listSigningKeys(zone.db, name, 'certificate'), now())
      if (key === undefined)
        throw new TocsinError('signing_key_invalid', `Realm "${name}" has no key that signs now.`)
      const iat = Math.floor(now().getTime() / 1000)
      const exp = iat + minutes * 60
      const signer = createJwtSigner(await loadSigningKey(zone, key), key.kid)
      const token = signer.sign({ iss: issuer, aud: audience, iat, exp })
      await noteLookUp(zone, 'stats-token', name, now())
      context.print(token)
      return { document: { realm: name, kid: key.kid, audience, expiresAt: exp, token } }
    })
  },
}

function minutesOption(context: CommandContext): number {
  const text = textOption(context, 'minutes') ?? String(USUAL_MINUTES)
  const minutes = /^\d{1,2}$/.test(text) ? Number(text) : 0
  if (minutes < 1 || minutes > MOST_MINUTES)
    throw new TocsinError('usage', `--minutes must be a whole number from 1 to ${MOST_MINUTES}.`)
  return minutes
}
