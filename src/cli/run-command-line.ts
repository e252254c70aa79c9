// Cli: finds the command and runs it; promises help everywhere, one JSON document on demand, and errors as one line with a code.

import { parseArgs } from 'node:util'
import { DatabaseError } from 'pg'
import { TocsinError } from '../errors.ts'
import { printable } from '../format/printable.ts'
import type { Command, CommandContext } from './command.ts'
import { COMMANDS, findCommand } from './commands.ts'
import type { Deployment } from './deployment.ts'
import { describeUnavailable } from './describe-unavailable.ts'

/** Where lines go: standard output and standard error. */
export interface CommandOutput {
  out(line: string): void
  err(line: string): void
}

/** Runs `tocsin` with these arguments. @returns the exit status: 0, 1 for an error, 2 for wrong usage */
export async function runCommandLine(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  deployment: Deployment,
  output: CommandOutput,
  signal: AbortSignal,
): Promise<number> {
  try {
    if (args[0] === '--version') {
      const { VERSION } = await import('../operate/version.ts')
      output.out(VERSION)
      return 0
    }
    if (args[0] === 'help') return await help(args.slice(1), output)
    const found = findCommand(args)
    if (found === undefined) return helpOrUnknown(args, output)
    const command = await found.load()
    const name = args.slice(0, found.words).join(' ')
    return await run(command, name, args.slice(found.words), { env, deployment, output, signal })
  } catch (error) {
    return report(error, env, output)
  }
}

async function run(
  command: Command,
  name: string,
  args: readonly string[],
  given: Pick<CommandContext, 'env' | 'deployment' | 'signal'> & { readonly output: CommandOutput },
): Promise<number> {
  const { output, ...rest } = given
  const { values, positionals } = parse(command, name, args)
  if (values['help'] === true) {
    output.out(helpOf(command))
    return 0
  }
  const json = values['json'] === true
  const context: CommandContext = {
    ...rest,
    positionals,
    values,
    json,
    print: (line) => (json ? undefined : output.out(line)),
    note: (line) => (json ? undefined : output.err(line)),
  }
  const { document, exitCode } = await command.run(context)
  if (json || command.alwaysDocument === true) output.out(printable(JSON.stringify(document)))
  return exitCode ?? 0
}

function parse(command: Command, name: string, args: readonly string[]) {
  const options = Object.fromEntries(
    Object.entries(command.options).map(([name, { type, multiple }]) => [
      name,
      { type, multiple: multiple === true },
    ]),
  )
  const refuse = (problem: string) =>
    new TocsinError('usage', `${problem}. See tocsin ${name} --help.`)
  try {
    const parsed = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { ...options, help: { type: 'boolean', short: 'h' }, json: { type: 'boolean' } },
    })
    if (parsed.positionals.length > (command.positionals ?? 0))
      throw refuse(`Unexpected argument '${parsed.positionals.at(-1)}'`)
    return parsed
  } catch (error) {
    if (error instanceof TocsinError) throw error
    throw refuse((error as Error).message.split(/[.\n]/)[0] ?? '')
  }
}

function helpOf(command: Command): string {
  const options = {
    ...command.options,
    json: { type: 'boolean', help: 'print one JSON document as the last line' },
  }
  const lines = Object.entries(options).map(
    ([name, { type, help }]) =>
      `  ${`--${name}${type === 'string' ? ' VALUE' : ''}`.padEnd(24)} ${help}`,
  )
  return `${command.summary}\n\nUsage: tocsin ${command.usage}\n\n${lines.join('\n')}`
}

/** `tocsin help`, and `tocsin help COMMAND`. */
async function help(words: readonly string[], output: CommandOutput): Promise<number> {
  const found = findCommand(words)
  if (found === undefined || found.words < words.length)
    // A group's word alone asks for its list; with another word behind it, it is no command.
    return helpOrUnknown(words.length === 1 ? [...words, '--help'] : words, output)
  output.out(helpOf(await found.load()))
  return 0
}

function helpOrUnknown(args: readonly string[], output: CommandOutput): number {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length))
  const list = Object.entries(COMMANDS).map(
    ([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`,
  )
  const help = `tocsin COMMAND [OPTIONS]\n\n${list.join('\n')}\n\nEvery command takes --help and --json.`
  if (args.length === 0 || args[0] === '--help' || args[0] === '-h' || args[0] === 'help') {
    output.out(help)
    return 0
  }
  // A word that several commands begin with, such as `stream`.
  const group = list.filter((line) => line.startsWith(`  ${args[0]} `))
  if (group.length > 0 && (args[1] === undefined || args[1].startsWith('-'))) {
    if (args[1] === undefined)
      throw new TocsinError('usage', `Say which: tocsin ${args[0]} --help lists them.`)
    output.out(group.join('\n'))
    return 0
  }
  throw new TocsinError(
    'usage',
    `There is no command "${args.slice(0, 2).filter(isWord).join(' ')}": tocsin --help lists them.`,
  )
}

function isWord(argument: string): boolean {
  return !argument.startsWith('-')
}

function report(error: unknown, env: CommandContext['env'], output: CommandOutput): number {
  const known = asKnown(error, env)
  output.err(`tocsin: ${known.code}: ${known.message}`)
  if (process.env['TOCSIN_LOG_LEVEL'] === 'debug' && error instanceof Error)
    output.err(error.stack ?? '')
  return known.code === 'usage' ? 2 : 1
}

function asKnown(error: unknown, env: CommandContext['env']): TocsinError {
  if (error instanceof TocsinError) return describeUnavailable(error, env)
  // A database that is missing, a password that is wrong, a right that the login lacks: the operator's to mend.
  if (error instanceof DatabaseError)
    return new TocsinError('database_refused', `PostgreSQL refused: ${error.message}.`)
  return new TocsinError('internal_error', error instanceof Error ? error.message : String(error))
}
