// Publish: sorts contact event numbers in memory; promises the time of a few passes for random ones, and little more for those that somebody chose.

import { NUMBER_BYTES } from '../format/number-file.ts'

const WORDS = NUMBER_BYTES / 4

/** Bits of a number. */
export const NUMBER_BITS = NUMBER_BYTES * 8

/** 32 bits of a number from one of its bits on; zeros behind its last. */
export function bitsAt(view: DataView, start: number, offset: number): number {
  if (offset >= NUMBER_BITS - 32)
    return (view.getUint32(start + NUMBER_BYTES - 4) << (offset - NUMBER_BITS + 32)) >>> 0
  const byte = start + (offset >>> 3)
  const shift = offset & 7
  if (shift === 0) return view.getUint32(byte)
  return ((view.getUint32(byte) << shift) | (view.getUint8(byte + 4) >>> (8 - shift))) >>> 0
}

/**
 * Numbers in ascending order of their bytes, each once.
 *
 * @param packed 2^18 numbers at the most, at a multiple of 4 in their buffer
 * @param offset bits that they have in common
 */
export function sortNumbers(packed: Uint8Array, offset: number): Uint8Array {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength)
  return copyOnce(packed, orderRandom(packed, view, offset) ?? orderAny(packed, view, offset))
}

/** Numbers that may have the same place in an order of random ones, before they are taken for chosen. */
const MOST_ALIKE = 64

/**
 * The order of random numbers: each is put where its first bits say that it should be, and then compared with its neighbours. Takes a tenth of the
 * time of sorting. @returns undefined when many begin alike: the time would grow with the square of their number
 */
function orderRandom(packed: Uint8Array, view: DataView, offset: number): Uint32Array | undefined {
  const count = packed.length / NUMBER_BYTES
  const shift = 32 - Math.ceil(Math.log2(Math.max(2, count)))
  const unsorted = new Uint32Array(count)
  const ends = new Uint32Array(2 ** (32 - shift) + 1)
  for (let index = 0; index < count; index++) {
    const beginning = bitsAt(view, index * NUMBER_BYTES, offset)
    unsorted[index] = beginning
    const place = (beginning >>> shift) + 1
    const alike = (ends[place] as number) + 1
    if (alike > MOST_ALIKE) return undefined
    ends[place] = alike
  }
  for (let place = 1; place < ends.length; place++)
    ends[place] = (ends[place] as number) + (ends[place - 1] as number)
  const beginnings = new Uint32Array(count)
  const order = new Uint32Array(count)
  for (let index = 0; index < count; index++) {
    const beginning = unsorted[index] as number
    const place = beginning >>> shift
    const at = ends[place] as number
    ends[place] = at + 1
    beginnings[at] = beginning
    order[at] = index
  }
  sortNeighbours(packed, beginnings, order)
  return order
}

/** Sorts what is nearly in order. */
function sortNeighbours(packed: Uint8Array, beginnings: Uint32Array, order: Uint32Array): void {
  for (let index = 1; index < order.length; index++) {
    const beginning = beginnings[index] as number
    const number = order[index] as number
    let at = index
    while (at > 0) {
      const before = beginnings[at - 1] as number
      if (before < beginning) break
      if (before === beginning && compareAt(packed, order[at - 1] as number, number) <= 0) break
      beginnings[at] = before
      order[at] = order[at - 1] as number
      at--
    }
    beginnings[at] = beginning
    order[at] = number
  }
}

// A double holds 53 bits: 35 of a number, and its place in the others. Sorting doubles takes a tenth of the time of comparing numbers.
const PLACES = 2 ** 18
const LAST_OFFSET = (NUMBER_BYTES - 6) * 8

/** The order of any numbers. */
function orderAny(packed: Uint8Array, view: DataView, offset: number): Uint32Array {
  const from = Math.min(offset, LAST_OFFSET)
  const keyOf = (start: number) =>
    bitsAt(view, start, from) * 8 +
    ((view.getUint16(start + (from >>> 3) + 4) >>> (13 - (from & 7))) & 7)
  const keys = new Float64Array(packed.length / NUMBER_BYTES)
  for (let index = 0; index < keys.length; index++)
    keys[index] = keyOf(index * NUMBER_BYTES) * PLACES + index
  keys.sort()
  const order = Uint32Array.from(keys, (key) => key % PLACES)
  const beginningOf = (index: number) => Math.floor((keys[index] as number) / PLACES)
  for (let at = 0; at < order.length;) {
    const beginning = beginningOf(at)
    let until = at + 1
    while (until < order.length && beginningOf(until) === beginning) until++
    if (until - at > 1) order.subarray(at, until).sort((a, b) => compareAt(packed, a, b))
    at = until
  }
  return order
}

function compareAt(packed: Uint8Array, a: number, b: number): number {
  return Buffer.compare(numberAt(packed, a), numberAt(packed, b))
}

function numberAt(packed: Uint8Array, index: number): Uint8Array {
  return packed.subarray(index * NUMBER_BYTES, (index + 1) * NUMBER_BYTES)
}

/** Copies numbers in an order, those that are there twice once. */
function copyOnce(packed: Uint8Array, order: Uint32Array): Uint8Array {
  const words = new Uint32Array(packed.buffer, packed.byteOffset, packed.byteLength / 4)
  const sorted = new Uint32Array(words.length)
  let length = 0
  for (const index of order) {
    const [from, before] = [index * WORDS, length - WORDS]
    const isSame =
      length > 0 &&
      sorted[before] === words[from] &&
      sorted[before + 1] === words[from + 1] &&
      sorted[before + 2] === words[from + 2] &&
      sorted[before + 3] === words[from + 3]
    if (isSame) continue
    sorted[length] = words[from] as number
    sorted[length + 1] = words[from + 1] as number
    sorted[length + 2] = words[from + 2] as number
    sorted[length + 3] = words[from + 3] as number
    length += WORDS
  }
  return new Uint8Array(sorted.buffer, 0, length * 4)
}
