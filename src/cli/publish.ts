// Cli: makes releases by hand; promises to wait for a running publisher instead of working beside it.

import { systemClock } from '../operate/clock.ts'
import { createPublisher } from '../publish/publish-due.ts'
import { takePublisherLock } from '../publish/publisher-lock.ts'
import type { Command } from './command.ts'
import { withData } from './with-data.ts'

/** How often a publisher that stays looks for due releases, in milliseconds. */
const INTERVAL_MS = 1_000

/** `tocsin publish` */
export const publishCommand: Command = {
  summary: 'Makes the releases that are due, now and as they come due.',
  usage: 'publish [--once]',
  options: { once: { type: 'boolean', help: 'only those that are due now' } },
  run: (context) =>
    withData(context, async ({ zones, config }) => {
      const publisher = context.deployment.publisherContext(config, zones, systemClock)
      const total = { releases: 0, files: 0, keys: 0 }
      const once = context.values['once'] === true
      // A server's publisher holds the lock for as long as it runs: what is due, it makes within a second.
      await using lock = await takePublisherLock(zones.key.address, !once)
      if (lock === undefined) {
        context.print('Another process publishes: it makes what is due.')
        return { document: { ...total, leader: false } }
      }
      const publish = createPublisher(publisher, lock)
      do {
        const run = await publish()
        total.releases += run.releases
        total.files += run.files
        total.keys += run.keys
        if (!once) await pause(INTERVAL_MS, context.signal)
      } while (!once && !context.signal.aborted && lock.held)
      context.print(`${total.releases} releases, ${total.files} files, ${total.keys} keys`)
      return { document: { ...total, leader: true } }
    }),
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds)
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true })
  })
}
