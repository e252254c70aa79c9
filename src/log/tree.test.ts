// Test: the Merkle tree of the log; promises the roots of RFC 6962 and a frontier that survives its own encoding.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import * as fc from 'fast-check'
import {
  appendLeaf,
  decodeFrontier,
  EMPTY_FRONTIER,
  encodeFrontier,
  hashLeafData,
  rootOf,
  type Frontier,
} from './tree.ts'

// From transparency-dev/merkle, testonly/constants.go and rfc6962/rfc6962_test.go, at 417fb0c3: the leaves' data and the
// root over the first 0, 1, 2 ... 8 of them.
const LEAVES = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
]
const ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
]

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

function treeOf(leafHashes: readonly Uint8Array[]): Frontier {
  return leafHashes.reduce(appendLeaf, EMPTY_FRONTIER)
}

/** RFC 6962, section 2.1, as it is written there: split at the largest power of two below the size. */
function rootByDefinition(leafHashes: readonly Uint8Array[]): Uint8Array {
  const [only] = leafHashes
  if (only === undefined) return createHash('sha256').digest()
  if (leafHashes.length === 1) return only
  let split = 1
  while (split * 2 < leafHashes.length) split *= 2
  return createHash('sha256')
    .update(Uint8Array.of(1))
    .update(rootByDefinition(leafHashes.slice(0, split)))
    .update(rootByDefinition(leafHashes.slice(split)))
    .digest()
}

const someLeafHashes = fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { maxLength: 70 })

test('the roots over 0 to 8 leaves are those of the reference implementation of RFC 6962', () => {
  const hashes = LEAVES.map((leaf) => hashLeafData(Buffer.from(leaf, 'hex')))
  ROOTS.forEach((root, size) => assert.equal(hex(rootOf(treeOf(hashes.slice(0, size)))), root))
})

test('a leaf is hashed behind the byte 0, so that no inner node can pass for one', () => {
  // From the same source: the leaf "L123456".
  assert.equal(
    hex(hashLeafData(Buffer.from('L123456'))),
    '395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56',
  )
})

test('whatever the size, the root grown leaf by leaf is the one of the definition', () => {
  fc.assert(
    fc.property(someLeafHashes, (hashes) => {
      assert.equal(hex(rootOf(treeOf(hashes))), hex(rootByDefinition(hashes)))
    }),
  )
})

test('a frontier that was stored and read again goes on as if it had never been away', () => {
  fc.assert(
    fc.property(someLeafHashes, someLeafHashes, (before, after) => {
      const stored = treeOf(before)
      const read = decodeFrontier(stored.size, encodeFrontier(stored))
      assert.deepEqual(
        { size: read.size, roots: read.roots.map(hex) },
        { size: before.length, roots: stored.roots.map(hex) },
      )
      assert.equal(
        hex(rootOf(after.reduce(appendLeaf, read))),
        hex(rootOf(treeOf([...before, ...after]))),
      )
    }),
  )
})

test('a frontier of the wrong length is refused, whichever size is claimed', () => {
  const bytes = encodeFrontier(treeOf([1, 2, 3].map((byte) => new Uint8Array(32).fill(byte))))
  assert.equal(bytes.length, 2 * 32)
  for (const size of [0, 1, 2, 4, 7, 2 ** 40])
    assert.throws(() => decodeFrontier(size, bytes), RangeError)
  for (const length of [0, 31, 32, 63]) {
    assert.throws(() => decodeFrontier(3, bytes.subarray(0, length)), RangeError)
  }
})
