// Test: bodies that are read from files; promises large pieces for a few readers, and small ones for many.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { test } from 'node:test'
import { streamPieces } from './byteranges.ts'

test('a few who read at once get large pieces, and many small ones', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tocsin-pieces-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'file')
  const size = 4 << 20
  writeFileSync(file, Buffer.alloc(size, 5))
  const begin = async () => streamPieces([{ start: 0, end: size }], await open(file))
  const first = await begin()
  assert.equal(await nextLength(first), 512 << 10)
  const others = await Promise.all(Array.from({ length: 64 }, begin))
  // What was read before the others came.
  await nextLength(first)
  const lengths = [await nextLength(first), await nextLength(others[63] as Readable)]
  assert.deepEqual(lengths, [64 << 10, 64 << 10])
  for (const other of others) other.destroy()
  await nextLength(first)
  assert.equal(await nextLength(first), 512 << 10)
  let rest = 0
  for await (const piece of first) rest += (piece as Buffer).length
  assert.equal(rest % (64 << 10), 0)
})

async function nextLength(stream: Readable): Promise<number> {
  for (;;) {
    const piece = stream.read() as Buffer | null
    if (piece !== null) return piece.length
    await new Promise((resolve) => stream.once('readable', resolve))
  }
}
