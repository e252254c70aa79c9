// Bench: phones that swap codes for certificates, in a process of their own; promises that every reply is looked at.

import { createHmac, randomBytes } from 'node:crypto'
import { openConnection, type Connection } from './load-connection.ts'

/** What the parent asks for. */
export interface PhonesOrder {
  readonly port: number
  readonly apiKey: string
  /** One for each phone; the run ends when they are used up, or the time is over. */
  readonly codes: readonly string[]
  readonly connections: number
  readonly seconds: number
}

/** What came of it. */
export interface PhonesResult {
  /** Phones that have their certificate. */
  readonly pairs: number
  /** Those that were answered anything else. */
  readonly failed: number
  readonly seconds: number
  /** Of the bodies of all replies, on average. */
  readonly replyBytes: number
  /** Milliseconds that a phone waited for both answers together. */
  readonly p50: number
  readonly p99: number
}

// As phones pad what they send.
const PADDING = randomBytes(1_024).toString('base64')
const ACCEPT = ['confirmed', 'likely', 'negative']
const JWT = /^[\w-]{20,}\.[\w-]{20,}\.[\w-]{86}$/

process.on('message', (order: PhonesOrder) => {
  void run(order).then((result) => process.send?.(result))
})

async function run({ port, apiKey, codes, connections, seconds }: PhonesOrder) {
  const phones = codes.map((code, index) => preparePhone(code, index, apiKey)).values()
  const latencies: number[] = []
  let failed = 0
  let replyBytes = 0
  const start = performance.now()
  const deadline = start + seconds * 1000
  const drive = async () => {
    const connection = openConnection(port)
    // All connections share the iterator.
    for (const phone of phones) {
      const begun = performance.now()
      if (begun >= deadline) break
      const bytes = await getCertificate(phone, connection)
      if (bytes === undefined) failed++
      else {
        replyBytes += bytes
        latencies.push(performance.now() - begun)
      }
    }
    connection.close()
  }
  await Promise.all(Array.from({ length: connections }, drive))
  const elapsed = (performance.now() - start) / 1000
  latencies.sort((a, b) => a - b)
  const quantile = (q: number) =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * q))] ?? NaN
  return {
    pairs: latencies.length,
    failed,
    seconds: elapsed,
    replyBytes: replyBytes / (2 * latencies.length),
    p50: quantile(0.5),
    p99: quantile(0.99),
  } satisfies PhonesResult
}

/** What a phone sends, made beforehand as far as it is known. */
interface Phone {
  readonly verify: Buffer
  readonly certificate: { readonly head: string; readonly rest: string }
}

function preparePhone(code: string, index: number, apiKey: string): Phone {
  // Each in a network of its own: behind one address they would be slowed, as somebody who guesses.
  const address = `${10 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}.1`
  const headOf = (path: string) =>
    `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-For: ${address}\r\nX-API-Key: ${apiKey}\r\n` +
    `User-Agent: okhttp/4.9.2\r\nContent-Type: application/json\r\nContent-Length: `
  const body = JSON.stringify({ code, accept: ACCEPT, padding: PADDING })
  const ekeyhmac = createHmac('sha256', String(index)).update(code).digest('base64')
  return {
    verify: Buffer.from(`${headOf('/api/verify')}${body.length}\r\n\r\n${body}`),
    certificate: {
      head: headOf('/api/certificate'),
      rest: `","ekeyhmac":"${ekeyhmac}","padding":"${PADDING}"}`,
    },
  }
}

/** @returns bytes of the two replies together; undefined when one of them was not what it should be */
async function getCertificate(
  { verify, certificate: { head, rest } }: Phone,
  connection: Connection,
): Promise<number | undefined> {
  const verified = await connection.send(verify)
  const token = readJwt(verified, 'token')
  if (token === undefined) return undefined
  const body = `{"token":"${token}${rest}`
  const certified = await connection.send(Buffer.from(`${head}${body.length}\r\n\r\n${body}`))
  if (readJwt(certified, 'certificate') === undefined) return undefined
  return verified.body.length + certified.body.length
}

function readJwt(
  { status, body }: Awaited<ReturnType<Connection['send']>>,
  name: string,
): string | undefined {
  if (status !== 200) return undefined
  const value = (JSON.parse(body.toString()) as Record<string, unknown>)[name]
  return typeof value === 'string' && JWT.test(value) ? value : undefined
}
