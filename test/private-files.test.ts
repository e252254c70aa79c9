// Test: files with secrets that Tocsin makes: whole or not at all, also when the disk is full, and never one over another.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { readDemoKeys } from '../src/cli/demo-deployment.ts'
import { writePrivateFile } from '../src/db/private-file.ts'
import { loadMasterKey } from '../src/db/secrets.ts'
import { makeSigningKey } from '../src/publish/signer.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** Runs a call in a process that may make files but write nothing into them, as on a full disk. */
function onFullDisk(module: string, call: string, file: string) {
  const url = new URL(`../src/${module}`, import.meta.url).href
  const script = `const m = await import(${JSON.stringify(url)}); await m.${call}(${JSON.stringify(file)}, true)`
  const run = 'ulimit -f 0; exec "$0" --input-type=module -e "$1"'
  return spawnSync('sh', ['-c', run, process.execPath, script], { encoding: 'utf8' })
}

test('on a full disk no key is made, and the next try makes it', async (t) => {
  if (process.platform === 'win32') return t.skip('there is no limit to set')
  const folder = await temporaryFolder(t)
  const master = join(folder, 'master.key')
  const signing = join(folder, 'signing.pem')
  for (const [module, call, file] of [
    ['db/secrets.ts', 'loadMasterKey', master],
    ['publish/signer.ts', 'makeSigningKey', signing],
  ] as const) {
    const { status, stderr } = onFullDisk(module, call, file)
    assert.notEqual(status, 0)
    assert.match(stderr, /can't be written[^]*EFBIG/)
  }
  assert.deepEqual(await readdir(folder), [])
  await loadMasterKey(master, true)
  await makeSigningKey(signing)
  assert.deepEqual((await readdir(folder)).sort(), ['master.key', 'signing.pem'])
})

test("of many that make one file the first one's content stays, and nothing else is left", async (t) => {
  const folder = await temporaryFolder(t)
  const file = join(folder, 'secret')
  const texts = Array.from({ length: 20 }, (_, index) => `${index}`.repeat(50))
  const made = await Promise.all(texts.map((text) => writePrivateFile(file, text)))
  assert.equal(made.filter(Boolean).length, 1)
  assert.equal(await readFile(file, 'utf8'), texts[made.indexOf(true)])
  assert.equal((await stat(file)).mode & 0o777, 0o600)
  assert.deepEqual(await readdir(folder), ['secret'])
  const keys = Array.from({ length: 20 }, () => loadMasterKey(join(folder, 'master.key'), true))
  const seen = (await Promise.all(keys)).map((key) => key.reveal().toString('hex'))
  assert.equal(new Set(seen).size, 1)
})

test("a file of a demo's API keys that is none is refused with what to do", async (t) => {
  const folder = await temporaryFolder(t)
  const file = join(folder, 'demo-api-keys.json')
  assert.equal(await readDemoKeys(file), undefined)
  const keys = { app: 'a', adminKey: 'b', deviceKey: 'c' }
  for (const text of ['', '{"app":', 'null', '[]', '{}', '{"app":"a","adminKey":"b"}']) {
    await writeFile(file, text)
    await assert.rejects(readDemoKeys(file), {
      code: 'data_folder_unusable',
      message: `${file} does not hold the API keys of a demo: remove it, and the next start makes new ones.`,
    })
  }
  await writeFile(file, JSON.stringify({ ...keys, deviceKey: 1 }))
  await assert.rejects(readDemoKeys(file), { code: 'data_folder_unusable' })
  await writeFile(file, JSON.stringify(keys))
  assert.deepEqual(await readDemoKeys(file), keys)
  await mkdir(join(folder, 'folder'))
  await assert.rejects(readDemoKeys(join(folder, 'folder')), { code: 'data_folder_unusable' })
})
