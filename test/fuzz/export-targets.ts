// Fuzzing: export files and feeds as a client reads them; promises that no key is given but those of a file that a trusted key has signed.

import assert from 'node:assert/strict'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import * as fc from 'fast-check'
import { FormatError } from '../../src/format/format-error.ts'
import { readExport } from '../../src/format/gaen-export.ts'
import { inflateRaw } from '../../src/format/inflate.ts'
import { extractEntry, listZip } from '../../src/format/read-zip.ts'
import { analyzeExport } from '../../src/verify/analyze-export.ts'
import { checkContents } from '../../src/verify/check-keys.ts'
import { followFiles } from '../../src/verify/follow-feed.ts'
import { DEFAULT_LIMITS } from '../../src/verify/limits.ts'
import { isFileName, parseFileName, readIndex } from '../../src/verify/read-index.ts'
import { loadTrustedKeys } from '../../src/verify/trusted-keys.ts'
import { VerificationError } from '../../src/verify/verification-error.ts'
import { verifyExportWith } from '../../src/verify/verify-export.ts'
import { makeZip } from '../export-files.ts'
import { mutatedBytes, mutatedText } from './mutate.ts'
import { BIN, makeExport, SIG, TRUSTED, ZIP } from './some-exports.ts'
import { hex, target, valueLater, valueOf } from './target.ts'

const isRefusal = (error: unknown) =>
  error instanceof VerificationError || error instanceof FormatError
const isAnyError = (error: unknown) => error instanceof Error

const MAX_SIZE = 100_000
const files = [0, 1, 2].map(makeExport)
const zips = files.map(({ zip }) => zip)
const stored = new TextEncoder().encode('stored '.repeat(30))
const deflated = [BIN, SIG, stored, new Uint8Array(50_000)].map((each) =>
  Uint8Array.from(deflateRawSync(each)),
)
const otherZip = makeZip({ 'export.bin': stored, other: BIN, 'export.sig': SIG })

const keys = await loadTrustedKeys([TRUSTED])
const verifiedBins = new Set(files.map(({ bin }) => hex(bin)))

/** export.bin of a zip that was believed. */
function binOf(zip: Uint8Array): string {
  const entry = listZip(zip).find(({ name }) => name === 'export.bin')
  assert.ok(entry)
  return hex(extractEntry(entry, MAX_SIZE))
}

const otherNames = files.map(({ name }) => name.replace('-00001', '-00002'))
const indexLines = [...files.map(({ name }) => name), ...otherNames]
const index = new TextEncoder().encode(indexLines.join('\n'))
const limits = { ...DEFAULT_LIMITS, maxIndexFiles: 50, maxRefusedFiles: 2, maxLookBytes: 5_000 }

function inflate(compressed: Uint8Array, maxSize: number): Uint8Array {
  return Buffer.concat(Array.from(inflateRaw(compressed, maxSize), (piece) => piece.slice()))
}

function inflateNatively(compressed: Uint8Array, maxSize: number): Uint8Array {
  // With info, it says how much it has read; the types don't know that.
  const options = { maxOutputLength: maxSize + 1, info: true }
  const { buffer, engine } = inflateRawSync(compressed, options) as unknown as {
    buffer: Uint8Array
    engine: { bytesWritten: number }
  }
  if (engine.bytesWritten !== compressed.length || buffer.length > maxSize)
    throw new RangeError('not one whole stream')
  return buffer
}

/** A zip with another directory, and with an end that goes with it. */
const otherDirectory = fc
  .record({
    directory: mutatedBytes([ZIP.subarray(directoryOf(ZIP), -22)]),
    count: fc.nat(4),
    comment: fc.constantFrom(0, 0, 0, 1),
  })
  .map(({ directory, count, comment }) => {
    const start = directoryOf(ZIP)
    const end = Buffer.from(ZIP.subarray(-22))
    end.writeUInt16LE(count, 8)
    end.writeUInt16LE(count, 10)
    end.writeUInt32LE(directory.length, 12)
    end.writeUInt16LE(comment, 20)
    return Uint8Array.from(Buffer.concat([ZIP.subarray(0, start), directory, end]))
  })

function directoryOf(zip: Uint8Array): number {
  return Buffer.from(zip.subarray(-6, -2)).readUInt32LE()
}

