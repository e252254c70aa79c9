// Publish: the publisher of a process, for as long as it runs; promises one leader at a time, and that another takes over when it goes.

import type { Address } from '../db/database.ts'
import type { Logger } from '../operate/logger.ts'
import { openSigners } from './build-window.ts'
import { concernsAll, createPublisher, type PublishedRun } from './publish-due.ts'
import type { PublisherContext } from './publisher-context.ts'
import { takePublisherLock, type PublisherLock } from './publisher-lock.ts'
import { listStreams } from './streams.ts'

/** A publisher; disposing lets a run end and gives the lock back. */
export interface RunningPublisher extends AsyncDisposable {
  /** Makes the releases that are due, unless another process leads. */
  publishDue(): Promise<PublishedRun>
  /** False when a stream could not be signed or published at the last try; a database that is away is no such failure. */
  readonly isWell: boolean
  /** When a run last ended well here. */
  readonly lastSuccess: Date | undefined
}

/** How often it looks whether something is due, and how long it rests after a failure, in milliseconds. */
const INTERVAL_MS = 1_000
const REST_MS = 10_000

const NOTHING: PublishedRun = { releases: 0, files: 0, keys: 0, revisedKeys: 0 }

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
  let hasUnusableKeys = false
  let hasFailed = false
  let lastSuccess: Date | undefined

  const runOnce = async (): Promise<PublishedRun> => {
    if (lock?.held !== true) {
      publish = undefined
      lock = await takePublisherLock(address, false)
      // Whoever leads now knows how the streams are.
      hasUnusableKeys = hasFailed = false
      if (lock === undefined) return NOTHING
      hasUnusableKeys = await tellUnusableKeys(context, logger)
    } else if (hasUnusableKeys) hasUnusableKeys = (await findUnusableKeys(context)).length > 0
    publish ??= createPublisher(context, lock)
    const run = await publish()
    hasFailed = false
    lastSuccess = context.now()
    if (run.files > 0) logger.info('published', { ...run })
    return run
  }
  const publishDue = () =>
    (running ??= runOnce()
      .catch((error: unknown) => {
        if (!concernsAll(error)) hasFailed = true
        throw error
      })
      .finally(() => (running = undefined)))
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
    get isWell() {
      return !hasUnusableKeys && !hasFailed
    },
    get lastSuccess() {
      return lastSuccess
    },
    async [Symbol.asyncDispose]() {
      isStopped = true
      clearTimeout(timer)
      await running?.catch(() => undefined)
      await lock?.[Symbol.asyncDispose]()
    },
  }
}

/** A signing key that is missing is told when a leader begins, not only when the first file is due. @returns whether there is one */
async function tellUnusableKeys(context: PublisherContext, logger: Logger): Promise<boolean> {
  const unusable = await findUnusableKeys(context)
  for (const { stream, error } of unusable)
    logger.error('a stream can not be signed', error, { stream })
  return unusable.length > 0
}

async function findUnusableKeys(
  context: PublisherContext,
): Promise<{ readonly stream: string; readonly error: unknown }[]> {
  const unusable: { stream: string; error: unknown }[] = []
  const now = Math.floor(context.now().getTime() / 1000)
  const streams = await listStreams(context.db)
  for (const stream of streams.filter(({ through }) => through === null || through > now))
    await openSigners(context, stream, now).catch((error: unknown) =>
      unusable.push({ stream: stream.name, error }),
    )
  return unusable
}
