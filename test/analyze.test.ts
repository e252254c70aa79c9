// Test: `tocsin analyze`, as a health authority calls it on its own files: counts, and what an outsider could conclude.

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { ExportKey } from '../src/format/gaen-export.ts'
import { analyzeExport } from '../src/verify/analyze-export.ts'
import { DEFAULT_LIMITS } from '../src/verify/limits.ts'
import { EXPORT_DAY, EXPORT_START, exportKey, makeEntries, makeExport } from './export-files.ts'
import { serve } from './served-feed.ts'
import { temporaryFolder } from './temporary-folder.ts'
import { call, signer } from './verify-process.ts'

const day = (days: number) => ({ rollingStart: EXPORT_DAY - 144 * days })

/** As many keys with these metadata. */
const several = (count: number, first: number, fields: Partial<ExportKey>) =>
  Array.from({ length: count }, (_, index) => exportKey(first + index, fields))

function conclusionsOf(keys: readonly ExportKey[], crowd = 10) {
  const { conclusions } = analyzeExport(makeExport({ keys }), DEFAULT_LIMITS, crowd)
  return new Map(conclusions.map(({ code, keys: about }) => [code, about]))
}

async function writeExport(t: TestContext, bytes: Uint8Array) {
  const folder = await temporaryFolder(t)
  const file = join(folder, 'a.zip')
  await writeFile(file, bytes)
  const key = join(folder, 'key.pem')
  await writeFile(key, signer.publicKey)
  return { folder, file, key }
}

test('everything is counted, new and revised keys apart', async (t) => {
  const keys = [
    exportKey(1),
    exportKey(2, { ...day(3), transmissionRisk: 4 }),
    exportKey(3, { rollingPeriod: 90, reportType: 2, daysSinceOnset: -1 }),
  ]
  const revisedKeys = [exportKey(9, { reportType: 5 })]
  const { file } = await writeExport(t, makeExport({ keys, revisedKeys }))
  const { status, document } = await call('analyze', file, '--json')
  assert.equal(status, 0)
  const { region, start, end, signature, statistics } = document
  assert.deepEqual(
    { region, start, end, signature },
    {
      region: 'US',
      start: EXPORT_START,
      end: EXPORT_START + 3_600,
      signature: { verdict: 'not_checked', code: null },
    },
  )
  const counts = (...values: [number, number][]) => ({
    values: values.map(([value, count]) => ({ value, count })),
    others: 0,
  })
  assert.deepEqual(statistics, {
    keys: {
      reportType: counts([1, 2], [2, 1]),
      ageDays: counts([1, 2], [4, 1]),
      daysSinceOnset: counts([-1, 1], [2, 2]),
      transmissionRisk: counts([0, 2], [4, 1]),
      rollingPeriod: counts([90, 1], [144, 2]),
    },
    revisedKeys: {
      reportType: counts([5, 1]),
      ageDays: counts([1, 1]),
      daysSinceOnset: counts([2, 1]),
      transmissionRisk: counts([0, 1]),
      rollingPeriod: counts([144, 1]),
    },
  })
  assert.doesNotMatch(JSON.stringify(document), /5a5a5a/, 'no key')
})

test('people see a table with bars, and sentences', async (t) => {
  const keys = Array.from({ length: 144 }, (_, index) =>
    exportKey(index, { rollingPeriod: 1 + index, reportType: index < 36 ? 2 : 1 }),
  )
  const { file } = await writeExport(t, makeExport({ keys }))
  const { out } = await call('analyze', file)
  assert.match(out, /^new keys by report type\n +CONFIRMED_TEST +108 {2}█{40}\n/m)
  assert.match(out, /^ +CONFIRMED_CLINICAL_DIAGNOSIS +36 {2}█{13}\n/m)
  assert.match(out, /^ +1 to 5 +5 {2}█+\n/m)
  assert.match(out, /^What a curious outsider could conclude\n {2}few_keys: The file has 144 /m)
})

test('keys that stand out are counted, those in a crowd are not', () => {
  const crowd = several(10, 0, {})
  assert.deepEqual([...conclusionsOf(crowd)], [['few_keys', 10]])
  assert.equal(conclusionsOf(crowd, 11).get('metadata_rare'), 10)
  const withTwo = [...crowd, ...several(2, 20, { transmissionRisk: 3 })]
  assert.equal(conclusionsOf(withTwo).get('metadata_rare'), 2)
})

