// Test: selections: every condition is read into one form, and what is none is refused by its name.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { appsOf, parseSelection } from './selection.ts'

const HEX = '00112233445566778899aabbccddeeff'

test('a selection is read into one form, which can be read again', () => {
  const selection = parseSelection({
    trackingIds: [HEX.toUpperCase(), HEX],
    keys: [Buffer.from(HEX, 'hex').toString('base64'), 'ff'.repeat(16)],
    // The last character of the second has bits that say nothing.
    issuerHandles: ['AAAAAAAAAAAAAAAAAAAAAA', 'AAAAAAAAAAAAAAAAAAAAAB'],
    healthAuthority: 'Org.Example.Health',
    source: 'publish-v1',
    regions: ['us', 'CA'],
    acceptedFrom: 1,
    acceptedBefore: 2,
  })
  assert.deepEqual(selection, {
    trackingIds: [HEX],
    keys: [HEX, 'ff'.repeat(16)],
    issuerHandles: ['AAAAAAAAAAAAAAAAAAAAAA'],
    healthAuthority: ['org.example.health'],
    source: 'publish-v1',
    regions: ['CA', 'US'],
    acceptedFrom: 1,
    acceptedBefore: 2,
  })
  assert.deepEqual(parseSelection(selection), selection)
  assert.deepEqual(appsOf(selection), ['org.example.health'])
  assert.equal(appsOf(parseSelection({ source: 'x' })), undefined)
  assert.deepEqual(parseSelection({ source: 'x', keys: null, regions: undefined }), { source: 'x' })
})

const REFUSED: readonly (readonly [unknown, RegExp])[] = [
  [undefined, /must be an object/],
  [[], /must be an object/],
  [{}, /at least one condition/],
  [{ keys: null }, /at least one condition/],
  [{ key: HEX }, /no condition "key"/],
  [{ __proto__: null, constructor: 1 }, /no condition "constructor"/],
  [{ trackingIds: ['00'] }, /trackingIds must be 32 hex digits/],
  [{ trackingIds: [HEX, 5] }, /trackingIds/],
  [{ trackingIds: [] }, /trackingIds must be a list/],
  [{ trackingIds: {} }, /trackingIds must be a list/],
  [{ keys: ['AAAA'] }, /keys must be 16 bytes/],
  [{ keys: Array.from({ length: 100_001 }, () => HEX) }, /keys must be a list of 1 to 100000/],
  [{ issuerHandles: ['A'.repeat(21)] }, /issuerHandles must be 22 characters/],
  [{ issuerHandles: [`${'A'.repeat(21)}+`] }, /issuerHandles/],
  [{ healthAuthority: '' }, /healthAuthority must be 1 to 255/],
  [{ healthAuthority: 'a\nb' }, /healthAuthority/],
  [{ source: ['publish-v1'] }, /source must be/],
  [{ source: 'Publish V1' }, /source must be/],
  [{ regions: ['U S'] }, /regions must be/],
  [{ acceptedFrom: 1.5 }, /acceptedFrom must be a time/],
  [{ acceptedFrom: '2027-01-31T00:00Z' }, /acceptedFrom/],
  [{ acceptedBefore: -1 }, /acceptedBefore/],
  [{ acceptedFrom: 2, acceptedBefore: 2 }, /later than acceptedFrom/],
]

test('what is no selection is refused, and the field named', () => {
  for (const [raw, message] of REFUSED)
    assert.throws(() => parseSelection(raw), { code: 'selection_invalid', message })
})
