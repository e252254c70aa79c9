// Test: a feed whose server is hostile: no key twice, nothing read beyond the limits, nothing asked of others.

import assert from 'node:assert/strict'
import type { RequestListener } from 'node:http'
import { test, type TestContext } from 'node:test'
import { inspect } from 'node:util'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { makeZip } from '../../test/export-files.ts'
import {
  failsWith,
  follow,
  hourFile,
  putHours,
  serve,
  trustedKeys,
} from '../../test/served-feed.ts'
import { extractEntry, findEntry, listZip, type ZipEntry } from '../format/read-zip.ts'
import { followFeed, type FeedEvent } from './follow-feed.ts'
import { VerificationError } from './verification-error.ts'

test('the keys of a signed file are given once, under whatever names and in whatever zips a server offers it', async (t) => {
  const { files, asked, index } = await serve(t)
  const { name, bytes } = hourFile(1)
  const names = Array.from({ length: 5 }, (_, number) => name.replace('-00001', `-0000${number}`))
  const [bin, sig] = ['export.bin', 'export.sig'].map((entry) => findEntry(listZip(bytes), entry))
  const others = { 'export.sig': extractEntry(sig as ZipEntry, 1_000), other: bytes }
  const rezipped = makeZip({ 'export.bin': extractEntry(bin as ZipEntry, 1_000), ...others })
  for (const [number, each] of names.entries())
    files.set(`/exports/${each}`, number < 3 ? bytes : rezipped)
  files.set('/exports/us/index.txt', names.join('\n'))
  const first = await follow({ index })
  assert.deepEqual(first.numbers, [1])
  const repeated = names.slice(1).map((each) => [each, 'file_repeated'])
  assert.deepEqual(first.refused, repeated)
  // Now that this is known, they are not asked for again.
  asked.length = 0
  const second = await follow({ index, seen: first.state })
  assert.deepEqual([second.numbers, second.refused, asked.length], [[], [], 1])
  // Names are forgotten sooner than what was given.
  const third = await follow({ index, seen: { ...second.state, seen: [] } })
  assert.deepEqual(third.numbers, [])
})

test('one look reads a limited number of bytes, and the next goes on where it stopped', async (t) => {
  const { files, asked, index } = await serve(t)
  const names = putHours(files, [1, 2, 3])
  const length = hourFile(1).bytes.length
  const events: FeedEvent[] = []
  await failsWith({ index, limits: { maxLookBytes: length - 1 } }, 'look_too_large')
  const limits = { maxLookBytes: 2 * length + 20 }
  await assert.rejects(
    async () => {
      for await (const event of followFeed({ trustedKeys, index, limits })) events.push(event)
    },
    (error: unknown) => error instanceof VerificationError && error.code === 'look_too_large',
  )
  const last = events.at(-1)
  assert.ok(last?.type === 'state')
  assert.deepEqual(last.state.seen, names.slice(0, 2))
  assert.deepEqual((await follow({ index, limits, seen: last.state })).numbers, [3])
  // Bytes of files that are refused count too, also when they are too large.
  for (const junk of [length, 200]) {
    for (const name of names) files.set(`/exports/${name}`, new Uint8Array(junk))
    asked.length = 0
    const tight = { maxFileBytes: length, maxLookBytes: 2 * length }
    await failsWith(
      { index, limits: junk === length ? tight : { maxLookBytes: 399 } },
      'look_too_large',
    )
    assert.ok(asked.length < 4)
  }
  for (const name of names) files.set(`/exports/${name}`, new Uint8Array(length + 1))
  const tight = { maxFileBytes: length, maxLookBytes: 2 * length }
  asked.length = 0
  await failsWith({ index, limits: tight }, 'look_too_large')
  assert.equal(asked.length, 3)
})

test('one look bears a limited number of files that are not believed', async (t) => {
  const { files, asked, index } = await serve(t)
  const names = putHours(files, [1, 2, 3, 4])
  for (const name of names.slice(0, 3)) files.set(`/exports/${name}`, 'no zip')
  assert.equal((await follow({ index, limits: { maxRefusedFiles: 3 } })).refused.length, 3)
  asked.length = 0
  await failsWith({ index, limits: { maxRefusedFiles: 2 } }, 'too_many_refused')
  assert.equal(asked.length, 4)
})

test('a file that lies under the name of another is refused, and gives no key', async (t) => {
  const { files, index } = await serve(t)
  const [name = ''] = putHours(files, [1])
  files.set(`/exports/${name}`, hourFile(2).bytes)
  for (const [from, to] of [
    [/\d+-/, '1-'],
    [/-\d+-/, '-9999999999-'],
  ] as const) {
    const other = name.replace(from, to)
    files.set(`/exports/${other}`, hourFile(1).bytes)
    files.set('/exports/us/index.txt', `${String(files.get('/exports/us/index.txt'))}\n${other}`)
  }
  const { numbers, refused, state } = await follow({ index })
  assert.deepEqual(
    refused.map(([, code]) => code),
    ['name_differs', 'name_differs', 'name_differs'],
  )
  assert.deepEqual([numbers, state.seen], [[], []])
})

