// Publish: keys as COPY gives them out, read where they lie; promises that a million of them leave nothing behind to collect.

import type { ExportKey, KeySequence } from '../format/gaen-export.ts'

// PostgreSQL manual, COPY, binary format: the field count, then each field behind its length: 16 bytes, int4, and one byte each of an int4
// (window-keys.ts packs them).
export const ROW_LENGTH = 2 + (4 + 16) + (4 + 4) + (4 + 4)
const KEY_DATA = 6
const ROLLING_START = 26
const PACKED = 34

/** Whole rows, one behind the other. */
export class CopiedKeys implements KeySequence {
  readonly length: number
  readonly #bytes: Buffer

  constructor(bytes: Buffer) {
    this.#bytes = bytes
    this.length = bytes.length / ROW_LENGTH
  }

  /** Gives each key in the same object. */
  forEach(visit: (key: ExportKey) => void): void {
    const bytes = this.#bytes
    const keyData = new Uint8Array(16)
    const key = {
      keyData,
      transmissionRisk: 0,
      rollingStart: 0,
      rollingPeriod: 0,
      reportType: 0,
      daysSinceOnset: 0,
    }
    for (let row = 0; row < bytes.length; row += ROW_LENGTH) {
      for (let index = 0; index < 16; index++) keyData[index] = bytes[row + KEY_DATA + index] ?? 0
      key.rollingStart = bytes.readInt32BE(row + ROLLING_START)
      key.rollingPeriod = bytes[row + PACKED] ?? 0
      key.transmissionRisk = bytes[row + PACKED + 1] ?? 0
      key.reportType = bytes[row + PACKED + 2] ?? 0
      key.daysSinceOnset = (bytes[row + PACKED + 3] ?? 0) - 128
      visit(key)
    }
  }

  slice(start: number, end: number): CopiedKeys {
    return new CopiedKeys(this.#bytes.subarray(start * ROW_LENGTH, end * ROW_LENGTH))
  }
}
