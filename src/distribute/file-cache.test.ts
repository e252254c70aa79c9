// Test: what is kept of files: never longer than they lie there, never more than the limits, and nothing that a link leads to.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  link,
  mkdir,
  mkdtemp,
  rename,
  rm,
  symlink,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { createFileCache } from './file-cache.ts'

const INDEX = 'exports/us/index.txt'
const zip = (number: number) => `exports/us/1-2-${String(number).padStart(5, '0')}.zip`
const tagOf = (text: string) => `"${createHash('sha256').update(text).digest('hex').slice(0, 32)}"`
const textOf = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString()

async function makeRoot(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'tocsin-test-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const root = join(folder, 'public')
  await mkdir(join(root, 'exports/us'), { recursive: true })
  const put = async (path: string, text: string) => {
    await writeFile(join(folder, 'staged'), text)
    await rename(join(folder, 'staged'), join(root, path))
  }
  return { folder, root, put }
}

test('a file that was replaced, rewritten or removed is not served from memory', async (t) => {
  const { root, put } = await makeRoot(t)
  const find = createFileCache(root)
  const time = new Date('2026-03-10T09:00:00Z')
  // The same size and the same time each: still another file.
  for (const text of ['first', 'again']) {
    await put(INDEX, text)
    await utimes(join(root, INDEX), time, time)
    const file = await find(INDEX)
    assert.deepEqual([textOf(file?.bytes), file?.etag], [text, tagOf(text)])
  }
  await writeFile(join(root, INDEX), 'third')
  await utimes(join(root, INDEX), time, time)
  assert.equal(textOf((await find(INDEX))?.bytes), 'third')
  await unlink(join(root, INDEX))
  assert.equal(await find(INDEX), undefined)
  await put(INDEX, 'fourth')
  assert.equal(textOf((await find(INDEX))?.bytes), 'fourth')
  await rm(join(root, 'exports'), { recursive: true })
  assert.equal(await find(INDEX), undefined)
})

test('an open file that is another by now is not taken for the one that was found', async (t) => {
  const { root, put } = await makeRoot(t)
  const find = createFileCache(root, { smallFile: 4, bytes: 100, files: 10 })
  await put(INDEX, 'large enough')
  const file = await find(INDEX)
  assert.equal(file?.bytes, undefined)
  const handle = await file?.open()
  assert.equal(await handle?.readFile('utf8'), 'large enough')
  await handle?.close()
  await put(INDEX, 'another text')
  assert.equal(await file?.open(), undefined)
  await unlink(join(root, INDEX))
  assert.equal(await file?.open(), undefined)
})

test('however many files are asked for, no more is kept than the limits say', async (t) => {
  const { root, put } = await makeRoot(t)
  const count = 40
  for (let number = 1; number <= count; number++) await put(zip(number), 'x'.repeat(1_000))
  /** Files whose bytes are the same object when they are asked for again. */
  const kept = async (limits: { bytes: number; files: number }) => {
    const find = createFileCache(root, { smallFile: 1_000, ...limits })
    const first = new Map<string, unknown>()
    for (let number = 1; number <= count; number++)
      first.set(zip(number), (await find(zip(number)))?.bytes)
    let same = 0
    // From the newest: what is loaded anew pushes out only what was asked for before it.
    for (let number = count; number >= 1; number--)
      if ((await find(zip(number)))?.bytes === first.get(zip(number))) same++
      else break
    return same
  }
  assert.equal(await kept({ bytes: 10_000, files: 100 }), 10)
  assert.equal(await kept({ bytes: 10_999, files: 100 }), 10)
  assert.equal(await kept({ bytes: 1_000_000, files: 7 }), 7)
  assert.equal(await kept({ bytes: 1_000_000, files: 100 }), count)
  const find = createFileCache(root, { smallFile: 999, bytes: 1_000_000, files: 100 })
  assert.equal((await find(zip(1)))?.bytes, undefined, 'larger ones are not kept')
})

test('replacing one file over and over takes no room from others', async (t) => {
  const { root, put } = await makeRoot(t)
  const find = createFileCache(root, { smallFile: 1_000, bytes: 2_000, files: 10 })
  await put(zip(1), 'y'.repeat(1_000))
  const { bytes } = (await find(zip(1))) ?? {}
  for (let round = 0; round < 20; round++) {
    await put(INDEX, String(round).repeat(300))
    assert.ok(await find(INDEX))
    await unlink(join(root, INDEX))
    assert.equal(await find(INDEX), undefined)
    assert.equal((await find(zip(1)))?.bytes, bytes)
  }
})

test('a link is not followed, neither to a file nor to a folder, nor when it takes the place of one', async (t) => {
  const { folder, root, put } = await makeRoot(t)
  const find = createFileCache(root)
  const outside = join(folder, 'outside')
  await mkdir(outside)
  await writeFile(join(outside, 'index.txt'), 'secret')
  await symlink(join(outside, 'index.txt'), join(root, zip(1)))
  await symlink(outside, join(root, 'exports/de'))
  assert.equal(await find(zip(1)), undefined)
  assert.equal(await find('exports/de/index.txt'), undefined)
  await put(INDEX, 'public')
  assert.equal(textOf((await find(INDEX))?.bytes), 'public')
  await rename(join(root, 'exports/us'), join(root, 'exports/old'))
  await symlink(outside, join(root, 'exports/us'))
  assert.equal(await find(INDEX), undefined)
})

test('the root itself may be a link, and a file may have a second name', async (t) => {
  const { folder, root, put } = await makeRoot(t)
  await put(INDEX, 'public')
  await link(join(root, INDEX), join(root, 'exports/us/second'))
  await symlink(root, join(folder, 'current'))
  const find = createFileCache(join(folder, 'current'))
  assert.equal(textOf((await find(INDEX))?.bytes), 'public')
})

test('a folder or a pipe in the place of a file holds nobody up', async (t) => {
  const { root } = await makeRoot(t)
  const find = createFileCache(root)
  await mkdir(join(root, zip(1)))
  assert.equal(await find(zip(1)), undefined)
  if (process.platform === 'win32') return
  execFileSync('mkfifo', [join(root, zip(2))])
  assert.equal(await find(zip(2)), undefined)
})
