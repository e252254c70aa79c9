// Test: `tocsin verify`, as an auditor calls it: files, folders and addresses, and an exit status that can be relied on.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { link, mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  EXPORT_START,
  exportKey,
  makeEntries,
  makeExport,
  makeSigner,
  makeZip,
} from './export-files.ts'
import { hourBytes, publishHours, signer, verify } from './verify-process.ts'

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

test('a look that ended early is told, also when a file was found broken before', async (t) => {
  const { stream, key } = await publishHours(t)
  const names = Array.from({ length: 501 }, (_, number) => `us/${number}.zip`)
  await writeFile(join(stream, 'index.txt'), names.join('\n'))
  const { status, document } = await verify(stream, '--key', key, '--json')
  const { verdict, code, files, findings } = document
  assert.deepEqual([status, verdict, code], [1, 'invalid', 'file_missing'])
  assert.equal((files as unknown[]).length, 500)
  const sentence = 'More than 500 files of the feed are not believed.'
  assert.deepEqual(findings, [{ code: 'too_many_refused', sentence, file: null }])
  const { out } = await verify(stream, '--key', key)
  const lines = out.trimEnd().split('\n').slice(500)
  assert.equal(lines[0], `stopped early  invalid: too_many_refused: ${sentence}`)
  assert.match(String(lines[1]), /^invalid: file_missing: us\/0\.zip: /)
  // What stopped it is told once where nothing worse was found.
  await writeFile(join(stream, 'index.txt'), 'us/../../key.zip')
  assert.match((await verify(stream, '--key', key)).out, /^invalid: index_invalid: [^\n]+\n$/)
})

test('that no more could be read does not hide that a file is of somebody else', async (t) => {
  const { stream, key } = await publishHours(t)
  const { bin, sig } = makeEntries({ signers: [makeSigner('x', 'y')] })
  const other = new Uint8Array(randomBytes(19 * 2 ** 20))
  await writeFile(join(stream, '0.zip'), makeZip({ 'export.bin': bin, 'export.sig': sig, other }))
  const names = Array.from({ length: 28 }, (_, number) => `${number}.zip`)
  for (const name of names.slice(1)) await link(join(stream, '0.zip'), join(stream, name))
  await writeFile(join(stream, 'index.txt'), names.map((name) => `us/${name}`).join('\n'))
  const { status, document } = await verify(stream, '--key', key, '--json')
  const { verdict, code, findings } = document
  assert.deepEqual([status, verdict, code], [1, 'untrusted', 'signature_not_trusted'])
  const told = (findings as { code: string; file: unknown }[]).map((each) => [each.code, each.file])
  assert.deepEqual(told, [['look_too_large', null]])
})

test('a single file is told to have a key in both lists, and nothing that only other files could show', async (t) => {
  const { root, key } = await publishHours(t)
  // The second of a split window, which revises a key of an earlier one.
  const header = { startTimestamp: EXPORT_START, endTimestamp: EXPORT_START + 3_602 }
  const revisedKeys = [1, 7].map((each) => exportKey(each, { reportType: 5 }))
  const name = `${EXPORT_START}-${EXPORT_START + 3_600}-00002.zip`
  const file = join(root, name)
  const bytes = makeExport({ signers: [signer], keys: [exportKey(1)], revisedKeys, header })
  await writeFile(file, bytes)
  const server = createServer((_, response) => response.end(bytes)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo
  for (const target of [file, `http://127.0.0.1:${port}/us/${name}`]) {
    const { status, document } = await verify(target, '--key', key, '--json')
    assert.equal(status, 0)
    const findings = document['findings'] as { code: string; file: string }[]
    assert.deepEqual(
      findings.map((each) => [each.code, each.file]),
      [['keys_in_both_lists', name]],
      target,
    )
  }
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