test('a password in an address is not repeated, and nothing is asked for', async (t) => {
  const { asked, index } = await serve(t)
  const address = index.replace('//', '//user:secret@')
  await assert.rejects(
    follow({ index: address }),
    (error: unknown) =>
      error instanceof VerificationError &&
      error.code === 'download_failed' &&
      !inspect(error).includes('secret'),
  )
  assert.deepEqual(asked, [])
})

test('an index of a hostile server makes the client ask for nothing else', async (t) => {
  const { files, asked, index } = await serve(t)
  for (const line of ['../../etc/a.zip', 'http://127.0.0.1:1/a.zip', '//127.0.0.1:1/a.zip']) {
    files.set('/exports/us/index.txt', `us/1-2-00001.zip\n${line}`)
    asked.length = 0
    await failsWith({ index }, 'index_invalid')
    assert.deepEqual(asked, ['/exports/us/index.txt'])
  }
})

test('no more is read than the limits allow, whatever length a server declares', async (t) => {
  for (const declared of [true, false]) {
    let sent = 0
    const endless: RequestListener = (request, response) => {
      if (request.url?.endsWith('index.txt') && !declared) {
        response.end('us/1-2-00001.zip')
        return
      }
      response.writeHead(200, declared ? { 'content-length': 2 ** 31 } : {})
      const piece = Buffer.alloc(65_536)
      const push = () => {
        while (!response.destroyed && response.write(piece)) sent += piece.length
        sent += piece.length
      }
      response.on('drain', push)
      push()
    }
    const { index } = await serve(t, endless)
    const limits = { maxIndexBytes: 100_000, maxFileBytes: 100_000, timeoutMs: 5_000 }
    if (declared) await failsWith({ index, limits }, 'index_too_large')
    else
      assert.deepEqual((await follow({ index, limits })).refused, [
        ['us/1-2-00001.zip', 'file_too_large'],
      ])
    assert.ok(sent < 20_000_000, `${sent} bytes were sent`)
  }
})

test('an answer that is not the whole of it is none, whatever its status says', async (t) => {
  const { name, bytes } = hourFile(1)
  const status = { index: 200, file: 200 }
  const { index } = await serve(t, (request, response) => {
    const isIndex = request.url?.endsWith('index.txt') === true
    response.writeHead(isIndex ? status.index : status.file).end(isIndex ? name : bytes)
  })
  assert.deepEqual((await follow({ index })).numbers, [1])
  for (const code of [201, 203, 204, 205, 206]) {
    Object.assign(status, { index: code, file: 200 })
    await failsWith({ index }, 'download_failed')
    Object.assign(status, { index: 200, file: code })
    await failsWith({ index }, 'download_failed')
  }
})

/** Serves an index of two files, and these, in an encoding; the end of the index may be cut off. */
async function serveEncoded(t: TestContext, encoding: string, cut = false) {
  const made = [hourFile(1), hourFile(2)]
  const lines = Buffer.from(made.map(({ name }) => name).join('\n'))
  const encode = ENCODERS[encoding] ?? ((bytes) => bytes)
  const accepted: (string | string[] | undefined)[] = []
  const { index } = await serve(t, (request, response) => {
    accepted.push(request.headers['accept-encoding'])
    const file = made.find(({ name }) => request.url?.endsWith(name))
    const body = encode(file?.bytes ?? lines)
    response.writeHead(200, { 'content-encoding': encoding })
    response.end(cut ? body.subarray(0, -12) : body)
  })
  return { index, accepted }
}

const ENCODERS: Readonly<Record<string, (bytes: Uint8Array) => Uint8Array>> = {
  gzip: (bytes) => gzipSync(bytes),
  'x-gzip': (bytes) => gzipSync(bytes),
  deflate: (bytes) => deflateSync(bytes),
  br: (bytes) => brotliCompressSync(bytes),
}

test('an index that was compressed against the wish of the client is refused: nobody could tell that its end is missing', async (t) => {
  for (const encoding of Object.keys(ENCODERS))
    for (const cut of [true, false]) {
      const { index, accepted } = await serveEncoded(t, encoding, cut)
      await failsWith({ index }, 'download_failed')
      assert.deepEqual(accepted, ['identity'])
    }
  const { index, accepted } = await serveEncoded(t, 'identity')
  assert.deepEqual((await follow({ index })).numbers, [1, 2])
  assert.deepEqual(accepted, ['identity', 'identity', 'identity'])
})

test('where the platform keeps the encoding to itself, as browsers do, a compressed index is read', async (t) => {
  const { Request: before } = globalThis
  t.after(() => Object.assign(globalThis, { Request: before }))
  class BrowserRequest extends before {
    constructor(...given: ConstructorParameters<typeof Request>) {
      super(...given)
      this.headers.delete('accept-encoding')
    }
  }
  Object.assign(globalThis, { Request: BrowserRequest })
  const { index } = await serveEncoded(t, 'gzip')
  assert.deepEqual((await follow({ index })).numbers, [1, 2])
})