export const exportTargets = [
  target('zip', fc.oneof(mutatedBytes([ZIP, otherZip]), otherDirectory), (bytes) => {
    for (const entry of valueOf(() => listZip(bytes), isRefusal) ?? []) {
      const content = valueOf(() => extractEntry(entry, MAX_SIZE), isRefusal)
      assert.ok((content?.length ?? 0) <= MAX_SIZE)
    }
  }),
  target(
    'zip there and back',
    fc.dictionary(
      fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme-ascii' }),
      fc.uint8Array(),
      { maxKeys: 5 },
    ),
    (entries) => {
      const listed = listZip(makeZip(entries))
      assert.deepEqual(
        listed.map(({ name }) => name),
        Object.keys(entries),
      )
      for (const entry of listed)
        assert.equal(hex(extractEntry(entry, MAX_SIZE)), hex(entries[entry.name] as Uint8Array))
    },
  ),
  target(
    'inflate as zlib does',
    fc.tuple(mutatedBytes(deflated), fc.oneof(fc.nat(300), fc.nat(60_000))),
    ([bytes, maxSize]) => {
      const ours = valueOf(() => inflate(bytes, maxSize), isAnyError)
      const native = valueOf(() => inflateNatively(bytes, maxSize), isAnyError)
      assert.equal(
        ours === undefined ? 'refused' : hex(ours),
        native === undefined ? 'refused' : hex(native),
      )
      assert.ok((ours?.length ?? 0) <= maxSize)
    },
  ),
  target('contents of export.bin', mutatedBytes([BIN]), (bytes) => {
    const contents = valueOf(() => checkContents(() => bytes, 100), isRefusal)
    if (contents === undefined) return
    assert.ok(contents.header.startTimestamp < contents.header.endTimestamp)
  }),
  target('analysis of an export', mutatedBytes([BIN, ...zips]), (bytes) => {
    const analysis = valueOf(() => analyzeExport(bytes, DEFAULT_LIMITS, 10), isRefusal)
    if (analysis !== undefined) assert.ok(analysis.conclusions.every(({ keys }) => keys >= 0))
  }),
  target('export.bin in pieces', fc.tuple(mutatedBytes([BIN]), fc.nat(99)), ([bytes, length]) => {
    const pieces = Array.from({ length: Math.ceil(bytes.length / (length + 1)) }, (_, index) =>
      bytes.subarray(index * (length + 1), (index + 1) * (length + 1)),
    )
    const [whole, cut] = [bytes, pieces].map((content) =>
      valueOf(() => [...readExport(content)].map(({ key }) => hex(key.keyData)), isRefusal),
    )
    assert.deepEqual(cut, whole)
  }),
  target('export file', mutatedBytes(zips), (zip) => {
    const verified = valueOf(() => verifyExportWith(zip, keys, DEFAULT_LIMITS), isRefusal)
    if (verified === undefined) return
    assert.ok(verifiedBins.has(binOf(zip)))
    assert.equal([...verified.entries()].length, verified.keys + verified.revisedKeys)
  }),
  target(
    'export file whose entries changed',
    fc.tuple(mutatedBytes([BIN]), mutatedBytes([SIG])),
    ([bin, sig]) => {
      const zip = makeZip({ 'export.bin': bin, 'export.sig': sig })
      const verified = valueOf(() => verifyExportWith(zip, keys, DEFAULT_LIMITS), isRefusal)
      assert.ok(verified === undefined || verifiedBins.has(hex(bin)))
    },
  ),
  target('trusted key', mutatedText([TRUSTED.publicKey]), async (publicKey) => {
    const loaded = await valueLater(() => loadTrustedKeys([{ publicKey }]), isRefusal)
    if (loaded === undefined) return
    assert.equal(loaded[0]?.verify(new Uint8Array(64), BIN.subarray(0, 32)), false)
  }),
  target('index of a feed', mutatedBytes([index]), (bytes) => {
    const names = valueOf(() => readIndex(bytes, limits), isRefusal) ?? []
    assert.equal(new Set(names).size, names.length)
    assert.ok(names.length <= limits.maxIndexFiles)
    for (const name of names)
      assert.equal(new URL(name, 'https://a.example/x/').href, `https://a.example/x/${name}`)
  }),
  target('name of a file of a feed', mutatedText(files.map(({ name }) => name)), (name) => {
    const parsed = parseFileName(name)
    if (parsed !== undefined) assert.ok(Object.values(parsed).every(Number.isSafeInteger))
    if (isFileName(name)) assert.doesNotMatch(name, /(^|\/)\.|[^!-~]|\/\/|[?#%\\:]/)
  }),
  target(
    'feed',
    fc.tuple(
      mutatedBytes([index]),
      fc.tuple(...[...zips, ...zips].map((zip) => fc.oneof(fc.constant(zip), mutatedBytes(zips)))),
    ),
    async ([indexBytes, contents]) => {
      const source = {
        readIndex: async () => indexBytes,
        async readFile(name: string) {
          const bytes = contents[indexLines.indexOf(name)]
          if (bytes === undefined) throw new VerificationError('file_missing', 'none')
          return bytes
        },
      }
      const given: string[] = []
      await valueLater(async () => {
        for await (const event of followFiles(source, keys, limits))
          if (event.type === 'file') given.push(event.export.digest)
      }, isRefusal)
      assert.equal(new Set(given).size, given.length, 'each file once')
    },
  ),
]
