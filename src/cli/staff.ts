// Cli: the staff of a realm; promises that only what was given changes.

import { MEMBER_STATES } from '../authorize/providers.ts'
import { listStaff, setStaff, STAFF_ROLES, type StaffRole } from '../authorize/staff.ts'
import { TocsinError } from '../errors.ts'
import { printable } from '../format/printable.ts'
import { textOption, type Command, type CommandContext, type CommandOption } from './command.ts'
import {
  choiceOption,
  chosenRealm,
  countOrNone,
  given,
  mustChange,
  noteLookUp,
  ONE_REALM_OPTION,
  REALM_OPTION,
  requiredArgument,
  textOrNone,
  withAuthority,
  wordsOption,
} from './with-authority.ts'
import { requiredOption } from './with-data.ts'

const STAFF_OPTIONS = {
  realm: REALM_OPTION,
  'display-name': { type: 'string', help: 'name for people' },
  email: { type: 'string', help: 'e-mail address; none for none' },
  provider: {
    type: 'string',
    help: "provider whose codes they issue; none for the realm's own",
  },
  role: {
    type: 'string',
    multiple: true,
    help: 'all roles: issue (codes), bulk (many and batches), statistics, manage; separated by commas or given several times',
  },
  'daily-quota': { type: 'string', help: 'codes a day; none for what the realm says' },
} as const satisfies Record<string, CommandOption>

/** `tocsin staff add` */
export const staffAddCommand: Command = {
  summary:
    'Adds a member of staff to a realm, for the staff pages, which this version does not have yet.',
  usage: 'staff add NAME --realm NAME --display-name TEXT --role ROLE ... [OPTIONS]',
  positionals: 1,
  options: STAFF_OPTIONS,
  async run(context) {
    const name = requiredArgument(context, 'NAME', 'staff add')
    const realm = requiredOption(context, 'realm')
    requiredOption(context, 'display-name')
    const fields = readFields(context)
    if (fields.roles === undefined) throw new TocsinError('usage', '--role is needed.')
    return withAuthority(context, async (zone, now) => {
      const document = await setStaff(zone, { realm, name }, fields, 'add', 'command', now())
      context.print(`${name} of realm ${realm} may ${document.roles.join(', ')}.`)
      return { document }
    })
  },
}

/** `tocsin staff set` */
export const staffSetCommand: Command = {
  summary: 'Changes a member of staff: what is given, and nothing else.',
  usage: 'staff set NAME --realm NAME [OPTIONS]',
  positionals: 1,
  options: {
    ...STAFF_OPTIONS,
    state: { type: 'string', help: 'active, suspended or closed (who has left)' },
  },
  async run(context) {
    const name = requiredArgument(context, 'NAME', 'staff set')
    const realm = requiredOption(context, 'realm')
    const fields = readFields(context)
    mustChange(fields, 'staff set')
    return withAuthority(context, async (zone, now) => {
      const document = await setStaff(zone, { realm, name }, fields, 'change', 'command', now())
      const { state, roles } = document
      context.print(`${name} of realm ${realm} is ${state}; roles: ${roles.join(', ')}.`)
      return { document }
    })
  },
}

/** `tocsin staff list` */
export const staffListCommand: Command = {
  summary: 'Lists the staff.',
  usage: 'staff list [--realm NAME]',
  options: { realm: ONE_REALM_OPTION },
  run: (context) =>
    withAuthority(context, async (zone, now) => {
      const chosen = await chosenRealm(context, zone)
      const document = await listStaff(zone.db, chosen)
      await noteLookUp(zone, 'staff', chosen, now())
      if (document.length === 0) context.print('Nobody yet: tocsin staff add adds somebody.')
      for (const { realm, name, displayName, provider, roles, state } of document) {
        const whose = provider === null ? '' : `, provider ${provider}`
        context.print(
          printable(`${name}  of ${realm}${whose}, ${state}, ${roles.join(' ')}, ${displayName}`),
        )
      }
      return { document }
    }),
}

function readFields(context: CommandContext) {
  return given({
    displayName: textOption(context, 'display-name'),
    email: textOrNone(context, 'email'),
    provider: textOrNone(context, 'provider'),
    roles: readRoles(context),
    dailyQuota: countOrNone(context, 'daily-quota'),
    state: choiceOption(context, 'state', MEMBER_STATES),
  })
}

function readRoles(context: CommandContext): StaffRole[] | undefined {
  return wordsOption(context, 'role')?.map((word) => {
    const role = STAFF_ROLES.find((each) => each === word)
    if (role === undefined)
      throw new TocsinError('usage', `--role must be some of ${STAFF_ROLES.join(', ')}.`)
    return role
  })
}
