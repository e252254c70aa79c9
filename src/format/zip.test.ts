// Test: the zip around an export: other readers read what is written, and what could be read in two ways is refused.

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { buffer } from 'node:stream/consumers'
import type { Readable } from 'node:stream'
import { test } from 'node:test'
import { crc32, deflateRawSync } from 'node:zlib'
import * as fc from 'fast-check'
import { makeZip } from '../../test/export-files.ts'
import {
  CENTRAL,
  changed,
  changedAlike,
  END,
  LOCAL,
  refusesListing,
} from '../../test/zip-places.ts'
import { concatBytes } from './bytes.ts'
import { FormatError, type FormatProblem } from './format-error.ts'
import { extractEntry, findEntry, listZip, streamEntry, type ZipEntry } from './read-zip.ts'

const MAX = 1_000_000

const contents = fc.dictionary(
  fc.stringMatching(/^[a-z][a-z.]{0,20}$/),
  fc.oneof(
    fc.uint8Array({ maxLength: 500 }),
    fc.nat(5_000).map((length) => new Uint8Array(length)),
  ),
  { maxKeys: 4, noNullPrototype: true },
)

/** That reading fails with a code. */
function refuses(zip: Uint8Array, code: FormatProblem, what: string, max = MAX) {
  assert.throws(
    () => {
      for (const entry of listZip(zip)) extractEntry(entry, max)
    },
    (error: unknown) => error instanceof FormatError && error.code === code,
    what,
  )
}

test('a zip is read again as it was written, and as yauzl reads it', async () => {
  await fc.assert(
    fc.asyncProperty(contents, async (entries) => {
      const zip = makeZip(entries)
      const listed = listZip(zip)
      assert.deepEqual(
        listed.map(({ name }) => name),
        Object.keys(entries),
      )
      for (const entry of listed) assert.deepEqual(extractEntry(entry, MAX), entries[entry.name])
      assert.deepEqual(await readWithYauzl(zip), entries)
    }),
    { numRuns: 60 },
  )
})

test('whatever the bytes of a zip are, they are read or refused with a reason', async () => {
  const zip = makeZip({ 'export.bin': new Uint8Array(40), 'export.sig': Uint8Array.of(1, 2, 3) })
  await fc.assert(
    fc.asyncProperty(fc.nat(zip.length - 1), fc.nat(255), async (at, byte) => {
      const changed = zip.slice()
      changed[at] = byte
      try {
        for (const entry of listZip(changed)) extractEntry(entry, MAX)
      } catch (error) {
        assert.ok(error instanceof FormatError, String(error))
      }
    }),
    { numRuns: 1_000 },
  )
})

test('an entry that is missing is named', () => {
  const entries = listZip(makeZip({ a: new Uint8Array(1) }))
  assert.equal(findEntry(entries, 'a').size, 1)
  assert.throws(
    () => findEntry(entries, 'export.bin'),
    (error: unknown) =>
      error instanceof FormatError &&
      error.code === 'zip_entry_missing' &&
      error.message.includes('export.bin'),
  )
})

test('a zip that is broken, or that two readers could read differently, is not even listed', () => {
  const whole = makeZip({ a: new Uint8Array(50) })
  const moved = concatBytes([Uint8Array.of(0), whole])
  const view = new DataView(moved.buffer)
  const start = view.getUint32(moved.length - 22 + END.start, true) + 1
  view.setUint32(moved.length - 22 + END.start, start, true)
  view.setUint32(start + CENTRAL.offset, 1, true)
  const names = Array.from({ length: 17 }, (_, index) => [`a${index}`, new Uint8Array(1)])
  const broken: Record<string, Uint8Array> = {
    'no bytes': new Uint8Array(),
    'no zip': new Uint8Array(100),
    'cut at the end': whole.subarray(0, -1),
    'bytes behind it': concatBytes([whole, Uint8Array.of(0)]),
    'bytes before it': concatBytes([Uint8Array.of(0), whole]),
    'bytes before it that its offsets know of': moved,
    'a part of several': changed('end', END.disk, 1),
    'more entries elsewhere': changed('end', END.here, 2),
    'more entries than there are': changed('end', END.here, 0x00020002, 4),
    'no entries, but a directory': changed('end', END.here, 0, 4),
    '65,535 entries': changed('end', END.here, 0xffffffff, 4),
    '17 entries': makeZip(Object.fromEntries(names) as Record<string, Uint8Array>),
    'a directory that starts elsewhere': changed('end', END.start, 3, 4),
    'a directory of another length': changed('end', END.length, 3, 4),
    'a comment that is not there': changed('end', END.comment, 3),
    'an entry outside of the file': changed('central', CENTRAL.offset, 0xffffff, 4),
    'an entry that is no entry': changed('central', CENTRAL.offset, 1, 4),
    'an entry longer than the file': changed('central', CENTRAL.compressed, 0xffffff, 4),
    'an entry that reaches into the directory': changed('central', CENTRAL.compressed, 40, 4),
    'a name longer than the directory': changed('central', CENTRAL.nameLength, 200),
    'another name in its own header': changed('local', LOCAL.name, 'b'.charCodeAt(0), 1),
    'another method in its own header': changed('local', LOCAL.method, 0),
    'an encrypted entry': changed('central', CENTRAL.flags, 0x0009),
    'an entry whose own header says encrypted': changed('local', LOCAL.flags, 0x0009),
  }
  for (const [what, zip] of Object.entries(broken)) refusesListing(zip, what)
})

