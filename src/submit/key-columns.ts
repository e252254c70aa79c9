// Submit: the keys of a report packed as columns, and back; promises that both directions agree byte for byte.

import type { Fate } from './settle-keys.ts'
import type { ValidKey } from './validate-keys.ts'

/** The valid keys of a report packed as columns, in the order of their bytes; integers big-endian. */
export interface KeyColumns {
  /** 16 bytes each. */
  readonly keyData: Uint8Array
  /** 4 bytes each. */
  readonly rollingStart: Uint8Array
  /** 1 byte each. */
  readonly rollingPeriod: Uint8Array
  readonly transmissionRisk: Uint8Array
  /** 1 byte each, two's complement. */
  readonly daysSinceOnset: Uint8Array
  /** 1 byte each: bit 0 embargoed until its end; bit 1 not stored as new (changed, unchanged, or nothing to publish); bit 2 changed. */
  readonly flags: Uint8Array
}

/** Bits of {@link KeyColumns.flags}. */
export const FLAG_EMBARGOED = 1
export const FLAG_NOT_NEW = 2
export const FLAG_REVISED = 4

/** One key of {@link KeyColumns}. */
export type PackedKey = Pick<
  ValidKey,
  'keyData' | 'rollingStart' | 'rollingPeriod' | 'transmissionRisk' | 'daysSinceOnset'
> & { readonly flags: number }

/** Packs keys as columns, but for those that were dropped or are another report's. @param fates what becomes of each */
export function packKeys(valid: readonly ValidKey[], fates: readonly Fate[]): KeyColumns {
  const kept: PackedKey[] = []
  valid.forEach((key, index) => {
    const fate = fates[index]
    if (fate === 'not_covered' || fate === 'ignored') return
    const { keyData, rollingStart, rollingPeriod, transmissionRisk, daysSinceOnset } = key
    const flags =
      (key.embargoed ? FLAG_EMBARGOED : 0) |
      (fate === 'new' ? 0 : FLAG_NOT_NEW) |
      (fate === 'revised' ? FLAG_REVISED : 0)
    kept.push({ keyData, rollingStart, rollingPeriod, transmissionRisk, daysSinceOnset, flags })
  })
  return packColumns(kept)
}

/** Packs keys as columns, in the order given. */
export function packColumns(keys: readonly PackedKey[]): KeyColumns {
  const count = keys.length
  const columns = {
    keyData: new Uint8Array(count * 16),
    rollingStart: new Uint8Array(count * 4),
    rollingPeriod: new Uint8Array(count),
    transmissionRisk: new Uint8Array(count),
    daysSinceOnset: new Uint8Array(count),
    flags: new Uint8Array(count),
  }
  const starts = startsOf(columns)
  keys.forEach((key, index) => {
    for (let byte = 0; byte < 16; byte++)
      columns.keyData[index * 16 + byte] = key.keyData[byte] as number
    starts.setUint32(index * 4, key.rollingStart)
    columns.rollingPeriod[index] = key.rollingPeriod
    columns.transmissionRisk[index] = key.transmissionRisk
    columns.daysSinceOnset[index] = key.daysSinceOnset
    columns.flags[index] = key.flags
  })
  return columns
}

/** The keys of columns, in their order. */
export function unpackColumns(columns: KeyColumns): PackedKey[] {
  const starts = startsOf(columns)
  return Array.from(columns.flags, (flags, index) => ({
    keyData: columns.keyData.subarray(index * 16, index * 16 + 16),
    rollingStart: starts.getUint32(index * 4),
    rollingPeriod: columns.rollingPeriod[index] ?? 0,
    transmissionRisk: columns.transmissionRisk[index] ?? 0,
    daysSinceOnset: ((columns.daysSinceOnset[index] ?? 0) << 24) >> 24,
    flags,
  }))
}

/** The first intervals of packed keys, 4 bytes each. */
export function startsOf({ rollingStart }: Pick<KeyColumns, 'rollingStart'>): DataView {
  return new DataView(rollingStart.buffer, rollingStart.byteOffset, rollingStart.byteLength)
}
