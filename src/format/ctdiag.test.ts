// Test: records of 21 and 18 bytes, byte for byte.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  DAY_RECORD_LENGTH,
  readRecord,
  RECORD_LENGTH,
  toDayRecords,
  writeRecord,
} from './ctdiag.ts'

const keyData = Uint8Array.from({ length: 16 }, (_, index) => 0xa0 + index)
const KEY_HEX = 'a0a1a2a3a4a5a6a7a8a9aaabacadaeaf'

/** A record among others, in hex. */
function written(rollingStart: number, transmissionRisk: number): string {
  const bytes = new Uint8Array(3 * RECORD_LENGTH)
  writeRecord(bytes, RECORD_LENGTH, { keyData, rollingStart, transmissionRisk })
  assert.deepEqual(readRecord(bytes, RECORD_LENGTH), { keyData, rollingStart, transmissionRisk })
  const before = bytes.subarray(0, RECORD_LENGTH)
  const behind = bytes.subarray(2 * RECORD_LENGTH)
  assert.ok(
    [...before, ...behind].every((byte) => byte === 0),
    'nothing beside it',
  )
  return Buffer.from(bytes.subarray(RECORD_LENGTH, 2 * RECORD_LENGTH)).toString('hex')
}

test('a record is the key, the rolling start in four bytes, the risk in one', () => {
  assert.equal(written(2_650_464, 7), `${KEY_HEX}0028716007`)
  assert.equal(written(0, 0), `${KEY_HEX}0000000000`)
  assert.equal(written(0xfedcba98, 255), `${KEY_HEX}fedcba98ff`)
})

test('the earlier form has the day in which a key begins, in two bytes', () => {
  const day = (rollingStart: number) => {
    const bytes = new Uint8Array(RECORD_LENGTH)
    writeRecord(bytes, 0, { keyData, rollingStart, transmissionRisk: 7 })
    const [first, ...rest] = [toDayRecords(bytes)]
    assert.deepEqual(rest, [])
    assert.equal(first?.length, DAY_RECORD_LENGTH)
    return Buffer.from(first).toString('hex')
  }
  assert.equal(day(18_406 * 144), `${KEY_HEX}47e6`)
  assert.equal(day(18_406 * 144 + 143), `${KEY_HEX}47e6`, 'a start that is not at midnight')
  assert.equal(day(143), `${KEY_HEX}0000`)
  assert.equal(day(0xffffffff), `${KEY_HEX}ffff`, 'beyond what two bytes can say')
})

test('records are taken one by one, in their order', () => {
  const records = new Uint8Array(2 * RECORD_LENGTH)
  writeRecord(records, 0, { keyData, rollingStart: 144, transmissionRisk: 0 })
  const other = keyData.map((byte) => byte ^ 0xff)
  writeRecord(records, RECORD_LENGTH, { keyData: other, rollingStart: 288, transmissionRisk: 1 })
  assert.equal(
    Buffer.from(toDayRecords(records)).toString('hex'),
    `${KEY_HEX}0001${Buffer.from(other).toString('hex')}0002`,
  )
  assert.equal(toDayRecords(new Uint8Array()).length, 0)
})
