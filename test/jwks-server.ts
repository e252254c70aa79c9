// Test helper: a web server that offers public keys as a health authority does, well or badly; promises real HTTP on this machine alone.

import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A key pair of a health authority, and its public half in each form. */
export interface OfferedKey {
  readonly kid: string
  readonly privateKey: KeyObject
  readonly pem: string
  readonly jwk: Readonly<Record<string, unknown>>
}

/** Makes a P-256 key pair. */
export function makeOfferedKey(kid: string): OfferedKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  return {
    kid,
    privateKey,
    pem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    jwk: { ...publicKey.export({ format: 'jwk' }), kid },
  }
}

/** A server; what it answers can be changed at any time. */
export interface JwksServer extends AsyncDisposable {
  readonly url: string
  /** Requests so far, by their path. */
  readonly asked: string[]
  answer(how: (response: ServerResponse, path: string) => void): void
  /** Answers with a value as JSON. */
  offer(value: unknown): void
}

/** Starts a server on a free port. */
export async function startJwksServer(): Promise<JwksServer> {
  let answer: Parameters<JwksServer['answer']>[0] = (response) => response.end('[]')
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url ?? '')
    answer(response, request.url ?? '')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/jwks`,
    asked,
    answer: (how) => (answer = how),
    offer: (value) => (answer = (response) => void response.end(JSON.stringify(value))),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
