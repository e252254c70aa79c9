// Publish: numbers of withdrawn reports that other reports brought as well; promises that nobody's withdrawal takes back what somebody else vouches for, and memory that does not grow with either.

import type { Transaction } from '../db/database.ts'
import { NUMBER_BYTES } from '../format/number-file.ts'
import { readContents } from '../log/detached-parts.ts'
import type { NumberReport } from './cen-window.ts'

/** Numbers that are looked for at a time: with their table 32 MiB. */
const NUMBERS_AT_ONCE = 1 << 20

/** A number's bytes as a text, a character each: what sets take. */
export function nameOfNumber(bytes: Uint8Array, at: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + at, NUMBER_BYTES).toString('latin1')
}

/**
 * Those numbers of some reports that others have, too. Whoever may upload can upload public numbers again; when that report is withdrawn, they
 * go on to count. All numbers of the others are read, once for each million of the first.
 *
 * @returns by {@link nameOfNumber}: hardly ever any
 */
export async function findShared(
  tx: Transaction,
  reports: readonly NumberReport[],
  others: readonly NumberReport[],
): Promise<Set<string>> {
  const shared = new Set<string>()
  if (others.length === 0) return shared
  for (const some of inPieces(reports)) {
    const table = await readTable(tx, some)
    for await (const content of readContents(tx, selectSeqs(others)))
      for (let at = 0; at < content.length; at += NUMBER_BYTES)
        if (table.has(content, at)) shared.add(nameOfNumber(content, at))
  }
  return shared
}

/** Reports of so many numbers at a time. */
function* inPieces(reports: readonly NumberReport[]): Generator<NumberReport[]> {
  let piece: NumberReport[] = []
  let numbers = 0
  for (const report of reports) {
    if (piece.length > 0 && numbers + report.count > NUMBERS_AT_ONCE) {
      yield piece
      piece = []
      numbers = 0
    }
    piece.push(report)
    numbers += report.count
  }
  if (piece.length > 0) yield piece
}

/** The numbers of some reports, to be looked up: a table with open addressing, by each number's first bytes, which are random. */
async function readTable(tx: Transaction, reports: readonly NumberReport[]) {
  const count = reports.reduce((sum, report) => sum + report.count, 0)
  const numbers = Buffer.alloc(count * NUMBER_BYTES)
  const mask = 2 ** Math.ceil(Math.log2(count * 2 + 1)) - 1
  const places = new Int32Array(mask + 1)
  const slotOf = (bytes: Uint8Array, at: number) =>
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) &
    mask
  let length = 0
  for await (const content of readContents(tx, selectSeqs(reports))) {
    numbers.set(content, length)
    for (let at = 0; at < content.length; at += NUMBER_BYTES) {
      let slot = slotOf(content, at)
      while (places[slot] !== 0) slot = (slot + 1) & mask
      places[slot] = (length + at) / NUMBER_BYTES + 1
    }
    length += content.length
  }
  return {
    has(bytes: Uint8Array, at: number): boolean {
      for (let slot = slotOf(bytes, at); ; slot = (slot + 1) & mask) {
        const place = places[slot] as number
        if (place === 0) return false
        const from = (place - 1) * NUMBER_BYTES
        if (numbers.compare(bytes, at, at + NUMBER_BYTES, from, from + NUMBER_BYTES) === 0)
          return true
      }
    },
  }
}

/** A statement that gives the numbers of reports' events, as `readContents` takes it. */
export function selectSeqs(reports: readonly NumberReport[]): string {
  return `select unnest('{${reports.map(({ seq }) => seq).join()}}'::bigint[]) as seq`
}
