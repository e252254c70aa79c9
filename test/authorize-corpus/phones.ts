// Test helper: a gateway that takes texts for phones, and the phones that get them; promises each phone its own number.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** The phones. */
export interface Phones extends AsyncDisposable {
  /** Of the gateway. */
  readonly url: string
  /** A number that nobody had before. */
  newNumber(): string
  /** Makes the gateway answer so. */
  answerWith(status: number): void
  /** The code in the newest text to a phone; empty when there is none. */
  codeOf(phone: string): string
}

/** Starts the gateway. */
export async function startPhones(): Promise<Phones> {
  const texts = new Map<string, string>()
  let answer = 200
  const server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const { to, text } = JSON.parse(Buffer.concat(pieces).toString()) as {
        to: string
        text: string
      }
      if (answer === 200) texts.set(to, text)
      response.writeHead(answer).end('{}')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  let numbers = 0
  return {
    url: `http://127.0.0.1:${port}/texts`,
    newNumber: () => `+1202${String(5_550_000 + numbers++)}`,
    answerWith: (status) => (answer = status),
    codeOf: (phone) => /\d{8}/.exec(texts.get(phone) ?? '')?.[0] ?? '',
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
