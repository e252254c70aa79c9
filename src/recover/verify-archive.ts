// Recover: checks an archive without a database; promises to read every object to its end, and to name each that is damaged, missing or no part of the chain.

import type { Zone } from '../db/zones.ts'
import { TocsinError } from '../errors.ts'
import type { ArchiveObject } from '../log/archive-format.ts'
import type { Archive } from '../log/archive-store.ts'
import { readArchiveObject } from '../log/read-archive.ts'
import { rootOf } from '../log/tree.ts'
import { planChain } from './plan-chain.ts'
import { readChain } from './read-chain.ts'
import { readHeaders, type ArchiveContents } from './read-headers.ts'

/** What was found. The archive is as it should be when `problems` is empty. */
export interface ArchiveFindings {
  readonly objects: number
  /** The number after the newest event of the chain. */
  readonly events: number
  /** Root of the tree over them, in hex. */
  readonly root: string
  /** Sentences. */
  readonly problems: readonly string[]
  /** Segments that no chain needs: what a database that was set back has left. */
  readonly apart: readonly string[]
}

/**
 * Reads all of an archive: the chain and the tree from the first event on, or from the oldest snapshot where the segments before it
 * were dropped; what each object says of the tree; and whatever is not in the chain by itself.
 *
 * @throws TocsinError `archive_empty`, `archive_identity_wrong`, `archive_failed`
 */
export async function verifyArchive(
  archive: Archive,
  zone: Zone,
  identities: readonly string[],
): Promise<ArchiveFindings> {
  const contents = await readHeaders(archive, identities)
  const problems = contents.damaged.map(({ problem }) => problem)
  const collect = async (work: () => Promise<void>) => {
    try {
      await work()
    } catch (error) {
      const code = error instanceof TocsinError ? error.code : undefined
      if (code !== 'archive_damaged' && code !== 'archive_forked') throw error
      problems.push((error as TocsinError).message)
    }
  }
  for (const { name, header } of contents.known)
    if (header.zone !== zone) problems.push(`${name} is of the ${header.zone} zone.`)
  let read: readonly ArchiveObject[] = []
  let tree: { readonly size: number; readonly root: string } = { size: 0, root: '' }
  await collect(async () => {
    const chain = planChain(fromOldest(contents))
    read = chain.objects
    problems.push(...chain.problems.filter((problem) => !problems.includes(problem)))
    const reader = readChain(archive, identities, chain, contents)
    for await (const _ of reader.pages);
    tree = { size: reader.tree().size, root: Buffer.from(rootOf(reader.tree())).toString('hex') }
  })
  const names = new Set(read.map(({ name }) => name))
  const others = contents.known.filter(({ name }) => !names.has(name))
  for (const object of others)
    await collect(async () => {
      const { pages } = await readArchiveObject(archive, object, identities)
      for await (const _ of pages);
    })
  return {
    objects: contents.known.length + contents.damaged.length,
    events: tree.size,
    root: tree.root,
    problems,
    apart: others.flatMap(({ kind, name }) => (kind === 'segment' ? [name] : [])),
  }
}

/** Without the snapshots that a recovery would begin with: the chain is to be as long as it can be. */
function fromOldest({ known, damaged }: ArchiveContents): ArchiveContents {
  const segments = known.filter(({ kind }) => kind === 'segment')
  const [oldest] = known.filter(({ kind }) => kind === 'snapshot').sort((a, b) => a.end - b.end)
  return segments.some(({ first }) => first === 0) || oldest === undefined
    ? { known: segments, damaged }
    : { known: [oldest, ...segments], damaged }
}
