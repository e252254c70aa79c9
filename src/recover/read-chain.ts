// Recover: the events of a chain of objects, one after the other; promises that every object that was passed holds the very same events, or is named.

import { TocsinError } from '../errors.ts'
import type { Archive } from '../log/archive-store.ts'
import { readArchiveObject } from '../log/read-archive.ts'
import type { EventRow } from '../log/read-events.ts'
import { appendLeaf, EMPTY_FRONTIER, encodeFrontier, rootOf, type Frontier } from '../log/tree.ts'
import type { Chain } from './plan-chain.ts'
import type { ArchiveContents } from './read-headers.ts'

/** What somebody says of the tree over the first events. */
export interface Claim {
  /** The root in hex, or the frontier where `frontier` is true. */
  readonly hash: string
  readonly frontier?: boolean
  /** What is thrown when it is another one. */
  readonly error: () => TocsinError
}

/** The events of a chain. */
export interface ChainReader {
  /** Page by page, each number once. */
  readonly pages: AsyncGenerator<EventRow[]>
  /** The tree over what was given so far. */
  tree(): Frontier
  /** The tree where objects begin or end, by the number of events, as far as they were passed. */
  readonly frontiers: ReadonlyMap<number, Frontier>
}

/**
 * Reads a chain. What each other object of the archive says of the tree is compared on the way.
 *
 * @param claims more that must be so, by the number of events
 * @throws TocsinError `archive_damaged`, `archive_forked`, what a claim throws
 */
export function readChain(
  archive: Archive,
  identities: readonly string[],
  { objects }: Chain,
  contents: ArchiveContents,
  claims: ReadonlyMap<number, Claim> = new Map(),
): ChainReader {
  const expected = claimsOf(contents)
  for (const [size, claim] of claims) expect(expected, size, claim)
  let tree = EMPTY_FRONTIER
  const frontiers = new Map<number, Frontier>()
  const compare = () => {
    for (const claim of expected.get(tree.size) ?? []) {
      const found = claim.frontier === true ? encodeFrontier(tree) : rootOf(tree)
      if (Buffer.from(found).toString('hex') !== claim.hash) throw claim.error()
    }
    expected.delete(tree.size)
    frontiers.set(tree.size, tree)
  }
  async function* read(): AsyncGenerator<EventRow[]> {
    for (const object of objects) {
      const { pages } = await readArchiveObject(archive, object, identities)
      for await (const page of pages) {
        // The beginning of an object may have been read out of the one before.
        const fresh = page.filter(({ seq }) => seq >= tree.size)
        for (const { leafHash } of fresh) {
          tree = appendLeaf(tree, leafHash)
          if (expected.has(tree.size)) compare()
        }
        if (fresh.length > 0) yield fresh
      }
    }
  }
  return { pages: read(), tree: () => tree, frontiers }
}

function claimsOf({ known }: ArchiveContents): Map<number, Claim[]> {
  const claims = new Map<number, Claim[]>()
  for (const { name, first, end, header } of known) {
    const error = () =>
      new TocsinError(
        'archive_forked',
        `${name} holds other events than the objects beside it under the same numbers: take away the one that is not of this log.`,
      )
    expect(claims, end, { hash: Buffer.from(header.root).toString('hex'), error })
    if (first > 0)
      expect(claims, first, {
        hash: Buffer.from(header.frontier).toString('hex'),
        frontier: true,
        error,
      })
  }
  return claims
}

function expect(claims: Map<number, Claim[]>, size: number, claim: Claim): void {
  claims.set(size, [...(claims.get(size) ?? []), claim])
}
