// Test: how much memory a hostile server can make a client take: less than 64 MiB more than an ordinary feed, whatever it serves.

import assert from 'node:assert/strict'
import { randomBytes, sign } from 'node:crypto'
import type { RequestListener, ServerResponse } from 'node:http'
import { after, before, test, type TestContext } from 'node:test'
import { brotliCompressSync, crc32, deflateRawSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { encodeExportKeys, encodeExportStart } from '../src/format/gaen-export.ts'
import { encodeSignatureList, SIGNATURE_ALGORITHM } from '../src/format/gaen-signature.ts'
import { EXPORT_START, exportKey, makeZip } from './export-files.ts'
import { zipOf } from './raw-zip.ts'
import { putHours, serve, signer, trustedKeys } from './served-feed.ts'
import { readApart, type Reader, type Reading } from './verifying-process.ts'

const MOST = 64 * 2 ** 20
/** It compares the files of a feed with each other: 21 MiB more for what it has seen. */
const MOST_OF_COMMAND = 112 * 2 ** 20
const MILLION = 1_000_000

const info = {
  verificationKeyId: signer.keyId,
  verificationKeyVersion: signer.keyVersion,
  signatureAlgorithm: SIGNATURE_ALGORITHM,
}

/** The address of an ordinary feed, which every process reads first. */
let ordinary = ''
let stop: (() => void)[] = []
before(async () => {
  // A context that outlives the tests.
  const context = { after: (run: () => void) => stop.push(run) } as unknown as TestContext
  const { files, index } = await serve(context)
  const names = putHours(files, [1, 2, 3])
  files.set('/exports/us/1-2-00001.zip', files.get(`/exports/${names[0]}`) as Uint8Array)
  ordinary = index
})
after(() => {
  for (const run of stop) run()
  stop = []
})

/** A zip of export.bin, signed by the key that is trusted, and export.sig. */
function signed(bin: Uint8Array, level = 1): Uint8Array {
  const signature = sign('sha256', bin, signer.privateKey)
  const sig = encodeSignatureList([{ signatureInfo: info, batchNum: 1, batchSize: 1, signature }])
  return zipOf([
    { name: 'export.bin', data: deflateRawSync(bin, { level }), size: bin.length, crc: crc32(bin) },
    { name: 'export.sig', data: deflateRawSync(sig), size: sig.length, crc: crc32(sig) },
  ])
}

const start = encodeExportStart({
  startTimestamp: EXPORT_START,
  endTimestamp: EXPORT_START + 3_600,
  region: 'US',
  batchNum: 1,
  batchSize: 1,
  signatureInfos: [info],
})

/** As many keys as a large country has in a day, and more. */
function largeBin(count: number): Uint8Array {
  const pieces: Uint8Array[] = [start]
  for (let first = 0; first < count; first += 10_000) {
    const keys = Array.from({ length: Math.min(10_000, count - first) }, (_, index) => {
      const keyData = new Uint8Array(randomBytes(16))
      return exportKey(0, { keyData, daysSinceOnset: index % 14, transmissionRisk: index % 8 })
    })
    pieces.push(encodeExportKeys(keys, 'keys'))
  }
  return Buffer.concat(pieces)
}

/** A server of one index and of whatever is given for its files. */
async function feedOf(t: TestContext, body: Uint8Array | RequestListener, files = 1) {
  const lines = Array.from(
    { length: files },
    (_, number) => `us/1-2-${String(number + 1).padStart(5, '0')}.zip`,
  )
  const { index } = await serve(t, (request, response) => {
    if (request.url?.endsWith('index.txt')) response.end(lines.join('\n'))
    else if (body instanceof Uint8Array) response.end(body)
    else body(request, response)
  })
  return index
}

/** Sends the same piece again and again, as fast as it is taken. */
function sendEndlessly(response: ServerResponse, piece: Buffer, most = Infinity): void {
  let left = most
  const push = () => {
    while (left > 0 && !response.destroyed) {
      left -= piece.length
      if (!response.write(piece)) return
    }
    if (left <= 0) response.end()
  }
  response.on('drain', push)
  push()
}

async function read(target: string, reader: Reader = 'phone', timeoutMs = 60_000) {
  return await readApart({ reader, trustedKeys, ordinary, target, timeoutMs })
}

function takesLittle(what: string, { grown, codes }: Reading, ...expected: string[]): void {
  const most = what === 'command' ? MOST_OF_COMMAND : MOST
  const mebibytes = (grown / 2 ** 20).toFixed(1)
  assert.ok(grown < most, `${what} takes ${mebibytes} MiB`)
  assert.deepEqual(codes, expected, what)
}

test('a million keys are read in less than 64 MiB by a phone and the analysis, in less than 112 by the command', async (t) => {
  // Not sorted, which takes more: whether one comes twice can't be told from its neighbours.
  const zip = signed(largeBin(MILLION))
  const name = `us/${EXPORT_START}-${EXPORT_START + 3_600}-00001.zip`
  const { files, index } = await serve(t)
  files.set('/exports/us/index.txt', name)
  files.set(`/exports/${name}`, zip)
  files.set('/exports/us/1-2-00001.zip', zip)
  for (const reader of ['phone', 'command', 'analyze'] as const) {
    const reading = await read(index, reader)
    t.diagnostic(`${reader}: ${(reading.grown / 2 ** 20).toFixed(1)} MiB`)
    takesLittle(reader, reading)
    assert.equal(reading.keys, MILLION)
    const order = reader === 'analyze' ? 'order_telling' : 'keys_unsorted'
    assert.ok(reading.findings.includes(order))
  }
})

test('a zip bomb is left off where its declared size, or the limit, ends', async (t) => {
  const gigabyte = Buffer.concat(
    Array.from({ length: 64 }, (_, index) =>
      deflateRawSync(Buffer.alloc(2 ** 24), index < 63 ? { finishFlush: 3 } : {}),
    ),
  )
  for (const [size, code] of [
    [2 ** 30, 'zip_too_large'],
    [2 ** 32 - 2, 'zip_too_large'],
    [40 * 2 ** 20, 'zip_malformed'],
  ] as const)
    for (const name of ['export.bin', 'export.sig']) {
      const other = name === 'export.bin' ? 'export.sig' : 'export.bin'
      const zip = zipOf([
        { name, data: gigabyte, size, crc: 0 },
        { name: other, data: deflateRawSync(new Uint8Array()), size: 0, crc: 0 },
      ])
      const expected = name === 'export.sig' ? 'zip_too_large' : code
      takesLittle(`${name} of ${size}`, await read(await feedOf(t, zip)), expected)
    }
})

test('what a trusted key signed can be hostile too', async (t) => {
  const fields = (field: number[], times: number) =>
    Buffer.concat([start, Buffer.alloc(field.length * times, Buffer.from(field))])
  for (const [what, bin, code] of [
    ['10 million empty keys', fields([0x3a, 0], 10 * MILLION), 'key_length_wrong'],
    [
      '10 million empty names of signing keys',
      fields([0x32, 0], 10 * MILLION),
      'protobuf_malformed',
    ],
    ['20 million unknown numbers', fields([0x78, 0], 20 * MILLION), undefined],
    ['20 million groups inside each other', fields([0x7b], 20 * MILLION), 'protobuf_malformed'],
    ['a field of 2 GB', fields([0x3a, 0xff, 0xff, 0xff, 0xff, 7], 1), 'protobuf_malformed'],
    [
      'an unknown field of 2 GB',
      fields([0x7a, 0xff, 0xff, 0xff, 0xff, 7], 1),
      'protobuf_malformed',
    ],
    [
      'a region of 40 MB',
      Buffer.concat([start, Buffer.of(0x1a, 0x80, 0xda, 0xc4, 0x13), Buffer.alloc(41_000_000, 65)]),
      'protobuf_malformed',
    ],
  ] as const) {
    const codes = code === undefined ? ['name_differs'] : [code]
    takesLittle(what, await read(await feedOf(t, signed(bin)), 'phone'), ...codes)
  }
  const one = encodeExportKeys([exportKey(1)], 'keys')
  const tooMany = Buffer.alloc(1_500_001 * one.length, one)
  const short = Buffer.concat([start, tooMany])
  takesLittle('1.5 million keys', await read(await feedOf(t, signed(short))), 'too_many_keys')
})

test('many signatures and many entries of a zip are not read', async (t) => {
  const signature = {
    signatureInfo: info,
    batchNum: 1,
    batchSize: 1,
    signature: new Uint8Array(70),
  }
  const many = encodeSignatureList(Array.from({ length: 200_000 }, () => signature))
  const few = encodeSignatureList(Array.from({ length: 100 }, () => signature))
  const zips = [many, few].map((sig) => makeZip({ 'export.bin': start, 'export.sig': sig }))
  takesLittle('200,000', await read(await feedOf(t, zips[0] as Uint8Array)), 'zip_too_large')
  takesLittle('100', await read(await feedOf(t, zips[1] as Uint8Array)), 'signature_invalid')
  const entries = Array.from({ length: 65_535 }, (_, index) => ({
    name: String(index),
    data: new Uint8Array(),
    size: 0,
    crc: 0,
  }))
  takesLittle('65,535 entries', await read(await feedOf(t, zipOf(entries))), 'zip_malformed')
})

test('an index of 1 GB is not read, however it is sent', async (t) => {
  const line = Buffer.from('us/1-2-00001.zip\n'.repeat(4_096))
  const most = 2 ** 30
  for (const [what, send] of [
    [
      'declared',
      (response) => {
        response.setHeader('content-length', most)
        sendEndlessly(response, line, most)
      },
    ],
    ['not declared', (response) => sendEndlessly(response, line)],
  ] as [string, (response: ServerResponse) => void][]) {
    const { index } = await serve(t, (_, response) => send(response))
    takesLittle(what, await read(index), 'index_too_large')
  }
  const empty = await serve(t, (_, response) => response.end('\n'.repeat(2 ** 20)))
  takesLittle('a million empty lines', await read(empty.index))
  const lines = Array.from({ length: 60_000 }, (_, number) => `us/${number}.zip`).join('\n')
  const many = await serve(t, (_, response) => response.end(lines))
  takesLittle('60,000 lines', await read(many.index), 'index_too_large')
})

test('what HTTP compressed is not decompressed: of an index nothing, of a file no more than it may have', async (t) => {
  const bomb = Buffer.alloc(2 ** 28, 'us/1-2-00001.zip\n')
  for (const [encoding, body, ofFile] of [
    ['gzip', gzipSync(bomb), 'file_too_large'],
    ['br', brotliCompressSync(bomb), 'file_too_large'],
    ['zstd', zstdCompressSync(bomb), 'download_failed'],
  ] as const) {
    const send = (response: ServerResponse) =>
      response.setHeader('content-encoding', encoding).end(body)
    const { index } = await serve(t, (_, response) => send(response))
    takesLittle(`an index in ${encoding}`, await read(index), 'download_failed')
    const feed = await feedOf(t, (_, response) => send(response))
    takesLittle(`a file in ${encoding}`, await read(feed), ofFile)
  }
})

test('files that have no end, that drip, or that are many and large take little', async (t) => {
  const piece = Buffer.alloc(65_536, 7)
  const endless = await feedOf(t, (_, response) => sendEndlessly(response, piece))
  takesLittle('endless', await read(endless), 'file_too_large')
  const dripping = await feedOf(t, (_, response) => {
    const timer = setInterval(() => response.write('x'), 20)
    response.on('close', () => clearInterval(timer))
  })
  takesLittle('dripping', await read(dripping, 'phone', 1_500), 'download_failed')
  const large = 19 * 2 ** 20
  for (const reader of ['phone', 'command'] as const)
    for (const declared of [true, false]) {
      const junk = await feedOf(
        t,
        (_, response) => {
          if (declared) response.setHeader('content-length', large)
          sendEndlessly(response, piece, large)
        },
        12,
      )
      const what = `${reader}: 12 files of 19 MiB, ${declared ? '' : 'not '}declared`
      takesLittle(what, await read(junk, reader), 'zip_malformed')
    }
})
