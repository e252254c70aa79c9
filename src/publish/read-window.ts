// Publish: the keys of a release, sorted, as they leave the database; promises flat memory, however many there are.

import { to as copyTo } from 'pg-copy-streams'
import type { Transaction } from '../db/database.ts'
import type { KeySequence } from '../format/gaen-export.ts'
import { CopiedKeys, ROW_LENGTH } from './copied-keys.ts'
import type { Stream } from './streams.ts'
import {
  copySorted,
  findChanges,
  selectKeys,
  selectRevised,
  type ReleaseSpan,
} from './window-keys.ts'

/** Some keys of one list of an export. */
export interface KeyPage {
  readonly list: 'keys' | 'revisedKeys'
  readonly keys: KeySequence
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
  if (span.keysFrom !== null) {
    const select = selectKeys(stream, span, await findChanges(tx, span))
    for await (const keys of copyKeys(tx, copySorted(select))) yield { list: 'keys', keys }
  }
  for await (const keys of copyKeys(tx, copySorted(selectRevised(stream, span))))
    yield { list: 'revisedKeys', keys }
}

async function* copyKeys(tx: Transaction, statement: string): AsyncGenerator<CopiedKeys> {
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

async function* readRows(chunks: AsyncIterable<Buffer>): AsyncGenerator<CopiedKeys> {
  let rest: Buffer = Buffer.alloc(0)
  let header = true
  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const offset = header ? copyHeaderLength(bytes) : 0
    if (offset < 0) {
      rest = bytes
      continue
    }
    header = false
    const rows = Math.floor((bytes.length - offset) / ROW_LENGTH)
    const end = offset + rows * ROW_LENGTH
    rest = bytes.subarray(end)
    if (rows > 0) yield new CopiedKeys(bytes.subarray(offset, end))
  }
  // What is left is the trailer: a field count of -1.
  if (rest.length !== 2) throw new Error('the copy ended in the middle of a row')
}

// "PGCOPY\n\377\r\n\0", flags, length of an extension (PostgreSQL manual, COPY, binary format).
const COPY_HEADER = 11 + 4 + 4

function copyHeaderLength(bytes: Buffer): number {
  if (bytes.length < COPY_HEADER) return -1
  const length = COPY_HEADER + bytes.readUInt32BE(15)
  return bytes.length < length ? -1 : length
}
