// Test: sorting of numbers beyond memory: the same as sorting them at once, also when somebody chose them to be alike.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openNumberSorter } from './cen-sort.ts'

/** Sorts by way of the file. @param groups packed numbers of each; all are read together */
async function sortInFile(groups: readonly Uint8Array[], guess?: number): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), 'tocsin-sort-'))
  try {
    const sizes = groups.map((group) => guess ?? group.length / 16)
    await using sorter = await openNumberSorter(join(folder, 'numbers'), sizes)
    assert.deepEqual(readdirSync(folder), [], 'the file is gone with the process')
    for (const [index, group] of groups.entries())
      for (let offset = 0; offset < group.length; offset += 16 * 9_000)
        await sorter.add(index, new Uint8Array(group.slice(offset, offset + 16 * 9_000)))
    const pieces: Uint8Array[] = []
    for await (const piece of sorter.sorted(groups.map((_, index) => index))) pieces.push(piece)
    return Buffer.concat(pieces)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function sortAtOnce(groups: readonly Uint8Array[]): Buffer {
  const numbers = groups.flatMap((group) =>
    Array.from({ length: group.length / 16 }, (_, index) =>
      Buffer.from(group.subarray(index * 16, index * 16 + 16)),
    ),
  )
  numbers.sort(Buffer.compare)
  return Buffer.concat(
    numbers.filter((number, index) => index === 0 || !number.equals(numbers[index - 1] as Buffer)),
  )
}

test('random numbers are sorted over all groups, each once', async () => {
  const groups = [randomBytes(16 * 150_000), randomBytes(16 * 30_000), randomBytes(0)]
  const repeated = Buffer.concat([groups[1] as Buffer, (groups[0] as Buffer).subarray(0, 16 * 500)])
  const all = [groups[0] as Buffer, repeated, groups[2] as Buffer]
  assert.ok((await sortInFile(all)).equals(sortAtOnce(all)))
  // A wrong guess costs time alone.
  assert.ok((await sortInFile(all, 3_000_000)).equals(sortAtOnce(all)))
})

test('numbers that begin alike are sorted, too, more than are held at once', async () => {
  const numbers = randomBytes(16 * 300_000)
  for (let offset = 0; offset < numbers.length; offset += 16) numbers.fill(7, offset, offset + 13)
  assert.ok((await sortInFile([numbers])).equals(sortAtOnce([numbers])))
  // Few enough for one look, and different in their last bytes alone.
  const few = randomBytes(16 * 5_000)
  for (let offset = 0; offset < few.length; offset += 16) few.fill(7, offset, offset + 14)
  assert.ok((await sortInFile([few])).equals(sortAtOnce([few])))
  const same = Buffer.alloc(16 * 300_000, 9)
  assert.ok((await sortInFile([same])).equals(same.subarray(0, 16)))
})
