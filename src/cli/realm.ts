// Cli: realms of the authority zone; promises to print all that a key server needs to accept a realm's certificates, and no secret.

import { addRealm, listRealms } from '../authorize/realms.ts'
import { TocsinError } from '../errors.ts'
import type { Command } from './command.ts'
import { requiredOption, withData } from './with-data.ts'

/** `tocsin realm add` */
export const realmAddCommand: Command = {
  summary: 'Adds a realm, with a key that signs its certificates.',
  usage: 'realm add NAME --issuer I --audience A',
  positionals: 1,
  options: {
    issuer: { type: 'string', help: '`iss` of its certificates' },
    audience: { type: 'string', help: '`aud` of its certificates' },
  },
  async run(context) {
    const [name] = context.positionals
    if (name === undefined)
      throw new TocsinError('usage', 'Name the realm: tocsin realm add NAME ...')
    const asked = {
      name,
      issuer: requiredOption(context, 'issuer'),
      audience: requiredOption(context, 'audience'),
    }
    return withData(context, async ({ zones, now }) => {
      const zone = { ...zones.authority, masterKey: zones.masterKey }
      const realm = await addRealm(zone, asked, now())
      context.print(
        `Realm ${name} issues certificates now. A key server accepts them once it knows:`,
      )
      context.print(`issuer    ${realm.issuer}`)
      context.print(`audience  ${realm.audience}`)
      context.print(`kid       ${realm.kid}`)
      context.print(realm.publicKey.trimEnd())
      return { document: realm }
    })
  },
}

/** `tocsin realm list` */
export const realmListCommand: Command = {
  summary: 'Lists the realms.',
  usage: 'realm list',
  options: {},
  run: (context) =>
    withData(context, async ({ zones }) => {
      const realms = await listRealms(zones.authority.db)
      if (realms.length === 0) context.print('None yet: tocsin realm add makes one.')
      for (const { name, issuer, audience, kid } of realms)
        context.print(`${name}  issuer ${issuer}, audience ${audience}, kid ${kid}`)
      return { document: realms }
    }),
}
