// Submission-worker: the thread that judges submissions and makes them durable; promises an answer for each that it was handed, and to close its connections.

import { setImmediate as nextTurn } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { openDatabase } from './db/database.ts'
import { schemaOf } from './db/zones.ts'
import { KINDS } from './kinds.ts'
import { giveBackWhenIdle } from './operate/give-back-memory.ts'
import type { SubmissionApi } from './submit/submission-api.ts'
import { createPublishContext } from './submit/submission-context.ts'
import type {
  SubmissionAnswer,
  SubmissionBatch,
  SubmissionThreadData,
} from './submit/submission-thread.ts'

if (parentPort === null) throw new Error('this file runs as a thread only')
const port = parentPort
const { address, poolSize, settings } = workerData as SubmissionThreadData
/** All its statements are short. Whoever waits longer is told to come again. */
const ANSWER_WITHIN_MS = 15_000
const db = openDatabase(address, schemaOf('key'), poolSize, true, ANSWER_WITHIN_MS)
// The clock is the process's: each batch brings the time.
let time = new Date(0)
const context = createPublishContext(
  db,
  settings,
  () => time,
  KINDS.flatMap(({ projections }) => projections),
)

let answers: SubmissionAnswer[] = []

const APIS = new Map(KINDS.flatMap(({ apis }) => apis).map((api) => [api.name, api]))

port.on('message', (message: SubmissionBatch | 'close') => {
  if (message === 'close') {
    port.close()
    void db.close()
  } else void handle(message)
})
port.postMessage('ready')
giveBackWhenIdle()

/** Submissions that are judged before the event loop turns: in between the group that is being committed goes on. */
const AT_ONCE = 4

async function handle({ now, bytes, submissions }: SubmissionBatch): Promise<void> {
  time = new Date(now)
  const keysRead = context.refreshKeys()
  if (keysRead !== undefined) await keysRead
  let offset = 0
  for (const [index, { length, ...submission }] of submissions.entries()) {
    if (index > 0 && index % AT_ONCE === 0) await nextTurn()
    void answer(submission, bytes.subarray(offset, offset + length))
    offset += length
  }
}

async function answer(
  { id, api, userAgent, fields }: Omit<SubmissionBatch['submissions'][number], 'length'>,
  body: Uint8Array,
): Promise<void> {
  const { handle } = APIS.get(api) as SubmissionApi
  const reply = await handle(context, body, userAgent, fields).catch((error: unknown) =>
    error instanceof Error ? error : new Error(String(error)),
  )
  // A group's answers come together, and leave together.
  if (answers.push({ id, reply }) > 1) return
  await nextTurn()
  port.postMessage(answers)
  answers = []
}
