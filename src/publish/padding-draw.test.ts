// Test: how padding is drawn, without a database: what is copied, what is not, how much of it, and when it ends.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../test/seeded-random.ts'
import { unpackColumns } from '../submit/key-columns.ts'
import { publishes } from './families.ts'
import { createDeviceSource, type PaddingDevice } from './padding-device.ts'
import { drawPadding, MOST_JOINT_MINIMA } from './padding-draw.ts'
import type { StreamNeed } from './padding-needs.ts'
import type { KeyShape, Template } from './padding-templates.ts'
import type { ConfiguredStream } from './streams.ts'

const DAY = 86_400
const NOON = Date.UTC(2026, 2, 10, 12) / 1000
const SPAN = { from: NOON, until: NOON + 7200, timeGrain: 900 }

function stream(name: string, inputRegions: string[]): ConfiguredStream {
  return {
    name,
    inputRegions,
    excludedRegions: [],
    travelers: 'regional',
    reportTypes: [],
  } as Partial<ConfiguredStream> as ConfiguredStream
}

/** A device of seven days whose onset was two days ago. */
function template(regions: string[], keys: Partial<KeyShape>[] = []): Template {
  const usual = Array.from({ length: 7 }, (_, index) => ({ age: index + 1 }))
  return {
    app: 'org.example.app',
    regions,
    traveler: false,
    reportType: 'confirmed',
    accepted: NOON - 3 * DAY - 1800,
    keys: [...usual, ...keys].map((key) => ({
      offset: 0,
      period: 144,
      transmissionRisk: 5,
      daysSinceOnset: 2 - key.age!,
      embargoed: false,
      ...key,
      age: key.age!,
    })),
  }
}

function need(of: ConfiguredStream, wanted: number, has = 0): StreamNeed {
  return { stream: of, from: NOON, isPublishing: true, hasKeys: true, wanted, has }
}

const US = stream('us', ['US'])
const CA = stream('ca', ['CA'])
const BOTH = stream('both', ['US', 'CA'])

const everything = () => true

function draw(
  templates: readonly Template[],
  needs: readonly StreamNeed[],
  minimum: number,
  seed = 1,
) {
  const random = seededRandom(seed)
  const family = needs.map((each) => each.stream)
  const source = createDeviceSource(templates, family, SPAN, random)
  return drawPadding(needs, source, everything, SPAN.until, minimum, random)
}

const countFor = (devices: readonly PaddingDevice[], of: ConfiguredStream) =>
  devices
    .filter(({ report }) => publishes(of, report))
    .reduce((sum, { available }) => sum + available.filter((each) => each < SPAN.until).length, 0)

test('every stream gets its minimum, and not always exactly', () => {
  const templates = [
    ...Array<Template>(150).fill(template(['US'])),
    ...Array<Template>(50).fill(template(['CA'])),
  ]
  const sizes = new Set<number>()
  for (let seed = 1; seed <= 20; seed++) {
    const devices = draw(
      templates,
      [need(US, 1_000, 100), need(CA, 1_000, 900), need(BOTH, 1_000)],
      1_000,
      seed,
    )
    assert.ok(countFor(devices, US) >= 900 && countFor(devices, CA) >= 100)
    assert.ok(countFor(devices, BOTH) < 1_150 * (4 / 3))
    sizes.add(countFor(devices, US))
  }
  assert.ok(sizes.size > 5, 'the sizes differ')
})

test('the parts of a family are drawn as its reports have them, whichever stream is short', () => {
  const templates = [
    ...Array<Template>(150).fill(template(['US'])),
    ...Array<Template>(50).fill(template(['CA'])),
  ]
  for (const needs of [
    [need(US, 20_000), need(CA, 0), need(BOTH, 0)],
    [need(US, 0), need(CA, 10_000), need(BOTH, 0)],
    [need(US, 0), need(CA, 0), need(BOTH, 30_000)],
  ]) {
    const devices = draw(templates, needs, 30_000)
    const share =
      devices.filter(({ report }) => report.regions.includes('CA')).length / devices.length
    assert.ok(Math.abs(share - 0.25) < 0.03, `${share} of ${devices.length}`)
  }
})

test('a stream with hardly a report ends at fifty minima, and gets the rest from its own', () => {
  const templates = [...Array<Template>(999).fill(template(['US'])), template(['CA'])]
  const devices = draw(templates, [need(BOTH, 100), need(CA, 100)], 100)
  assert.ok(countFor(devices, CA) >= 100)
  const all = countFor(devices, BOTH)
  assert.ok(all >= MOST_JOINT_MINIMA * 100 && all < (MOST_JOINT_MINIMA + 5) * 100, `${all} keys`)
})

