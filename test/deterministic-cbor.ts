// Test helper: a reader of CBOR that takes the deterministic form alone (RFC 8949, section 4.2.1); promises to share no code with the project.

import assert from 'node:assert/strict'

/** Reads the value, failing the test when any other bytes could say the same. Text, bytes, integers, arrays, maps, booleans, null. */
export function assertDeterministic(bytes: Uint8Array): unknown {
  const { value, end } = readValue(Buffer.from(bytes), 0)
  assert.equal(end, bytes.length, 'nothing may follow the value')
  return value
}

interface Read {
  readonly value: unknown
  readonly end: number
}

function readValue(bytes: Buffer, offset: number): Read {
  const major = bytes.readUInt8(offset) >> 5
  const { argument, end } = readHead(bytes, offset)
  const count = Number(argument)
  switch (major) {
    case 0:
      return { value: narrow(argument), end }
    case 1:
      return { value: narrow(-1n - argument), end }
    case 2:
      return { value: Uint8Array.from(take(bytes, end, count)), end: end + count }
    case 3:
      return { value: take(bytes, end, count).toString('utf8'), end: end + count }
    case 4:
      return readItems(bytes, end, count)
    case 5:
      return readMap(bytes, end, count)
    default:
      assert.ok(major === 7 && count >= 20 && count <= 22, 'only false, true and null')
      return { value: [false, true, null][count - 20], end }
  }
}

/** The argument of a head: RFC 8949, section 3; it must be as short as it can be, and definite. */
function readHead(bytes: Buffer, offset: number): { argument: bigint; end: number } {
  const information = bytes.readUInt8(offset) & 31
  if (information < 24) return { argument: BigInt(information), end: offset + 1 }
  assert.ok(information <= 27, 'no indefinite lengths, no reserved heads')
  const width = 2 ** (information - 24)
  const argument = BigInt(`0x${take(bytes, offset + 1, width).toString('hex')}`)
  const smallest = { 1: 24n, 2: 256n, 4: 65_536n, 8: 4_294_967_296n }[width] ?? 0n
  assert.ok(argument >= smallest, `${argument} fits a shorter head`)
  return { argument, end: offset + 1 + width }
}

function readItems(
  bytes: Buffer,
  offset: number,
  count: number,
): { value: unknown[]; end: number } {
  const value: unknown[] = []
  let end = offset
  for (let index = 0; index < count; index++) {
    const item = readValue(bytes, end)
    value.push(item.value)
    end = item.end
  }
  return { value, end }
}

function readMap(bytes: Buffer, offset: number, count: number): Read {
  const entries: [string, unknown][] = []
  let end = offset
  let before: Buffer | undefined
  for (let index = 0; index < count; index++) {
    const key = readValue(bytes, end)
    const encoded = bytes.subarray(end, key.end)
    assert.ok(before === undefined || Buffer.compare(before, encoded) < 0, 'keys in order, once')
    before = encoded
    const item = readValue(bytes, key.end)
    entries.push([String(key.value), item.value])
    end = item.end
  }
  return { value: Object.fromEntries(entries), end }
}

function take(bytes: Buffer, offset: number, length: number): Buffer {
  assert.ok(offset + length <= bytes.length, 'the value ends early')
  return bytes.subarray(offset, offset + length)
}

function narrow(value: bigint): number {
  assert.ok(value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER))
  return Number(value)
}
