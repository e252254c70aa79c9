// Fuzzing: bytes and texts that were valid once; promises edits that shrink one by one, and now and then bytes that never were.

import * as fc from 'fast-check'

/** One change of some bytes. Places are taken modulo the length, so that every edit fits every input. */
type Edit = (bytes: Uint8Array, originals: readonly Uint8Array[]) => Uint8Array

/** Bytes near some valid ones: flipped, cut, spliced, with huge numbers in them; or none that ever were valid. */
export function mutatedBytes(
  originals: readonly Uint8Array[],
  { maxEdits = 6 }: { readonly maxEdits?: number } = {},
): fc.Arbitrary<Uint8Array> {
  return fc.oneof(
    { weight: 12, arbitrary: editedBytes(fc.constantFrom(...originals), originals, maxEdits) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 400 }) },
  )
}

/** Bytes with edits. @param originals what splices are taken from */
export function editedBytes(
  bytes: fc.Arbitrary<Uint8Array>,
  originals: readonly Uint8Array[],
  maxEdits = 6,
): fc.Arbitrary<Uint8Array> {
  return fc
    .tuple(bytes, fc.array(edit, { maxLength: maxEdits }))
    .map(([first, edits]) => edits.reduce((each, change) => change(each, originals), first))
}

/** Text near some valid ones, with characters that nobody expects; or any text. */
export function mutatedText(originals: readonly string[]): fc.Arbitrary<string> {
  const edited = fc
    .tuple(fc.constantFrom(...originals), fc.array(textEdit, { maxLength: 5 }))
    .map(([first, edits]) => edits.reduce((each, change) => change(each), first))
  return fc.oneof(
    { weight: 10, arbitrary: edited },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 100 }) },
    // Code units, lone surrogates among them.
    { weight: 1, arbitrary: fc.array(fc.nat(0xffff), { maxLength: 30 }).map(fromCodeUnits) },
    { weight: 1, arbitrary: fc.constantFrom('', ' ', '\0', 'x'.repeat(70_000), ...ODD_TEXTS) },
  )
}

/** Bytes with exactly one bit flipped. */
export function oneBitFlipped(bytes: Uint8Array): fc.Arbitrary<Uint8Array> {
  return fc.nat(bytes.length * 8 - 1).map((bit) => flip(bytes, bit >> 3, bit & 7))
}

/** Texts that some reader trips over. */
export const ODD_TEXTS: readonly string[] = [
  '__proto__',
  'constructor',
  'toString',
  'null',
  'undefined',
  'NaN',
  '\ufeff',
  '\u0000',
  '\u202e',
  '\ud800',
  '\udfff',
  '\u2028',
  'İ',
  'ß',
  'K',
  'é',
  '💩',
  '%00',
  '%zz',
  '../',
  '\r\n',
  '=',
  '.',
  ',',
]

/** Whole numbers at borders where readers go wrong. */
const ODD_NUMBERS: readonly bigint[] = [
  0n,
  1n,
  0x7fn,
  0x80n,
  0xffn,
  0x7fffn,
  0xffffn,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
]

const place = fc.nat(0xffff)
const length = fc.oneof(fc.nat(8), fc.nat(300))

const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.tuple(place, fc.nat(7)).map(
    ([at, bit]): Edit =>
      (bytes) =>
        bytes.length === 0 ? bytes : flip(bytes, at % bytes.length, bit),
  ),
  fc.tuple(place, fc.nat(255)).map(
    ([at, byte]): Edit =>
      (bytes) =>
        replace(bytes, at % (bytes.length + 1), 1, Uint8Array.of(byte)),
  ),
  place.map(
    (at): Edit =>
      (bytes) =>
        bytes.subarray(0, at % (bytes.length + 1)),
  ),
  fc.tuple(place, length).map(
    ([at, count]): Edit =>
      (bytes) =>
        replace(bytes, at % (bytes.length + 1), count, EMPTY),
  ),
  fc.tuple(place, fc.uint8Array({ maxLength: 12 })).map(
    ([at, more]): Edit =>
      (bytes) =>
        replace(bytes, at % (bytes.length + 1), 0, more),
  ),
  fc
    .tuple(place, place, place, length)
    .map(([which, from, to, count]): Edit => (bytes, originals) => {
      const other = originals[which % originals.length] ?? bytes
      const start = from % (other.length + 1)
      return replace(bytes, to % (bytes.length + 1), 0, other.subarray(start, start + count))
    }),
  fc.tuple(place, place, place).map(([which, from, to]): Edit => (bytes, originals) => {
    const other = originals[which % originals.length] ?? bytes
    const tail = other.subarray(from % (other.length + 1))
    return replace(bytes, to % (bytes.length + 1), bytes.length, tail)
  }),
  fc
    .tuple(place, fc.constantFrom(...ODD_NUMBERS), fc.constantFrom(1, 2, 4, 8), fc.boolean())
    .map(([at, number, width, little]): Edit => (bytes) => {
      const digits = numberBytes(number, width)
      return replace(bytes, at % (bytes.length + 1), width, little ? digits.toReversed() : digits)
    }),
)

const textEdit: fc.Arbitrary<(text: string) => string> = fc.oneof(
  fc.tuple(place, fc.constantFrom(...ODD_TEXTS)).map(
    ([at, odd]) =>
      (text: string) =>
        spliceText(text, at, 0, odd),
  ),
  fc.tuple(place, fc.string({ minLength: 1, maxLength: 1, unit: 'binary-ascii' })).map(
    ([at, one]) =>
      (text: string) =>
        spliceText(text, at, 1, one),
  ),
  fc.tuple(place, length).map(
    ([at, count]) =>
      (text: string) =>
        spliceText(text, at, count, ''),
  ),
  fc.tuple(place, place, length).map(([from, to, count]) => (text: string) => {
    const start = from % (text.length + 1)
    return spliceText(text, to, 0, text.slice(start, start + count))
  }),
  fc.constantFrom(
    (text: string) => text.toUpperCase(),
    (text: string) => text.toLowerCase(),
    (text: string) => ` ${text}`,
    (text: string) => `${text}\n`,
    (text: string) => text + text,
  ),
)

const EMPTY = new Uint8Array()

function flip(bytes: Uint8Array, at: number, bit: number): Uint8Array {
  const changed = Uint8Array.from(bytes)
  changed[at] = (changed[at] as number) ^ (1 << bit)
  return changed
}

function replace(bytes: Uint8Array, at: number, count: number, by: Uint8Array): Uint8Array {
  const after = bytes.subarray(Math.min(at + count, bytes.length))
  const changed = new Uint8Array(at + by.length + after.length)
  changed.set(bytes.subarray(0, at))
  changed.set(by, at)
  changed.set(after, at + by.length)
  return changed
}

function numberBytes(number: bigint, width: number): Uint8Array {
  return Uint8Array.from({ length: width }, (_, index) =>
    Number((number >> BigInt(8 * (width - 1 - index))) & 0xffn),
  )
}

function spliceText(text: string, at: number, count: number, by: string): string {
  const start = at % (text.length + 1)
  return text.slice(0, start) + by + text.slice(start + count)
}

function fromCodeUnits(units: readonly number[]): string {
  return String.fromCharCode(...units)
}
