// Submit: the thread that judges submissions and makes them durable; promises an answer for each that it was handed, and to close its connections.

import { setImmediate as nextTurn } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { openDatabase } from '../db/database.ts'
import { schemaOf } from '../db/zones.ts'
import { publishV1, type PublishApiName } from './publish-v1.ts'
import { publishV1alpha1 } from './publish-v1alpha1.ts'
import { createPublishContext } from './submission-context.ts'
import type {
  SubmissionAnswer,
  SubmissionBatch,
  SubmissionThreadData,
} from './submission-thread.ts'

if (parentPort === null) throw new Error('this file runs as a thread only')
const port = parentPort
const { address, poolSize, settings } = workerData as SubmissionThreadData
/** All its statements are short. Whoever waits longer is told to come again. */
const ANSWER_WITHIN_MS = 15_000
const db = openDatabase(address, schemaOf('key'), poolSize, true, ANSWER_WITHIN_MS)
// The clock is the process's: each batch brings the time.
let time = new Date(0)
const context = createPublishContext(db, settings, () => time)

let answers: SubmissionAnswer[] = []

const PUBLISH: Readonly<Record<PublishApiName, typeof publishV1>> = {
  'publish-v1': publishV1,
  'publish-v1alpha1': publishV1alpha1,
}

port.on('message', (message: SubmissionBatch | 'close') => {
  if (message === 'close') {
    port.close()
    void db.close()
  } else void handle(message)
})
port.postMessage('ready')

/** Submissions that are judged before the event loop turns: in between the group that is being committed goes on. */
const AT_ONCE = 4

async function handle({ now, bytes, submissions }: SubmissionBatch): Promise<void> {
  time = new Date(now)
  const keysRead = context.refreshKeys()
  if (keysRead !== undefined) await keysRead
  let offset = 0
  for (const [index, { id, length, userAgent, api }] of submissions.entries()) {
    if (index > 0 && index % AT_ONCE === 0) await nextTurn()
    void answer(id, PUBLISH[api], bytes.subarray(offset, offset + length), userAgent)
    offset += length
  }
}

async function answer(
  id: number,
  publish: typeof publishV1,
  body: Uint8Array,
  userAgent: string,
): Promise<void> {
  const reply = await publish(context, body, userAgent).catch((error: unknown) =>
    error instanceof Error ? error : new Error(String(error)),
  )
  // A group's answers come together, and leave together.
  if (answers.push({ id, reply }) > 1) return
  await nextTurn()
  port.postMessage(answers)
  answers = []
}
