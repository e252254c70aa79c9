// Test: signatures on P-256 over a digest: the verdict is that of node:crypto, also for numbers and points at the edges.

import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, sign, verify } from 'node:crypto'
import { test } from 'node:test'
import { p256 } from '@noble/curves/nist.js'
import { readPoint, verifyDigest, type CurvePoint } from './p256.ts'

const ORDER = p256.Point.CURVE().n

function makeKey() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const point = readPoint(new Uint8Array(spki.subarray(-65)))
  assert.ok(point)
  return { privateKey, publicKey, point }
}

const sha256 = (message: Uint8Array) =>
  new Uint8Array(createHash('sha256').update(message).digest())

test('what node:crypto signs is right, and wrong with any other digest, number or key', () => {
  for (let round = 0; round < 50; round++) {
    const { privateKey, point } = makeKey()
    const message = Buffer.from(`message ${round}`)
    const numbers = new Uint8Array(
      sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
    )
    const digest = sha256(message)
    assert.equal(verifyDigest(point, numbers, digest), true)
    const wrong = (bytes: Uint8Array, at: number) => {
      const changed = bytes.slice()
      changed[at] = (changed[at] as number) ^ (1 << (round % 8))
      return changed
    }
    assert.equal(verifyDigest(point, numbers, wrong(digest, round % 32)), false)
    assert.equal(verifyDigest(point, wrong(numbers, round % 64), digest), false)
    assert.equal(verifyDigest(makeKey().point, numbers, digest), false)
  }
})

test('numbers at the edges are judged as node:crypto judges them', () => {
  const { privateKey, publicKey, point } = makeKey()
  const message = Buffer.from('edge')
  const digest = sha256(message)
  const good = sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' })
  const [r, s] = [0, 32].map((at) => BigInt(`0x${good.subarray(at, at + 32).toString('hex')}`))
  const values = [0n, 1n, 2n, ORDER - 1n, ORDER, ORDER + 1n, 2n ** 256n - 1n, r, s] as bigint[]
  const hex = (number: bigint) => number.toString(16).padStart(64, '0')
  // The other solution for s is one too.
  for (const [a, b] of [
    ...values.flatMap((first) => values.map((second) => [first, second] as const)),
    [r as bigint, ORDER - (s as bigint)] as const,
  ]) {
    const numbers = Buffer.from(hex(a) + hex(b), 'hex')
    assert.equal(
      verifyDigest(point, new Uint8Array(numbers), digest),
      verify('sha256', message, { key: publicKey, dsaEncoding: 'ieee-p1363' }, numbers),
      `${a} ${b}`,
    )
  }
  for (const length of [0, 31, 33])
    assert.equal(verifyDigest(point, new Uint8Array(good), new Uint8Array(length)), false)
  assert.equal(verifyDigest(point, new Uint8Array(good.subarray(1)), digest), false)
})

test('public keys that make both multiples meet, or cancel out, are judged rightly', () => {
  // The base point itself, its negative and its double: sums of equal and of opposite points come up.
  for (const scalar of [1n, ORDER - 1n, 2n, ORDER - 2n]) {
    const { x, y } = p256.Point.BASE.multiply(scalar).toAffine()
    const point: CurvePoint = { x, y }
    const secret = Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex')
    for (let round = 0; round < 10; round++) {
      const digest = sha256(Buffer.from(`${scalar} ${round}`))
      const numbers = p256.sign(digest, secret, { prehash: false, lowS: false })
      assert.equal(verifyDigest(point, numbers, digest), true)
      assert.equal(verifyDigest(point, numbers, sha256(digest)), false)
    }
    // u1 = u2 and u1 = -u2: the sum is twice the point, or none.
    for (const r of [5n, ORDER - 5n]) {
      const numbers = Buffer.from(r.toString(16).padStart(64, '0') + '1'.padStart(64, '0'), 'hex')
      const digest = Buffer.from('5'.padStart(64, '0'), 'hex')
      const ours = verifyDigest(point, new Uint8Array(numbers), new Uint8Array(digest))
      const theirs = p256.verify(numbers, digest, p256.Point.fromAffine(point).toBytes(), {
        prehash: false,
        lowS: false,
      })
      assert.equal(ours, theirs)
    }
  }
})

test('a point that is none of the curve is no key', () => {
  const bytes = p256.Point.BASE.toBytes(false)
  assert.deepEqual(readPoint(bytes), p256.Point.BASE.toAffine())
  for (let at = 0; at < 65; at++) {
    const changed = bytes.slice()
    changed[at] = (changed[at] as number) ^ 1
    assert.equal(readPoint(changed), undefined, `byte ${at}`)
  }
  assert.equal(readPoint(bytes.subarray(1)), undefined)
  assert.equal(readPoint(new Uint8Array(65).fill(0xff).fill(4, 0, 1)), undefined)
})
