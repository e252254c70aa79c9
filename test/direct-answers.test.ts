// Test: published files are answered in front of the web framework, and nobody can tell: the same headers, counts and errors as behind it.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { test, type TestContext } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { createFileServer } from '../src/distribute/serve-files.ts'
import { buildApp, type AppOptions } from '../src/http/app.ts'
import { publicRoutes } from '../src/http/public-routes.ts'
import { createMetrics } from '../src/operate/metrics.ts'
import { askAt, INDEX, LARGE, publish, SMALL } from './served-files.ts'

type Serve = Parameters<typeof publicRoutes>[0]

async function start(t: TestContext, serve: Serve, options: AppOptions = {}) {
  const errors: unknown[] = []
  const logger = { info: () => undefined, error: (_: string, error: unknown) => errors.push(error) }
  const app = await buildApp(publicRoutes(serve), 'test', logger, options)
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.after(() => app.close())
  const { port } = app.server.address() as AddressInfo
  return { app, port, errors, ask: askAt(port) }
}

test('a reply in front of the framework is the one behind it, in a demo too', async (t) => {
  const { root } = await publish(t)
  for (const demo of [false, true]) {
    const { app, ask } = await start(t, createFileServer(root), { demo })
    const { etag = '' } = (await ask(`/${SMALL}`)).headers
    for (const [path, headers] of [
      [SMALL, {}],
      [INDEX, {}],
      [SMALL, { range: 'bytes=5-9' }],
      [SMALL, { range: 'bytes=5-9,20-29' }],
      [SMALL, { range: 'bytes=5000-' }],
      [SMALL, { 'if-none-match': etag }],
      [SMALL, { 'if-match': '"other"' }],
      ['exports/us/5-6-00001.zip', {}],
    ] as const)
      for (const method of ['GET', 'HEAD'] as const) {
        const front = await ask(`/${path}`, headers, method)
        const behind = await app.inject({ method, url: `/${path}`, headers })
        const name = `${method} ${path} ${JSON.stringify(headers)}`
        assert.equal(front.status, behind.statusCode, name)
        const without = (all: object) => ({ ...all, date: '', connection: '', 'keep-alive': '' })
        assert.deepEqual(without(front.headers), without(behind.headers), name)
        if (method === 'GET') assert.ok(front.body.equals(behind.rawPayload), name)
        assert.equal(front.headers['tocsin-demo'], demo ? 'true' : undefined)
      }
  }
})

test('every download is counted once, in front of the framework or behind it', async (t) => {
  const { root } = await publish(t)
  const metrics = createMetrics()
  const { ask } = await start(t, createFileServer(root), { metrics })
  await ask(`/${INDEX}`)
  await ask(`/${INDEX}`, { 'if-none-match': '*' })
  await ask('/exports/us/5-6-00001.zip')
  await ask('/exports/us/no-public-path')
  await ask(`/${INDEX}`, {}, 'DELETE')
  const counts = metrics.counts.requests.get('/exports/:stream/:file')
  assert.deepEqual(counts, [0, 0, 1, 1, 3, 0])
  assert.equal(metrics.counts.requests.size, 1)
})

test('a file that can not be read is our own error: told to the log, not to the phone', async (t) => {
  const broken = new Error('EIO: /a/private/path')
  const { ask, errors } = await start(t, () => Promise.reject(broken))
  for (const method of ['GET', 'HEAD']) {
    const { status, headers, body } = await ask(`/${INDEX}`, {}, method)
    assert.equal(status, 500)
    assert.equal(headers['content-type'], 'application/json')
    assert.equal(headers['x-content-type-options'], 'nosniff')
    assert.equal(headers['cache-control'], 'no-store')
    assert.ok(!body.includes('private'))
    if (method === 'GET') assert.match(body.toString(), /"code":"internal_error"/)
  }
  assert.deepEqual(errors, [broken, broken])
})

test('a connection that is kept carries one download after another', async (t) => {
  const { root, files } = await publish(t)
  const { port } = await start(t, createFileServer(root))
  const requests = [SMALL, LARGE, INDEX].map((path) => `GET /${path} HTTP/1.1\r\nHost: x\r\n`)
  const socket = connect(port, '127.0.0.1')
  socket.write(`${requests.join('\r\n')}Connection: close\r\n\r\n`)
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  const all = Buffer.concat(chunks)
  let at = 0
  for (const path of [SMALL, LARGE, INDEX]) {
    const body = files.get(path) ?? Buffer.alloc(0)
    at = all.indexOf('\r\n\r\n', at) + 4
    assert.ok(all.subarray(at, at + body.length).equals(body), path)
    at += body.length
  }
  assert.equal(at, all.length)
})

test('a server that closes ends each connection with its answer', async (t) => {
  let answer = () => {}
  const asked = new Promise<void>((resolve) => {
    answer = resolve
  })
  let release = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  const { app, port } = await start(t, async () => {
    answer()
    await released
    return { status: 200, headers: { 'content-length': '2' }, body: Buffer.from('ok') }
  })
  const socket = connect(port, '127.0.0.1')
  socket.write(`GET /${INDEX} HTTP/1.1\r\nHost: x\r\n\r\n`)
  await asked
  const closed = app.close()
  // Closing is under way before the answer is.
  await new Promise((resolve) => setImmediate(resolve))
  release()
  let text = ''
  for await (const chunk of socket) text += String(chunk)
  assert.match(text, /\r\nconnection: close\r\n/i)
  assert.match(text, /\r\n\r\nok$/)
  await closed
})

test('more requests than may be unanswered at once: the first are answered whole, the next is told, and the connection ends', async (t) => {
  const { root, files } = await publish(t)
  const { port } = await start(t, createFileServer(root))
  const socket = connect(port, '127.0.0.1')
  socket.write(`GET /${INDEX} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(20))
  let text = ''
  for await (const chunk of socket) text += String(chunk)
  const replies = text.split(/(?=HTTP\/1\.1 )/)
  assert.deepEqual(
    replies.map((reply) => reply.slice(9, 12)),
    [...Array<string>(8).fill('200'), '503'],
  )
  for (const reply of replies.slice(0, 8))
    assert.equal(reply.slice(reply.indexOf('\r\n\r\n') + 4), files.get(INDEX)?.toString())
  assert.match(replies[8] ?? '', /^connection: close\r\n[^]*^retry-after: 10\r\n/im)
})

test('what comes behind the request that ends a connection is never handled, however early the first are answered', async (t) => {
  const handled: string[] = []
  const releases: (() => void)[] = []
  const { port } = await start(t, async ({ path }) => {
    handled.push(path)
    await new Promise<void>((resolve) => releases.push(resolve))
    return { status: 200, headers: { 'content-length': '2' }, body: Buffer.from('ok') }
  })
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.on('data', (chunk: Buffer) => (text += String(chunk)))
  const ended = once(socket, 'close')
  const request = `GET /${INDEX} HTTP/1.1\r\nHost: x\r\n\r\n`
  socket.write(request.repeat(9))
  while (handled.length < 8) await setTimeout(5)
  releases[0]?.()
  while (!text.endsWith('ok')) await setTimeout(5)
  socket.write(request.repeat(3))
  await setTimeout(50)
  for (const release of releases) release()
  await ended
  assert.equal(handled.length, 8)
  assert.equal(text.match(/HTTP\/1\.1 200/g)?.length, 8)
})
