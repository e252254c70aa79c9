// Publish: reports of contact event numbers as sorted, signed files, one for each cell; promises flat memory, and that the order of a file says nothing of who brought what.

import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import type { Transaction } from '../db/database.ts'
import { storePath } from '../distribute/public-paths.ts'
import { storeFailed } from '../distribute/store-error.ts'
import { TocsinError } from '../errors.ts'
import { encodeSignatureList, SIGNATURE_ALGORITHM } from '../format/gaen-signature.ts'
import {
  NUMBER_BYTES,
  numberFilePath,
  SIGNATURE_SUFFIX,
  type NumberFileKind,
} from '../format/number-file.ts'
import { readContents } from '../log/detached-parts.ts'
import type { RecordedSignature } from './build-export.ts'
import type { DraftFile } from './build-window.ts'
import { partitionCells, type PartitionRules } from './cell-partition.ts'
import { nameOfNumber, selectSeqs } from './cen-shared.ts'
import { openNumberSorter, type NumberSorter } from './cen-sort.ts'
import type { NumberReport } from './cen-window.ts'
import type { Window } from './plan-windows.ts'
import type { PublisherContext } from './publisher-context.ts'

/** Signs a file, or gives the signatures that were recorded. @param digest SHA-256 of the file */
export type SignFile = (path: string, digest: Uint8Array) => Promise<readonly RecordedSignature[]>

/** Files of one kind of one release. */
export interface NumberFiles {
  readonly kind: NumberFileKind
  /** Whose numbers they hold. */
  readonly reports: readonly NumberReport[]
  /** Below `exports/`: the stream's folder, or the log's within it. */
  readonly folder: string
  readonly window: Window
  readonly rules: PartitionRules
  /** Numbers that are left out, by {@link nameOfNumber}. */
  readonly without?: ReadonlySet<string>
}

/**
 * Builds files, staged, each with its signatures behind it. A cell without numbers has none; but what is `whole` has one for the world, so that it says
 * that there is nothing.
 *
 * @param tx the snapshot in which the reports were read
 * @throws TocsinError `store_failed`; `log_invalid` when numbers were forgotten meanwhile
 */
export async function buildNumberFiles(
  { store }: Pick<PublisherContext, 'store'>,
  tx: Transaction,
  files: NumberFiles,
  sign: SignFile,
): Promise<DraftFile[]> {
  const { kind, reports, folder, window, rules, without = NONE } = files
  const { cells, cellOf } = partitionCells(countCells(reports), rules)
  const members = new Map<string | null, NumberReport[]>([...cells, null].map((cell) => [cell, []]))
  for (const report of reports) members.get(cellOf(report.cell))?.push(report)
  // In the order of the cells; the last are those of all cells.
  const groups = [...members.values()]
  const pathOf = (cell: string) => numberFilePath(folder, { kind, cell, ...window })
  const staging = await store.stagingPath(storePath(`${pathOf('')}.sort`))
  await using sorter = await openNumberSorter(staging, sizesOf(groups))
  for (const [group, each] of groups.entries()) await collect(tx, sorter, group, each, without)
  const drafts: DraftFile[] = []
  for (const [group, cell] of cells.entries()) {
    const isEmpty = [group, cells.length].every((each) => groups[each]?.length === 0)
    if (isEmpty && !(kind === 'whole' && cell === '')) continue
    const path = pathOf(cell)
    const staged = await store.stagingPath(storePath(path))
    const written = await writeStaged(staged, sorter.sorted([group, cells.length]))
    const signatures = await sign(path, written.digest)
    const numbers = written.size / NUMBER_BYTES
    const counts = {
      keys: kind === 'release' ? numbers : 0,
      revisedKeys: kind === 'removed' ? numbers : 0,
    }
    drafts.push({ path, built: { staged, ...counts, ...written, signatures } })
    drafts.push(await buildSignatures(store, path, signatures))
  }
  return drafts
}

/** How many reports named which cell. */
function countCells(reports: readonly NumberReport[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { cell } of reports) counts.set(cell ?? '', (counts.get(cell ?? '') ?? 0) + 1)
  return counts
}

/** Numbers of each group, and those of the last one, which are read with each of the others. */
function sizesOf(groups: readonly (readonly NumberReport[])[]): number[] {
  const sizes = groups.map((members) => members.reduce((sum, { count }) => sum + count, 0))
  const shared = sizes.pop() ?? 0
  const together = sizes.map((size) => size + shared)
  return [...together, shared === 0 ? 0 : Math.max(...together)]
}

async function collect(
  tx: Transaction,
  sorter: NumberSorter,
  group: number,
  members: readonly NumberReport[],
  without: ReadonlySet<string>,
): Promise<void> {
  if (members.length === 0) return
  let missing = members.reduce((sum, { count }) => sum + count, 0) * NUMBER_BYTES
  for await (const all of readContents(tx, selectSeqs(members))) {
    missing -= all.length
    const content = without.size === 0 ? all : leaveOut(all, without)
    await sorter.add(group, content.byteOffset % 4 === 0 ? content : new Uint8Array(content))
  }
  if (missing !== 0)
    throw new TocsinError(
      'log_invalid',
      'Numbers of a release were forgotten while it was made: it will be made anew, without them.',
    )
}

const NONE: ReadonlySet<string> = new Set()

function leaveOut(numbers: Uint8Array, without: ReadonlySet<string>): Uint8Array {
  const kept = new Uint8Array(numbers.length)
  let length = 0
  for (let at = 0; at < numbers.length; at += NUMBER_BYTES) {
    if (without.has(nameOfNumber(numbers, at))) continue
    kept.set(numbers.subarray(at, at + NUMBER_BYTES), length)
    length += NUMBER_BYTES
  }
  return kept.subarray(0, length)
}

/** Writes a file and digests it. */
async function writeStaged(
  staged: string,
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<{ size: number; digest: Uint8Array }> {
  const hash = createHash('sha256')
  let size = 0
  // A file that is there belongs to another publisher, whose bytes must not be mixed with these.
  const handle = await open(staged, 'wx', 0o600).catch(storeFailed(staged))
  try {
    for await (const piece of pieces) {
      size += piece.length
      const writing = handle.writeFile(piece)
      hash.update(piece)
      await writing.catch(storeFailed(staged))
    }
  } finally {
    await handle.close()
  }
  return { size, digest: hash.digest() }
}

/** The file of signatures, in the form in which export zips have them, so that a phone reads both alike. */
async function buildSignatures(
  store: PublisherContext['store'],
  signedPath: string,
  signatures: readonly RecordedSignature[],
): Promise<DraftFile> {
  const path = `${signedPath}${SIGNATURE_SUFFIX}`
  const list = encodeSignatureList(
    signatures.map(({ keyId, keyVersion, signature }) => ({
      signatureInfo: {
        verificationKeyId: keyId,
        verificationKeyVersion: keyVersion,
        signatureAlgorithm: SIGNATURE_ALGORITHM,
      },
      batchNum: 1,
      batchSize: 1,
      signature,
    })),
  )
  const staged = await store.stagingPath(storePath(path))
  const written = await writeStaged(staged, [list])
  return { path, built: { staged, keys: 0, revisedKeys: 0, ...written, signatures: [] } }
}
