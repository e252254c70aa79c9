// Cli: makes releases by hand; promises to leave the work to a running publisher instead of working beside it.

import { systemClock } from '../operate/clock.ts'
import { createLogger } from '../operate/logger.ts'
import { createPublisher } from '../publish/publish-due.ts'
import { takePublisherLock } from '../publish/publisher-lock.ts'
import { runPublisher } from '../publish/run-publisher.ts'
import type { Command, CommandContext, CommandResult } from './command.ts'
import { untilStopped } from './until-stopped.ts'
import { withData, type CommandData } from './with-data.ts'

/** `tocsin publish` */
export const publishCommand: Command = {
  summary: 'Makes the releases that are due, now and as they come due.',
  usage: 'publish [--once]',
  options: { once: { type: 'boolean', help: 'only those that are due now' } },
  run: (context) =>
    withData(context, (data) =>
      context.values['once'] === true ? publishOnce(context, data) : keepPublishing(context, data),
    ),
}

async function publishOnce(context: CommandContext, data: CommandData): Promise<CommandResult> {
  const { zones, config } = data
  await using lock = await takePublisherLock(zones.key.address, false)
  if (lock === undefined) {
    // A server's publisher holds the lock for as long as it runs: what is due, it makes within a second.
    context.print('Another process publishes: it makes what is due.')
    return { document: { releases: 0, files: 0, keys: 0, revisedKeys: 0, leader: false } }
  }
  const publisher = context.deployment.publisherContext(config, zones, systemClock)
  const run = await createPublisher(publisher, lock)()
  context.print(
    `${run.releases} releases, ${run.files} files, ${run.keys} keys, ${run.revisedKeys} revised`,
  )
  return { document: { ...run, leader: true } }
}

async function keepPublishing(
  context: CommandContext,
  { zones, config }: CommandData,
): Promise<CommandResult> {
  const publisher = context.deployment.publisherContext(config, zones, systemClock)
  const logger = createLogger(config.logLevel)
  await using running = new AsyncDisposableStack()
  running.use(runPublisher(publisher, zones.key.address, logger, 'timer'))
  context.print('Publishing as releases come due; stop with Ctrl-C.')
  await untilStopped(context.signal)
  return { document: { stopped: true } }
}
