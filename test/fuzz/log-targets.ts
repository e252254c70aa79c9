// Fuzzing: records of the log; promises one encoding of each, so that no change of a stored record stays unseen.

import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { TocsinError } from '../../src/errors.ts'
import { attachParts, detachParts } from '../../src/log/detach-record.ts'
import {
  decodeEvent,
  encodeEvent,
  erasePart,
  leafHashOf,
  SALT_LENGTH,
  type StoredEvent,
} from '../../src/log/record.ts'
import type { Retention } from '../../src/log/retentions.ts'
import {
  appendLeaf,
  decodeFrontier,
  EMPTY_FRONTIER,
  encodeFrontier,
  hashLeafData,
  rootOf,
} from '../../src/log/tree.ts'
import { assertDeterministic } from '../deterministic-cbor.ts'
import { mutatedBytes } from './mutate.ts'
import { hex, target, valueOf } from './target.ts'

const isLogInvalid = (error: unknown) =>
  error instanceof TocsinError && error.code === 'log_invalid'

/** Each keeps the major type but for floats and tags. */
const SPELLINGS: readonly ((byte: number) => Iterable<number>)[] = [
  (byte) => [(byte & 0xe0) | 24, byte & 0x1f],
  (byte) => [(byte & 0xe0) | 25, 0, byte & 0x1f],
  (byte) => [(byte & 0xe0) | 27, 0, 0, 0, 0, 0, 0, 0, byte & 0x1f],
  (byte) => [0xf9, ...(HALVES.get(byte) ?? [0x80, 0])],
  (byte) => [0xfb, ...new Uint8Array(Float64Array.of(byte).buffer).reverse()],
  (byte) => [0xc0, byte],
  (byte) => [(byte & 0xe0) | 31, byte, 0xff],
]

/** Some small numbers as floats of 16 bits. */
const HALVES = new Map([
  [0, [0, 0]],
  [1, [0x3c, 0]],
  [2, [0x40, 0]],
])

const EVENTS: readonly StoredEvent[] = [
  { seq: 0, grain: 0, type: 'a', parts: [] },
  {
    seq: 70_000,
    grain: 1_773_129_600,
    type: 'report',
    parts: [
      {
        retention: 'report',
        content: {
          keys: new Uint8Array(48),
          days: -3,
          regions: ['US'],
          traveler: false,
          handle: null,
        },
      },
      { retention: 'statistics', content: { platform: 'android', accepted: 3 } },
    ],
  },
  {
    seq: 3,
    grain: 1_773_129_600,
    type: 'numbers',
    parts: [
      { retention: 'report', content: {} },
      { retention: 'numbers', content: new Uint8Array(32), detached: true },
    ],
  },
]
const SALTS = Uint8Array.from({ length: 2 * SALT_LENGTH }, (_, index) => index)
const whole = EVENTS.map((event) => encodeEvent(event, SALTS).record)
const erased = (['report', 'statistics'] as const).map((retention) =>
  erasePart(whole[1] as Uint8Array, retention),
)
const records = [...whole, ...erased].map((record) => Uint8Array.from(record))
const hashes = new Map(records.map((record) => [hex(record), hex(leafHashOf(record))]))
const known = new Set(hashes.values())

/** A byte of a record in another spelling that CBOR has for it: a longer head, a float, a tag around it. */
const respelt = fc
  .tuple(fc.constantFrom(...records), fc.nat(1_000), fc.nat(SPELLINGS.length - 1))
  .map(([record, at, spelling]) => {
    const place = at % record.length
    const spelt = SPELLINGS[spelling]?.(record[place] as number) ?? []
    return Uint8Array.from([...record.subarray(0, place), ...spelt, ...record.subarray(place + 1)])
  })

const frontier = Array.from({ length: 11 }, (_, index) => Uint8Array.of(index)).reduce(
  (tree, data) => appendLeaf(tree, hashLeafData(data)),
  EMPTY_FRONTIER,
)

export const logTargets = [
  target(
    'record of an event',
    fc.tuple(
      fc.oneof(
        { weight: 40, arbitrary: mutatedBytes(records) },
        { weight: 20, arbitrary: respelt },
        {
          weight: 1,
          arbitrary: fc
            .constantFrom(0x81, 0xc1, 0xa1)
            .map((byte) => new Uint8Array(50_000).fill(byte)),
        },
      ),
      fc.constantFrom<Retention>('report', 'statistics', 'code'),
    ),
    ([record, retention]) => {
      const hash = valueOf(() => leafHashOf(record), isLogInvalid)
      const event = valueOf(() => decodeEvent(record), isLogInvalid)
      const rest = valueOf(() => erasePart(record, retention), isLogInvalid)
      assert.equal(hash === undefined, rest === undefined)
      if (hash === undefined || rest === undefined) return
      assert.equal(hex(leafHashOf(rest)), hex(hash))
      const apart = valueOf(() => detachParts(record), isLogInvalid)
      if (apart !== undefined) {
        assert.equal(hex(leafHashOf(apart.record)), hex(hash))
        assert.equal(hex(attachParts(apart.record, apart.contents)), hex(record))
      }
      assertDeterministic(record)
      if (known.has(hex(hash)))
        assert.equal(hashes.get(hex(record)), hex(hash), 'a change that no hash shows')
      // A part's content is under the hash as it is, and is only decoded when it is wanted.
      if (event !== undefined) assert.ok(Number.isSafeInteger(event.seq))
    },
  ),
  target(
    'frontier of the tree',
    fc.tuple(
      fc.oneof(fc.constant(frontier.size), fc.maxSafeNat()),
      mutatedBytes([encodeFrontier(frontier)]),
    ),
    ([size, bytes]) => {
      const tree = valueOf(
        () => decodeFrontier(size, bytes),
        (error) => error instanceof RangeError,
      )
      if (tree === undefined) return
      assert.equal(hex(encodeFrontier(tree)), hex(bytes))
      assert.equal(rootOf(tree).length, 32)
    },
  ),
]
