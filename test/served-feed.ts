// Test helper: a feed behind a web server that the test fills; promises every request on record.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { followFeed, type FeedEvent, type FollowOptions } from '../src/verify/follow-feed.ts'
import { VerificationError } from '../src/verify/verification-error.ts'
import { EXPORT_START, exportKey, makeExport, makeSigner } from './export-files.ts'

export const signer = makeSigner()
export const trustedKeys = [{ publicKey: signer.publicKey, keyId: '310', keyVersion: 'v1' }]

/** A server of files that the test puts there, and what was asked for. */
export async function serve(t: TestContext, listener?: RequestListener) {
  const files = new Map<string, Uint8Array | string>()
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url ?? '')
    const body = files.get(request.url ?? '')
    if (listener !== undefined) listener(request, response)
    else response.writeHead(body === undefined ? 404 : 200).end(body)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return {
    files,
    asked,
    origin: `http://127.0.0.1:${port}`,
    index: `http://127.0.0.1:${port}/exports/us/index.txt`,
  }
}

/** The name and bytes of the hour's file with one key. */
export function hourFile(hour: number, number = hour) {
  const start = EXPORT_START + hour * 3_600
  const header = { startTimestamp: start, endTimestamp: start + 3_600 }
  const bytes = makeExport({ signers: [signer], keys: [exportKey(number)], header })
  return { name: `us/${start}-${start + 3_600}-00001.zip`, bytes }
}

export function putHours(
  files: Map<string, Uint8Array | string>,
  hours: readonly number[],
): string[] {
  const made = hours.map((hour) => hourFile(hour))
  for (const { name, bytes } of made) files.set(`/exports/${name}`, bytes)
  const names = made.map(({ name }) => name)
  files.set('/exports/us/index.txt', names.join('\n'))
  return names
}

export async function follow(options: Omit<FollowOptions, 'trustedKeys'> & Partial<FollowOptions>) {
  const events: FeedEvent[] = []
  for await (const event of followFeed({ trustedKeys, ...options })) events.push(event)
  const last = events.at(-1)
  assert.equal(last?.type, 'state')
  return {
    events,
    state: last?.type === 'state' ? last.state : assert.fail(),
    numbers: events.flatMap((event) => (event.type === 'key' ? [numberOf(event.key.keyData)] : [])),
    refused: events.flatMap((event) =>
      event.type === 'refused' ? [[event.file, event.error.code]] : [],
    ),
  }
}

export const numberOf = (keyData: Uint8Array) => Buffer.from(keyData).readUInt32BE()

export async function failsWith(options: Parameters<typeof follow>[0], code: string) {
  await assert.rejects(
    follow(options),
    (error: unknown) => error instanceof VerificationError && error.code === code,
    code,
  )
}
