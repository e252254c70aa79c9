// Test: a file of contact event numbers that is verified alone, from a folder and over HTTP; promises that it is believed for its signatures alone, and that who lacks them is told.

import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { verifyTarget } from '../src/cli/verify-target.ts'
import { encodeSignatureList, SIGNATURE_ALGORITHM } from '../src/format/gaen-signature.ts'
import { FEED_FORMS } from '../src/kinds.ts'
import { DEFAULT_LIMITS } from '../src/verify/limits.ts'
import { loadTrustedKeys } from '../src/verify/trusted-keys.ts'
import { tocsinHere } from './run-command.ts'
import { temporaryFolder } from './temporary-folder.ts'

const RELEASE = '1773129600-1773136800-00001-u0.bin'
const REMOVED = '1773129600-1773136800-00002.bin'

const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const pemOf = ({ publicKey }: typeof pair) =>
  publicKey.export({ type: 'spki', format: 'pem' }).toString()
const trusted = await loadTrustedKeys([{ publicKey: pemOf(pair) }])
const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' })

const numbers = (...firsts: number[]) =>
  Buffer.concat(firsts.map((first) => Buffer.alloc(16, 7).fill(first, 0, 1)))

async function put(folder: string, name: string, bytes: Uint8Array): Promise<string> {
  const list = encodeSignatureList([
    {
      signatureInfo: {
        verificationKeyId: '310',
        verificationKeyVersion: 'v1',
        signatureAlgorithm: SIGNATURE_ALGORITHM,
      },
      batchNum: 1,
      batchSize: 1,
      signature: sign('sha256', bytes, pair.privateKey),
    },
  ])
  const path = join(folder, name)
  await writeFile(path, bytes)
  await writeFile(`${path}.sig`, list)
  return path
}

async function verify(target: string, keys = trusted) {
  const told = []
  for await (const event of verifyTarget(target, keys, DEFAULT_LIMITS, { forms: FEED_FORMS }))
    told.push(
      event.type === 'refused'
        ? { file: event.file, code: event.error.code, sentence: event.error.message }
        : {
            file: event.file,
            keys: event.export.keys,
            revisedKeys: event.export.revisedKeys,
            header: event.export.header,
            findings: event.export.findings.map(({ code }) => code),
          },
    )
  assert.equal(told.length, 1)
  return told[0] as (typeof told)[number]
}

const header = { region: null, startTimestamp: 1773129600, endTimestamp: 1773136800 }

test('a file of numbers is verified alone, with its signatures beside it', async (t) => {
  const folder = await temporaryFolder(t)
  const release = await put(folder, RELEASE, numbers(1, 2, 3))
  const counts = { keys: 3, revisedKeys: 0, header, findings: [] }
  assert.deepEqual(await verify(release), { file: RELEASE, ...counts })
  const removed = await put(folder, REMOVED, numbers(2, 1))
  assert.deepEqual(await verify(removed), {
    file: REMOVED,
    keys: 0,
    revisedKeys: 2,
    header,
    findings: ['keys_unsorted'],
  })

  const strange = await verify(release, await loadTrustedKeys([{ publicKey: pemOf(stranger) }]))
  assert.equal('code' in strange && strange.code, 'signature_not_trusted')
  await writeFile(release, numbers(1, 2, 4))
  const changed = await verify(release)
  assert.equal('code' in changed && changed.code, 'signature_not_trusted')
  const half = await verify(await put(folder, RELEASE, numbers(1, 2).subarray(8)))
  assert.equal('code' in half && half.code, 'key_length_wrong')
  await writeFile(`${removed}.sig`, 'none')
  assert.ok('code' in (await verify(removed)))
  await rm(`${removed}.sig`)
  const alone = await verify(removed)
  assert.equal('code' in alone && alone.code, 'signature_missing')
  assert.match('sentence' in alone ? alone.sentence : '', /its name with [.]sig behind it/)
})

test('people are told of numbers, and of one in the singular', async (t) => {
  const folder = await temporaryFolder(t)
  const key = join(folder, 'key.pem')
  await writeFile(key, pemOf(pair))
  for (const [name, count, words] of [
    [RELEASE, 1, '1 number, 0 removed'],
    [REMOVED, 2, '0 numbers, 2 removed'],
  ] as const) {
    const file = await put(folder, name, numbers(...Array(count).keys()))
    const { out, err } = await tocsinHere(['verify', file, '--key', key], {})
    const [line, summary] = out.split('\n')
    assert.deepEqual([line, err], [`${name}  valid: ${words}`, ''])
    assert.match(summary ?? '', new RegExp(`^valid: 1 file, ${words}, from 2026-03-10T08:00`))
  }
})

test('the same over HTTP, whatever folder it lies in', async (t) => {
  const root = await temporaryFolder(t)
  const url = await serve(t, root)
  for (const folder of ['.', 'exports/town', 'exports/town/0a1b2c3d']) {
    await mkdir(join(root, folder), { recursive: true })
    await put(join(root, folder), RELEASE, numbers(1, 2))
    const found = await verify(new URL(`${folder}/${RELEASE}`, url).href)
    assert.deepEqual(found, { file: RELEASE, keys: 2, revisedKeys: 0, header, findings: [] })
  }
  await assert.rejects(verify(`${url}/exports/town/${REMOVED}`), { code: 'target_unreadable' })
})

async function serve(t: TestContext, root: string): Promise<string> {
  const server = createServer((request, response) => {
    readFile(join(root, request.url ?? '')).then(
      (bytes) => response.end(bytes),
      () => response.writeHead(404).end(),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
