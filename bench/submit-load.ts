// Bench: a phone crowd in a process of its own; promises requests made beforehand, so that only sending and reading is measured.

import { createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { TestAuthority } from '../test/key-zone.ts'
import { openConnection } from './load-connection.ts'
import {
  makeBad,
  makeLikely,
  makeNew,
  makeRecords,
  type LikelyReport,
  type LoadRequest,
  type RequestKind,
} from './load-requests.ts'

/** What the parent asks for. */
export interface LoadOrder {
  readonly port: number
  readonly kind: RequestKind
  readonly connections: number
  readonly seconds: number
  /** Requests to have ready; the run ends when they are used up. */
  readonly requests: number
  /** Requests a second, or as fast as they are answered. */
  readonly rate?: number
  /** Makes each request when it is sent: where more are wanted than memory holds, and the rate doesn't matter. */
  readonly live?: boolean
}

/** What came of it. */
export interface LoadResult {
  readonly answered: number
  /** Of these, those that got another status than they should. */
  readonly failed: number
  /** How often which status came that shouldn't; 0 for a connection that ended without an answer. */
  readonly unexpected: Readonly<Record<number, number>>
  readonly seconds: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
}

/** The next request, until there is none or the time is over. */
type Take = () => LoadRequest | Promise<LoadRequest> | undefined

const authority = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as TestAuthority & {
  privatePem: string
}
const signer: TestAuthority = { ...authority, privateKey: createPrivateKey(authority.privatePem) }

process.on('message', (order: LoadOrder) => {
  void run(order).then((result) => process.send?.(result))
})

async function run(order: LoadOrder): Promise<LoadResult> {
  const nextRequest = order.live === true ? () => makeNew(signer) : inTurn(await prepare(order))
  const latencies: number[] = []
  const unexpected: Record<number, number> = {}
  let failed = 0
  let taken = 0
  const start = performance.now()
  const deadline = start + order.seconds * 1000
  const take = () =>
    performance.now() < deadline && taken++ < order.requests ? nextRequest() : undefined
  const onAnswer = (milliseconds: number, status: number, expected: number) => {
    latencies.push(milliseconds)
    if (status === expected) return
    failed++
    unexpected[status] = (unexpected[status] ?? 0) + 1
  }
  const gap = order.rate === undefined ? 0 : (order.connections * 1000) / order.rate
  await Promise.all(
    Array.from({ length: order.connections }, (_, index) =>
      drive(order.port, take, onAnswer, gap, (gap * index) / order.connections),
    ),
  )
  const seconds = (Math.min(performance.now(), deadline) - start) / 1000
  latencies.sort((a, b) => a - b)
  const quantile = (q: number) =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * q))] ?? NaN
  return {
    answered: latencies.length,
    failed,
    unexpected,
    seconds,
    p50: quantile(0.5),
    p99: quantile(0.99),
  }
}

/** One connection: a request, its answer, the next; or, with a gap, one at each moment of its schedule. */
async function drive(
  port: number,
  take: Take,
  onAnswer: (milliseconds: number, status: number, expected: number) => void,
  gap: number,
  offset: number,
): Promise<void> {
  const connection = openConnection(port)
  let planned = performance.now() + offset
  for (;;) {
    if (gap > 0) {
      const wait = planned - performance.now()
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
    }
    const request = await take()
    if (request === undefined) break
    // With a schedule, waiting for one's turn counts: else a slow server would be asked less and look fast.
    const begun = gap > 0 ? planned : performance.now()
    planned += gap
    const { status } = await connection.send(request.bytes)
    onAnswer(performance.now() - begun, status, request.expected)
  }
  connection.close()
}

/** Makes the requests, and uploads what they depend on: none of this is measured. */
async function prepare({ kind, port, requests, connections }: LoadOrder): Promise<LoadRequest[]> {
  if (kind === 'new') return repeat(requests, () => makeNew(signer))
  if (kind === 'ctdiag') return Array.from({ length: requests }, makeRecords)
  if (kind !== 'revised') return makeBad(signer, kind)
  const likely = await repeat(requests / 2, () => makeLikely(signer))
  const tokens = await uploadAll(likely, port, connections)
  const mixed: LoadRequest[] = []
  for (const [index, report] of likely.entries())
    mixed.push(await makeNew(signer), await report.confirm(tokens[index] ?? ''))
  return mixed
}

/** Uploads likely reports. @returns their revision tokens */
async function uploadAll(
  reports: readonly LikelyReport[],
  port: number,
  connections: number,
): Promise<string[]> {
  const tokens: string[] = []
  const left = reports.entries()
  const upload = async () => {
    const connection = openConnection(port)
    // All connections share the iterator.
    for (const [index, { request }] of left) {
      const { status, body } = await connection.send(request.bytes)
      if (status !== request.expected) throw new Error(`a likely report was answered ${status}`)
      tokens[index] = (JSON.parse(body.toString()) as { revisionToken: string }).revisionToken
    }
    connection.close()
  }
  await Promise.all(Array.from({ length: connections }, upload))
  return tokens
}

async function repeat<Value>(count: number, make: () => Promise<Value>): Promise<Value[]> {
  const values: Value[] = []
  while (values.length < count) values.push(await make())
  return values
}

/** Gives one after the other, again from the first after the last. */
function inTurn(requests: readonly LoadRequest[]): () => LoadRequest | undefined {
  let next = 0
  return () => requests[next++ % requests.length]
}
