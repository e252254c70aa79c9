// Bench: the requests that a crowd sends, good and bad, each with the status it should get; promises that no two good ones are the same.

import { generateKeyPairSync } from 'node:crypto'
import { MAX_BODY_BYTES } from '../src/submit/parse-publish.ts'
import { record, startOf } from '../test/ctdiag-uploader.ts'
import { makeKeys, makeRequest, type TestAuthority, type TestKey } from '../test/key-zone.ts'

/** What can be asked for: new reports, uploads of ct-diag-server's form, confirmations of likely ones, and what must be refused. */
export type RequestKind = 'new' | 'ctdiag' | 'revised' | 'malformed' | 'oversized' | 'bad-signature'

/** A request as it is sent. */
export interface LoadRequest {
  readonly bytes: Buffer
  /** The status that it should get. */
  readonly expected: number
}

/** A likely report, and how it is confirmed. */
export interface LikelyReport {
  readonly request: LoadRequest
  /** @param revisionToken of the reply to the likely report */
  confirm(revisionToken: string): Promise<LoadRequest>
}

const KEYS_A_REQUEST = 14
// A refusal leaves nothing behind by which a second one could be told from the first, so that a few requests are enough.
const DIFFERENT_BAD_REQUESTS = 120

/** A valid submission that nobody sent before. */
export async function makeNew(signer: TestAuthority): Promise<LoadRequest> {
  return accepted(await makeFields(signer))
}

/** An upload of ct-diag-server's form that nobody sent before, without a proof. */
export function makeRecords(): LoadRequest {
  const now = new Date()
  const body = Buffer.concat(
    Array.from({ length: KEYS_A_REQUEST }, (_, index) => record(startOf(now, index + 1))),
  )
  const head = `POST /diagnosis-keys HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${body.length}\r\n\r\n`
  return { bytes: Buffer.concat([Buffer.from(head), body]), expected: 200 }
}

/** A report that isn't confirmed yet. */
export async function makeLikely(signer: TestAuthority): Promise<LikelyReport> {
  const keys = makeKeys(new Date(), KEYS_A_REQUEST)
  return {
    request: accepted(await makeFields(signer, { reportType: 'likely' }, keys)),
    confirm: async (revisionToken) =>
      accepted(await makeFields(signer, { fields: { revisionToken } }, keys)),
  }
}

/** Requests of one kind that are refused, every way of being so in turn. */
export async function makeBad(
  signer: TestAuthority,
  kind: Exclude<RequestKind, 'new' | 'ctdiag' | 'revised'>,
): Promise<LoadRequest[]> {
  const ways = BAD_REQUESTS[kind]
  const requests: LoadRequest[] = []
  while (requests.length < DIFFERENT_BAD_REQUESTS)
    for (const way of ways) requests.push(await way(signer))
  return requests
}

type MakeBad = (signer: TestAuthority) => Promise<LoadRequest>

const otherKey = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey

const BAD_REQUESTS: Readonly<
  Record<Exclude<RequestKind, 'new' | 'ctdiag' | 'revised'>, readonly MakeBad[]>
> = {
  malformed: [
    // Everything is there but the last bracket; an unknown field comes last; the last key's period is a text.
    async (signer) => refused(400, JSON.stringify(await makeFields(signer)).slice(0, -1)),
    async (signer) => refused(400, await makeFields(signer, { fields: { unknown: true } })),
    async (signer) => {
      const keys: unknown[] = makeKeys(new Date(), KEYS_A_REQUEST)
      const last = { ...(keys.pop() as TestKey), rollingPeriod: '144' }
      const fields = { temporaryExposureKeys: [...keys, last] }
      return refused(400, await makeFields(signer, { fields }))
    },
  ],
  oversized: [
    async (signer) => refused(413, await makeOversized(signer)),
    async (signer) => ({ bytes: encodeChunked(await makeOversized(signer)), expected: 413 }),
  ],
  'bad-signature': [
    async (signer) => refused(401, await makeFields(signer, { privateKey: otherKey })),
  ],
}

type RequestOptions = NonNullable<Parameters<typeof makeRequest>[3]>

function makeFields(
  signer: TestAuthority,
  options: RequestOptions = {},
  keys?: readonly TestKey[],
): Promise<Record<string, unknown>> {
  const now = new Date()
  return makeRequest(signer, keys ?? makeKeys(now, KEYS_A_REQUEST), now, options)
}

/** Valid in everything but its length, which is just beyond what is read. */
function makeOversized(signer: TestAuthority): Promise<Record<string, unknown>> {
  return makeFields(signer, { fields: { padding: 'A'.repeat(MAX_BODY_BYTES) } })
}

function accepted(body: unknown): LoadRequest {
  return { bytes: encodeWhole(JSON.stringify(body)), expected: 200 }
}

function refused(expected: number, body: unknown): LoadRequest {
  return {
    bytes: encodeWhole(typeof body === 'string' ? body : JSON.stringify(body)),
    expected,
  }
}

const HEAD = 'POST /v1/publish HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n'

function encodeWhole(body: string): Buffer {
  return Buffer.from(`${HEAD}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
}

/** As a client sends what it doesn't know the length of. */
function encodeChunked(body: unknown): Buffer {
  const text = JSON.stringify(body)
  const chunks = text.match(/[^]{1,16000}/g) ?? []
  const encoded = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('')
  return Buffer.from(`${HEAD}Transfer-Encoding: chunked\r\n\r\n${encoded}0\r\n\r\n`)
}
