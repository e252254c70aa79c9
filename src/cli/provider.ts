// Cli: providers of a realm; promises that what a change brings about is said, and that codes are invalidated only by those who name the provider.

import {
  addProvider,
  changeProvider,
  listProviders,
  MEMBER_STATES,
} from '../authorize/providers.ts'
import { printable } from '../format/printable.ts'
import { textOption, type Command } from './command.ts'
import { INVALIDATION_OPTIONS, runInvalidation } from './invalidation.ts'
import {
  choiceOption,
  chosenRealm,
  given,
  mustChange,
  noteLookUp,
  ONE_REALM_OPTION,
  REALM_OPTION,
  requiredArgument,
  withAuthority,
} from './with-authority.ts'
import { requiredOption } from './with-data.ts'

/** `tocsin provider add` */
export const providerAddCommand: Command = {
  summary: 'Adds a provider (hospital, laboratory, practice) to a realm.',
  usage: 'provider add NAME --realm NAME --display-name TEXT',
  positionals: 1,
  options: {
    realm: REALM_OPTION,
    'display-name': { type: 'string', help: 'its name for people' },
  },
  async run(context) {
    const name = requiredArgument(context, 'NAME', 'provider add')
    const realm = requiredOption(context, 'realm')
    const displayName = requiredOption(context, 'display-name')
    return withAuthority(context, async (zone, now) => {
      const document = await addProvider(zone, { realm, name, displayName }, 'command', now())
      context.print(`Provider ${name} of realm ${realm} is active.`)
      return { document }
    })
  },
}

/** `tocsin provider set` */
export const providerSetCommand: Command = {
  summary:
    'Changes a provider. A suspended or closed one issues nothing, and its codes do not count; closed is for good.',
  usage: 'provider set NAME --realm NAME [--display-name TEXT] [--state active|suspended|closed]',
  positionals: 1,
  options: {
    realm: REALM_OPTION,
    'display-name': { type: 'string', help: 'its name for people' },
    state: { type: 'string', help: 'active, suspended or closed' },
  },
  async run(context) {
    const name = requiredArgument(context, 'NAME', 'provider set')
    const realm = requiredOption(context, 'realm')
    const fields = given({
      displayName: textOption(context, 'display-name'),
      state: choiceOption(context, 'state', MEMBER_STATES),
    })
    mustChange(fields, 'provider set')
    return withAuthority(context, async (zone, now) => {
      const document = await changeProvider(zone, realm, name, fields, 'command', now())
      context.print(`Provider ${name} of realm ${realm} is ${document.state}.`)
      return { document }
    })
  },
}

/** `tocsin provider list` */
export const providerListCommand: Command = {
  summary: 'Lists providers.',
  usage: 'provider list [--realm NAME]',
  options: { realm: ONE_REALM_OPTION },
  run: (context) =>
    withAuthority(context, async (zone, now) => {
      const chosen = await chosenRealm(context, zone)
      const document = await listProviders(zone.db, chosen)
      await noteLookUp(zone, 'providers', chosen, now())
      if (document.length === 0) context.print('None yet: tocsin provider add makes one.')
      for (const { realm, name, displayName, state } of document)
        context.print(printable(`${name}  of ${realm}, ${state}, ${displayName}`))
      return { document }
    }),
}

/** `tocsin provider invalidate-codes` */
export const providerInvalidateCommand: Command = {
  summary:
    'Invalidates all codes that a provider has issued by now. It may go on issuing: provider set --state suspended ends that.',
  usage: 'provider invalidate-codes NAME --realm NAME [--retroactive] [--preview]',
  positionals: 1,
  options: { realm: REALM_OPTION, ...INVALIDATION_OPTIONS },
  async run(context) {
    const provider = requiredArgument(context, 'NAME', 'provider invalidate-codes')
    const realm = requiredOption(context, 'realm')
    return runInvalidation(context, { realm, scope: 'provider', provider })
  },
}
