// Test helper: the places of a zip's fields; promises zips with one thing wrong.

import assert from 'node:assert/strict'
import { FormatError } from '../src/format/format-error.ts'
import { listZip } from '../src/format/read-zip.ts'
import { makeZip } from './export-files.ts'

// Where things lie in a zip of one entry `a` with an empty comment: APPNOTE.TXT, sections 4.3.7, 4.3.12, 4.3.16.
export const LOCAL = {
  flags: 6,
  method: 8,
  checksum: 14,
  compressed: 18,
  size: 22,
  extraLength: 28,
  name: 30,
}
export const CENTRAL = {
  flags: 8,
  method: 10,
  compressed: 20,
  size: 24,
  checksum: 16,
  nameLength: 28,
  disk: 34,
  offset: 42,
  name: 46,
}
export const END = { disk: 4, here: 8, count: 10, length: 12, start: 16, comment: 20 }

/** A zip of one entry, changed at one place. */
export function changed(
  part: 'local' | 'central' | 'end',
  at: number,
  value: number,
  bytes: 1 | 2 | 4 = 2,
) {
  const zip = makeZip({ a: new Uint8Array(50) })
  const view = new DataView(zip.buffer)
  const end = zip.length - 22
  const start = { local: 0, central: view.getUint32(end + END.start, true), end }[part]
  if (bytes === 4) view.setUint32(start + at, value, true)
  else if (bytes === 2) view.setUint16(start + at, value, true)
  else view.setUint8(start + at, value)
  return zip
}

/** A zip of one entry, changed in its directory and behind its data alike. */
export function changedAlike(at: number, value: number): Uint8Array {
  const zip = changed('central', at, value, 4)
  const view = new DataView(zip.buffer)
  const start = view.getUint32(zip.length - 22 + END.start, true)
  view.setUint32(start - 12 + at - CENTRAL.checksum, value, true)
  return zip
}

/** That a zip is refused as soon as it is listed. */
export function refusesListing(zip: Uint8Array, what: string) {
  assert.throws(
    () => listZip(zip),
    (error: unknown) => error instanceof FormatError && error.code === 'zip_malformed',
    what,
  )
}
