// Test: compression with deflate: other readers read what is written, and its bytes are the same for ever, however it was fed.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import * as fc from 'fast-check'
import { Deflate } from './deflate.ts'
import { MAX_BLOCK_BYTES } from './deflate-block.ts'
import { encodeExportKeys } from './gaen-export.ts'
import { inflateRaw } from './inflate.ts'

/** Compresses bytes that are handed over in pieces of the lengths given in turn, then the rest. */
function compress(bytes: Uint8Array, lengths: readonly number[] = []): Buffer {
  const deflate = new Deflate()
  const pieces: Uint8Array[] = []
  let offset = 0
  for (const length of lengths) {
    pieces.push(...deflate.push(bytes.subarray(offset, offset + length), false))
    offset += length
  }
  pieces.push(...deflate.push(bytes.subarray(offset), true))
  return Buffer.concat(pieces)
}

/** That both readers give back what was compressed, and that it took no more room than stored blocks. */
function checkCompressed(bytes: Uint8Array, what = `${bytes.length} bytes`): Buffer {
  const compressed = compress(bytes)
  assert.ok(inflateRawSync(compressed).equals(bytes), what)
  const pieces = Array.from(inflateRaw(compressed, bytes.length), (piece) => piece.slice())
  assert.ok(Buffer.concat(pieces).equals(bytes), what)
  const blocks = Math.max(1, Math.ceil(bytes.length / MAX_BLOCK_BYTES))
  assert.ok(compressed.length <= bytes.length + 5 * blocks, `${what}: ${compressed.length}`)
  return compressed
}

/** Random bytes that follow from a name. */
function randomBytes(length: number, name: string): Buffer {
  return createHash('shake256', { outputLength: length }).update(name).digest()
}

/** Keys as a file has them, whose metadata follow from a number alone. */
function makeKeys(count: number): Uint8Array {
  const random = randomBytes(count * 20, 'keys')
  const keys = Array.from({ length: count }, (_, index) => {
    const [a = 0, b = 0, c = 0, d = 0] = random.subarray(index * 20, index * 20 + 4)
    return {
      keyData: random.subarray(index * 20 + 4, index * 20 + 20),
      transmissionRisk: 1 + (a % 3),
      rollingStart: 2_955_000 - 144 * (b % 14),
      rollingPeriod: c < 25 ? 1 + (d % 143) : 144,
      reportType: d < 200 ? 1 : 2,
      daysSinceOnset: 4 - (b % 14),
    }
  }).sort((a, b) => Buffer.compare(a.keyData, b.keyData))
  return encodeExportKeys(keys, 'keys')
}

const digestOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const text = (length: number) =>
  Buffer.from(
    Array.from({ length: length / 8 + 1 }, (_, n) => `line ${n * n}, `).join(''),
  ).subarray(0, length)

test('every length from nothing to 300 is read again, whatever the bytes are', () => {
  for (let length = 0; length <= 300; length++) {
    checkCompressed(randomBytes(length, 'short'))
    checkCompressed(new Uint8Array(length).fill(7))
    checkCompressed(text(length))
  }
})

test('sizes around the ends of blocks and of the window are read again', () => {
  const sizes = [1, 2, 3, 4].flatMap((blocks) => [blocks * MAX_BLOCK_BYTES, blocks * 65_536])
  for (const size of [...sizes, 32_768, 98_304])
    for (const more of [-1, 0, 1]) {
      checkCompressed(randomBytes(size + more, 'long'))
      checkCompressed(new Uint8Array(size + more))
      checkCompressed(makeKeys(9_000).subarray(0, size + more))
    }
})

test('bytes of any kind, one behind the other, are read again', () => {
  const part = fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc.nat(70_000).map((length) => randomBytes(length, 'part')),
    fc.nat(70_000).map((length) => text(length)),
    fc.tuple(fc.nat(255), fc.nat(70_000)).map(([byte, length]) => Buffer.alloc(length, byte)),
    fc
      .tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 900 }))
      .map(([bytes, times]) => Buffer.concat(Array.from({ length: times }, () => bytes))),
  )
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
      checkCompressed(Buffer.concat([...parts, ...parts.slice(0, 1)]))
    }),
    { numRuns: 60 },
  )
})

