// Log: the Merkle tree over the events (RFC 6962, section 2.1); promises that it goes on from its frontier alone, in memory that does not grow.

import { createHash } from 'node:crypto'
import { sha256 } from './sha256.ts'

const HASH_LENGTH = 32
const LEAF_PREFIX = Uint8Array.of(0)
const NODE_PREFIX = Uint8Array.of(1)

/** A tree as far as it must be known to go on: the roots of its perfect subtrees, largest first. */
export interface Frontier {
  readonly size: number
  readonly roots: readonly Uint8Array[]
}

/** The tree over nothing. */
export const EMPTY_FRONTIER: Frontier = { size: 0, roots: [] }

/** The hash of a leaf's data. */
export function hashLeafData(data: Uint8Array): Uint8Array {
  return createHash('sha256').update(LEAF_PREFIX).update(data).digest()
}

/** The tree with one more leaf. */
export function appendLeaf(frontier: Frontier, leafHash: Uint8Array): Frontier {
  const roots = [...frontier.roots]
  let node = leafHash
  // As in counting: every full pair of equal subtrees becomes one of twice the size.
  for (let size = frontier.size; size % 2 === 1; size = Math.floor(size / 2))
    node = hashNode(roots.pop() as Uint8Array, node)
  roots.push(node)
  return { size: frontier.size + 1, roots }
}

/** The root of the tree: the hash of the empty string for the tree over nothing. */
export function rootOf(frontier: Frontier): Uint8Array {
  const smallestFirst = [...frontier.roots].reverse()
  const last = smallestFirst.shift()
  if (last === undefined) return createHash('sha256').digest()
  return smallestFirst.reduce((right, left) => hashNode(left, right), last)
}

/** The frontier's roots, one after the other, as they are stored beside the size. */
export function encodeFrontier(frontier: Frontier): Uint8Array {
  return Buffer.concat(frontier.roots)
}

/** @throws RangeError when the bytes are not those of a tree of that size */
export function decodeFrontier(size: number, bytes: Uint8Array): Frontier {
  if (bytes.length !== countOnes(size) * HASH_LENGTH)
    throw new RangeError(
      `a frontier of ${bytes.length} bytes does not belong to a tree of ${size} leaves`,
    )
  const roots: Uint8Array[] = []
  for (let offset = 0; offset < bytes.length; offset += HASH_LENGTH)
    roots.push(bytes.subarray(offset, offset + HASH_LENGTH))
  return { size, roots }
}

function hashNode(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(Buffer.concat([NODE_PREFIX, left, right]))
}

function countOnes(size: number): number {
  let ones = 0
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) ones += rest % 2
  return ones
}
