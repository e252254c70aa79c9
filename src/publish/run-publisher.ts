// Publish: the publisher of a process, for as long as it runs; promises one leader at a time, and that another takes over when it goes.

import type { Address } from '../db/database.ts'
import type { Logger } from '../operate/logger.ts'
import { openSigner } from './build-window.ts'
import { createPublisher, type PublishedRun } from './publish-due.ts'
import type { PublisherContext } from './publisher-context.ts'
import { takePublisherLock, type PublisherLock } from './publisher-lock.ts'
import { listStreams } from './streams.ts'

/** A publisher; disposing lets a run end and gives the lock back. */
export interface RunningPublisher extends AsyncDisposable {
  /** Makes the releases that are due, unless another process leads. */
  publishDue(): Promise<PublishedRun>
}

/** How often it looks whether something is due, and how long it rests after a failure, in milliseconds. */
const INTERVAL_MS = 1_000
const REST_MS = 10_000

const NOTHING: PublishedRun = { releases: 0, files: 0, keys: 0 }

/**
 * Starts a publisher.
 *
 * @param address the key zone's login, for the lock's own connection
 * @param mode `timer` publishes as releases come due, `manual` when {@link RunningPublisher.publishDue} is called
 */
export function runPublisher(
  context: PublisherContext,
  address: Address,
  logger: Logger,
  mode: 'timer' | 'manual',
): RunningPublisher {
  let lock: PublisherLock | undefined
  let publish: (() => Promise<PublishedRun>) | undefined
  let running: Promise<PublishedRun> | undefined
  let timer: NodeJS.Timeout | undefined
  let isStopped = false

  const runOnce = async (): Promise<PublishedRun> => {
    if (lock?.held !== true) {
      publish = undefined
      lock = await takePublisherLock(address, false)
      if (lock === undefined) return NOTHING
      await tellUnusableKeys(context, logger)
    }
    publish ??= createPublisher(context, lock)
    const run = await publish()
    if (run.files > 0) logger.info('published', { ...run })
    return run
  }
  const publishDue = () => (running ??= runOnce().finally(() => (running = undefined)))
  const tick = async () => {
    const isWell = await publishDue().then(
      () => true,
      (error: unknown) => (logger.error('publishing failed', error), false),
    )
    if (!isStopped) timer = setTimeout(() => void tick(), isWell ? INTERVAL_MS : REST_MS)
  }
  if (mode === 'timer') void tick()
  return {
    publishDue,
    async [Symbol.asyncDispose]() {
      isStopped = true
      clearTimeout(timer)
      await running?.catch(() => undefined)
      await lock?.[Symbol.asyncDispose]()
    },
  }
}

/** A signing key that is missing is told when a leader begins, not only when the first file is due. */
async function tellUnusableKeys(context: PublisherContext, logger: Logger): Promise<void> {
  for (const stream of await listStreams(context.db))
    await openSigner(context, stream).catch((error: unknown) =>
      logger.error('a stream can not be signed', error, { stream: stream.name }),
    )
}
