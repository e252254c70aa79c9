// Authorize: where codes and tokens are swapped; promises that requests that come together share a commit, that each is judged by what the one before it left, and that two phones never both get a certificate.

import type { Database, Transaction } from '../db/database.ts'
import { TocsinError } from '../errors.ts'
import { appendEvents, lockHead, writeEvents, type LogWriter } from '../log/append-event.ts'
import { createGroupCommit } from '../log/group-commit.ts'
import type { NewEvent } from '../log/record.ts'
import { CERTIFIED, CLAIMED } from './codes.ts'
import { lockCodes, type VerificationCode } from './lock-codes.ts'

/** A request for a code. */
export interface DeskRequest {
  /** What the code may be recognised by. */
  readonly macs: readonly Uint8Array[]
  readonly tokenId: Uint8Array | undefined
  /**
   * Decides.
   *
   * @param code as it stands; undefined when there is none
   * @throws TocsinError with which the request is refused
   */
  decide(
    code: VerificationCode | undefined,
    tx: Transaction,
    now: Date,
  ): Decision | Promise<Decision>
}

/** What becomes of a request. */
export interface Decision {
  readonly result: DeskResult
  /** What is to be true before the reply is sent; nothing when it already is. */
  readonly events: readonly NewEvent[]
}

/** What whoever asked needs for the reply. */
export interface DeskResult {
  readonly code: VerificationCode
  readonly token?: { readonly id: Uint8Array; readonly expiresAt: number }
  readonly handle?: string
}

/** Decides requests in groups. @throws TocsinError what `decide` threw; `unavailable` */
export type CodeDesk = (request: DeskRequest) => Promise<DeskResult>

const MOST_IN_GROUP = 64
const MOST_WAITING = 2_000
/** Fewer wait for the group before them: two at once would only wait for each other's locks. */
const ENOUGH_BEHIND = 16

/** Opens the desk. */
export function createCodeDesk(db: Database, writer: LogWriter, now: () => Date): CodeDesk {
  const decideAll = async (requests: readonly DeskRequest[]) => {
    const verdicts = new Map<DeskRequest, DeskResult | TocsinError>()
    for (let rest = requests; rest.length > 0;) {
      const group = rest
      rest = await db.transaction((tx) => decideGroup(tx, writer, group, verdicts, now()))
    }
    return requests.map((request) => verdicts.get(request) as DeskResult | TocsinError)
  }
  const queue = createGroupCommit(MOST_IN_GROUP, MOST_WAITING, ENOUGH_BEHIND, decideAll)
  return async (request) => {
    const verdict = await queue.submit(request)
    if (verdict instanceof Error) throw verdict
    return verdict
  }
}

/**
 * Decides a group in one transaction.
 *
 * @returns the requests for codes that another one of the group has changed: for the next transaction
 */
async function decideGroup(
  tx: Transaction,
  writer: LogWriter,
  group: readonly DeskRequest[],
  verdicts: Map<DeskRequest, DeskResult | TocsinError>,
  now: Date,
): Promise<DeskRequest[]> {
  const tokenIds = group.flatMap(({ tokenId }) => tokenId ?? [])
  const codes = await lockCodes(
    tx,
    group.flatMap(({ macs }) => macs),
    tokenIds,
  )
  const byName = new Map(codes.flatMap((code) => namesOf(code).map((name) => [name, code])))
  const changed = new Set<VerificationCode>()
  const later: DeskRequest[] = []
  const events: NewEvent[] = []
  for (const request of group) {
    const code = namesIn(request).flatMap((name) => byName.get(name) ?? [])[0]
    if (code !== undefined && changed.has(code)) {
      later.push(request)
      continue
    }
    try {
      const decision = await request.decide(code, tx, now)
      verdicts.set(request, decision.result)
      events.push(...decision.events)
      if (code !== undefined && decision.events.length > 0) changed.add(code)
    } catch (error) {
      if (!(error instanceof TocsinError) || error.code === 'unavailable') throw error
      verdicts.set(request, error)
    }
  }
  await append(tx, writer, events, now)
  return later
}

/**
 * Appends the events, and has the commit sent right behind them where that is safe: the log's head is locked for one round trip
 * instead of two, and for that time nobody else appends.
 */
async function append(
  tx: Transaction,
  writer: LogWriter,
  events: readonly NewEvent[],
  now: Date,
): Promise<void> {
  if (events.length === 0) return
  // What follows from these is sent at once. A new handle changes the configuration, and waits for its answers.
  if (!events.every(({ type }) => type === CLAIMED || type === CERTIFIED)) {
    await appendEvents(tx, writer, events, now)
    return
  }
  const head = await lockHead(tx, writer, events.length, now)
  tx.commitWith(writeEvents(tx, writer, head, events).written)
}

function namesIn({ macs, tokenId }: DeskRequest): string[] {
  return [...macs, ...(tokenId === undefined ? [] : [tokenId])].map(nameOf)
}

function namesOf({ codeMac, longCodeMac, token }: VerificationCode): string[] {
  return [codeMac, longCodeMac, token?.id].flatMap((bytes) => (bytes ? [nameOf(bytes)] : []))
}

function nameOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}
