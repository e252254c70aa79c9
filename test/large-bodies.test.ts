// Test: bodies beyond the limit; promises a refusal over a connection that stays, and an end to one that goes on and on.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { buildApp, type AppOptions } from '../src/http/app.ts'
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
  const { connectOnce } = await serve(t, (request) =>
    Promise.resolve({ status: 200, json: request.body.length }),
  )
  return connectOnce()
}

/** A server with one address. */
async function serve(
  t: TestContext,
  handle: Route['handle'],
  bodyLimit = LIMIT,
  options: AppOptions = {},
) {
  const route: Route = {
    methods: ['POST'],
    url: '/length',
    operationId: 'length',
    summary: 'The length of a body',
    tag: 'operate',
    bodyLimit,
    replies: {},
    handle,
  }
  const app = await buildApp([route], 'test', createLogger('error'), options)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as { port: number }
  const sockets: Socket[] = []
  t.after(async () => {
    for (const socket of sockets) socket.destroy()
    await app.close()
  })
  return {
    port,
    connectOnce() {
      const socket = connect(port, '127.0.0.1').setEncoding('latin1')
      sockets.push(socket)
      return follow(socket)
    },
  }
}

/** Gathers what comes. */
function follow(socket: Socket) {
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

test('what bodies lay in is collected every 4 MiB of them, refused ones included', async (t) => {
  const limit = 60_000
  const { connectOnce } = await serve(t, () => Promise.resolve({ status: 200, json: 1 }), limit)
  const { socket, answers } = connectOnce()
  const collected: unknown[] = []
  const value = (options: unknown) => void collected.push(options)
  Object.defineProperty(globalThis, 'gc', { value, configurable: true })
  t.after(() => Reflect.deleteProperty(globalThis, 'gc'))
  const bodies = [
    announced(limit),
    announced(limit + 1),
    inChunks(limit - 1),
    inChunks(limit, limit),
  ]
  const bytes = 5 * limit
  let sent = 0
  for (const _ of Array(Math.ceil((9 << 20) / bytes)))
    for (const body of bodies) {
      socket.write(body)
      await answers(++sent)
    }
  assert.deepEqual(
    collected,
    Array.from({ length: 2 }, () => ({ type: 'minor', execution: 'sync' })),
  )
})

test('a body in pieces of a byte each takes no more room than its limit', async (t) => {
  const { socket, answers } = await connectTo(t)
  const before = process.memoryUsage().arrayBuffers
  socket.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n${chunk(1).repeat(LIMIT - 1)}`)
  await setTimeout(300)
  const grown = process.memoryUsage().arrayBuffers - before
  socket.write(`${chunk(1)}0\r\n\r\n`)
  assert.deepEqual(await answers(1), { statuses: [200], closes: false })
  assert.ok(grown < 100_000, `${grown} bytes`)
})

test('more unanswered requests than fit into memory get a bare 503', async (t) => {
  const held = Promise.withResolvers<void>()
  const { port, connectOnce } = await serve(t, async () => {
    await held.promise
    return { status: 200, json: 1 }
  })
  assert.ok(port > 0)
  const sockets = Array.from({ length: 260 }, () => connectOnce())
  const request = `${HEAD}Content-Length: 0\r\n\r\n`
  for (const { socket } of sockets) socket.write(request.repeat(8))
  await setTimeout(1_000)
  // The first request of a connection is taken all the same.
  const first = connectOnce()
  first.socket.write(request)
  await setTimeout(200)
  held.resolve()
  assert.deepEqual(await first.answers(1), { statuses: [200], closes: false })
  await setTimeout(1_000)
  const all = await Promise.all(sockets.map((each) => each.answers(1)))
  const refused = all.filter(({ statuses }) => statuses.includes(503))
  assert.ok(refused.length >= 10 && refused.every(({ closes }) => closes), String(refused.length))
  // With those answered, it serves as before.
  const { socket, answers } = connectOnce()
  socket.write(request)
  assert.deepEqual(await answers(1), { statuses: [200], closes: false })
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

test('those who send large bodies slowly find no room at some point, and leave it when they go', async (t) => {
  const limit = 3_000_000
  // Less than a server has: on a machine that is short of memory all of that takes longer than a request may.
  const roomForLarge = 32 << 20
  const taken = Math.floor(roomForLarge / limit)
  const { port, connectOnce } = await serve(
    t,
    (request) => Promise.resolve({ status: 200, json: request.body.length }),
    limit,
    { roomForLarge },
  )
  const slow = Array.from({ length: taken }, () => connect(port, '127.0.0.1'))
  await Promise.all(slow.map((socket) => once(socket, 'connect')))
  for (const socket of slow) socket.write(`${HEAD}Content-Length: ${limit}\r\n\r\naaaa`)
  await setTimeout(300)
  // Who announces much and sends little keeps nobody out.
  const early = connectOnce()
  early.socket.write(announced(limit))
  assert.deepEqual((await early.answers(1)).statuses, [200])
  const most = Buffer.alloc(limit - 5, 'a')
  await Promise.all(slow.map((socket) => new Promise((sent) => socket.write(most, sent))))
  await setTimeout(500)
  const late = connectOnce()
  late.socket.write(announced(limit))
  assert.deepEqual((await late.answers(1)).statuses, [503])
  slow[0]?.destroy()
  await setTimeout(300)
  const next = connectOnce()
  next.socket.write(announced(limit))
  assert.deepEqual((await next.answers(1)).statuses, [200])
  for (const socket of slow) socket.destroy()
})
