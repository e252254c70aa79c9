// Chaos: what people do while processes die: upload, withdraw, reinstate, recover elsewhere; promises to remember what was answered, and to ask again as they would.

import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ReinstatementRequest } from '../../src/correct/reinstate.ts'
import type { WithdrawalRequest } from '../../src/correct/withdraw.ts'
import { connectOnce, parseAddress } from '../../src/db/database.ts'
import { encodeHex } from '../../src/format/bytes.ts'
import type { RandomSource } from '../../src/publish/padding-random.ts'
import { createDatabase, type TestDatabase } from '../create-database.ts'
import { encodeBody, makeKeys, makeRequest, type TestAuthority } from '../key-zone.ts'
import type { Worker } from './start-worker.ts'
import type { Answer, Question } from './worker.ts'

/** An upload. */
export interface Upload {
  /** Hex. */
  readonly keys: readonly string[]
  readonly question: Question
  /** Its tracking id, hex, once it was acknowledged. */
  trackingId?: string
}

/** A withdrawal or a reinstatement. */
export interface Correction {
  readonly id: string
  readonly withdraw?: WithdrawalRequest
  readonly reinstate?: ReinstatementRequest
  isAcknowledged: boolean
}

/** Contents that are kept apart from their event, hex. */
export interface KeptNumbers {
  readonly numbers: string
  isAcknowledged: boolean
}

/** A recovery into a database of its own. */
export interface Recovery {
  readonly database: TestDatabase
  readonly masterKeyFile: string
}

/** What was done so far. */
export interface History {
  readonly uploads: Upload[]
  readonly corrections: Correction[]
  readonly numbers: KeptNumbers[]
  readonly recovered: Answer[]
  /** Recoveries that went on with what a killed one had written. */
  resumed: number
  /** The recovery that is going on. */
  recovery: Recovery | undefined
}

/** What the lanes work with. */
export interface LaneContext {
  readonly workers: Readonly<Record<'submit' | 'correct' | 'recover', Worker>>
  readonly authority: TestAuthority
  readonly random: RandomSource
  readonly now: () => Date
  readonly ownerUrl: string
  readonly folder: string
  readonly complain: (problem: string) => void
}

const LANES = 3
/** How many of those who got no answer ask again. */
const PATIENCE = 0.7
const HANDLES = 3

/** Starts them all. @returns ends them, once each has its answer or knows that there will be none */
export function startLanes(context: LaneContext, history: History): () => Promise<void> {
  const stop = new AbortController()
  const { signal } = stop
  const lanes = [
    ...Array.from({ length: LANES }, () => uploadForEver(context, history, signal)),
    correctForEver(context, history, signal),
    keepNumbersForEver(context, history, signal),
    recoverForEver(context, history, signal),
  ]
  return async () => {
    stop.abort()
    await Promise.all(lanes)
  }
}

/** Asks until there is an answer, or patience or time is over. */
async function ask(
  { random, complain }: LaneContext,
  worker: Worker,
  question: Question,
  signal: AbortSignal,
): Promise<Answer | undefined> {
  for (;;) {
    const answer = await worker.ask(question)
    if (answer?.problem !== undefined) complain(`${worker.role}: ${answer.problem}`)
    if (answer !== undefined) return answer
    if (signal.aborted || random.number() > PATIENCE) return undefined
    await sleep(50)
  }
}

async function uploadForEver(
  context: LaneContext,
  { uploads }: History,
  signal: AbortSignal,
): Promise<void> {
  const { workers, authority, random, now } = context
  while (!signal.aborted) {
    await workers.submit.ready()
    const keys = makeKeys(now(), 1 + Math.floor(random.number() * 4))
    const handle = handleOf(Math.floor(random.number() * 2 * HANDLES))
    const claims = {
      // However long a process takes to start.
      exp: Math.floor(now().getTime() / 1000) + 86_400,
      ...(handle === undefined ? {} : { issuerHandle: handle }),
    }
    const body = encodeBody(await makeRequest(authority, keys, now(), { claims }))
    const upload: Upload = {
      keys: keys.map(({ key }) => Buffer.from(key, 'base64').toString('hex')),
      question: { submit: Buffer.from(body).toString('base64') },
    }
    uploads.push(upload)
    const answer = await ask(context, workers.submit, upload.question, signal)
    if (answer?.trackingId !== undefined) upload.trackingId = answer.trackingId
    await sleep(random.number() * 120)
  }
}

/** base64url; undefined for one who has none. */
function handleOf(number: number): string | undefined {
  return number >= HANDLES ? undefined : Buffer.alloc(16, number + 1).toString('base64url')
}

