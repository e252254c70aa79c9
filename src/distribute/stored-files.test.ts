// Test: what lies in a store: listed whatever its name, looked at, removed and restored, without a way out of it.

import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { temporaryFolder } from '../../test/temporary-folder.ts'
import { openDirectoryStore, type ObjectStore } from './directory-store.ts'

const ZIP = 'exports/us/1773129600-1773133200-00001.zip'
const INDEX = 'exports/us/index.txt'

async function openStore(t: TestContext) {
  const root = join(await temporaryFolder(t), 'public')
  return { root, store: openDirectoryStore(root) }
}

/** Stages bytes as a build does, and puts them. */
async function put(store: ObjectStore, path: string, bytes: Uint8Array): Promise<void> {
  const staged = await store.stagingPath('a build')
  await writeFile(staged, bytes, { mode: 0o600, flag: 'wx' })
  await store.putImmutable(path, staged, createHash('sha256').update(bytes).digest())
}

/** What a store lists, in order. */
async function listAll(store: ObjectStore): Promise<string[]> {
  const found: string[] = []
  for await (const { path, size } of store.list()) found.push(`${path} ${size}`)
  return found.sort()
}

test('every file is listed whatever its name, but for what is staged', async (t) => {
  const { root, store } = await openStore(t)
  assert.deepEqual(await listAll(store), [], 'a store that nobody has written to')
  await put(store, ZIP, Buffer.from('zip'))
  await store.putMutable(INDEX, Buffer.from('index'))
  await writeFile(await store.stagingPath(ZIP), 'half a file')
  await mkdir(join(root, 'exports/de/deep'), { recursive: true })
  await writeFile(join(root, 'exports/de/deep/a name\nof two lines'), 'x')
  await writeFile(join(root, '.hidden'), '')
  await symlink('/etc', join(root, 'exports/etc'))
  assert.deepEqual(
    await listAll(store),
    [
      '.hidden 0',
      'exports/de/deep/a name\nof two lines 1',
      'exports/etc 4',
      `${ZIP} 3`,
      `${INDEX} 5`,
    ].sort(),
  )
})

test('what is listed can be removed, and nothing else; what is not there is no error', async (t) => {
  const { root, store } = await openStore(t)
  await put(store, ZIP, Buffer.from('zip'))
  await store.putMutable(INDEX, Buffer.from('index'))
  await writeFile(join(root, 'exports/a name\nof two lines'), 'x')
  const other = join(dirname(root), 'other')
  await mkdir(join(other, 'us'), { recursive: true })
  await writeFile(join(other, 'us/file'), 'not ours')
  await symlink(other, join(root, 'exports/link'))
  await writeFile(await store.stagingPath('build'), 'half a file')
  const [staged = ''] = await readdir(join(root, '.staging'))
  const conflict = { code: 'store_conflict' }
  for (const path of [
    '../other/us/file',
    'exports/../../other/us/file',
    'exports/link/us/file',
    `.staging/${staged}`,
    `./.staging/${staged}`,
    '/etc/hostname',
    '',
    '.',
    'exports//us',
  ])
    await assert.rejects(store.remove(path), conflict, path)
  assert.ok(existsSync(join(other, 'us/file')) && existsSync(join(root, '.staging', staged)))
  for (const path of [ZIP, 'exports/a name\nof two lines', 'exports/link', ZIP, 'exports/de/x.zip'])
    await store.remove(path)
  assert.deepEqual(await listAll(store), [`${INDEX} 5`])
  await assert.rejects(store.remove('exports'), { code: 'store_failed' }, 'a folder is no file')
  assert.deepEqual(await listAll(store), [`${INDEX} 5`])
})

test('what lies at a path is told by its size and digest, also when nobody could download it', async (t) => {
  const { root, store } = await openStore(t)
  assert.equal(await store.inspect(ZIP), undefined)
  await put(store, ZIP, Buffer.from('zip'))
  const digest = createHash('sha256').update('zip').digest()
  assert.deepEqual(await store.inspect(ZIP), { size: 3, digest })
  const [link, folder] = ['exports/us/1-2-00001.zip', 'exports/us/2-3-00001.zip']
  await symlink(join(root, ZIP), join(root, link))
  await mkdir(join(root, folder))
  for (const path of [link, folder]) assert.equal((await store.inspect(path))?.digest, undefined)
  await assert.rejects(store.inspect('exports/us/secret.pem'), { code: 'store_conflict' })
})

test('a file is read in pieces from a byte on, as it was when that began', async (t) => {
  const { store } = await openStore(t)
  assert.equal(await store.stream(INDEX), undefined)
  const bytes = randomBytes(200_000)
  await store.putMutable(INDEX, bytes)
  for (const start of [0, 1, 65_536, 199_999, 200_000]) {
    const pieces = await store.stream(INDEX, start)
    await store.putMutable(INDEX, start === 0 ? Buffer.from('next') : bytes)
    const read: Uint8Array[] = []
    for await (const piece of pieces ?? []) read.push(piece)
    assert.ok(Buffer.concat(read).equals(start === 1 ? Buffer.from('ext') : bytes.subarray(start)))
    assert.ok(read.every(({ length }) => length <= 65_536))
  }
  await assert.rejects(store.stream('exports/us/secret.pem'), { code: 'store_conflict' })
})

test('recorded bytes replace what was changed at once, and links as well; an index is not restored', async (t) => {
  const { root, store } = await openStore(t)
  await put(store, ZIP, Buffer.from('zip'))
  const stage = async () => {
    const staged = await store.stagingPath(ZIP)
    await writeFile(staged, 'zip', { mode: 0o600 })
    return staged
  }
  const elsewhere = join(dirname(root), 'elsewhere')
  await writeFile(elsewhere, 'not ours')
  for (const spoil of [
    () => writeFile(join(root, ZIP), 'changed'),
    async () => (await store.remove(ZIP), await symlink(elsewhere, join(root, ZIP))),
    () => store.remove(ZIP),
  ]) {
    await spoil()
    await store.restore(ZIP, await stage())
    assert.equal(await readFile(join(root, ZIP), 'utf8'), 'zip')
    assert.equal((await stat(join(root, ZIP))).mode & 0o777, 0o644)
  }
  assert.equal(await readFile(elsewhere, 'utf8'), 'not ours')
  await assert.rejects(store.restore(INDEX, await stage()), { code: 'store_conflict' })
})
