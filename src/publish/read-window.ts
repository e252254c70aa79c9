// Publish: the keys of a release, sorted, as they leave the database; promises flat memory, however many there are.

import { to as copyTo } from 'pg-copy-streams'
import type { Transaction } from '../db/database.ts'
import type { ExportKey } from '../format/gaen-export.ts'
import type { Stream } from './streams.ts'
import { copySorted, selectKeys, selectRevised, type ReleaseSpan } from './window-keys.ts'

/** Some keys of one list of an export. */
export interface KeyPage {
  readonly list: 'keys' | 'revisedKeys'
  readonly keys: readonly ExportKey[]
}

/**
 * What a release brings, each list sorted by the keys' bytes, in pages: first the new keys, then the revised ones.
 *
 * Binary COPY is the fastest way out of PostgreSQL; the sort is the server's, on disk when it must be.
 */
export async function* readWindow(
  tx: Transaction,
  stream: Stream,
  span: ReleaseSpan,
): AsyncGenerator<KeyPage> {
  if (span.keysFrom !== null)
    for await (const keys of copyKeys(tx, copySorted(selectKeys(stream, span))))
      yield { list: 'keys', keys }
  for await (const keys of copyKeys(tx, copySorted(selectRevised(stream, span))))
    yield { list: 'revisedKeys', keys }
}

async function* copyKeys(tx: Transaction, statement: string): AsyncGenerator<ExportKey[]> {
  const source = tx.client.query(copyTo(statement))
  let failed = false
  source.once('error', () => (failed = true))
  try {
    yield* readRows(source.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>)
  } finally {
    // Who gives up must take the rest all the same: a connection has no other way out of a COPY.
    if (!failed && !source.readableEnded) for await (const _ of source);
  }
}

async function* readRows(chunks: AsyncIterable<Buffer>): AsyncGenerator<ExportKey[]> {
  let rest: Buffer = Buffer.alloc(0)
  let header = true
  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const page: ExportKey[] = []
    let offset = header ? copyHeaderLength(bytes) : 0
    if (offset < 0) {
      rest = bytes
      continue
    }
    header = false
    while (bytes.length - offset >= ROW_LENGTH) {
      page.push(readRow(bytes, offset))
      offset += ROW_LENGTH
    }
    rest = bytes.subarray(offset)
    if (page.length > 0) yield page
  }
  // What is left is the trailer: a field count of -1.
  if (rest.length !== 2) throw new Error('the copy ended in the middle of a row')
}

// The field count, then each field behind its length: 16 bytes, int2, int4, int2, int2, int2.
const ROW_LENGTH = 2 + (4 + 16) + (4 + 2) + (4 + 4) + (4 + 2) + (4 + 2) + (4 + 2)

// "PGCOPY\n\377\r\n\0", flags, length of an extension (PostgreSQL manual, COPY, binary format).
const COPY_HEADER = 11 + 4 + 4

function copyHeaderLength(bytes: Buffer): number {
  if (bytes.length < COPY_HEADER) return -1
  const length = COPY_HEADER + bytes.readUInt32BE(15)
  return bytes.length < length ? -1 : length
}

function readRow(bytes: Buffer, offset: number): ExportKey {
  return {
    keyData: bytes.subarray(offset + 6, offset + 22),
    transmissionRisk: bytes.readInt16BE(offset + 26),
    rollingStart: bytes.readInt32BE(offset + 32),
    rollingPeriod: bytes.readInt16BE(offset + 40),
    reportType: bytes.readInt16BE(offset + 46),
    daysSinceOnset: bytes.readInt16BE(offset + 52),
  }
}
