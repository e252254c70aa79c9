// Format: diagnosis keys as ct-diag-server's apps read and send them, records <-> values; promises records of one length, back to back, with nothing around them.

/** Bytes of a record: the key, 4 bytes of rolling start number, 1 byte of transmission risk. All integers are big-endian. */
export const RECORD_LENGTH = 21

/** Bytes of a record of the earlier form: the key, 2 bytes that number its day since the epoch. */
export const DAY_RECORD_LENGTH = 18

/** Bytes of the key that each record begins with. */
export const KEY_LENGTH = 16

/** Intervals of 10 minutes. */
const INTERVALS_PER_DAY = 144

/** What a record says. That its key is valid for a day is understood. */
export interface KeyRecord {
  /** 16 bytes. */
  readonly keyData: Uint8Array
  /** Intervals of 10 minutes. */
  readonly rollingStart: number
  readonly transmissionRisk: number
}

/** Writes a record of 21 bytes at `offset`. */
export function writeRecord(
  target: Uint8Array,
  offset: number,
  { keyData, rollingStart, transmissionRisk }: KeyRecord,
): void {
  target.set(keyData, offset)
  target[offset + 16] = rollingStart >>> 24
  target[offset + 17] = rollingStart >>> 16
  target[offset + 18] = rollingStart >>> 8
  target[offset + 19] = rollingStart
  target[offset + 20] = transmissionRisk
}

/** The record of 21 bytes at `offset`. */
export function readRecord(bytes: Uint8Array, offset: number): KeyRecord {
  return {
    keyData: bytes.slice(offset, offset + KEY_LENGTH),
    rollingStart: readStart(bytes, offset),
    transmissionRisk: bytes[offset + 20] as number,
  }
}

/** Records of 21 bytes in the earlier form: a key that does not begin at midnight UTC has the day that it begins in. */
export function toDayRecords(records: Uint8Array): Uint8Array {
  const count = records.length / RECORD_LENGTH
  const days = new Uint8Array(count * DAY_RECORD_LENGTH)
  for (let index = 0; index < count; index++) {
    const from = index * RECORD_LENGTH
    const to = index * DAY_RECORD_LENGTH
    days.set(records.subarray(from, from + KEY_LENGTH), to)
    // Two bytes are enough until the year 2149; what is later has the last day that they can say.
    const day = Math.min(Math.floor(readStart(records, from) / INTERVALS_PER_DAY), 0xffff)
    days[to + 16] = day >>> 8
    days[to + 17] = day
  }
  return days
}

function readStart(bytes: Uint8Array, offset: number): number {
  return (
    (((bytes[offset + 16] as number) << 24) |
      ((bytes[offset + 17] as number) << 16) |
      ((bytes[offset + 18] as number) << 8) |
      (bytes[offset + 19] as number)) >>>
    0
  )
}
