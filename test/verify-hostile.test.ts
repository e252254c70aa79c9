// Test: `tocsin verify` on what a hostile hand prepared: it ends, says why, and repeats nothing that could do harm.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { makeExport } from './export-files.ts'
import { publishHours, signer, verify, type Outcome } from './verify-process.ts'

test('what is no regular file is not read, wherever it lies', async (t) => {
  const { root, stream, names, key } = await publishHours(t)
  const pipe = join(root, 'pipe.zip')
  await promisify(execFile)('mkfifo', [pipe])
  for (const target of [pipe, '/dev/zero']) {
    const { status, err } = await verify(target, '--key', key)
    assert.deepEqual(
      [status, err],
      [1, `tocsin: target_unreadable: ${target} is no regular file.\n`],
    )
  }
  const folder = join(root, 'folder')
  await mkdir(folder)
  for (const [index, target] of [pipe, '/dev/zero', join(root, 'none')].entries()) {
    await symlink(target, join(folder, `${index}.zip`))
    await rm(join(stream, names[index] ?? ''))
    await symlink(target, join(stream, names[index] ?? ''))
  }
  for (const target of [folder, stream]) {
    const { status, document } = await verify(target, '--key', key, '--json')
    assert.equal(status, 1)
    assert.deepEqual(
      (document['files'] as { code: string }[]).map(({ code }) => code),
      ['file_missing', 'file_missing', 'file_missing'],
    )
  }
  await rm(join(stream, 'index.txt'))
  await symlink('/dev/zero', join(stream, 'index.txt'))
  const { status, err } = await verify(stream, '--key', key)
  assert.equal(status, 1)
  assert.match(err, /^tocsin: target_unreadable: .*index\.txt is no regular file\.$/m)
})

test('a file or an index that is too large is refused before it is read', async (t) => {
  const { stream, first, names, key } = await publishHours(t)
  await truncate(first, 20 * 2 ** 20 + 1)
  for (const target of [first, stream]) {
    const { status, document } = await verify(target, '--key', key, '--json')
    assert.deepEqual([status, document['code']], [1, 'file_too_large'])
  }
  await truncate(join(stream, 'index.txt'), 2 ** 20 + 1)
  const { document } = await verify(stream, '--key', key, '--json')
  assert.equal(document['code'], 'index_too_large')
  await rm(join(stream, 'index.txt'))
  // The others are looked at nevertheless.
  const zips = await verify(stream, '--key', key, '--json')
  assert.deepEqual([zips.document['code'], zips.document['keys']], ['file_too_large', 4], names[0])
})

test('an address with a password, or that is none, is refused without being repeated', async (t) => {
  const { key } = await publishHours(t)
  for (const target of [
    'http://user:secret@127.0.0.1:1/exports/us/index.txt',
    'http://user:secret@127.0.0.1:1/exports/us/a.zip',
    'http://user:secret@127.0.0.1:port/exports/us/',
    'ftp://user:secret@127.0.0.1/exports/us/',
  ])
    for (const json of [[], ['--json']]) {
      const { status, out, err } = await verify(target, '--key', key, ...json)
      assert.deepEqual([status, out], [1, ''])
      assert.match(err, /^tocsin: target_unreadable: \S.*\.$/m)
      assert.doesNotMatch(err, /secret/)
    }
})

test('nothing that a file or an index says reaches the terminal as a command or a line of its own', async (t) => {
  const { root, stream, key } = await publishHours(t)
  const odd = '\u001b]0;PWNED\u0007\nvalid: \u009b\u202e\u2028'
  const file = join(root, 'odd.zip')
  // The name of the key that signed: the trusted key is tried on every signature.
  await writeFile(file, makeExport({ signers: [{ ...signer, keyId: odd }] }))
  const folder = join(root, `folder ${odd}`)
  await mkdir(folder)
  await writeFile(join(folder, `${odd}.zip`), 'no zip')
  await writeFile(join(stream, 'index.txt'), odd.replace('\n', ''))
  const outcomes: Outcome[] = []
  for (const target of [file, folder, stream, join(folder, 'nothing')])
    for (const json of [[], ['--json']]) outcomes.push(await verify(target, '--key', key, ...json))
  for (const { out, err } of outcomes) {
    assert.match(out + err, /\\u202e/)
    assert.doesNotMatch(out + err, /[^\P{C}\n]|[\u2028\u2029]|^valid: \\u009b/mu)
  }
  const oddKey = join(root, `${odd}.pem`)
  for (const content of [undefined, 'no key']) {
    if (content !== undefined) await writeFile(oddKey, content)
    const { err } = await verify(file, '--key', oddKey)
    assert.match(err, /^tocsin: trusted_key_invalid: .*\\u202e.*\n$/)
    assert.doesNotMatch(err, /[^\P{C}\n]|[\u2028\u2029]/u)
  }
  assert.deepEqual(outcomes[1]?.document['signatures'], [
    { keyId: odd, keyVersion: 'v1', verdict: 'trusted' },
  ])
})
