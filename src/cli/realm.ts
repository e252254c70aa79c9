// Cli: realms of the authority zone; promises to print all that a key server needs to accept a realm's certificates, and no secret.

import { realmQuota } from '../authorize/quota.ts'
import { REALM_DEFAULTS, type RealmSettings } from '../authorize/realm-settings.ts'
import { addRealm, changeRealm, listRealms } from '../authorize/realms.ts'
import { listSigningKeys } from '../authorize/signing-keys.ts'
import { dayOf } from '../authorize/zone.ts'
import { TocsinError } from '../errors.ts'
import { printable } from '../format/printable.ts'
import type { Command } from './command.ts'
import { describeSettings, readSettings, SETTING_OPTIONS, SETTINGS_HELP } from './realm-options.ts'
import { requiredOption } from './with-data.ts'
import { noteLookUp, requiredArgument, requireRealm, withAuthority } from './with-authority.ts'

/** `tocsin realm add` */
export const realmAddCommand: Command = {
  summary: 'Adds a realm, with a key that signs its certificates.',
  usage: `realm add NAME --issuer I --audience A [--set NAME=VALUE ...]\n\n${SETTINGS_HELP}`,
  positionals: 1,
  options: {
    issuer: { type: 'string', help: '`iss` of its certificates' },
    audience: { type: 'string', help: '`aud` of its certificates' },
    ...SETTING_OPTIONS,
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
    const change = await readSettings(context)
    return withAuthority(context, async (zone, now) => {
      const settings = change.apply(REALM_DEFAULTS)
      const realm = await addRealm(zone, { ...asked, settings }, 'command', now())
      context.print(
        `Realm ${name} issues certificates now. A key server accepts them once it knows:`,
      )
      context.print(`issuer    ${realm.issuer}`)
      context.print(`audience  ${realm.audience}`)
      const [key] = await listSigningKeys(zone.db, name, 'certificate')
      const { kid = '', publicKey = '' } = key ?? {}
      context.print(`kid       ${kid}`)
      context.print(publicKey.trimEnd())
      return { document: { ...realm, kid, publicKey } }
    })
  },
}

/** `tocsin realm list` */
export const realmListCommand: Command = {
  summary: 'Lists the realms.',
  usage: 'realm list',
  options: {},
  run: (context) =>
    withAuthority(context, async (zone, now) => {
      const realms = await listRealms(zone.db)
      await noteLookUp(zone, 'realm', null, now())
      if (realms.length === 0) context.print('None yet: tocsin realm add makes one.')
      for (const { name, number, issuer, audience } of realms)
        context.print(`${name}  number ${number}, issuer ${issuer}, audience ${audience}`)
      return { document: realms }
    }),
}

/** `tocsin realm show` */
export const realmShowCommand: Command = {
  summary: 'Shows a realm: its settings, and what may still be issued today.',
  usage: 'realm show NAME',
  positionals: 1,
  options: {},
  async run(context) {
    const name = requiredArgument(context, 'NAME', 'realm show')
    return withAuthority(context, async (zone, now) => {
      const realm = await requireRealm(zone, name)
      const quota = await realmQuota(zone.db, realm, dayOf(now()))
      await noteLookUp(zone, 'realm', name, now())
      context.print(`Realm ${name}, number ${realm.number}`)
      context.print(`issuer    ${realm.issuer}`)
      context.print(`audience  ${realm.audience}`)
      context.print(
        quota.limit === null
          ? `${quota.issued} codes issued today, any number allowed`
          : `${quota.issued} of ${quota.limit} codes issued today, ${quota.remaining} left`,
      )
      for (const line of describeSettings(realm.settings, Object.keys(realm.settings)))
        context.print(printable(line))
      return { document: { ...realm, quota } }
    })
  },
}

/** `tocsin realm set` */
export const realmSetCommand: Command = {
  summary: 'Changes settings of a realm; every process knows them within a second.',
  usage: `realm set NAME --set NAME=VALUE ...\n\n${SETTINGS_HELP}`,
  positionals: 1,
  options: SETTING_OPTIONS,
  async run(context) {
    const name = requiredArgument(context, 'NAME', 'realm set')
    const change = await readSettings(context)
    if (change.isEmpty)
      throw new TocsinError('usage', 'Say what changes: tocsin realm set --help lists it.')
    return withAuthority(context, async (zone, now) => {
      let changed: readonly string[] = []
      const apply = (before: RealmSettings) => {
        const changes = change.apply(before)
        changed = Object.keys(changes)
        return changes
      }
      const realm = await changeRealm(zone, name, apply, 'command', now())
      context.print(`Realm ${name} from now on:`)
      for (const line of describeSettings(realm.settings, changed)) context.print(printable(line))
      return { document: realm }
    })
  },
}
