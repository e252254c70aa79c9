// Test: downloads of published files over HTTP, as phones and caches ask for them.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { cp } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test, type TestContext } from 'node:test'
import { readByteranges } from './byteranges.ts'
import { askAt, INDEX, KEY, LARGE, MODIFIED, publish, serve, SMALL } from './served-files.ts'

test('every published file is served with its type, its tag and how long it may be kept', async (t) => {
  const { files, ask } = await publish(t)
  const kinds: Record<string, { type: string; cache: RegExp }> = {
    zip: { type: 'application/zip', cache: /^public, max-age=86400\b/ },
    txt: { type: 'text/plain; charset=us-ascii', cache: /^no-cache\b/ },
    pem: { type: 'application/x-pem-file', cache: /^no-cache\b/ },
  }
  for (const [path, bytes] of files) {
    const { status, headers, body } = await ask(`/${path}`)
    assert.equal(status, 200, path)
    assert.ok(body.equals(bytes), path)
    const kind = kinds[path.split('.').at(-1) ?? '']
    assert.equal(headers['content-type'], kind?.type)
    assert.match(headers['cache-control'] ?? '', kind?.cache ?? /^$/)
    assert.equal(headers['content-length'], String(bytes.length))
    assert.equal(headers['accept-ranges'], 'bytes')
    assert.equal(headers['x-content-type-options'], 'nosniff')
    assert.match(headers.etag ?? '', /^"[0-9a-f]{32}"$/)
    if (path.endsWith('.zip')) assert.equal(headers['last-modified'], MODIFIED.toUTCString())
  }
})

test('every replica gives the same tag, whenever its copy was made', async (t) => {
  const { folder, root, files, ask } = await publish(t)
  await cp(root, join(folder, 'replica'), { recursive: true })
  const replica = await serve(t, join(folder, 'replica'))
  for (const path of files.keys())
    assert.equal(
      (await replica.ask(`/${path}`)).headers.etag,
      (await ask(`/${path}`)).headers.etag,
      path,
    )
})

test('HEAD says what GET says, without the file, and knows no ranges', async (t) => {
  const { files, ask } = await publish(t)
  const without = (headers: IncomingHttpHeaders) => ({ ...headers, date: undefined })
  for (const path of [...files.keys(), 'exports/us/1-2-00001.zip', 'exports/xx/index.txt']) {
    const get = await ask(`/${path}`)
    for (const headers of [{}, { range: 'bytes=0-9' }, { range: 'bytes=99999999-' }]) {
      const head = await ask(`/${path}`, headers, 'HEAD')
      assert.equal(head.status, get.status, path)
      assert.deepEqual(without(head.headers), without(get.headers), path)
      assert.equal(head.body.length, 0)
    }
  }
})

test('a client that has the file is told so in a few bytes, with the tag and the cache time again', async (t) => {
  const { files, ask } = await publish(t)
  for (const path of files.keys()) {
    const first = await ask(`/${path}`)
    const { etag = '', 'last-modified': modified = '' } = first.headers
    for (const headers of [
      { 'if-none-match': etag },
      { 'if-none-match': `"other", W/${etag}` },
      { 'if-none-match': '*' },
      { 'if-modified-since': modified },
      { 'if-none-match': etag, range: 'bytes=0-9' },
    ] as Record<string, string>[])
      for (const method of ['GET', 'HEAD']) {
        const again = await ask(`/${path}`, headers, method)
        assert.equal(again.status, 304, JSON.stringify(headers))
        assert.equal(again.body.length, 0)
        assert.equal(again.headers.etag, etag)
        assert.equal(again.headers['cache-control'], first.headers['cache-control'])
        assert.equal(again.headers['content-length'], undefined)
      }
    for (const headers of [
      { 'if-none-match': '"other"' },
      { 'if-none-match': '"other"', 'if-modified-since': modified },
      { 'if-modified-since': 'Mon, 09 Mar 2020 09:00:00 GMT' },
      { 'if-modified-since': '2099' },
      { 'if-modified-since': 'no date' },
    ] as Record<string, string>[])
      assert.equal((await ask(`/${path}`, headers)).status, 200, JSON.stringify(headers))
  }
})