test('padding that copies each key equally often tells how many keys are real', () => {
  const copied = [1, 2, 3].flatMap((count) =>
    several(count * 20, count * 100, { transmissionRisk: count }),
  )
  assert.equal(conclusionsOf(copied).get('counts_share_divisor'), 6)
  const one = exportKey(999, { transmissionRisk: 3 })
  assert.equal(conclusionsOf([...copied, one]).get('counts_share_divisor'), undefined)
  const two = copied.filter(({ transmissionRisk }) => transmissionRisk < 3)
  assert.equal(conclusionsOf(two).get('counts_share_divisor'), undefined, 'two may be chance')
})

test('keys of one phone are chained over days, unless others have the same', () => {
  const phone = [0, 1, 2].map((days) => exportKey(days, { ...day(days), daysSinceOnset: 2 - days }))
  assert.equal(conclusionsOf(phone).get('keys_chained'), 3)
  const second = phone.map((key, index) => ({
    ...exportKey(10 + index),
    ...key,
    keyData: exportKey(10 + index).keyData,
  }))
  assert.equal(conclusionsOf([...phone, ...second]).get('keys_chained'), undefined)
  const other = [exportKey(5, { ...day(4), daysSinceOnset: -2 })]
  assert.equal(conclusionsOf([...phone, ...other]).get('keys_chained'), 3, 'a day between')
  const onsets = [0, 1].map((days) => exportKey(days, day(days)))
  assert.equal(conclusionsOf(onsets).get('keys_chained'), undefined, 'onset on different days')
})

test('order and embargo are looked at', () => {
  const unsorted = [exportKey(2), exportKey(1)]
  assert.ok(conclusionsOf(unsorted).has('order_telling'))
  const young = several(1, 1, { rollingStart: EXPORT_DAY + 144 })
  assert.ok(conclusionsOf(young).has('keys_replayable'))
})

test('metadata of which each key has its own are counted up to a limit', () => {
  const keys = Array.from({ length: 50_010 }, (_, index) =>
    exportKey(index, { rollingStart: EXPORT_DAY - index, daysSinceOnset: index }),
  )
  const { conclusions, statistics } = analyzeExport(makeExport({ keys }), DEFAULT_LIMITS, 10)
  assert.deepEqual(conclusions[0]?.code, 'metadata_varied')
  assert.equal(conclusions[0]?.keys, 10)
  assert.equal(statistics.keys.daysSinceOnset.values.length, 200)
  assert.equal(statistics.keys.daysSinceOnset.others, 49_810)
})

test('the signature is checked when a key is named, and export.bin alone can be analyzed', async (t) => {
  const { folder, file, key } = await writeExport(t, makeExport({ signers: [signer] }))
  const checked = await call('analyze', file, '--key', key, '--json')
  assert.deepEqual(checked.document['signature'], { verdict: 'valid', code: null })
  const { bin } = makeEntries({})
  const bare = join(folder, 'export.bin')
  await writeFile(bare, bin)
  const { document } = await call('analyze', bare, '--key', key, '--json')
  assert.deepEqual(document['signature'], { verdict: 'invalid', code: 'zip_malformed' })
  assert.equal(document['keys'], 2)
  const { files, origin } = await serve(t)
  files.set('/a.zip', makeExport({}))
  const served = await call('analyze', `${origin}/a.zip`, '--key', key, '--json')
  assert.deepEqual(served.document['signature'], {
    verdict: 'untrusted',
    code: 'signature_missing',
  })
})

test('what can’t be analyzed is an error with a code', async (t) => {
  const { folder, file } = await writeExport(t, new Uint8Array(100))
  for (const [args, status, line] of [
    [[file], 1, /^tocsin: target_unreadable: .*\(zip_malformed\)$/m],
    [[folder], 1, /^tocsin: target_unreadable: /],
    [[join(folder, 'none')], 1, /^tocsin: target_unreadable: /],
    [['http://user:secret@127.0.0.1:1/a.zip'], 1, /^tocsin: target_unreadable: /],
    [[], 2, /^tocsin: usage: Say what to analyze/],
    [[file, '--crowd', '0'], 2, /^tocsin: usage: --crowd/],
  ] as [string[], number, RegExp][]) {
    const outcome = await call('analyze', ...args)
    assert.equal(outcome.status, status, args.join(' '))
    assert.match(outcome.err, line)
    assert.doesNotMatch(outcome.err, /secret/)
    assert.equal(outcome.out, '')
  }
})
