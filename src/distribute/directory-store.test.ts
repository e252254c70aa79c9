// Test: published files in a directory: whole or not there, never changed, readable by a web server, whatever the disk does.

import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { digestFolder } from '../../test/published-files.ts'
import { temporaryFolder } from '../../test/temporary-folder.ts'
import { openDirectoryStore, type ObjectStore } from './directory-store.ts'

const ZIP = 'exports/us/1773129600-1773133200-00001.zip'
const INDEX = 'exports/us/index.txt'

async function openStore(t: TestContext) {
  const root = join(await temporaryFolder(t), 'public')
  return { root, store: openDirectoryStore(root) }
}

/** Stages bytes as a build does, and puts them. @returns where they were staged */
async function put(store: ObjectStore, path: string, bytes: Uint8Array): Promise<string> {
  const staged = await store.stagingPath('a build')
  await writeFile(staged, bytes, { mode: 0o600, flag: 'wx' })
  await store.putImmutable(path, staged, createHash('sha256').update(bytes).digest())
  return staged
}

test('a file that was put is there whole, and nothing of it is left elsewhere', async (t) => {
  const { root, store } = await openStore(t)
  const bytes = randomBytes(100_000)
  assert.equal(await store.sizeOf(ZIP), undefined)
  assert.equal(await store.read(INDEX), undefined)
  const staged = await put(store, ZIP, bytes)
  assert.equal(dirname(staged), join(root, '.staging'), 'on the file system of the root')
  assert.equal((await stat(dirname(staged))).mode & 0o077, 0, 'nobody else can look into it')
  assert.equal(await store.sizeOf(ZIP), 100_000)
  assert.ok((await readFile(join(root, ZIP))).equals(bytes))
  assert.deepEqual(await readdir(dirname(staged)), [])
})

test('putting the same bytes again is harmless; other bytes are refused and change nothing', async (t) => {
  const { root, store } = await openStore(t)
  await put(store, ZIP, Buffer.from('first'))
  await put(store, ZIP, Buffer.from('first'))
  const before = await digestFolder(root)
  await assert.rejects(put(store, ZIP, Buffer.from('other')), {
    code: 'store_conflict',
    message: /other bytes/,
  })
  assert.deepEqual(await digestFolder(root), before)
})

test('an index is replaced; a zip never is, and an index is never put for ever', async (t) => {
  const { root, store } = await openStore(t)
  await store.putMutable(INDEX, Buffer.from('old'))
  await store.putMutable(INDEX, Buffer.from('new'))
  assert.equal(Buffer.from((await store.read(INDEX)) ?? []).toString(), 'new')
  await put(store, ZIP, Buffer.from('zip'))
  const before = await digestFolder(root)
  const conflict = { code: 'store_conflict' }
  await assert.rejects(store.putMutable(ZIP, Buffer.from('zip')), conflict)
  await assert.rejects(put(store, INDEX, Buffer.from('new')), conflict)
  assert.deepEqual(await digestFolder(root), before)
})

test('whoever reads while an index is replaced sees the old one or the new one', async (t) => {
  const { root, store } = await openStore(t)
  const texts = ['a'.repeat(200_000), 'b'.repeat(300_000)]
  await store.putMutable(INDEX, Buffer.from(texts[0] ?? ''))
  const writing = { done: false }
  const write = async () => {
    for (let round = 0; round < 40; round++)
      await store.putMutable(INDEX, Buffer.from(texts[round % 2] ?? ''))
    writing.done = true
  }
  const seen = new Set<string>()
  const read = async () => {
    while (!writing.done) {
      const text = await readFile(join(root, INDEX), 'latin1')
      assert.ok(texts.includes(text))
      seen.add(text)
    }
  }
  await Promise.all([write(), read(), read()])
  assert.equal(seen.size, 2)
})

test('no path leads out of the public ones', async (t) => {
  const { root, store } = await openStore(t)
  await put(store, ZIP, Buffer.from('zip'))
  const before = await digestFolder(dirname(root))
  const paths = [
    '../escaped.zip',
    'exports/../../escaped.zip',
    'exports/us/../../../escaped/1-2-00001.zip',
    'exports/../us/1-2-00001.zip',
    'exports/us/1-2-00001.zip/../../../escaped',
    '/etc/passwd',
    'exports/us/',
    'exports/us/index.txt\0.zip',
    'exports/us/index.txt\n',
    'exports/US/index.txt',
    'exports/us/sub/index.txt',
    'exports\\us\\index.txt',
    'exports/us/%2e%2e/index.txt',
    'exports/-us/index.txt',
    `exports/${'u'.repeat(64)}/index.txt`,
    'exports/us/secret.pem',
    '',
  ]
  const conflict = { code: 'store_conflict', message: /no public path/ }
  for (const path of paths) {
    await assert.rejects(store.putMutable(path, Buffer.from('x')), conflict, path)
    await assert.rejects(put(store, path, Buffer.from('x')), conflict, path)
    await assert.rejects(store.read(path), conflict, path)
    await assert.rejects(store.sizeOf(path), conflict, path)
  }
  await store.clearStaging()
  assert.deepEqual(await digestFolder(dirname(root)), before)
})

