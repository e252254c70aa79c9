// Test: a zip has one reading: what an entry hides from its directory, or says otherwise than it, is refused.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import { makeZip } from '../../test/export-files.ts'
import { CENTRAL, changed, END, LOCAL, refusesListing } from '../../test/zip-places.ts'
import { concatBytes } from './bytes.ts'
import { extractEntry, listZip, type ZipEntry } from './read-zip.ts'

const MAX = 1_000_000

/** A zip of one entry that is stored as it is, sizes first, as most programs write it. */
function plainZip(): { zip: Uint8Array; view: DataView } {
  const data = Uint8Array.of(1, 2, 3)
  const zip = new Uint8Array(34 + 47 + 22)
  const view = new DataView(zip.buffer)
  for (const [start, signature, shift] of [
    [0, 0x04034b50, 0],
    [34, 0x02014b50, 2],
  ] as const) {
    view.setUint32(start, signature, true)
    view.setUint32(start + LOCAL.checksum + shift, crc32(data), true)
    view.setUint32(start + LOCAL.compressed + shift, 3, true)
    view.setUint32(start + LOCAL.size + shift, 3, true)
    view.setUint16(start + 26 + shift, 1, true)
  }
  zip[LOCAL.name] = zip[34 + CENTRAL.name] = 'a'.charCodeAt(0)
  zip.set(data, 31)
  view.setUint32(81, 0x06054b50, true)
  view.setUint32(81 + END.here, 0x00010001, true)
  view.setUint32(81 + END.length, 47, true)
  view.setUint32(81 + END.start, 34, true)
  return { zip, view }
}

test('what an entry says of itself, before or behind its data, must be what the directory says', () => {
  const plain = plainZip()
  const [entry] = listZip(plain.zip) as [ZipEntry]
  assert.deepEqual(extractEntry(entry, MAX), Uint8Array.of(1, 2, 3))
  for (const at of [LOCAL.checksum, LOCAL.compressed, LOCAL.size]) {
    for (const value of [0, 2]) {
      const { zip, view } = plainZip()
      view.setUint32(at, value, true)
      refusesListing(zip, `${value} at ${at} of a header`)
    }
    refusesListing(changed('local', at, 2, 4), `2 at ${at} of a header whose sizes follow the data`)
  }
  for (const flags of [0x0008, 0x0800]) {
    const { zip, view } = plainZip()
    view.setUint16(LOCAL.flags, flags, true)
    refusesListing(zip, `flags ${flags} in a header alone`)
    view.setUint16(34 + CENTRAL.flags, flags, true)
    if (flags === 0x0800) assert.equal(listZip(zip).length, 1)
    else refusesListing(zip, 'sizes that should follow the data')
  }
  const { zip: stored, view } = plainZip()
  for (const at of [LOCAL.flags, 34 + CENTRAL.flags]) view.setUint16(at, 0x0008, true)
  const values = stored.subarray(LOCAL.checksum, LOCAL.checksum + 12)
  const followed = concatBytes([stored.subarray(0, 34), values, stored.subarray(34)])
  new DataView(followed.buffer).setUint32(followed.length - 22 + END.start, 46, true)
  assert.deepEqual(extractEntry(listZip(followed)[0] as ZipEntry, MAX), Uint8Array.of(1, 2, 3))
  const streamed = makeZip({ a: new Uint8Array(50) })
  const start = new DataView(streamed.buffer).getUint32(streamed.length - 22 + END.start, true)
  for (let at = start - 16; at < start; at++) {
    const zip = streamed.slice()
    zip[at] = (zip[at] as number) ^ 1
    refusesListing(zip, `byte ${at} behind the data`)
  }
})

test('sizes may follow the data without a signature of their own', () => {
  const zip = makeZip({ a: new Uint8Array(50) })
  const start = new DataView(zip.buffer).getUint32(zip.length - 22 + END.start, true)
  const shorter = concatBytes([zip.subarray(0, start - 16), zip.subarray(start - 12)])
  new DataView(shorter.buffer).setUint32(shorter.length - 22 + END.start, start - 4, true)
  const [entry] = listZip(shorter) as [ZipEntry]
  assert.deepEqual(extractEntry(entry, MAX), new Uint8Array(50))
})

