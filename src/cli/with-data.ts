// Cli: opens the data for one command; promises to close it whatever happens.

import { parseConfig, type Config } from '../config.ts'
import { systemClock } from '../operate/clock.ts'
import { TocsinError } from '../errors.ts'
import { textOption, type CommandContext } from './command.ts'
import type { OpenData } from './deployment.ts'

/** What a command works on. */
export interface CommandData extends OpenData {
  readonly config: Config
  readonly now: () => Date
}

/** Opens the data that the environment names: joins a running server's, or starts the embedded one for a while. */
export async function withData<Result>(
  context: CommandContext,
  work: (data: CommandData) => Promise<Result>,
): Promise<Result> {
  const config = parseConfig(context.env)
  await using data = await context.deployment.openData(config, systemClock, 'command')
  // Whoever forgot to name a server sees it here.
  if (config.databaseUrl === undefined) context.note(`tocsin: ${data.where}`)
  return await work({
    ...data,
    config,
    now: () => systemClock.now(),
    [Symbol.asyncDispose]: async () => undefined,
  })
}

/** An option that must be given. @throws TocsinError `usage` */
export function requiredOption(context: CommandContext, name: string): string {
  const value = textOption(context, name)
  if (value === undefined || value === '') throw new TocsinError('usage', `--${name} is needed.`)
  return value
}
