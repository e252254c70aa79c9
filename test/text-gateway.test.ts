// Test: text messages handed to a real HTTP server that behaves well and badly, and what an error tells of them.

import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { TocsinError, type ErrorCode } from '../src/errors.ts'
import {
  createHttpGateway,
  createNoSender,
  GATEWAY_TIMES,
  type GatewayTimes,
  type TextMessage,
} from '../src/authorize/text-gateway.ts'

const SECRET = 'a secret of the gateway, ä'
const MESSAGE: TextMessage = {
  to: '+15550123456',
  text: 'Your code: 98765432 “now” 🔔',
  reference: '6f4a2c8e-2b0d-4c39-9a7e-0d5b1c2e3f40',
}
/** Nothing of these may be in an error; the number and the code in no form. */
const SECRETS = ['5550123456', '98765432', 'Your code', SECRET]

const FAST: GatewayTimes = { attemptMs: 200, totalMs: 400, restMs: 5 }
const never = new AbortController().signal

interface Received {
  readonly path: string
  readonly method: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

type Answer = (response: ServerResponse, received: Received) => void

interface Gateway extends AsyncDisposable {
  readonly url: string
  readonly received: Received[]
  /** Connections that were opened. */
  readonly connections: () => number
}

const status =
  (code: number, body = ''): Answer =>
  (response) =>
    void response.writeHead(code).end(body)

/** A gateway that gives these answers in turn, and the last one for ever. */
async function startGateway(...answers: readonly Answer[]): Promise<Gateway> {
  const received: Received[] = []
  let connections = 0
  const server = createServer((request, response) => {
    void readAll(request).then((body) => {
      const { url: path = '', method = '', headers } = request
      received.push({ path, method, headers, body })
      const answer = answers[Math.min(received.length, answers.length) - 1]
      answer?.(response, { path, method, headers, body })
    })
  })
  server.on('connection', () => connections++)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/texts`,
    received,
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function readAll(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece as Buffer)
  return Buffer.concat(pieces).toString()
}

let seconds = 1_790_000_000
const clock = { now: () => new Date(seconds++ * 1000 + 999) }

const senderTo = (url: string, times: GatewayTimes) =>
  createHttpGateway({ url, secret: SECRET, clock, times })

async function assertRefused(sending: Promise<void>, code: ErrorCode, sentence: RegExp) {
  await assert.rejects(sending, (error) => {
    assert.ok(error instanceof TocsinError)
    assert.equal(error.code, code)
    assert.equal(error.status, 400)
    assert.match(error.message, sentence)
    assert.equal(error.cause, undefined)
    const told = [error.message, error.stack, inspect(error, { depth: 9, showHidden: true })]
    for (const secret of SECRETS) assert.ok(!told.join('\n').includes(secret), secret)
    return true
  })
}

test('a message is handed over once, as documented, and signed with the time', async () => {
  await using gateway = await startGateway(status(200, '{"anything":1}'))
  await senderTo(gateway.url, GATEWAY_TIMES).send(MESSAGE, never)
  assert.equal(gateway.received.length, 1)
  const [{ path, method, headers, body }] = gateway.received as [Received]
  assert.deepEqual([method, path], ['POST', '/texts'])
  assert.equal(headers['content-type'], 'application/json')
  assert.equal(
    body,
    `{"to":"${MESSAGE.to}","text":"${MESSAGE.text}","reference":"${MESSAGE.reference}","version":1}`,
  )
  const timestamp = headers['x-timestamp'] as string
  assert.equal(timestamp, String(seconds - 1))
  const signature = createHmac('sha512', Buffer.from(SECRET, 'utf8'))
    .update(Buffer.from(`${timestamp}.${body}`, 'utf8'))
    .digest('hex')
  assert.equal(headers['x-signature'], signature)
})

test('any 2xx takes it', async () => {
  for (const code of [200, 201, 202, 204]) {
    await using gateway = await startGateway(status(code))
    await senderTo(gateway.url, FAST).send(MESSAGE, never)
    assert.equal(gateway.received.length, 1)
  }
})

test('an attempt that failed is repeated with the same reference and a signature of its own', async () => {
  const broken: Answer = (response) => void response.destroy()
  await using gateway = await startGateway(status(500), status(429), broken, status(200))
  await senderTo(gateway.url, { ...GATEWAY_TIMES, restMs: 5 }).send(MESSAGE, never)
  assert.equal(gateway.received.length, 4)
  assert.equal(new Set(gateway.received.map(({ body }) => body)).size, 1)
  assert.equal(new Set(gateway.received.map(({ headers }) => headers['x-timestamp'])).size, 4)
  assert.equal(new Set(gateway.received.map(({ headers }) => headers['x-signature'])).size, 4)
})

test('it is repeated three times at the most', async () => {
  await using failing = await startGateway(status(503, MESSAGE.to))
  await assertRefused(senderTo(failing.url, FAST).send(MESSAGE, never), 'sms_failure', /status 503/)
  assert.equal(failing.received.length, 4)
  await using full = await startGateway(status(500), status(429, MESSAGE.to))
  await assertRefused(senderTo(full.url, FAST).send(MESSAGE, never), 'sms_queue_full', /too many/)
  assert.equal(full.received.length, 4)
})

test('a refusal is not repeated', async () => {
  for (const code of [400, 401, 404, 410]) {
    await using gateway = await startGateway(status(code, MESSAGE.to), status(200))
    const sending = senderTo(gateway.url, FAST).send(MESSAGE, never)
    await assertRefused(sending, 'sms_failure', new RegExp(`status ${code}`))
    assert.equal(gateway.received.length, 1)
  }
})

test('no redirect is followed', async () => {
  for (const code of [301, 302, 303, 307, 308]) {
    await using other = await startGateway(status(200))
    const redirect: Answer = (response) =>
      void response.writeHead(code, { location: `${other.url}?to=${MESSAGE.to}` }).end()
    await using gateway = await startGateway(redirect)
    const sending = senderTo(gateway.url, FAST).send(MESSAGE, never)
    await assertRefused(sending, 'sms_failure', new RegExp(`status ${code}`))
    assert.deepEqual([gateway.received.length, other.received.length], [1, 0])
  }
})

test('a gateway that does not answer is waited for no longer than was said', async () => {
  await using gateway = await startGateway(() => {})
  const start = performance.now()
  await assertRefused(senderTo(gateway.url, FAST).send(MESSAGE, never), 'sms_failure', /in time/)
  const took = performance.now() - start
  assert.ok(took > FAST.totalMs - 50 && took < FAST.totalMs + 1500, `${took} ms`)
  assert.equal(gateway.received.length, 2)
})

test('one answer that never comes does not cost the message', async () => {
  await using gateway = await startGateway(() => {}, status(200))
  await senderTo(gateway.url, { ...FAST, totalMs: 5000 }).send(MESSAGE, never)
  assert.equal(gateway.received.length, 2)
})

test('of a huge answer little is read, and the message is not sent again', async () => {
  let written = 0
  const cut = Promise.withResolvers<void>()
  const huge: Answer = (response) => {
    response.writeHead(200)
    response.on('close', () => cut.resolve())
    const piece = 'x'.repeat(65_536)
    const write = () => {
      if ((written += piece.length) < 1e9) response.write(piece)
    }
    response.on('drain', write)
    write()
  }
  await using gateway = await startGateway(huge)
  await senderTo(gateway.url, GATEWAY_TIMES).send(MESSAGE, never)
  await cut.promise
  assert.ok(written < 50e6, `${written} bytes`)
  assert.equal(gateway.received.length, 1)
})

test('a message that was taken is not sent again for an answer that breaks off or never ends', async () => {
  const begin: Answer = (response) => {
    response.writeHead(200, { 'content-length': '100' })
    response.write('{')
  }
  const broken: Answer = (response, received) => {
    begin(response, received)
    setTimeout(() => response.destroy(), 20)
  }
  for (const answer of [begin, broken]) {
    await using gateway = await startGateway(answer)
    await senderTo(gateway.url, FAST).send(MESSAGE, never)
    assert.equal(gateway.received.length, 1)
  }
})

test('connections are used again', async () => {
  await using gateway = await startGateway(status(200, 'x'.repeat(1000)))
  const sender = senderTo(gateway.url, FAST)
  for (let count = 0; count < 5; count++) await sender.send(MESSAGE, never)
  // The first may not be free yet when the second message leaves.
  assert.equal(gateway.received.length, 5)
  assert.ok(gateway.connections() <= 2)
})

test('a gateway that is not there is told so, without its address', async () => {
  const gateway = await startGateway(status(200))
  await gateway[Symbol.asyncDispose]()
  const { url } = gateway
  const sending = senderTo(`${url}?${MESSAGE.to}`, FAST).send(MESSAGE, never)
  await assertRefused(sending, 'sms_failure', /can not be reached\.$/)
  const wrong = `http://user:${MESSAGE.to}@127.0.0.1/`
  await assertRefused(senderTo(wrong, FAST).send(MESSAGE, never), 'sms_failure', /reached\.$/)
})

test('the caller can end it', async () => {
  await using gateway = await startGateway(() => {})
  const stop = new AbortController()
  const sending = senderTo(gateway.url, GATEWAY_TIMES).send(MESSAGE, stop.signal)
  setTimeout(() => stop.abort(new Error('stopped')), 20)
  await assert.rejects(sending, /^Error: stopped$/)
  await assert.rejects(senderTo(gateway.url, FAST).send(MESSAGE, stop.signal), /stopped/)
  assert.equal(gateway.received.length, 1)
})

test('where nothing is sent, that is what is said', async () => {
  await assert.rejects(createNoSender().send(MESSAGE, never), { code: 'texts_not_offered' })
})
