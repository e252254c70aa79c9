// Recover: what lies in an archive, object by object; promises that each is whole by its digest, or named with what is wrong with it.

import { TocsinError } from '../errors.ts'
import type { ArchiveHeader, ArchiveObject } from '../log/archive-format.ts'
import type { Archive } from '../log/archive-store.ts'
import { readArchiveObject } from '../log/read-archive.ts'

/** An object whose bytes are what its name says. */
export interface KnownObject extends ArchiveObject {
  readonly header: ArchiveHeader
}

/** An object that can't be used. */
export interface DamagedObject extends ArchiveObject {
  /** A sentence that names it. */
  readonly problem: string
}

/** What an archive of one zone holds. */
export interface ArchiveContents {
  readonly known: readonly KnownObject[]
  readonly damaged: readonly DamagedObject[]
}

/** What is wrong with one object, and not with the archive. */
const UNUSABLE: ReadonlySet<string> = new Set(['archive_damaged', 'archive_identity_wrong'])

/**
 * Reads the header of every object, and all bytes for their digests.
 *
 * @throws TocsinError `archive_empty`, `archive_identity_wrong` (for none of them there is a key), `archive_failed`
 */
export async function readHeaders(
  archive: Archive,
  identities: readonly string[],
): Promise<ArchiveContents> {
  const known: KnownObject[] = []
  const damaged: DamagedObject[] = []
  let stranger: TocsinError | undefined
  for (const object of await archive.list())
    try {
      const { header, pages } = await readArchiveObject(archive, object, identities)
      await pages.return(undefined)
      known.push({ ...object, header })
    } catch (error) {
      if (!(error instanceof TocsinError) || !UNUSABLE.has(error.code)) throw error
      if (error.code === 'archive_identity_wrong') stranger ??= error
      damaged.push({ ...object, problem: error.message })
    }
  // Where others open, one that doesn't is no reason to look for another identity.
  if (known.length === 0 && stranger !== undefined) throw stranger
  if (known.length === 0 && damaged.length === 0)
    throw new TocsinError('archive_empty', `There is no object of an archive in ${archive.folder}.`)
  return { known, damaged }
}
