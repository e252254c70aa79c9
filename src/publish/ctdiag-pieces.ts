// Publish: what a release gives to the list of ct-diag-server's apps, read from its zips; promises records in the order of the list.

import type { ObjectStore } from '../distribute/directory-store.ts'
import { KEY_LENGTH, RECORD_LENGTH, writeRecord } from '../format/ctdiag.ts'
import type { ExportEntry } from '../format/gaen-export.ts'
import { REVOKED } from '../format/report-type.ts'
import { CorrectedKeys } from './corrected-keys.ts'
import { readReleased } from './read-released.ts'
import type { FileRow } from './releases.ts'

/** What a release gave to a list. */
export interface Piece {
  /** Of the release's event. */
  readonly seq: number
  /** Of its zips that are listed, one a line. */
  readonly paths: string
  /** The keys that it corrects, 16 bytes each, sorted. */
  readonly corrected: Uint8Array
}

/** The same of a release that is not in the list yet. */
export interface FreshPiece extends Piece {
  readonly files: readonly FileRow[]
  /** Records of the corrected keys that are not revoked, sorted. */
  readonly revised: Uint8Array
  /** Records of its new keys, sorted; undefined when they are too many to hold. */
  readonly keys: Uint8Array | undefined
}

/** Releases that are not in the list yet. */
export interface Fresh {
  readonly fresh: readonly FreshPiece[]
  /** The last of them that corrects a key, by its place among all pieces of the list. */
  readonly corrections: CorrectedKeys
}

/** Bytes of new keys that are held, so that most zips are decompressed once. */
const MOST_HELD = 16 << 20

/** The listed zips of one release. */
export interface ListedRelease extends Pick<Piece, 'seq' | 'paths'> {
  readonly files: readonly FileRow[]
}

/** Listed zips by their releases, in their order. */
export function groupByRelease(files: readonly FileRow[]): ListedRelease[] {
  const groups: { seq: number; files: FileRow[] }[] = []
  for (const file of files) {
    const last = groups.at(-1)
    if (last?.seq === file.seq) last.files.push(file)
    else groups.push({ seq: file.seq, files: [file] })
  }
  return groups.map((group) => ({
    ...group,
    paths: group.files.map(({ path }) => path).join('\n'),
  }))
}

/**
 * Reads releases.
 *
 * @param first the place of the first of them among all pieces of the list
 * @throws TocsinError as {@link readReleased}
 */
export async function readFresh(
  store: Pick<ObjectStore, 'read'>,
  releases: readonly ListedRelease[],
  first: number,
): Promise<Fresh> {
  const corrections = new CorrectedKeys()
  const fresh: FreshPiece[] = []
  let held = 0
  for (const { seq, paths, files } of releases) {
    const corrected: Uint8Array[] = []
    const revised: Uint8Array[] = []
    let keys: Uint8Array[] | undefined = []
    for await (const entries of readFiles(store, files)) {
      const changes = entries.filter(({ list }) => list === 'revisedKeys')
      corrected.push(Buffer.concat(changes.map(({ key }) => key.keyData)))
      revised.push(recordsOf(changes.filter(({ key }) => key.reportType !== REVOKED)))
      const isNew = recordsOf(entries.filter(({ list }) => list === 'keys'))
      held += isNew.length
      if (held > MOST_HELD) keys = undefined
      keys?.push(isNew)
    }
    const piece = { seq, paths, files, corrected: Buffer.concat(corrected) }
    const place = first + fresh.length
    for (let offset = 0; offset < piece.corrected.length; offset += KEY_LENGTH)
      corrections.set(piece.corrected, offset, place)
    fresh.push({ ...piece, revised: Buffer.concat(revised), keys: keys && Buffer.concat(keys) })
  }
  return { fresh, corrections }
}

/** The records of a release: those of keys that it corrects, then those of its new ones. */
export async function* recordsOfPiece(
  store: Pick<ObjectStore, 'read'>,
  { files, revised, keys }: FreshPiece,
): AsyncGenerator<Uint8Array> {
  yield revised
  if (keys !== undefined) yield keys
  else
    for await (const entries of readFiles(store, files))
      yield recordsOf(entries.filter(({ list }) => list === 'keys'))
}

/** Records without those of keys that a later piece corrects. @param place of the piece that they are of */
export function withoutCorrected(
  records: Uint8Array,
  corrections: CorrectedKeys,
  place: number,
): Uint8Array {
  if (corrections.size === 0) return records
  const left = new Uint8Array(records.length)
  let length = 0
  for (let offset = 0; offset < records.length; offset += RECORD_LENGTH) {
    if (corrections.get(records, offset) > place) continue
    left.set(records.subarray(offset, offset + RECORD_LENGTH), length)
    length += RECORD_LENGTH
  }
  return left.subarray(0, length)
}

async function* readFiles(
  store: Pick<ObjectStore, 'read'>,
  files: readonly FileRow[],
): AsyncGenerator<ExportEntry[]> {
  for (const file of files) yield* readReleased(store, file)
}

function recordsOf(entries: readonly ExportEntry[]): Uint8Array {
  const records = new Uint8Array(entries.length * RECORD_LENGTH)
  for (const [index, { key }] of entries.entries()) writeRecord(records, index * RECORD_LENGTH, key)
  return records
}