test('entries that overlap or come twice are not even listed', () => {
  const zip = makeZip({ a: new Uint8Array(50), b: new Uint8Array(50) })
  const view = new DataView(zip.buffer)
  const start = view.getUint32(zip.length - 22 + END.start, true)
  const second = start + CENTRAL.name + 1
  const local = view.getUint32(second + CENTRAL.offset, true)
  const twice = zip.slice()
  twice[second + CENTRAL.name] = twice[local + LOCAL.name] = 'a'.charCodeAt(0)
  refusesListing(twice, 'a name twice')
  const overlapping = zip.slice()
  const reach = view.getUint32(start + CENTRAL.compressed, true) + 20
  new DataView(overlapping.buffer).setUint32(start + CENTRAL.compressed, reach, true)
  refusesListing(overlapping, 'the first reaches into the second')
})

test('an entry that is not what its directory says is refused', () => {
  const unknown = changed('local', LOCAL.method, 12)
  const end = new DataView(unknown.buffer).getUint32(unknown.length - 22 + END.start, true)
  unknown[end + CENTRAL.method] = 12
  refuses(unknown, 'zip_malformed', 'an unknown method')
  for (const [what, zip] of Object.entries({
    'less data than it has': changed('central', CENTRAL.compressed, 3, 4),
    'a larger size than it has': changedAlike(CENTRAL.size, 51),
    'a smaller size than it has': changedAlike(CENTRAL.size, 49),
    'another checksum': changedAlike(CENTRAL.checksum, 1),
  }))
    refuses(zip, 'zip_malformed', what)
})

test('an entry that is larger than allowed, or than it can be, is refused before it is decompressed', () => {
  refuses(makeZip({ a: new Uint8Array(50) }), 'zip_too_large', 'one byte too many', 49)
  refuses(changedAlike(CENTRAL.size, 0x7fffffff), 'zip_too_large', '2 GB')
  const [entry] = listZip(makeZip({ a: new Uint8Array(50) })) as [ZipEntry]
  const impossible = { ...entry, size: 1_032 * entry.data.length + 1 }
  const pieces = streamEntry(impossible, 2 ** 31)
  assert.throws(() => pieces.next(), /impossible size/)
})

test('decompression stops where the declared size ends', () => {
  const [entry] = listZip(makeZip({ a: new Uint8Array(50) })) as [ZipEntry]
  const data = new Uint8Array(deflateRawSync(new Uint8Array(5_000_000)))
  const bomb = { ...entry, data, size: 100_000 }
  let given = 0
  assert.throws(() => {
    for (const piece of streamEntry(bomb, MAX)) given += piece.length
  }, FormatError)
  assert.ok(given <= 100_000, `${given} bytes`)
})

test('a large entry comes in pieces, each done with before the next', () => {
  const data = new Uint8Array(1_000_000).map((_, index) => index % 251)
  for (const method of [0, 8]) {
    const entry = {
      name: 'a',
      method,
      crc: crc32(data),
      size: data.length,
      data: method === 0 ? data : new Uint8Array(deflateRawSync(data)),
    }
    const lengths = Array.from(streamEntry(entry, data.length), ({ length }) => length)
    assert.ok(Math.max(...lengths) <= 100_000, String(Math.max(...lengths)))
    assert.deepEqual(extractEntry(entry, data.length), data)
    assert.throws(() => extractEntry({ ...entry, crc: entry.crc ^ 1 }, data.length), FormatError)
  }
})

test('an entry that is stored as it is can be read', async () => {
  const data = Uint8Array.of(1, 2, 3)
  const entry = { name: 'a', method: 0, crc: crc32(data), size: 3, data }
  assert.deepEqual(extractEntry(entry, MAX), data)
  assert.throws(() => extractEntry({ ...entry, size: 2 }, MAX), FormatError)
})

/** The part of yauzl that is used here; the package has no types. */
interface Yauzl {
  fromBufferPromise(bytes: Buffer): Promise<{
    eachEntry(): AsyncIterable<{ fileName: string }>
    openReadStreamPromise(entry: { fileName: string }): Promise<Readable>
  }>
}

async function readWithYauzl(zip: Uint8Array): Promise<Record<string, Uint8Array>> {
  const yauzl = createRequire(import.meta.url)('yauzl') as Yauzl
  const file = await yauzl.fromBufferPromise(Buffer.from(zip))
  const entries: Record<string, Uint8Array> = {}
  for await (const entry of file.eachEntry())
    entries[entry.fileName] = new Uint8Array(await buffer(await file.openReadStreamPromise(entry)))
  return entries
}
