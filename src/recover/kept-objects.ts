// Recover: which objects the archiver of a recovered log may count on; promises one chain, and only what lies where it will go on.

import type { ArchiveObject } from '../log/archive-format.ts'
import type { ArchivedObject } from '../log/archive-rows.ts'
import type { Frontier } from '../log/tree.ts'
import type { Chain } from './plan-chain.ts'
import type { ArchiveContents, KnownObject } from './read-headers.ts'

/**
 * The objects that the log's archive holds.
 *
 * @param frontiers of the tree, by the number of events
 * @param lying what lies in the folder of the archiver; when not all of the chain does, it begins anew
 */
export function keptObjects(
  { known }: ArchiveContents,
  { objects, end }: Pick<Chain, 'objects' | 'end'>,
  frontiers: ReadonlyMap<number, Frontier>,
  lying: readonly ArchiveObject[],
): ArchivedObject[] {
  const names = new Set(lying.map(({ name }) => name))
  if (!objects.every(({ name }) => names.has(name))) return []
  const snapshots = known.filter((object) => object.kind === 'snapshot' && object.end <= end)
  return [...segmentsBefore(known, objects), ...snapshots].flatMap((object) => {
    const frontier = frontiers.get(object.end)
    if (frontier === undefined || !names.has(object.name)) return []
    const { previous, madeAt } = object.header
    return [{ ...object, frontier, previous, madeAt }]
  })
}

/** The segments of the chain, and those before its snapshot, from the last one back by the digest that each names. */
function segmentsBefore(
  known: readonly KnownObject[],
  chain: readonly KnownObject[],
): KnownObject[] {
  const byDigest = new Map(known.map((object) => [object.digest, object]))
  const last = chain.at(-1)
  const kept: KnownObject[] = []
  let object = last?.kind === 'segment' ? last : segmentNamed(last)
  while (object !== undefined) {
    kept.push(object)
    object = segmentNamed(object)
  }
  return kept

  function segmentNamed(after: KnownObject | undefined): KnownObject | undefined {
    const previous = after?.header.previous
    return previous ? byDigest.get(Buffer.from(previous).toString('hex')) : undefined
  }
}
