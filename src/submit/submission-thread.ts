// Submit: hands submissions to a thread of their own; promises that serving HTTP and judging submissions do not wait for each other, and a bounded queue between them.

import { once } from 'node:events'
import { extname } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { Worker } from 'node:worker_threads'
import type { Address } from '../db/database.ts'
import { TocsinError } from '../errors.ts'
import type { PublishReply } from './publish-v1.ts'
import type { SubmissionSettings } from './submission-context.ts'

/** Answers one submission. @throws TocsinError `unavailable` when too many wait already */
export type Submit = (
  body: Uint8Array,
  userAgent: string,
  /** The API that brought it; `publish-v1` when left out. */
  api?: string,
  /** What else the request said, by the API's own names. */
  fields?: Readonly<Record<string, string>>,
) => Promise<PublishReply>

/** What is handed over at the start. */
export interface SubmissionThreadData {
  readonly address: Address
  readonly poolSize: number
  readonly settings: SubmissionSettings
}

/** What the thread is handed: submissions that arrived together, or none, to tell it the time; their bodies lie one after the other in `bytes`. */
export interface SubmissionBatch {
  /** Unix time in milliseconds, by the clock of the process. */
  readonly now: number
  readonly bytes: Uint8Array
  readonly submissions: readonly {
    readonly id: number
    readonly length: number
    readonly userAgent: string
    readonly api: string
    readonly fields: Readonly<Record<string, string>>
  }[]
}

/** The answer to one submission; `reply` is an Error when something happened that nobody expected. */
export interface SubmissionAnswer {
  readonly id: number
  readonly reply: PublishReply | Error
}

/** The thread. */
export interface SubmissionThread extends AsyncDisposable {
  readonly submit: Submit
}

/** How often the thread is told the time at least, in milliseconds: what it does from time to time must not wait for submissions. */
const TELL_TIME_MS = 30_000

/** Bodies that may wait for their answers: of keys, as many as may wait at all; of large ones, some hundred. */
const MOST_WAITING_BYTES = 160 << 20

/** What the thread allocates is short-lived: left alone, V8 gives that 128 MB, and gains nothing by it. */
const YOUNG_GENERATION_MB = 24

/** Starts the thread and waits until it is ready. */
export async function startSubmissionThread(
  data: SubmissionThreadData,
  now: () => Date,
  tellTimeMs = TELL_TIME_MS,
): Promise<SubmissionThread> {
  // Little is collected at a time, and often: helpers cost more than they help, as processors are few.
  setFlagsFromString('--no-parallel-scavenge')
  const worker = new Worker(
    new URL(`../submission-worker${extname(import.meta.url)}`, import.meta.url),
    {
      workerData: data,
      name: 'submissions',
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    },
  )
  interface Waiter {
    readonly bytes: number
    resolve(reply: PublishReply): void
    reject(error: Error): void
  }
  const waiting = new Map<number, Waiter>()
  let waitingBytes = 0
  // The first message says that it is ready; rejects when the thread can't be started.
  await once(worker, 'message')
  worker.on('message', (answers: readonly SubmissionAnswer[]) => {
    for (const { id, reply } of answers) {
      const waiter = waiting.get(id)
      waiting.delete(id)
      waitingBytes -= waiter?.bytes ?? 0
      if (reply instanceof Error) waiter?.reject(reply)
      else waiter?.resolve(reply)
    }
  })
  // Nobody would answer from now on: this ends the process, as any error does that nobody expected.
  worker.on('error', (error) => {
    throw error
  })

  let nextId = 0
  let batch: (Omit<SubmissionBatch['submissions'][number], 'length'> & { body: Uint8Array })[] = []
  // Whatever one turn of the event loop read is handed over at once: a message costs as much as a small submission.
  const handOver = () => {
    const bytes = new Uint8Array(batch.reduce((sum, each) => sum + each.body.length, 0))
    let offset = 0
    const submissions = batch.map(({ body, ...rest }) => {
      bytes.set(body, offset)
      offset += body.length
      return { length: body.length, ...rest }
    })
    batch = []
    const message: SubmissionBatch = { now: now().getTime(), bytes, submissions }
    worker.postMessage(message, [bytes.buffer])
  }
  const timer = setInterval(() => {
    if (batch.length === 0) handOver()
  }, tellTimeMs).unref()
  return {
    submit: (body, userAgent, api = 'publish-v1', fields = {}) =>
      new Promise((resolve, reject) => {
        const isFull = waitingBytes + body.length > MOST_WAITING_BYTES
        if (waiting.size >= data.settings.maxWaiting || isFull) {
          reject(new TocsinError('unavailable'))
          return
        }
        const id = nextId++
        const bytes = body.length
        waitingBytes += bytes
        waiting.set(id, { bytes, resolve, reject })
        if (batch.push({ id, body, userAgent, api, fields }) === 1) setImmediate(handOver)
      }),
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      const ended = once(worker, 'exit')
      worker.postMessage('close', [])
      await ended
    },
  }
}
