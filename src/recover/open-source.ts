// Recover: an archive as it is before anything is recovered from it; promises that what can't be recovered is said first, with what would be lost.

import { TocsinError } from '../errors.ts'
import type { Zone } from '../db/zones.ts'
import type { Archive } from '../log/archive-store.ts'
import { planChain } from './plan-chain.ts'
import { readChain } from './read-chain.ts'
import { readHeaders } from './read-headers.ts'
import type { RecoverySource } from './recover-zone.ts'

/**
 * Looks through the archive of a zone.
 *
 * @param zone whose it must be: the other zone's login must not come to read it
 * @throws TocsinError `archive_damaged` when events would be lost, or objects are of the other zone, `archive_forked`, `archive_empty`, `archive_identity_wrong`
 */
export async function openSource(
  archive: Archive,
  identities: readonly string[],
  zone: Zone,
): Promise<RecoverySource> {
  const contents = await readHeaders(archive, identities)
  const strange = contents.known.find(({ header }) => header.zone !== zone)
  if (strange !== undefined)
    throw new TocsinError(
      'archive_damaged',
      `${strange.name} in ${archive.folder} is of the ${strange.header.zone} zone: key/ and authority/ have their own objects each.`,
    )
  const chain = planChain(contents)
  if (chain.problems.length > 0) throw new TocsinError('archive_damaged', chain.problems.join(' '))
  return { archive, identities, contents, chain }
}

/**
 * Reads everything, as a recovery does, and keeps nothing.
 *
 * @param onProgress told of the number of events that were read
 * @throws TocsinError as {@link openSource}
 */
export async function readThrough(
  { archive, identities, chain, contents }: RecoverySource,
  onProgress: (events: number) => void,
): Promise<void> {
  const { pages, tree } = readChain(archive, identities, chain, contents)
  for await (const page of pages) if (page.length > 0) onProgress(tree().size)
}
