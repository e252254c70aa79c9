// Test: what comes over a connection and is no proper request: answered in our shape, in its turn, and nothing of it is left.

import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import type { TocsinError } from '../src/errors.ts'
import { buildApp, type AppOptions } from '../src/http/app.ts'
import { createRefusals } from '../src/http/request-faults.ts'
import type { Route } from '../src/http/route.ts'
import { createLogger } from '../src/operate/logger.ts'

const SHAPE = { operationId: 'any', summary: 'Any', tag: 'key zone', replies: {} } as const

/** A server with an address that takes bodies, and one whose answers wait to be let go. */
async function start(t: TestContext, options: AppOptions = {}) {
  const gate = new EventEmitter()
  const routes: Route[] = [
    {
      ...SHAPE,
      methods: ['POST'],
      url: '/take',
      takesAnyType: true,
      handle: ({ body }) => Promise.resolve({ status: 200, body: `took ${body.length}` }),
    },
    {
      ...SHAPE,
      methods: ['GET'],
      url: '/wait',
      async handle() {
        const open = once(gate, 'open')
        gate.emit('asked')
        await open
        return { status: 200, body: 'waited' }
      },
    },
  ]
  const app = await buildApp(routes, 'test', createLogger('silent'), options)
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.after(() => app.close())
  const sockets: Socket[] = []
  app.server.on('connection', (socket) => sockets.push(socket))
  const { port } = app.server.address() as AddressInfo
  return { gate, sockets, port }
}

/** Sends a text and then a FIN, and gives all that is answered until the server closes. */
async function send(port: number, text: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.end(text)
  return readAll(socket)
}

async function readAll(socket: Socket): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('latin1')
}

const post = (...lines: string[]) => ['POST /take HTTP/1.1', 'Host: x', ...lines].join('\r\n')
const UNFINISHED = post('Content-Length: 420', '', 'x'.repeat(21))
const TWO_LENGTHS = post('Content-Length: 5', 'Transfer-Encoding: chunked', '', '0\r\n\r\n')
const WHOLE = post('Content-Length: 21', '', 'x'.repeat(21))
const WAITING = 'GET /wait HTTP/1.1\r\nHost: x\r\n\r\n'
const OTHER_METHOD = 'FOO /take HTTP/1.1\r\nHost: x\r\n\r\n'

/** The replies on a connection, each with the length that it says. */
function repliesIn(text: string) {
  const replies: { status: number; head: string; body: string }[] = []
  for (let rest = text; rest !== '';) {
    const end = rest.indexOf('\r\n\r\n') + 4
    const head = rest.slice(0, end).toLowerCase()
    const length = Number(/content-length: (\d+)/.exec(head)?.[1])
    replies.push({ status: Number(head.slice(9, 12)), head, body: rest.slice(end, end + length) })
    rest = rest.slice(end + length)
  }
  return replies
}

test('what is no proper request is refused in our shape, and its connection closed', async (t) => {
  const { port, sockets } = await start(t, { demo: true })
  const headers = `X: ${'x'.repeat(70_000)}`
  for (const [text, status, code] of [
    [UNFINISHED, 400, 'bad_request'],
    [post('Transfer-Encoding: chunked', '', '5\r\nab'), 400, 'bad_request'],
    [post('Transfer-Encoding: chunked', '', 'zz\r\nab'), 400, 'bad_request'],
    [TWO_LENGTHS, 400, 'bad_request'],
    ['POST /take HT', 400, 'bad_request'],
    ['\x16\x03\x01 no TLS here', 400, 'bad_request'],
    [OTHER_METHOD, 405, 'method_not_allowed'],
    [post(headers, '', ''), 431, 'request_headers_too_large'],
  ] as const) {
    const [reply, ...others] = repliesIn(await send(port, text))
    const name = text.slice(0, 80)
    assert.deepEqual([reply?.status, others], [status, []], name)
    const { error, ...rest } = JSON.parse(reply?.body ?? '') as { error: string; code: string }
    assert.deepEqual([typeof error, rest], ['string', { code }], name)
    assert.match(reply?.head ?? '', /\r\ncontent-type: application\/json\r\n/, name)
    assert.match(reply?.head ?? '', /\r\nconnection: close\r\n/, name)
    assert.match(reply?.head ?? '', /\r\ntocsin-demo: true\r\n/, name)
    assert.equal(/\r\nallow: get, post\r\n/.test(reply?.head ?? ''), status === 405, name)
  }
  assert.ok(sockets.every(({ destroyed }) => destroyed))
})

test('a request that takes too long to come is told so', () => {
  const counts: unknown[] = []
  const { bytes } = createRefusals(
    {
      headers: {},
      count: (route, { status }) => counts.push([route, status]),
      refuse: (_, error) => ({ status: (error as TocsinError).status, json: {} }),
      isClosing: () => false,
      now: () => new Date(0),
    },
    [],
  )
  const late = Object.assign(new Error('late'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' })
  assert.match(
    Buffer.from(bytes(late)).toString(),
    /^HTTP\/1\.1 408 Request Timeout\r\n[^]*date: Thu, 01 Jan 1970 00:00:00 GMT\r\n[^]*\r\n\{\}$/,
  )
  assert.deepEqual(counts, [[undefined, 408]])
})

test('a refusal waits for the answers before it', async (t) => {
  for (const broken of [OTHER_METHOD, TWO_LENGTHS]) {
    const { port, gate, sockets } = await start(t)
    const asked = once(gate, 'asked')
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    socket.write(WHOLE + WAITING + broken)
    await asked
    const listeners = sockets[0]?.eventNames().map((name) => sockets[0]?.listenerCount(name))
    // More of it is as broken, and is said once.
    for (let index = 0; index < 20; index++) {
      socket.write('more\r\n')
      await new Promise(setImmediate)
    }
    const after = sockets[0]?.eventNames().map((name) => sockets[0]?.listenerCount(name))
    assert.ok(Math.max(...(after as number[])) <= Math.max(...(listeners as number[])) + 1)
    gate.emit('open')
    const replies = repliesIn(await readAll(socket)).map(({ status, body }) => [status, body[0]])
    const status = broken === OTHER_METHOD ? 405 : 400
    assert.deepEqual(replies, [
      [200, 't'],
      [200, 'w'],
      [status, '{'],
    ])
    await (sockets[0]?.destroyed === true ? undefined : once(sockets[0] as Socket, 'close'))
  }
})