test('what stands 32,768 bytes back is found, and what stands one byte further is not', () => {
  const repeated = (distance: number) => {
    const start = randomBytes(distance, 'distance')
    return checkCompressed(Buffer.concat([start, start.subarray(0, 258)])).length - distance
  }
  assert.ok(repeated(32_768) < 80, `${repeated(32_768)} bytes`)
  assert.ok(repeated(32_769) > 258, `${repeated(32_769)} bytes`)
})

test('nothing is taken from further back than the window, or from before the beginning', () => {
  const start = randomBytes(60, 'far')
  for (const [near, far] of [
    [1_000, 32_768],
    [1_000, 32_769],
    [20_000, 32_770],
  ] as const) {
    const bytes = randomBytes(far + 60, 'between')
    // Both keys lead to the near one, and from there to the far one, which would be longer.
    for (const [at, length] of [
      [0, 60],
      [near, 8],
      [far, 60],
    ] as const)
      bytes.set(start.subarray(0, length), at)
    checkCompressed(bytes)
  }
  checkCompressed(Buffer.from('a key, \0a key, \0\0a key, '))
})

test('a long run costs a symbol or two for 258 bytes', () => {
  assert.ok(checkCompressed(new Uint8Array(MAX_BLOCK_BYTES)).length < 90)
})

test('the same content gives the same bytes, however it is cut into pieces', () => {
  const bytes = Buffer.concat([makeKeys(5_000), randomBytes(70_000, 'cut'), text(70_000)])
  const whole = compress(bytes)
  fc.assert(
    fc.property(fc.array(fc.nat(90_000), { maxLength: 10 }), (lengths) => {
      assert.ok(compress(bytes, lengths).equals(whole))
    }),
    { numRuns: 30 },
  )
  const ends = [MAX_BLOCK_BYTES - 1, 1, 0, 1, MAX_BLOCK_BYTES, MAX_BLOCK_BYTES - 1]
  assert.ok(compress(bytes, ends).equals(whole))
  assert.ok(
    compress(
      bytes,
      Array.from(bytes, () => 1),
    ).equals(whole),
  )
})

test('known content gives the known bytes', () => {
  assert.equal(compress(new Uint8Array()).toString('hex'), '0300')
  assert.equal(
    compress(Buffer.from('tocsin')).toString('hex'),
    deflateRawSync('tocsin').toString('hex'),
  )
  const known: Readonly<Record<string, Uint8Array>> = {
    keys: makeKeys(20_000),
    text: text(200_000),
    random: randomBytes(100_000, 'known'),
    zeros: new Uint8Array(300_000),
  }
  const digests = Object.entries(known).map(([name, bytes]) => [name, digestOf(compress(bytes))])
  assert.deepEqual(Object.fromEntries(digests), {
    keys: '689977bfc78f5c2adb22aaf6d3e691fdb5f0425e7e8860b029a2eb6201d29745',
    text: '98e2f9493b3b4635a489b369687a1dfc554720f5c17d870f2378859f0f518543',
    random: '0cff024e41d44220c377ec666bab49bba356e9a569d11456cf607a5edcb3312e',
    zeros: '31d307b5648d129f01b977445192d898d4816b8f0ca0c45e56b43d893a03dbc0',
  })
})

test('keys and text take little more than zlib makes of them, random bytes as much as stored', () => {
  const keys = makeKeys(30_000)
  assert.ok(checkCompressed(keys).length <= 1.005 * deflateRawSync(keys, { level: 6 }).length)
  const words = text(200_000)
  assert.ok(checkCompressed(words).length <= 1.1 * deflateRawSync(words, { level: 6 }).length)
  assert.equal(checkCompressed(randomBytes(MAX_BLOCK_BYTES, 'stored')).length, MAX_BLOCK_BYTES + 5)
})
