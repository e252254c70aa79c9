// Test: readers of the list of contact event numbers over HTTP: what is asked before it is read, readers that stop and readers that hang up; and that nothing of theirs is left.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdir, readdir, readlink, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { test, type TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createFileServer } from '../src/distribute/serve-files.ts'
import { encodeNumberIndex, numberFilePath } from '../src/format/number-file.ts'
import { buildApp } from '../src/http/app.ts'
import { cenDownloadRoutes, type ListLimits } from '../src/http/cen-download-routes.ts'
import type { Route } from '../src/http/route.ts'
import type { RouteContext } from '../src/http/routes.ts'
import { createLogger } from '../src/operate/logger.ts'
import { temporaryFolder } from './temporary-folder.ts'

const [START, END] = [1_773_129_600, 1_773_136_800]
const SINCE = '/api/v1/cens/?since=2026-03-10'

const LIMITS = { atOnce: 4, patience: 1_000 }

/** A server of lists of so many numbers, and of nothing else. */
async function serve(t: TestContext, count: number): Promise<number> {
  const app = await buildApp(await makeRoutes(t, count, LIMITS), '0', createLogger('silent'))
  t.after(() => {
    app.server.closeAllConnections()
    return app.close()
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  return (app.server.address() as { port: number }).port
}

async function makeRoutes(t: TestContext, count: number, limits: ListLimits): Promise<Route[]> {
  const root = await temporaryFolder(t)
  const path = numberFilePath('cen', { kind: 'release', cell: '', start: START, end: END })
  const numbers = Buffer.alloc(count * 16)
  for (let at = 0; at < count; at++) numbers.writeUInt32BE(at, at * 16)
  await mkdir(join(root, 'exports/cen'), { recursive: true })
  await writeFile(join(root, 'exports', path), numbers)
  await writeFile(
    join(root, 'exports/cen/index.txt'),
    encodeNumberIndex([{ path, size: numbers.length }]),
  )
  const context = {
    ofKinds: new Map(),
    publicFolder: root,
    serveFile: createFileServer(root),
  } as unknown as RouteContext
  return cenDownloadRoutes(context, limits)
}

/** Asks for the list and reads its first bytes, then nothing more. */
async function askAndStop(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined)
  socket.write(`GET ${SINCE} HTTP/1.1\r\nhost: a\r\n\r\n`)
  const [first] = (await once(socket, 'data')) as [Buffer]
  socket.pause()
  assert.match(first.toString('latin1'), /^HTTP\/1\.1 200 /)
  return socket
}

test('the list is asked for by HEAD as by GET, and its address says what it takes', async (t) => {
  const port = await serve(t, 3)
  const ask = (path: string, method: string) => fetch(`http://127.0.0.1:${port}${path}`, { method })
  for (const path of [SINCE, SINCE.replace('/?', '?')]) {
    const [head, get] = await Promise.all([ask(path, 'HEAD'), ask(path, 'GET')])
    assert.deepEqual([head.status, await head.text()], [200, ''])
    const time = 'Tue, 10 Mar 2026 10:00:00 GMT'
    const { cens } = (await get.json()) as { cens: object[] }
    assert.deepEqual(cens[1], {
      uuid: `00000001${'0'.repeat(24)}`,
      created_at: time,
      published_at: time,
    })
    assert.equal(head.headers.get('content-length'), null)
    for (const name of ['content-type', 'cache-control', 'x-content-type-options'])
      assert.equal(head.headers.get(name), get.headers.get(name), name)
    // What a list says can be sent back as it is; the boundary counts.
    const again = await ask(`/api/v1/cens?since=${encodeURIComponent(time)}`, 'GET')
    assert.equal(((await again.json()) as { cens: object[] }).cens.length, 3)
  }
  for (const query of ['', '?since=Tue, 10 Mar 2026', '?since=Wed, 10 Mar 2026 10:00:00 GMT'])
    assert.equal((await ask(`/api/v1/cens/${query}`, 'HEAD')).status, 400, query)
  for (const path of ['/api/v1/cens', '/api/v1/cens/']) {
    const options = await ask(path, 'OPTIONS')
    assert.equal(options.status, 200)
    assert.equal(options.headers.get('allow'), 'GET, HEAD, POST, OPTIONS')
    assert.equal(options.headers.get('access-control-allow-origin'), null)
    assert.equal((await ask(path, 'PUT')).status, 405)
  }
})

test('a reader who waits for a list that takes long is waited for', async (t) => {
  const routes = await makeRoutes(t, 20_000, { atOnce: 2, patience: 1 })
  const list = routes.find(({ methods, url }) => url === '/api/v1/cens' && methods.includes('GET'))
  const ask = async () => {
    const request = { path: '', params: {}, headers: {}, body: new Uint8Array(), address: () => '' }
    const answer = await list?.handle({ ...request, method: 'GET', query: 'since=2026-03-10' })
    return answer?.body as Readable
  }
  const [read, unread] = [await ask(), await ask()]
  await assert.rejects(ask, { code: 'unavailable' })
  const isUnreadClosed = once(unread, 'close')
  let length = 0
  read.on('data', (chunk: Buffer) => (length += chunk.length)).resume()
  await once(read, 'close')
  assert.ok(read.readableEnded, 'it was not broken off')
  assert.ok(length > 2_000_000)
  await isUnreadClosed
  ;(await ask()).destroy()
})

test(
  'readers that stop or hang up leave nothing behind, and keep nobody out for long',
  { timeout: 60_000 },
  async (t) => {
    const count = 100_000
    const port = await serve(t, count)
    const ask = () => fetch(`http://127.0.0.1:${port}${SINCE}`)
    const readAll = async () => {
      const { cens } = (await (await ask()).json()) as { cens: unknown[] }
      assert.equal(cens.length, count)
    }
    const askAndStopAll = () =>
      Promise.all(Array.from({ length: LIMITS.atOnce }, () => askAndStop(port)))
    await readAll()
    const [filesBefore, memoryBefore] = [await openFiles(), memory()]
    const stopped = await askAndStopAll()
    await delay(LIMITS.patience / 2)
    // A list has 20 MB, of which the system takes some. What is left of it is not made before there is room for it.
    const grown = (memory() - memoryBefore) >> 20
    assert.ok(grown < 8, `${grown} MiB`)
    const busy = await ask()
    assert.deepEqual([busy.status, busy.headers.has('retry-after')], [503, true])
    await busy.text()
    // Patience with them ends, and their connections with it: nobody takes a part for the whole.
    for (let status = 503; status === 503;) {
      await delay(LIMITS.patience / 4)
      const answer = await ask()
      status = answer.status
      await answer.body?.cancel()
    }
    // One of them gave up its place; whoever has patience left would get the whole list now.
    await delay(LIMITS.patience)
    for (const socket of stopped) {
      let text = ''
      socket.on('data', (chunk: Buffer) => (text = chunk.toString('latin1')))
      const closed = once(socket, 'close')
      socket.resume()
      await closed
      assert.ok(text !== '' && !text.endsWith('0\r\n\r\n'), 'its end is not told')
    }
    // Others hang up: in the middle of it, and before the first byte. Their places are free at once.
    for (const socket of await askAndStopAll()) socket.destroy()
    for (let round = 0; round < 40; round++) {
      const socket = connect(port, '127.0.0.1').on('error', () => undefined)
      socket.write(`GET ${SINCE} HTTP/1.1\r\nhost: a\r\n\r\n`, () => socket.destroy())
      await once(socket, 'close')
    }
    await delay(LIMITS.patience / 4)
    for (const socket of await askAndStopAll()) socket.destroy()
    await delay(LIMITS.patience / 4)
    assert.equal(await openFiles(), filesBefore)
    const left = (memory() - memoryBefore) >> 20
    assert.ok(left < 8, `${left} MiB`)
  },
)

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Bytes that are in use. */
function memory(): number {
  collectGarbage()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

/** Published files that this process has open; 0 where the system does not say. */
async function openFiles(): Promise<number> {
  const names = await readdir('/proc/self/fd').catch(() => [])
  const paths = await Promise.all(
    names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => '')),
  )
  return paths.filter((path) => path.includes('/exports/')).length
}
