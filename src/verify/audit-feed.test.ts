// Test: files of a feed beside each other: gaps, overlaps, missing parts and repeated keys are remarked on, and what is as it should be is not.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EXPORT_START, exportKey, makeExport } from '../../test/export-files.ts'
import { follow, serve, signer, trustedKeys } from '../../test/served-feed.ts'
import type { ExportKey } from '../format/gaen-export.ts'
import { startAudit } from './audit-feed.ts'
import { verifyExport } from './verify-export.ts'

/** A file: hours from and to, keys and revised keys by number, and what is special about it. */
interface Part {
  readonly from: number
  readonly to: number
  readonly keys?: readonly number[]
  readonly revised?: readonly number[]
  /** Number in the name, and seconds that the header adds. */
  readonly number?: number
  readonly added?: number
  readonly region?: string
  readonly name?: string
}

const hour = (hours: number) => EXPORT_START + hours * 3_600

function fileOf({ from, to, number = 1, added = 0, region = 'US', ...part }: Part) {
  const [start, end] = [hour(from), hour(to)]
  const keyOf = (each: number): ExportKey => exportKey(each)
  return {
    name: part.name ?? `us/${start}-${end}-${String(number).padStart(5, '0')}.zip`,
    bytes: makeExport({
      signers: [signer],
      keys: (part.keys ?? [from * 100 + number]).map(keyOf),
      revisedKeys: (part.revised ?? []).map(keyOf),
      header: { startTimestamp: start, endTimestamp: end + added, region },
    }),
  }
}

/** The codes that each file brings. */
async function audit(parts: readonly Part[], maxKeys = 1_000): Promise<string[][]> {
  const feed = startAudit({ maxKeys })
  const codes: string[][] = []
  for (const part of parts) {
    const { name, bytes } = fileOf(part)
    const findings = feed.addFile(name, await verifyExport(bytes, trustedKeys))
    for (const { sentence } of findings) assert.match(sentence, /^\S.*\.$/)
    codes.push(findings.map(({ code }) => code))
  }
  return codes
}

test('windows that follow each other are as they should be', async () => {
  const codes = await audit([
    { from: 0, to: 1 },
    { from: 1, to: 2 },
    { from: 2, to: 4 },
  ])
  assert.deepEqual(codes, [[], [], []])
})

test('a gap is remarked on, with the sentence that says whether empty windows explain it', async () => {
  const feed = startAudit({ maxKeys: 10 })
  const sentences: string[] = []
  for (const part of [
    { from: 0, to: 1 },
    { from: 3, to: 4 },
    { from: 4.5, to: 5.5 },
  ]) {
    const { name, bytes } = fileOf({ ...part, keys: [part.to * 2] })
    const findings = feed.addFile(name, await verifyExport(bytes, trustedKeys))
    sentences.push(...findings.map(({ code, sentence }) => `${code} ${sentence}`))
  }
  assert.equal(sentences.length, 2)
  assert.match(sentences[0] ?? '', /^window_gap .*windows without keys give no file/)
  assert.match(sentences[1] ?? '', /^window_gap .*don't explain it/)
})

test('an overlap is remarked on, but not a window that was held', async () => {
  assert.deepEqual(
    await audit([
      { from: 0, to: 2 },
      { from: 1, to: 3 },
    ]),
    [[], ['window_overlap']],
  )
  // Held: corrections only, then keys from where the held window began; in between, further corrections.
  assert.deepEqual(
    await audit([
      { from: 0, to: 1, keys: [7] },
      { from: 1, to: 2, keys: [], revised: [7] },
      { from: 1, to: 4, keys: [8] },
      { from: 2, to: 3, keys: [], revised: [7] },
      { from: 4, to: 5 },
    ]),
    [[], [], [], [], []],
  )
})

test('the files of a split window are one window', async () => {
  const split = [1, 2, 3].map((number) => ({ from: 0, to: 1, number, added: number }))
  assert.deepEqual(await audit([...split, { from: 1, to: 2 }]), [[], [], [], []])
  assert.deepEqual(await audit([split[0] as Part, split[2] as Part]), [[], ['split_incomplete']])
  assert.deepEqual(await audit([split[1] as Part, split[2] as Part]), [['split_incomplete'], []])
  // Names of another custom, where only the header tells.
  const unnamed = split.map((part, index) => ({ ...part, name: `us/${index}.zip` }))
  assert.deepEqual(await audit(unnamed), [[], [], []])
})

test('another region in the midst of a feed is remarked on', async () => {
  const codes = await audit([
    { from: 0, to: 1 },
    { from: 1, to: 2, region: 'CA' },
  ])
  assert.deepEqual(codes, [[], ['region_differs']])
})

test('keys that come again, and revised keys that never came, are remarked on', async () => {
  const codes = await audit([
    { from: 0, to: 1, keys: [1, 2], revised: [9] },
    { from: 1, to: 2, keys: [2, 3], revised: [1] },
    { from: 2, to: 3, keys: [4], revised: [4, 9] },
  ])
  assert.deepEqual(codes, [
    ['revised_not_published'],
    ['keys_published_before'],
    ['keys_in_both_lists', 'revised_not_published'],
  ])
})

test('keys are compared up to a limit, and then no more', async () => {
  const parts = [0, 1, 2].map((from) => ({ from, to: from + 1, keys: [5] }))
  assert.deepEqual(await audit(parts, 2), [
    [],
    ['keys_published_before'],
    ['keys_published_before'],
  ])
  assert.deepEqual(await audit(parts, 1), [[], ['keys_not_compared'], []])
})

test('a name may give the end of its window, or the header adds the number to it, and nothing else', async (t) => {
  for (const [added, number, believed] of [
    [0, 1, true],
    [1, 1, true],
    [2, 2, true],
    [0, 2, true],
    [1, 2, false],
    [3, 2, false],
    [-1, 1, false],
    [100_000, 100_000, false],
  ] as const) {
    const { files, index } = await serve(t)
    const { name, bytes } = fileOf({ from: 0, to: 1, number, added })
    files.set('/exports/us/index.txt', name)
    files.set(`/exports/${name}`, bytes)
    const { refused } = await follow({ index })
    assert.deepEqual(refused, believed ? [] : [[name, 'name_differs']], `${added} ${number}`)
  }
})

test('keys can be read until the next event, and not from what took their place', async (t) => {
  const { files, index } = await serve(t)
  const made = [0, 1].map((from) => fileOf({ from, to: from + 1 }))
  for (const { name, bytes } of made) files.set(`/exports/${name}`, bytes)
  files.set('/exports/us/index.txt', made.map(({ name }) => name).join('\n'))
  const { events } = await follow({ index })
  for (const event of events)
    if (event.type === 'file') assert.throws(() => event.export.entries(), /was given back/)
})
