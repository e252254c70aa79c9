// Test: `tocsin verify`, as an auditor calls it: files, folders and addresses, and an exit status that can be relied on.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { EXPORT_START, makeExport, makeSigner } from './export-files.ts'
import { hourBytes, publishHours, verify } from './verify-process.ts'

test('a file is valid under its key, with or without the name of the key', async (t) => {
  const { first, key, names } = await publishHours(t)
  for (const name of [[], ['--key-id', '310'], ['--key-id', '310', '--key-version', 'v1']]) {
    const { status, document, err } = await verify(first, '--key', key, ...name, '--json')
    assert.deepEqual([status, err], [0, ''])
    assert.deepEqual(document, {
      verdict: 'valid',
      valid: true,
      code: null,
      problem: null,
      keys: 2,
      revisedKeys: 0,
      region: 'US',
      start: EXPORT_START + 3_600,
      end: EXPORT_START + 7_200,
      signatures: [{ keyId: '310', keyVersion: 'v1', verdict: 'trusted' }],
      findings: [],
      files: [{ file: names[0], verdict: 'valid', code: null, keys: 2, revisedKeys: 0 }],
    })
  }
})

test('people read a line for each file and one for all', async (t) => {
  const { stream, key, names } = await publishHours(t)
  const { status, out } = await verify(stream, '--key', key)
  assert.equal(status, 0)
  assert.deepEqual(out.split('\n'), [
    `us/${names[0]}  valid: 2 keys, 0 revised`,
    `us/${names[1]}  valid: 2 keys, 0 revised`,
    `us/${names[2]}  valid: 2 keys, 1 revised`,
    'valid: 3 files, 6 keys, 1 revised, region US, from 2026-03-10T09:00:00.000Z to 2026-03-10T12:00:00.000Z, signed by 310 v1',
    '',
  ])
})

test('a folder, a copy of its zips, and the addresses of index, folder and file are read alike', async (t) => {
  const { root, stream, key, names } = await publishHours(t)
  const copy = join(root, 'copy')
  await mkdir(copy)
  for (const name of names) await writeFile(join(copy, name), await readFile(join(stream, name)))
  const moved = join(root, 'moved')
  await mkdir(moved)
  for (const name of [...names, 'index.txt'])
    await writeFile(join(moved, name), await readFile(join(stream, name)))
  const server = createServer((request, response) => {
    readFile(join(root, request.url ?? '')).then(
      (bytes) => response.end(bytes),
      () => response.writeHead(404).end(),
    )
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const feed = `http://127.0.0.1:${(server.address() as AddressInfo).port}/exports/us`
  for (const target of [stream, copy, moved, `${feed}/index.txt`, `${feed}/`, feed]) {
    const { status, document } = await verify(target, '--key', key, '--json')
    const { verdict, keys, revisedKeys, start, end } = document
    assert.deepEqual(
      { status, verdict, keys, revisedKeys, start, end },
      {
        status: 0,
        verdict: 'valid',
        keys: 6,
        revisedKeys: 1,
        start: EXPORT_START + 3_600,
        end: EXPORT_START + 14_400,
      },
      target,
    )
  }
  const one = await verify(`${feed}/${names[2]}`, '--key', key, '--json')
  assert.deepEqual([one.status, one.document['keys']], [0, 2])
})

test('one bad file among good ones is named, and the status says so', async (t) => {
  const { stream, names, key } = await publishHours(t)
  await writeFile(join(stream, names[0] ?? ''), makeExport({ signers: [makeSigner('x', 'y')] }))
  const untrusted = await verify(stream, '--key', key, '--json')
  assert.equal(untrusted.status, 1)
  assert.deepEqual(
    [untrusted.document['verdict'], untrusted.document['code']],
    ['untrusted', 'signature_not_trusted'],
  )
  await writeFile(join(stream, names[1] ?? ''), 'no zip')
  const broken = await verify(stream, '--key', key, '--json')
  assert.equal(broken.status, 1)
  const { verdict, valid, code, problem, keys, files } = broken.document
  assert.deepEqual(
    { verdict, valid, code, keys },
    { verdict: 'invalid', valid: false, code: 'zip_malformed', keys: 2 },
  )
  assert.match(String(problem), new RegExp(`^us/${names[1]}: `))
  assert.deepEqual(
    (files as { verdict: string }[]).map((file) => file.verdict),
    ['untrusted', 'invalid', 'valid'],
  )
})

test('a changed file, a file that the index names in vain and a hostile index are invalid', async (t) => {
  const { stream, first, key } = await publishHours(t)
  const bytes = hourBytes(1)
  bytes[60] = (bytes[60] as number) ^ 1
  await writeFile(first, bytes)
  assert.equal((await verify(first, '--key', key, '--json')).document['code'], 'zip_malformed')
  await writeFile(join(stream, 'index.txt'), 'us/1-2-00001.zip')
  assert.equal((await verify(stream, '--key', key, '--json')).document['code'], 'file_missing')
  await writeFile(join(stream, 'index.txt'), `us/../../key.zip`)
  const { status, document } = await verify(stream, '--key', key, '--json')
  assert.deepEqual([status, document['verdict'], document['code']], [1, 'invalid', 'index_invalid'])
})

test('an index without files is valid, and says so', async (t) => {
  const { stream, key } = await publishHours(t)
  await writeFile(join(stream, 'index.txt'), '')
  const { status, out } = await verify(stream, '--key', key)
  assert.deepEqual([status, out], [0, 'valid: the index lists no file yet.\n'])
})

test('what can’t be read, and a key that is none, are errors with a code', async (t) => {
  const { root, first, key } = await publishHours(t)
  const notKey = join(root, 'not-key.pem')
  await writeFile(notKey, 'text')
  const errors: [string[], number, RegExp][] = [
    [[join(root, 'nothing.zip'), '--key', key], 1, /^tocsin: target_unreadable: There is nothing/],
    [[root, '--key', key], 1, /^tocsin: target_unreadable: .* name the folder of one stream\./],
    [['http://127.0.0.1:1/us/', '--key', key], 1, /^tocsin: target_unreadable: /],
    [[first, '--key', notKey], 1, /^tocsin: trusted_key_invalid: /],
    [[first, '--key', join(root, 'none.pem')], 1, /^tocsin: trusted_key_invalid: /],
    [[first], 2, /^tocsin: usage: --key is needed\./],
    [['--key', key], 2, /^tocsin: usage: Say what to verify/],
    [[first, first, '--key', key], 2, /^tocsin: usage: Unexpected argument/],
    [[first, '--key', key, '--keyid', '310'], 2, /^tocsin: usage: /],
  ]
  for (const [args, status, line] of errors) {
    const outcome = await verify(...args)
    assert.equal(outcome.status, status, args.join(' '))
    assert.match(outcome.err, line)
    assert.equal(outcome.out, '')
  }
})