test("a web server's user may read files and folders, whatever the publisher's mask is", async (t) => {
  const { root, store } = await openStore(t)
  const mask = process.umask(0o077)
  try {
    await put(store, ZIP, Buffer.from('zip'))
    await store.putMutable(INDEX, Buffer.from('index'))
  } finally {
    process.umask(mask)
  }
  const mode = async (path: string) => (await stat(path)).mode & 0o777
  for (const folder of ['.', 'exports', 'exports/us'])
    assert.equal(await mode(join(root, folder)), 0o755, folder)
  for (const file of [ZIP, INDEX]) assert.equal(await mode(join(root, file)), 0o644, file)
  const staged = await store.stagingPath('x')
  assert.equal(await mode(dirname(staged)), 0o700)
})

test('two publishers never stage into the same file, and clearing takes all that was staged', async (t) => {
  const { root, store } = await openStore(t)
  const other = openDirectoryStore(root)
  const paths = await Promise.all([store, other, store, other].map((each) => each.stagingPath(ZIP)))
  assert.equal(new Set(paths).size, 4)
  for (const path of paths) await writeFile(path, 'half a file')
  await put(store, ZIP, Buffer.from('zip'))
  await store.clearStaging()
  assert.ok(paths.every((path) => !existsSync(path)))
  assert.deepEqual(Object.keys(await digestFolder(dirname(root))), [`public/${ZIP}`])
})

test('a full disk gives an error that says so; what was published stays as it was', async (t) => {
  const disk = join(await temporaryFolder(t), 'disk')
  await mkdir(disk)
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk])
  if (mounted.status !== 0) return t.skip('only an administrator can mount a small disk')
  try {
    const store = openDirectoryStore(join(disk, 'public'))
    await put(store, ZIP, randomBytes(60_000))
    await store.putMutable(INDEX, Buffer.from(ZIP))
    await writeFile(join(disk, 'ballast'), randomBytes(140_000))
    const before = await digestFolder(join(disk, 'public'))
    const full = { code: 'store_failed', message: /ENOSPC/ }
    await assert.rejects(store.putMutable(INDEX, randomBytes(200_000)), full)
    assert.deepEqual(await digestFolder(join(disk, 'public')), before)
    await store.clearStaging()
    await store.putMutable(INDEX, Buffer.from('room again'))
  } finally {
    spawnSync('umount', [disk])
  }
})

test('a folder that may not be written gives an error that says so, and nothing is half there', async (t) => {
  const { root, store } = await openStore(t)
  await put(store, ZIP, Buffer.from('zip'))
  const staged = await store.stagingPath(ZIP)
  await writeFile(staged, 'next')
  execFileSync('chmod', ['-R', 'a-w', root, dirname(staged)])
  const before = await digestFolder(root)
  const digest = createHash('sha256').update('next').digest()
  const next = ZIP.replace('00001', '00002')
  const refused = { code: 'store_failed', message: /EACCES/ }
  // An administrator is refused nothing: become somebody else for a moment.
  const asRoot = process.geteuid?.() === 0
  if (asRoot) {
    execFileSync('chown', ['-R', 'nobody', dirname(root)])
    process.seteuid?.('nobody')
  }
  try {
    await assert.rejects(store.putImmutable(next, staged, digest), refused)
    await assert.rejects(store.putMutable(INDEX, Buffer.from('index')), refused)
    assert.deepEqual(await digestFolder(root), before)
  } finally {
    if (asRoot) process.seteuid?.(0)
    execFileSync('chmod', ['-R', 'u+w', root, dirname(staged)])
  }
})

test('something else in the place of a file or a folder gives an error, and stays', async (t) => {
  const { root, store } = await openStore(t)
  await mkdir(join(root, INDEX), { recursive: true })
  await writeFile(join(root, 'exports/de'), 'a file where a folder should be')
  await assert.rejects(store.putMutable(INDEX, Buffer.from('index')), { code: 'store_failed' })
  await assert.rejects(put(store, 'exports/de/1-2-00001.zip', Buffer.from('zip')), {
    code: 'store_failed',
  })
  assert.deepEqual(Object.keys(await digestFolder(root)), ['exports/de'])
})
