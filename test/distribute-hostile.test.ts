// Test: downloads of published files over HTTP when paths are hostile, files are replaced, and many phones ask at once or hang up.

import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { INDEX, LARGE, publish, put, SMALL } from './served-files.ts'

test('nothing but public files can be had, whatever the path says', async (t) => {
  const { folder, root, ask } = await publish(t)
  const secret = randomBytes(12).toString('hex')
  await mkdir(join(root, 'exports/us/sub'))
  await mkdir(join(root, '.staging'), { recursive: true })
  for (const path of [
    'master.key',
    'public/secret.txt',
    'public/index.txt',
    'public/exports/index.txt',
    'public/exports/us/secret.pem',
    'public/exports/us/.hidden',
    'public/exports/us/index.txt.0123',
    'public/exports/us/sub/index.txt',
    'public/.staging/index.txt',
  ])
    await writeFile(join(folder, path), secret)
  const dots = ['..', '%2e%2e', '%2E%2e', '.%2e', '%252e%252e', '..%00', '..;', '%c0%ae%c0%ae']
  const slashes = ['/', '%2f', '%2F', '\\', '%5c', '%252f', '//']
  const names = ['master.key', 'public/.staging/index.txt', 'etc/passwd', 'index.txt']
  const climbing = dots.flatMap((up) =>
    slashes.flatMap((slash) =>
      names.flatMap((name) =>
        [1, 2, 3, 8].map((levels) => `/exports/us${`${slash}${up}`.repeat(levels)}${slash}${name}`),
      ),
    ),
  )
  const others = [
    '/secret.txt',
    '/exports/secret.txt',
    '/exports/index.txt',
    '/exports/us/secret.pem',
    '/exports/us/.hidden',
    '/exports/us/index.txt.0123',
    '/exports/us/sub/index.txt',
    '/exports/us',
    '/exports/us/',
    '/exports/us/index.txt/',
    '/exports/us/index.txt%00',
    '/exports/us/index.txt%0a',
    '/exports/us%00/index.txt',
    '/exports//us/index.txt',
    '//exports/us/index.txt',
    '/exports/./us/index.txt',
    '/exports/US/index.txt',
    '/exports/us/INDEX.TXT',
    '/exports/us/index%2etxt',
    '/%65xports/us/index.txt',
    `/exports/${'u'.repeat(5_000)}/index.txt`,
    '/exports/us/%',
    '/exports/us/%zz',
  ]
  for (const path of [...climbing, ...others]) {
    const { status, body } = await ask(path)
    assert.ok(status === 404 || status === 400, `${path} answered ${status}`)
    assert.ok(!body.includes(secret), path)
    assert.match((JSON.parse(body.toString()) as { code: string }).code, /^[a-z_]+$/)
  }
})

test('a file that is not there yet is not remembered as missing', async (t) => {
  const { root, ask } = await publish(t)
  const next = SMALL.replace('00001', '00002')
  const missing = await ask(`/${next}`)
  assert.equal(missing.status, 404)
  assert.equal(missing.headers['cache-control'], 'no-store')
  await put(root, next, Buffer.from('there now'))
  assert.equal((await ask(`/${next}`)).body.toString(), 'there now')
})

test('when the index has moved, the old tag gets the new one', async (t) => {
  const { store, ask } = await publish(t)
  let before = await ask(`/${INDEX}`)
  for (const text of ['another', 'of this', 'as long']) {
    // The same size and perhaps the same millisecond: still another file.
    await store.putMutable(INDEX, Buffer.from(text))
    const after = await ask(`/${INDEX}`, { 'if-none-match': before.headers.etag ?? '' })
    assert.equal(after.status, 200)
    assert.equal(after.body.toString(), text)
    assert.notEqual(after.headers.etag, before.headers.etag)
    before = after
  }
  assert.equal((await ask(`/${INDEX}`, { 'if-none-match': before.headers.etag ?? '' })).status, 304)
})

test('whoever downloads while the index is replaced gets one of the two, and the tag of what they got', async (t) => {
  const { store, ask } = await publish(t)
  const texts = [Buffer.alloc(2_000_000, 'old '), Buffer.alloc(2_500_000, 'new ')]
  await store.putMutable(INDEX, texts[0] ?? Buffer.alloc(0))
  const writing = { done: false }
  let onRead = () => {}
  const write = async () => {
    for (let round = 1; round <= 12; round++) {
      await store.putMutable(INDEX, texts[round % 2] ?? Buffer.alloc(0))
      // One reader is done; the others are in the middle.
      await new Promise<void>((resolve) => (onRead = resolve))
    }
    writing.done = true
  }
  const seen = new Set<string>()
  const read = async () => {
    while (!writing.done) {
      const { body, headers } = await ask(`/${INDEX}`)
      const tag = createHash('sha256').update(body).digest('hex').slice(0, 32)
      assert.equal(headers.etag, `"${tag}"`)
      assert.ok(texts.some((text) => text.equals(body)))
      seen.add(tag)
      onRead()
    }
  }
  await Promise.all([write(), read(), read(), read()]).finally(() => {
    writing.done = true
    onRead()
  })
  assert.equal(seen.size, 2)
})

test('many phones at once get a new large file, each whole', async (t) => {
  const { files, ask } = await publish(t)
  const replies = await Promise.all(Array.from({ length: 60 }, () => ask(`/${LARGE}`)))
  const bytes = files.get(LARGE) ?? Buffer.alloc(0)
  assert.ok(replies.every(({ status, body }) => status === 200 && body.equals(bytes)))
})

test('a phone that hangs up in the middle leaves no file open', async (t) => {
  if (process.platform !== 'linux') return t.skip('open files are counted in /proc')
  const { port, ask } = await publish(t)
  await ask(`/${LARGE}`)
  const countOpen = () => readdirSync('/proc/self/fd').length
  const before = countOpen()
  for (let phone = 0; phone < 30; phone++)
    await new Promise<void>((resolve) => {
      const request = httpRequest({ port, path: `/${LARGE}`, agent: false }, (response) => {
        response.once('data', () => request.destroy())
        response.once('close', resolve)
      }).once('error', () => undefined)
      request.end()
    })
  for (let round = 0; round < 100 && countOpen() > before + 2; round++)
    await new Promise((resolve) => setTimeout(resolve, 20))
  assert.ok(countOpen() <= before + 2, `${countOpen()} files open, ${before} before`)
})