/** Nobody asks again: without an answer, nobody knows whether it is there. */
async function keepNumbersForEver(
  { workers, random, complain }: LaneContext,
  { numbers }: History,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await workers.submit.ready()
    const kept = { numbers: encodeHex(random.bytes(16 * 64)), isAcknowledged: false }
    numbers.push(kept)
    const answer = await workers.submit.ask({ keepNumbers: kept.numbers })
    if (answer?.problem !== undefined) complain(`numbers: ${answer.problem}`)
    kept.isAcknowledged = answer !== undefined && answer.problem === undefined
    await sleep(random.number() * 250)
  }
}

async function correctForEver(
  context: LaneContext,
  { uploads, corrections }: History,
  signal: AbortSignal,
): Promise<void> {
  const { workers, random } = context
  while (!signal.aborted) {
    const correction = draw(random, uploads, corrections)
    if (correction !== undefined) {
      corrections.push(correction)
      const { withdraw, reinstate } = correction
      const question = withdraw === undefined ? { reinstate } : { withdraw }
      const answer = await ask(context, workers.correct, question as Question, signal)
      correction.isAcknowledged = answer !== undefined && answer.problem === undefined
    }
    await sleep(random.number() * 250)
  }
}

/** What to correct next; undefined when nothing was accepted yet. */
function draw(
  random: RandomSource,
  uploads: readonly Upload[],
  corrections: readonly Correction[],
): Correction | undefined {
  const pick = <Item>(items: readonly Item[]) => items[Math.floor(random.number() * items.length)]
  const accepted = uploads.filter(({ trackingId }) => trackingId !== undefined)
  const upload = pick(accepted)
  if (upload === undefined) return undefined
  const id = encodeHex(random.bytes(16))
  const usual = { id, reason: 'chaos', by: 'command' }
  const kind = random.number()
  if (kind < 0.25) {
    const taken = new Set(corrections.flatMap(({ reinstate }) => reinstate?.withdrawal ?? []))
    const withdrawal = pick(
      corrections.filter((each) => each.withdraw && each.isAcknowledged && !taken.has(each.id)),
    )
    if (withdrawal !== undefined)
      return { id, reinstate: { ...usual, withdrawal: withdrawal.id }, isAcknowledged: false }
  }
  const count = 1 + Math.floor(random.number() * 5)
  const scope = pick(['retroactive', 'from-now-on', 'both'] as const) ?? 'retroactive'
  const trackingIds = Array.from({ length: count }, () => pick(accepted)?.trackingId ?? '')
  const withdraw: WithdrawalRequest =
    kind < 0.35
      ? { ...usual, scope: 'retroactive', selection: { keys: upload.keys } }
      : kind < 0.4
        ? { ...usual, scope, selection: { issuerHandles: [handleOf(count % HANDLES) ?? ''] } }
        : { ...usual, scope: 'retroactive', selection: { trackingIds } }
  return { id, withdraw, isAcknowledged: false }
}

async function recoverForEver(
  context: LaneContext,
  history: History,
  signal: AbortSignal,
): Promise<void> {
  const { workers, folder, ownerUrl, complain } = context
  while (!signal.aborted) {
    await sleep(100)
    if (!existsSync(join(folder, 'archive', 'key'))) continue
    history.recovery ??= {
      database: await createDatabase(ownerUrl),
      masterKeyFile: join(folder, `${randomUUID()}.key`),
    }
    const { database, masterKeyFile } = history.recovery
    const answer = await workers.recover.ask({ recover: { url: database.url, masterKeyFile } })
    // The archive's writer may have taken away what it had not noted yet: that one is asked for again.
    const isGone = /^archive_(failed|empty)/.test(answer?.problem ?? '')
    if (answer?.problem !== undefined && !isGone) complain(`recover: ${answer.problem}`)
    if (answer?.events !== undefined) {
      history.recovered.push(answer)
      if ((answer.alreadyThere ?? 0) > 0) history.resumed++
    }
    if (answer?.events !== undefined || (await isRecovered(database))) {
      history.recovery = undefined
      await database[Symbol.asyncDispose]()
    }
  }
}

/** Whether a recovery was done before it was killed: behind an archive that has grown since, nothing more can be recovered into it. */
async function isRecovered({ url }: TestDatabase): Promise<boolean> {
  const client = await connectOnce(parseAddress(url))
  const count = async (text: string) => Number((await client.query<{ n: string }>(text)).rows[0]?.n)
  try {
    // What a killed process has sent may still be carried out.
    while ((await count(OTHER_SESSIONS)) > 0) await sleep(20)
    const isMade = (await count(`select count(to_regclass('key_zone.log_head')) as n`)) > 0
    return isMade && (await count('select count(*) as n from key_zone.log_head')) > 0
  } finally {
    await client.end()
  }
}

const OTHER_SESSIONS = `select count(*) as n from pg_stat_activity
  where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`
