// Cli: what commands of the authority zone have in common; promises that they write as `command`, and that a wrong option is refused before any data is opened.

import { lookedUp } from '../authorize/code-status.ts'
import { findRealm, listRealms, type Realm } from '../authorize/realms.ts'
import type { AuthorityZone } from '../authorize/zone.ts'
import { TocsinError } from '../errors.ts'
import { printable } from '../format/printable.ts'
import { appendEvents } from '../log/append-event.ts'
import { textOption, type CommandContext, type CommandOption } from './command.ts'
import { withData } from './with-data.ts'

/** Opens the authority zone for one command. @param work gets the zone and its clock */
export function withAuthority<Result>(
  context: CommandContext,
  work: (zone: AuthorityZone, now: () => Date) => Promise<Result>,
): Promise<Result> {
  return withData(context, ({ zones, now }) =>
    work({ ...zones.authority, masterKey: zones.masterKey }, now),
  )
}

/** The option that names a realm, where one is needed. */
export const REALM_OPTION = { type: 'string', help: 'realm' } as const satisfies CommandOption

/** The option of a list, for all realms when it is left out. */
export const ONE_REALM_OPTION = {
  type: 'string',
  help: 'realm; all realms when left out',
} as const satisfies CommandOption

/** The realm of that name. @throws TocsinError `realm_unknown` */
export async function requireRealm(
  { db }: Pick<AuthorityZone, 'db'>,
  name: string,
): Promise<Realm> {
  const realm = await findRealm(db, name)
  if (realm === undefined)
    throw new TocsinError('realm_unknown', `There is no realm "${printable(name).slice(0, 40)}".`)
  return realm
}

/** The realm of a list; null for all. @throws TocsinError `realm_unknown` */
export async function chosenRealm(
  context: CommandContext,
  zone: Pick<AuthorityZone, 'db'>,
): Promise<string | null> {
  const name = textOption(context, 'realm')
  return name === undefined ? null : (await requireRealm(zone, name)).name
}

/** The argument without a name that says which. @throws TocsinError `usage` */
export function requiredArgument(context: CommandContext, what: string, command: string): string {
  const [name = ''] = context.positionals
  if (name === '')
    throw new TocsinError('usage', `Say which: tocsin ${command} ${what}. See --help.`)
  return name
}

/** An option's text; null for `none`, undefined when it wasn't given. */
export function textOrNone(context: CommandContext, name: string): string | null | undefined {
  const text = textOption(context, name)
  return text === 'none' ? null : text
}

/** A whole number; null for `none`, undefined when it wasn't given. @throws TocsinError `usage` */
export function countOrNone(context: CommandContext, name: string): number | null | undefined {
  const text = textOrNone(context, name)
  if (typeof text !== 'string') return text
  if (!/^\d{1,9}$/.test(text))
    throw new TocsinError('usage', `--${name} must be a whole number such as 100, or none.`)
  return Number(text)
}

/** Words that were separated by commas, given several times, or both; undefined when none was. */
export function wordsOption(context: CommandContext, name: string): string[] | undefined {
  const given = context.values[name]
  if (!Array.isArray(given)) return undefined
  return given.flatMap((text) => String(text).split(',')).map((word) => word.trim())
}

/** One of some words; undefined when the option wasn't given. @throws TocsinError `usage` */
export function choiceOption<Word extends string>(
  context: CommandContext,
  name: string,
  words: readonly Word[],
): Word | undefined {
  const text = textOption(context, name)
  const word = words.find((each) => each === text)
  if (text !== undefined && word === undefined)
    throw new TocsinError('usage', `--${name} must be ${listWords(words)}.`)
  return word
}

function listWords(words: readonly string[]): string {
  return `${words.slice(0, -1).join(', ')}${words.length > 1 ? ' or ' : ''}${words.at(-1)}`
}

/** Whether an option without a value was given. */
export function isGiven(context: CommandContext, name: string): boolean {
  return context.values[name] === true
}

/** The fields that were given. */
export function given<Fields extends object>(fields: {
  readonly [Name in keyof Fields]: Fields[Name] | undefined
}): Partial<Fields> {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as Partial<Fields>
}

/** Refuses a change of nothing. @throws TocsinError `usage` */
export function mustChange(fields: object, command: string): void {
  if (Object.keys(fields).length === 0)
    throw new TocsinError('usage', `Say what changes: tocsin ${command} --help lists it.`)
}

/** Notes in the log that somebody looked something up: what kind of thing, never which. @param realm null for each realm there is */
export async function noteLookUp(
  zone: AuthorityZone,
  what: string,
  realm: string | null,
  now: Date,
): Promise<void> {
  const realms = realm === null ? (await listRealms(zone.db)).map(({ name }) => name) : [realm]
  const events = realms.map((each) => lookedUp(what, each, 'command'))
  if (events.length > 0)
    await zone.db.transaction((tx) => appendEvents(tx, zone.writer, events, now))
}
