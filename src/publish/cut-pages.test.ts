import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../test/seeded-random.ts'
import type { ExportKey } from '../format/gaen-export.ts'
import { cutByLimits, cutBySizes, type CutPage } from './cut-pages.ts'
import type { KeyPage } from './read-window.ts'

const random = seededRandom(7)
const below = (limit: number) => Math.floor(random.number() * limit)

/** Keys that are told by their risk, in pages of any size. */
async function* pagesOf(newKeys: number, revisedKeys: number): AsyncGenerator<KeyPage> {
  let next = 0
  for (const [list, total] of [
    ['keys', newKeys],
    ['revisedKeys', revisedKeys],
  ] as const)
    for (let given = 0; given < total;) {
      const size = Math.min(total - given, 1 + below(7))
      given += size
      yield {
        list,
        keys: Array.from({ length: size }, () => ({ transmissionRisk: next++ }) as ExportKey),
      }
    }
}

/** The keys of each file, and how many of them are new. */
async function filesOf(pages: AsyncIterable<CutPage>) {
  const files: { readonly risks: number[]; keys: number; revisedKeys: number }[] = []
  for await (const { file, list, keys } of pages) {
    assert.ok(
      file === files.length || file === files.length - 1,
      'no file is left out or taken up again',
    )
    const own = (files[file] ??= { risks: [], keys: 0, revisedKeys: 0 })
    keys.forEach(({ transmissionRisk }) => own.risks.push(transmissionRisk))
    own[list] += keys.length
  }
  return files
}

test('each key is in one file, none is too large, and none has too few new keys', async () => {
  for (let run = 0; run < 3_000; run++) {
    const minimum = below(5)
    const maximum = Math.max(1, 2 * minimum) + below(8)
    const [newKeys, revisedKeys] = [below(60), below(2) * below(30)]
    const files = await filesOf(cutByLimits(pagesOf(newKeys, revisedKeys), { maximum, minimum }))
    const told = `${newKeys} and ${revisedKeys} in ${minimum} to ${maximum}`
    const all = files.flatMap(({ risks }) => risks)
    assert.deepEqual(
      all,
      Array.from({ length: newKeys + revisedKeys }, (_, n) => n),
      told,
    )
    assert.ok(
      files.every(({ risks }) => risks.length > 0 && risks.length <= maximum),
      told,
    )
    if (newKeys > maximum)
      assert.ok(
        files.every(({ keys }) => keys === 0 || keys >= minimum),
        told,
      )
    const fewest = Math.ceil((newKeys + revisedKeys) / maximum)
    assert.ok(files.length >= fewest && files.length <= fewest + 1, told)
    assert.equal(files.length > 1, newKeys + revisedKeys > maximum, told)
    const again = await filesOf(cutBySizes(pagesOf(newKeys, revisedKeys), files))
    assert.deepEqual(again, files, told)
  }
})

test('what is more than the sizes say is in the last file, where its digest tells it', async () => {
  const files = await filesOf(
    cutBySizes(pagesOf(5, 0), [
      { keys: 2, revisedKeys: 0 },
      { keys: 2, revisedKeys: 0 },
    ]),
  )
  assert.deepEqual(
    files.map(({ risks }) => risks),
    [
      [0, 1],
      [2, 3, 4],
    ],
  )
})
