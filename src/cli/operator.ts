// Cli: operators, who may look at reports and correct them over HTTP; promises that a key is shown once, on the terminal or in a file of mode 0600 that was not there before.

import { noteLookUp } from '../correct/look-ups.ts'
import {
  addOperator,
  listOperators,
  OPERATOR_ROLES,
  revokeOperator,
  type OpenKeyZone,
} from '../correct/operators.ts'
import { writeKey } from './api-key.ts'
import { textOption, type Command, type CommandContext } from './command.ts'
import { choiceOption, requiredArgument } from './with-authority.ts'
import { requiredOption, withData } from './with-data.ts'

/** `tocsin operator add` */
export const operatorAddCommand: Command = {
  summary:
    'Adds an operator, a person or a system that may look at reports or correct them over HTTP, and makes the API key; it is shown once. One that was revoked gets a new key.',
  usage: 'operator add NAME --role look|correct [--out FILE]',
  positionals: 1,
  options: {
    role: {
      type: 'string',
      help: 'look for previews, lists and what became of a report; correct for that and corrections',
    },
    out: { type: 'string', help: 'new file for the key, instead of printing it' },
  },
  async run(context) {
    const name = requiredArgument(context, 'NAME', 'operator add')
    requiredOption(context, 'role')
    const role = choiceOption(context, 'role', OPERATOR_ROLES) ?? 'look'
    const file = textOption(context, 'out')
    return withKeyZone(context, async (zone, now) => {
      const make = () => addOperator(zone, { name, role }, 'command', now())
      if (file === undefined) {
        const apiKey = await make()
        context.print(apiKey)
        return { document: { name, role, apiKey } }
      }
      const prefix = await writeKey(file, make, () => revokeOperator(zone, name, 'command', now()))
      context.print(`The API key ${prefix} of ${name} (role ${role}) is in ${file}`)
      return { document: { name, role, prefix, file } }
    })
  },
}

/** `tocsin operator list` */
export const operatorListCommand: Command = {
  summary: 'Lists the operators: what each may do, and whether the key works; never the key.',
  usage: 'operator list',
  options: {},
  run: (context) =>
    withKeyZone(context, async (zone, now) => {
      await noteLookUp(zone, 'operators', 'command', now())
      const document = await listOperators(zone.db)
      if (document.length === 0) context.print('Nobody yet: tocsin operator add adds somebody.')
      for (const { name, role, prefix, revoked } of document)
        context.print(`${name}  may ${role}, key ${prefix} ${revoked ? 'revoked' : 'works'}`)
      return { document }
    }),
}

/** `tocsin operator revoke` */
export const operatorRevokeCommand: Command = {
  summary: "Revokes an operator's API key: every process refuses it within a second.",
  usage: 'operator revoke NAME',
  positionals: 1,
  options: {},
  async run(context) {
    const name = requiredArgument(context, 'NAME', 'operator revoke')
    return withKeyZone(context, async (zone, now) => {
      await revokeOperator(zone, name, 'command', now())
      context.print(`The API key of ${name} is revoked.`)
      return { document: { name, revoked: true } }
    })
  },
}

/** Opens the key zone for one command. */
function withKeyZone<Result>(
  context: CommandContext,
  work: (zone: OpenKeyZone, now: () => Date) => Promise<Result>,
): Promise<Result> {
  return withData(context, ({ zones, now }) =>
    work({ ...zones.key, masterKey: zones.masterKey }, now),
  )
}
