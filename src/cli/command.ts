// Cli: what a command is; promises each the same shape: help, options, one JSON document at the end.

import type { Deployment } from './deployment.ts'

/** What a command is given. */
export interface CommandContext {
  readonly deployment: Deployment
  readonly positionals: readonly string[]
  readonly values: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>
  readonly env: Readonly<Record<string, string | undefined>>
  /** Whether only the document is wanted. */
  readonly json: boolean
  /** Prints a line for people; silent with `--json`. */
  print(line: string): void
  /** Prints a line beside the output, on standard error, so that a file that takes the output stays clean; silent with `--json`. */
  note(line: string): void
  /** Aborts when the process is told to stop. */
  readonly signal: AbortSignal
}

/** What a command leaves: a document for machines, and its exit status (0 unless said otherwise). */
export interface CommandResult {
  readonly document: unknown
  readonly exitCode?: number
}

/** An option of a command. */
export interface CommandOption {
  readonly type: 'string' | 'boolean'
  readonly multiple?: boolean
  readonly help: string
}

/** A command of the command line. */
export interface Command {
  readonly summary: string
  /** What follows `tocsin`. */
  readonly usage: string
  readonly options: Readonly<Record<string, CommandOption>>
  /** How many arguments without a name it takes at the most; none when left out. */
  readonly positionals?: number
  /** Whether the document is the last line also without `--json`. */
  readonly alwaysDocument?: true
  run(context: CommandContext): Promise<CommandResult>
}

/** An option's text, or undefined when it wasn't given. */
export function textOption(context: CommandContext, name: string): string | undefined {
  const value = context.values[name]
  return typeof value === 'string' ? value : undefined
}

/** How the command line is called where it was installed: a checkout has sources, the package what was compiled from them. */
export function commandName(): string {
  return import.meta.url.endsWith('.ts') ? 'bin/tocsin' : 'npx tocsin'
}