test('a part of a file is served as it was asked for, from memory and from the disk', async (t) => {
  const { files, ask } = await publish(t)
  for (const path of [SMALL, LARGE]) {
    const bytes = files.get(path) ?? Buffer.alloc(0)
    const last = bytes.length - 1
    const parts: [string, number, number][] = [
      ['bytes=0-0', 0, 0],
      [`bytes=${last}-${last}`, last, last],
      ['bytes=-1', last, last],
      ['bytes=-700', last - 699, last],
      ['bytes=100-299', 100, 299],
      ['bytes=1500-', 1500, last],
      [`bytes=0-${last * 2}`, 0, last],
      [`bytes=-${last * 2}`, 0, last],
    ]
    for (const [range, from, to] of parts) {
      const { status, headers, body } = await ask(`/${path}`, { range })
      assert.equal(status, 206, range)
      assert.equal(headers['content-range'], `bytes ${from}-${to}/${bytes.length}`)
      assert.equal(headers['content-length'], String(to - from + 1))
      assert.match(headers.etag ?? '', /^"/)
      assert.ok(body.equals(bytes.subarray(from, to + 1)), range)
    }
  }
})

test('a range beyond the file is refused with its size, for nobody to remember', async (t) => {
  const { files, ask } = await publish(t)
  for (const path of [SMALL, LARGE]) {
    const size = files.get(path)?.length ?? 0
    for (const range of [`bytes=${size}-`, `bytes=${size}-${size + 9}`, 'bytes=-0']) {
      const { status, headers, body } = await ask(`/${path}`, { range })
      assert.equal(status, 416, range)
      assert.equal(headers['content-range'], `bytes */${size}`)
      assert.equal(headers['cache-control'], 'no-store')
      assert.equal(body.length, 0)
    }
  }
})

test('nonsense, an outdated If-Range and too many ranges get the whole file', async (t) => {
  const { files, ask } = await publish(t)
  const asked: Record<string, string>[] = [
    { range: `bytes=${Array.from({ length: 11 }, (_, n) => `${n * 9}-${n * 9}`).join()}` },
    { range: 'bytes=9-3' },
    { range: 'pages=1-2' },
    { range: 'bytes=first-last' },
    { range: 'bytes=0-9', 'if-range': '"other"' },
    { range: 'bytes=0-9', 'if-range': 'Mon, 09 Mar 2026 09:00:00 GMT' },
  ]
  for (const headers of asked) {
    const { status, body } = await ask(`/${SMALL}`, headers)
    assert.equal(status, 200, JSON.stringify(headers))
    assert.ok(body.equals(files.get(SMALL) ?? Buffer.alloc(0)))
  }
  const { etag = '' } = (await ask(`/${SMALL}`)).headers
  const resumed = await ask(`/${SMALL}`, { range: 'bytes=1990-', 'if-range': etag })
  assert.equal(resumed.status, 206)
  assert.ok(resumed.body.equals((files.get(SMALL) ?? Buffer.alloc(0)).subarray(1990)))
})

test('several parts are served in one body, from memory and from the disk, and never more than the file', async (t) => {
  const { files, ask } = await publish(t)
  for (const path of [SMALL, LARGE]) {
    const bytes = files.get(path) ?? Buffer.alloc(0)
    const asked = [[3, 4] as const, [700, 899] as const, [100, 100] as const]
    const range = `bytes=${asked.map((part) => part.join('-')).join(', ')}`
    const { status, headers, body } = await ask(`/${path}`, { range })
    assert.equal(status, 206)
    const parts = readByteranges(headers['content-type'] ?? '', body)
    assert.deepEqual(
      parts.map(({ range }) => range),
      asked.map((part) => `bytes ${part.join('-')}/${bytes.length}`),
    )
    for (const [number, [from, to]] of asked.entries())
      assert.ok(parts[number]?.bytes.equals(bytes.subarray(from, to + 1)), `part ${number}`)
    assert.equal(headers['content-length'], String(body.length))
    assert.equal(headers['content-range'], undefined)
  }
  for (const range of ['bytes=0-,0-,0-', 'bytes=0-999,1001-', 'bytes=0-5,3-,9-']) {
    const { body } = await ask(`/${SMALL}`, { range })
    assert.ok(body.length <= 2_000, `${range}: ${body.length} bytes`)
  }
})

test('a plain web server pointed at the folder serves the same paths and bytes', async (t) => {
  const { root, ask } = await publish(t)
  const plain = askAt((await startPython(t, root)) ?? (await startPlainServer(t, root)))
  const index = (await plain(`/${INDEX}`)).body.toString()
  const paths = [INDEX, KEY, ...index.split('\n').map((line) => `exports/${line}`)]
  assert.equal(paths.length, 4)
  for (const path of paths) {
    const theirs = await plain(`/${path}`)
    assert.equal(theirs.status, 200, path)
    assert.ok(theirs.body.equals((await ask(`/${path}`)).body), path)
  }
})

/** Python's own web server, on a free port; undefined where there is no Python. */
async function startPython(t: TestContext, root: string): Promise<number | undefined> {
  const args = ['-u', '-m', 'http.server', '0', '--bind', '127.0.0.1', '--directory', root]
  const child = spawn('python3', args, { stdio: ['ignore', 'pipe', 'ignore'] })
  t.after(() => child.kill())
  const failed = new Promise<void>((resolve) => {
    child.once('error', () => resolve())
    child.once('exit', () => resolve())
  }).then(() => undefined)
  const lines = createInterface(child.stdout)
  const started = new Promise<number>((resolve) =>
    lines.once('line', (line) => resolve(Number(/port (\d+)/.exec(line)?.[1]))),
  )
  return Promise.race([started, failed])
}

async function startPlainServer(t: TestContext, root: string): Promise<number> {
  const server = createServer((request, response) => {
    createReadStream(join(root, request.url ?? ''))
      .on('error', () => response.writeHead(404).end())
      .pipe(response)
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}