test('an entry that the directory does not know is found, wherever it hides', () => {
  const hidden = makeZip({ a: new Uint8Array(20) })
  const hiddenLength = new DataView(hidden.buffer).getUint32(hidden.length - 22 + END.start, true)
  const zip = makeZip({ a: new Uint8Array(50), b: new Uint8Array(50) })
  const view = new DataView(zip.buffer)
  const start = view.getUint32(zip.length - 22 + END.start, true)
  const second = start + CENTRAL.name + 1
  const local = view.getUint32(second + CENTRAL.offset, true)
  for (const at of [local, start])
    for (const length of [1, hiddenLength]) {
      const pieces = [zip.subarray(0, at), hidden.subarray(0, length), zip.subarray(at)]
      const stuffed = concatBytes(pieces)
      const changed = new DataView(stuffed.buffer)
      changed.setUint32(stuffed.length - 22 + END.start, start + length, true)
      if (at === local) changed.setUint32(second + length + CENTRAL.offset, local + length, true)
      refusesListing(stuffed, `${length} bytes at ${at}`)
    }
  const { zip: plain } = plainZip()
  const gap = concatBytes([plain.subarray(0, 34), Uint8Array.of(0), plain.subarray(34)])
  new DataView(gap.buffer).setUint32(gap.length - 22 + END.start, 35, true)
  refusesListing(gap, 'a byte behind the last entry')
  // A second directory in a comment.
  const comment = makeZip({}).length
  const commented = concatBytes([zip, makeZip({})])
  new DataView(commented.buffer).setUint16(zip.length - 22 + END.comment, comment, true)
  refusesListing(commented, 'a comment')
  const text = concatBytes([zip, Uint8Array.of(65)])
  new DataView(text.buffer).setUint16(zip.length - 22 + END.comment, 1, true)
  refusesListing(text, 'a comment of one letter')
})

test('an entry that other readers call otherwise is refused', () => {
  // Info-ZIP's Unicode path, and sizes of 64 bits.
  for (const id of [0x7075, 0x0001]) {
    const { zip } = plainZip()
    const extra = Uint8Array.of(0x55, 0x54, 0, 0, id & 0xff, id >> 8, 0, 0)
    const directory = concatBytes([zip.subarray(0, 81), extra, zip.subarray(81)])
    const view = new DataView(directory.buffer)
    view.setUint16(34 + 30, extra.length, true)
    view.setUint32(directory.length - 22 + END.length, 47 + extra.length, true)
    refusesListing(directory, `${id} in the directory`)
    view.setUint16(34 + 46 + 1 + 4, 0x5455, true)
    assert.equal(listZip(directory).length, 1, 'times are harmless')
    const header = concatBytes([zip.subarray(0, 31), extra, zip.subarray(31)])
    const moved = new DataView(header.buffer)
    moved.setUint16(LOCAL.extraLength, extra.length, true)
    moved.setUint32(header.length - 22 + END.start, 34 + extra.length, true)
    refusesListing(header, `${id} in a header`)
  }
})

test('sizes of 64 bits are read where those of 32 bits say that there are some', () => {
  const large = (zip: Uint8Array, own: number, listed: number) => {
    const data = Uint8Array.of(1, 0, 16, 0, own, 0, 0, 0, 0, 0, 0, 0, own, 0, 0, 0, 0, 0, 0, 0)
    const inDirectory = data.slice().fill(listed, 4, 5).fill(listed, 12, 13)
    const bytes = concatBytes([
      zip.subarray(0, 31),
      data,
      zip.subarray(31, 81),
      inDirectory,
      zip.subarray(81),
    ])
    const view = new DataView(bytes.buffer)
    view.setUint16(LOCAL.extraLength, data.length, true)
    view.setUint16(54 + 30, data.length, true)
    for (const at of [LOCAL.compressed, 54 + CENTRAL.compressed]) {
      view.setUint32(at, 0xffffffff, true)
      view.setUint32(at + 4, 0xffffffff, true)
    }
    view.setUint32(bytes.length - 22 + END.length, 47 + data.length, true)
    view.setUint32(bytes.length - 22 + END.start, 54, true)
    return { bytes, view }
  }
  const { zip } = plainZip()
  const { bytes } = large(zip, 3, 3)
  assert.deepEqual(extractEntry(listZip(bytes)[0] as ZipEntry, MAX), Uint8Array.of(1, 2, 3))
  refusesListing(large(zip, 2, 3).bytes, 'other sizes in the header')
  refusesListing(large(zip, 3, 2).bytes, 'other sizes in the directory')
  const one = large(zip, 3, 3)
  one.view.setUint32(LOCAL.size, 3, true)
  refusesListing(one.bytes, 'one of two sizes')
  const none = large(zip, 3, 3)
  none.view.setUint16(31, 0x5455, true)
  refusesListing(none.bytes, 'no sizes')
})
