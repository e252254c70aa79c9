// Test helper: objects of an archive as a test wants them; promises the form of docs/log.md, whatever they say.

import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { zstdCompressSync } from 'node:zlib'
import { Encrypter, generateIdentity, identityToRecipient } from 'age-encryption'
import type { Queryable } from '../src/db/database.ts'
import type { Zone } from '../src/db/zones.ts'
import {
  encodeArchiveHeader,
  nameOfObject,
  type ArchiveHeader,
  type ArchiveKind,
} from '../src/log/archive-format.ts'
import { readEventRows, readHead, type EventRow } from '../src/log/read-events.ts'
import { decodeEvent } from '../src/log/record.ts'
import { appendLeaf, EMPTY_FRONTIER, encodeFrontier, rootOf } from '../src/log/tree.ts'

/** An age identity in a file, as an operator keeps one. */
export async function makeIdentity(folder: string): Promise<{ identity: string; file: string }> {
  const identity = await generateIdentity()
  const file = join(
    folder,
    `identity-${createHash('sha256').update(identity).digest('hex').slice(0, 8)}.txt`,
  )
  writeFileSync(file, `# A comment.\n${identity}\n`, { mode: 0o600 })
  return { identity, file }
}

/** What is written: the events of a log from `first` on, before `end`. */
export interface Span {
  readonly kind?: ArchiveKind
  readonly first: number
  readonly end: number
  /** The digest of the object before, hex; null for none. */
  readonly previous: string | null
}

/** Writes one object of a log. @returns its name and digest */
export async function writeObject(
  db: Queryable,
  folder: string,
  zone: Zone,
  identity: string,
  span: Span,
  change: (header: ArchiveHeader, rows: EventRow[]) => ArchiveHeader = (header) => header,
): Promise<{ name: string; digest: string }> {
  const { kind = 'segment', first, end, previous } = span
  let tree = EMPTY_FRONTIER
  let frontier = encodeFrontier(tree)
  const rows: EventRow[] = []
  for await (const page of readEventRows(db, 0, end))
    for (const row of page) {
      if (tree.size === first) frontier = encodeFrontier(tree)
      tree = appendLeaf(tree, row.leafHash)
      if (row.seq >= first) rows.push(row)
    }
  const { logId } = await readHead(db)
  const { grain } = decodeEvent((rows.at(-1) as EventRow).record)
  const header: ArchiveHeader = change(
    {
      version: 1,
      kind,
      zone,
      logId,
      first,
      end,
      previous: previous === null ? null : Buffer.from(previous, 'hex'),
      frontier,
      root: rootOf(tree),
      grain,
      timeGrain: 900,
      madeAt: grain,
    },
    rows,
  )
  return storeObject(folder, identity, header, rows)
}

/** Writes one object that says just this. @returns its name and digest */
export async function storeObject(
  folder: string,
  identity: string,
  header: ArchiveHeader,
  rows: readonly EventRow[],
): Promise<{ name: string; digest: string }> {
  const plain = Buffer.concat([encodeArchiveHeader(header), ...rows.map(({ record }) => record)])
  const encrypter = new Encrypter()
  encrypter.addRecipient(await identityToRecipient(identity))
  const stored = await encrypter.encrypt(zstdCompressSync(plain))
  const digest = createHash('sha256').update(stored).digest('hex')
  const name = nameOfObject({ ...header, digest })
  mkdirSync(join(folder, header.zone), { recursive: true })
  writeFileSync(join(folder, header.zone, name), stored, { mode: 0o600 })
  return { name, digest }
}

/** Writes a log as segments of so many events at the most. @returns their names */
export async function writeSegments(
  db: Queryable,
  folder: string,
  zone: Zone,
  identity: string,
  size: number,
  from = 0,
): Promise<string[]> {
  const { nextSeq } = await readHead(db)
  const names: string[] = []
  let previous: string | null = null
  for (let first = from; first < nextSeq; first += size) {
    const span = { first, end: Math.min(nextSeq, first + size), previous }
    const { name, digest } = await writeObject(db, folder, zone, identity, span)
    names.push(name)
    previous = digest
  }
  return names
}
