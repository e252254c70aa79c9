// Bench: a phone crowd in a process of its own; promises requests made beforehand, so that only sending and reading is measured.

import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { createPrivateKey } from 'node:crypto'
import { makeKeys, makeRequest, type TestAuthority } from '../test/key-zone.ts'

/** What the parent asks for. */
export interface LoadOrder {
  readonly port: number
  readonly connections: number
  readonly seconds: number
  /** Requests to have ready; the run ends when they are used up. */
  readonly requests: number
  /** Requests a second, or as fast as they are answered. */
  readonly rate?: number
}

/** What came of it. */
export interface LoadResult {
  readonly answered: number
  readonly failed: number
  readonly seconds: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
}

const KEYS_A_REQUEST = 14

const authority = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as TestAuthority & {
  privatePem: string
}
const signer: TestAuthority = { ...authority, privateKey: createPrivateKey(authority.privatePem) }

process.on('message', (order: LoadOrder) => {
  void run(order).then((result) => process.send?.(result))
})

async function run(order: LoadOrder): Promise<LoadResult> {
  const requests: Buffer[] = []
  for (let index = 0; index < order.requests; index++)
    requests.push(await encodeRequest(order.port))
  const latencies: number[] = []
  let failed = 0
  let next = 0
  const start = performance.now()
  const deadline = start + order.seconds * 1000
  const take = () => (performance.now() < deadline ? requests[next++] : undefined)
  const onAnswer = (milliseconds: number, ok: boolean) => {
    latencies.push(milliseconds)
    if (!ok) failed++
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
  return { answered: latencies.length, failed, seconds, p50: quantile(0.5), p99: quantile(0.99) }
}

/** One connection: a request, its answer, the next; or, with a gap, one at each moment of its schedule. */
async function drive(
  port: number,
  take: () => Buffer | undefined,
  onAnswer: (milliseconds: number, ok: boolean) => void,
  gap: number,
  offset: number,
): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const answers = readAnswers(socket)
  let planned = performance.now() + offset
  for (;;) {
    if (gap > 0) {
      const wait = planned - performance.now()
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
    }
    const request = take()
    if (request === undefined) break
    // With a schedule, waiting for one's turn counts: else a slow server would be asked less and look fast.
    const begun = gap > 0 ? planned : performance.now()
    planned += gap
    socket.write(request)
    const status = await answers.next()
    onAnswer(performance.now() - begun, status === 200)
  }
  socket.destroy()
}

/** The statuses of the answers on a socket, one by one. */
function readAnswers(socket: Socket): { next(): Promise<number> } {
  let buffered = Buffer.alloc(0)
  let waiting: ((status: number) => void) | undefined
  socket.on('data', (chunk) => {
    buffered = buffered.length === 0 ? chunk : Buffer.concat([buffered, chunk])
    const end = buffered.indexOf('\r\n\r\n')
    if (end < 0) return
    const head = buffered.toString('latin1', 0, end)
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
    if (buffered.length < end + 4 + length) return
    buffered = buffered.subarray(end + 4 + length)
    waiting?.(Number(head.slice(9, 12)))
  })
  socket.on('error', () => waiting?.(0))
  socket.on('close', () => waiting?.(0))
  return { next: () => new Promise((resolve) => (waiting = resolve)) }
}

async function encodeRequest(port: number): Promise<Buffer> {
  const now = new Date()
  const body = JSON.stringify(await makeRequest(signer, makeKeys(now, KEYS_A_REQUEST), now))
  return Buffer.from(
    `POST /v1/publish HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}
