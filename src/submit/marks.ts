// Submit: marks that withdrawals make, and numbers of events as bytes; promises one way in which both are written.

import { bigintArray, byteaArray } from '../db/binary-array.ts'
import type { Transaction } from '../db/database.ts'
import type { StoredEvent } from '../log/record.ts'
import { sql } from '../db/sql.ts'

/** Which withdrawal holds what, pair by pair. */
export interface MarkedPairs {
  /** Numbers of events, 8 bytes each: the report's (or padding's), and at the same place the withdrawal's. */
  readonly reports: Uint8Array
  readonly reportWithdrawals: Uint8Array
  /** 16 bytes each, and at the same place the withdrawal's number. */
  readonly keys: Uint8Array
  readonly keyWithdrawals: Uint8Array
}

/** Numbers of events as bytes, 8 each, big-endian. */
export function packSeqs(seqs: readonly number[]): Uint8Array {
  const bytes = Buffer.alloc(seqs.length * 8)
  seqs.forEach((seq, index) => bytes.writeBigUInt64BE(BigInt(seq), index * 8))
  return bytes
}

/** The reverse of {@link packSeqs}. */
export function unpackSeqs(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: bytes.length / 8 }, (_, index) =>
    Number(view.getBigUint64(index * 8)),
  )
}

/** The keys of 16 bytes each. */
export function unpackKeys(bytes: Uint8Array): Uint8Array[] {
  return Array.from({ length: bytes.length / 16 }, (_, index) =>
    bytes.subarray(index * 16, index * 16 + 16),
  )
}

/** Writes the marks of an event. @param change 1 where a withdrawal begins to hold something, -1 where it ends */
export async function insertMarks(
  tx: Transaction,
  { seq, grain }: StoredEvent,
  change: 1 | -1,
  { reports, reportWithdrawals, keys, keyWithdrawals }: MarkedPairs,
): Promise<void> {
  await tx.query(
    sql`insert into report_mark (report, seq, withdrawal, available, change)
        select report, ${seq}::bigint, withdrawal, ${grain}::bigint, ${change}::smallint
        from unnest(${bigintArray(unpackSeqs(reports))}::bigint[], ${bigintArray(unpackSeqs(reportWithdrawals))}::bigint[]) as t(report, withdrawal)`,
  )
  await tx.query(
    sql`insert into key_mark (key_data, seq, withdrawal, available, change)
        select key_data, ${seq}::bigint, withdrawal, ${grain}::bigint, ${change}::smallint
        from unnest(${byteaArray(unpackKeys(keys))}::bytea[], ${bigintArray(unpackSeqs(keyWithdrawals))}::bigint[]) as t(key_data, withdrawal)`,
  )
}
