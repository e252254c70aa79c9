// Test helper: what ct-diag-server's apps do with a list, and what it must hold, worked out from the zips by other code.

import assert from 'node:assert/strict'
import { buffer } from 'node:stream/consumers'
import { Readable } from 'node:stream'
import type { createListServer } from '../src/distribute/ctdiag-list.ts'
import { TocsinError } from '../src/errors.ts'
import { readIndex, readPublished, type PublishedKey } from './published-files.ts'
import { REVOKED } from './phone.ts'

/** A key and its record, both in hex. */
export type Records = Map<string, string>

/** The list that follows from the zips of a stream's index: a release's corrections, then what it brings; each key where it was named last. */
export async function expectedList(publicFolder: string, stream: string): Promise<Records> {
  const records: Records = new Map()
  const index = await readIndex(publicFolder, stream)
  // A release's files differ in their number only.
  for (const release of new Set(index.map((path) => path.slice(0, -'00001.zip'.length)))) {
    const paths = index.filter((path) => path.startsWith(release))
    const files = await Promise.all(paths.map((path) => readPublished(publicFolder, path)))
    for (const row of files.flatMap(({ revisedKeys }) => revisedKeys)) {
      records.delete(row.key_data.toString('hex'))
      if (row.report_type !== REVOKED) records.set(row.key_data.toString('hex'), recordOf(row))
    }
    for (const row of files.flatMap(({ keys }) => keys))
      records.set(row.key_data.toString('hex'), recordOf(row))
  }
  return records
}

function recordOf(row: PublishedKey): string {
  const rest = Buffer.alloc(5)
  rest.writeUInt32BE(row.rolling_start_interval_number ?? 0)
  rest.writeUInt8(row.transmission_risk_level, 4)
  return row.key_data.toString('hex') + rest.toString('hex')
}

/** Records that were downloaded, in their order. */
export function parseRecords(body: Uint8Array): Records {
  const hex = Buffer.from(body).toString('hex')
  assert.equal(hex.length % 42, 0, 'whole records')
  const records = hex.match(/.{42}/g) ?? []
  const parsed = new Map(records.map((record) => [record.slice(0, 32), record]))
  assert.equal(parsed.size, records.length, 'each key once')
  return parsed
}

type ListServer = ReturnType<typeof createListServer>

/** Downloads the records behind a key, in hex; undefined when it is refused as gone. */
export async function download(server: ListServer, after?: string): Promise<Buffer | undefined> {
  const key = after === undefined ? undefined : Buffer.from(after, 'hex')
  try {
    const { status, headers, body } = await server({ method: 'GET', form: 'records', after: key })
    assert.equal(status, 200)
    const bytes = body instanceof Readable ? await buffer(body) : Buffer.from(body ?? [])
    assert.equal(headers['content-length'], String(bytes.length))
    return bytes
  } catch (error) {
    if (error instanceof TocsinError && error.code === 'cursor_gone') return undefined
    throw error
  }
}

/** A phone that asks for what is behind the last key that it has, and begins again when it is told so. */
export class CtdiagPhone {
  readonly keys: Records = new Map()
  restarts = 0
  #last: string | undefined

  /** @param most records that it takes before its connection breaks off */
  async poll(server: ListServer, most = Infinity): Promise<void> {
    let body = await download(server, this.#last)
    if (body === undefined) {
      this.restarts += 1
      this.keys.clear()
      this.#last = undefined
      body = await download(server)
    }
    const records = [...parseRecords(body ?? Buffer.alloc(0))]
    for (const [key, record] of records.slice(0, most)) {
      this.keys.set(key, record)
      this.#last = key
    }
  }
}