test('a stream of which no report is known is filled by the prior, and others stay small', () => {
  const devices = draw([template(['US'])], [need(US, 100), need(CA, 100)], 100)
  assert.ok(countFor(devices, CA) >= 100 && countFor(devices, CA) < 250)
  assert.ok(countFor(devices, US) >= 100 && countFor(devices, US) < 250)
  const nothingKnown = draw([], [need(BOTH, 500)], 500)
  assert.ok(countFor(nothingKnown, BOTH) >= 500)
  for (const { content } of nothingKnown) assert.equal(content.regions.length, 1)
})

test('a rare kind of report lends its name, not its shape', () => {
  // 40 keys of it among 14,000.
  const rare = template(
    ['CA'],
    Array.from({ length: 33 }, (_, age) => ({ age: 8, offset: age * 4, period: 4 })),
  )
  const templates = [...Array<Template>(2_000).fill(template(['US'])), rare]
  const devices = draw(templates, [need(CA, 3_000)], 100)
  const own = devices.filter(({ report }) => report.regions.includes('CA'))
  const copies = own.filter(({ content }) => content.keys.flags.length === 40).length
  assert.ok(own.length > 100 && copies / own.length < 0.15, `${copies} of ${own.length}`)
})

test('days, onset and today’s key move with the acceptance', () => {
  const today = [
    // Ended when it was uploaded, at 11:30.
    { age: 0, period: 69, daysSinceOnset: 2 },
  ]
  const templates = Array<Template>(500).fill(template(['US'], today))
  for (const { content, available } of draw(templates, [need(US, 2_000)], 2_000)) {
    assert.ok(content.accepted >= SPAN.from && content.accepted < SPAN.until)
    const keys = unpackColumns(content.keys)
    assert.equal(keys.length, 8)
    const onsets = new Set(
      keys.map((key) => Math.floor(key.rollingStart / 144) - key.daysSinceOnset),
    )
    assert.equal(onsets.size, 1, 'one onset')
    const days = keys.map((key) => Math.floor(key.rollingStart / 144)).sort((a, b) => a - b)
    assert.deepEqual(
      days,
      Array.from({ length: 8 }, (_, n) => NOON / DAY - 0.5 - 7 + n),
    )
    const ended = keys.find((key) => key.rollingPeriod < 144)
    const end = ((ended?.rollingStart ?? 0) + (ended?.rollingPeriod ?? 0)) * 600
    assert.ok(Math.abs(end - content.accepted) <= 1200, 'it ends about when it is uploaded')
    assert.ok(available.every((each) => each === content.accepted))
    assert.deepEqual(
      keys.map((key) => Buffer.from(key.keyData).toString('hex')),
      keys.map((key) => Buffer.from(key.keyData).toString('hex')).sort(),
    )
  }
})

test('a whole key of today is kept back until tomorrow', () => {
  const today = [{ age: 0, period: 144, daysSinceOnset: 2, embargoed: true }]
  const templates = Array<Template>(500).fill(template(['US'], today))
  const midnight = (NOON / DAY - 0.5 + 1) * DAY
  for (const { available } of draw(templates, [need(US, 500)], 500))
    assert.deepEqual(
      available.filter((each) => each > SPAN.until),
      [midnight + 900],
    )
})

test('times that only one device has are moved, and usual ones are not', () => {
  const cuts = (cut: number) => [
    { age: 9, offset: 0, period: cut, daysSinceOnset: -7 },
    { age: 9, offset: cut, period: 144 - cut, daysSinceOnset: -7 },
  ]
  const templates = [
    ...Array<Template>(300).fill(template(['US'], cuts(72))),
    template(['US'], cuts(31)),
  ]
  const devices = draw(templates, [need(BOTH, 50_000)], 50_000)
  const seen = new Map<number, number>()
  for (const { content } of devices) {
    const parts = unpackColumns(content.keys).filter((key) => key.rollingPeriod < 144)
    if (parts.length === 0) continue
    assert.equal(
      parts.reduce((sum, key) => sum + key.rollingPeriod, 0),
      144,
      'they follow each other',
    )
    const cut = Math.min(...parts.map((key) => key.rollingStart % 144 || 144))
    seen.set(cut, (seen.get(cut) ?? 0) + 1)
  }
  assert.ok((seen.get(72) ?? 0) > devices.length * 0.9)
  const moved = [...seen].filter(([cut]) => cut !== 72)
  assert.ok(moved.length > 4, `${moved.length} times`)
  for (const [cut] of moved) assert.ok(Math.abs(cut - 31) <= 9)
})
