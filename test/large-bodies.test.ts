// Test: bodies beyond the limit; promises a refusal over a connection that stays, and an end to one that goes on and on.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test, type TestContext } from 'node:test'
import { buildApp } from '../src/http/app.ts'
import type { Route } from '../src/http/route.ts'
import { createLogger } from '../src/operate/logger.ts'

const LIMIT = 1_000
const HEAD = 'POST /length HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n'

const announced = (length: number) =>
  `${HEAD}Content-Length: ${length}\r\n\r\n${'a'.repeat(length)}`
const chunk = (length: number) => `${length.toString(16)}\r\n${'a'.repeat(length)}\r\n`
const inChunks = (...lengths: number[]) =>
  `${HEAD}Transfer-Encoding: chunked\r\n\r\n${lengths.map(chunk).join('')}0\r\n\r\n`

/** A server with one address that tells how long a body was, and a connection to it. */
async function connectTo(t: TestContext) {
  const route: Route = {
    methods: ['POST'],
    url: '/length',
    operationId: 'length',
    summary: 'The length of a body',
    tag: 'operate',
    bodyLimit: LIMIT,
    replies: {},
    handle: (request) => Promise.resolve({ status: 200, json: request.body.length }),
  }
  const app = await buildApp([route], 'test', createLogger('error'))
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as { port: number }
  const socket = connect(port, '127.0.0.1').setEncoding('latin1')
  t.after(async () => {
    socket.destroy()
    await app.close()
  })
  let received = ''
  socket.on('data', (text: string) => (received += text)).on('error', () => undefined)
  return {
    socket,
    /** Waits until answers have come. @returns their statuses and whether the connection is said to end */
    async answers(count: number) {
      while ((received.match(/HTTP\/1\.1/g) ?? []).length < count) await once(socket, 'data')
      const found = [...received.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => Number(match[1]))
      return { statuses: found, closes: /connection: close/i.test(received) }
    },
  }
}

test('a body beyond the limit is refused, and the connection serves what follows', async (t) => {
  const { socket, answers } = await connectTo(t)
  const requests = [
    announced(LIMIT),
    announced(LIMIT + 1),
    announced(4 * LIMIT),
    inChunks(LIMIT / 2, LIMIT / 2),
    inChunks(LIMIT, 1),
    inChunks(2 * LIMIT, 2 * LIMIT),
    announced(1),
  ]
  for (const [index, request] of requests.entries()) {
    socket.write(request)
    await answers(index + 1)
  }
  assert.deepEqual(await answers(requests.length), {
    statuses: [200, 413, 413, 200, 413, 413, 200],
    closes: false,
  })
})

for (const [what, request] of [
  ['announced', `${HEAD}Content-Length: ${4 * LIMIT + 1}\r\n\r\n`],
  ['in chunks', `${HEAD}Transfer-Encoding: chunked\r\n\r\n${chunk(LIMIT).repeat(5)}`],
] as const)
  test(`a body of more than four times the limit, ${what}, costs the connection`, async (t) => {
    const { socket, answers } = await connectTo(t)
    const ended = once(socket, 'close')
    socket.write(request)
    assert.deepEqual(await answers(1), { statuses: [413], closes: true })
    await ended
  })
