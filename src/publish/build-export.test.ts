// Test: the bytes of an export file: the same for the same keys on every machine, and readable by independent readers.

import assert from 'node:assert/strict'
import { createHash, createPublicKey, verify } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import * as fc from 'fast-check'
import { buildExport } from '../../test/build-export.ts'
import { readExport } from '../../test/published-files.ts'
import { temporaryFolder } from '../../test/temporary-folder.ts'
import type { ExportKey } from '../format/gaen-export.ts'
import type { ExportDescription } from './build-export.ts'
import { loadSigner, makeSigningKey } from './signer.ts'

const DESCRIPTION: ExportDescription = {
  start: 1_773_129_600,
  end: 1_773_133_200,
  region: 'US',
  keys: [{ keyId: '310', keyVersion: 'v1' }],
}

/** Not a real signature, but the same bytes each time. */
const FIXED_SIGNATURE = createHash('sha512').update('signature').digest()

/** Keys that follow from a number alone, sorted as they leave the database. */
function makeExportKeys(count: number): ExportKey[] {
  return Array.from({ length: count }, (_, index) => {
    const digest = createHash('sha256').update(`key ${index}`).digest()
    return {
      keyData: digest.subarray(0, 16),
      transmissionRisk: digest.readUInt8(16) % 9,
      rollingStart: 2_955_000 + 144 * (digest.readUInt8(17) % 14),
      rollingPeriod: digest.readUInt8(18) < 200 ? 144 : 1 + (digest.readUInt8(19) % 143),
      reportType: 1 + (digest.readUInt8(20) % 3),
      daysSinceOnset: (digest.readUInt8(21) % 29) - 14,
    }
  }).sort((a, b) => Buffer.compare(a.keyData, b.keyData))
}

/** Cuts keys into pages, each of the length given in turn; the rest is one page. */
async function* cut(keys: readonly ExportKey[], lengths: readonly number[]) {
  let offset = 0
  for (const length of [...lengths, keys.length]) {
    yield keys.slice(offset, offset + length)
    offset += length
  }
}

async function buildZip(
  t: TestContext,
  keys: readonly ExportKey[],
  lengths: readonly number[] = [],
): Promise<Buffer> {
  const staged = join(await temporaryFolder(t), 'staged')
  await buildExport(DESCRIPTION, cut(keys, lengths), async () => FIXED_SIGNATURE, staged)
  return readFile(staged)
}

test('three known keys give the known bytes', async (t) => {
  const zip = await buildZip(t, makeExportKeys(3))
  assert.equal(
    createHash('sha256').update(zip).digest('hex'),
    'a6e3eee83db15966b2fd41c2cf9ccdbbf4a134a60cbd284136f042bf62986924',
  )
})

test('ten thousand known keys give the known bytes, compressed', async (t) => {
  const zip = await buildZip(t, makeExportKeys(10_000))
  assert.equal(
    createHash('sha256').update(zip).digest('hex'),
    '3ed1647329be637a16d76a718d75af236f3bbdeaf59fa883c2b37819c5e5ead2',
  )
})

test('the bytes do not depend on how the database cut its pages', async (t) => {
  const keys = makeExportKeys(9_000)
  const whole = await buildZip(t, keys)
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 4_000 }), { maxLength: 12 }),
      async (lengths) => {
        assert.ok((await buildZip(t, keys, lengths)).equals(whole))
      },
    ),
    { numRuns: 15 },
  )
  assert.ok(
    (
      await buildZip(
        t,
        keys,
        Array.from(keys, () => 1),
      )
    ).equals(whole),
  )
})

test('independent readers find two entries, the header and every key as it was given', async (t) => {
  const keys = makeExportKeys(5_000)
  const file = await readExport(await buildZip(t, keys))
  assert.deepEqual(file.entries, ['export.bin', 'export.sig'])
  assert.equal(file.bin.subarray(0, 16).toString('latin1'), 'EK Export v1    ')
  const info = {
    verification_key_version: 'v1',
    verification_key_id: '310',
    signature_algorithm: '1.2.840.10045.4.3.2',
  }
  assert.deepEqual(file.header, {
    start_timestamp: DESCRIPTION.start,
    end_timestamp: DESCRIPTION.end,
    region: 'US',
    batch_num: 1,
    batch_size: 1,
    signature_infos: [info],
  })
  assert.deepEqual(
    file.keys.map((key) => ({
      keyData: key.key_data.toString('hex'),
      transmissionRisk: key.transmission_risk_level,
      rollingStart: key.rolling_start_interval_number,
      // A phone that finds none takes 144.
      rollingPeriod: key.rolling_period ?? 144,
      reportType: key.report_type,
      daysSinceOnset: key.days_since_onset_of_symptoms,
    })),
    keys.map((key) => ({ ...key, keyData: Buffer.from(key.keyData).toString('hex') })),
  )
  assert.deepEqual(file.revisedKeys, [])
  assert.deepEqual(file.signatures, [
    { signature_info: info, batch_num: 1, batch_size: 1, signature: FIXED_SIGNATURE },
  ])
})

test('the signature is ECDSA in DER over the whole export.bin, and the digest is that of the file', async (t) => {
  const folder = await temporaryFolder(t)
  const publicKey = await makeSigningKey(join(folder, 'key.pem'))
  const signer = await loadSigner(join(folder, 'key.pem'))
  const staged = join(folder, 'staged')
  const sign = (digest: Uint8Array) => signer.sign(digest)
  const built = await buildExport(DESCRIPTION, cut(makeExportKeys(100), [7]), sign, staged)
  const zip = await readFile(staged)
  assert.equal(built?.keys, 100)
  assert.equal(built.size, zip.length)
  assert.deepEqual(built.digest, createHash('sha256').update(zip).digest())
  const { bin, signatures } = await readExport(zip)
  const signature = signatures[0]?.signature ?? Buffer.alloc(0)
  assert.deepEqual(built.signatures, [
    { keyId: '310', keyVersion: 'v1', signature: Uint8Array.from(signature) },
  ])
  assert.ok(verify('sha256', bin, createPublicKey(publicKey), signature))
  bin[bin.length - 1] = (bin.at(-1) ?? 0) ^ 1
  assert.ok(!verify('sha256', bin, createPublicKey(publicKey), signature))
})

test('without a key there is no file', async (t) => {
  const staged = join(await temporaryFolder(t), 'staged')
  const built = await buildExport(DESCRIPTION, cut([], [0, 0]), async () => FIXED_SIGNATURE, staged)
  assert.equal(built, undefined)
  assert.equal(existsSync(staged), false)
})

test("a staged file is its owner's alone, and another's is never written over", async (t) => {
  const staged = join(await temporaryFolder(t), 'staged')
  const build = () =>
    buildExport(DESCRIPTION, cut(makeExportKeys(3), []), async () => FIXED_SIGNATURE, staged)
  await build()
  assert.equal((await stat(staged)).mode & 0o777, 0o600)
  await writeFile(staged, 'another publisher is writing this')
  await assert.rejects(build, { code: 'store_failed', message: /EEXIST/ })
  assert.equal(await readFile(staged, 'utf8'), 'another publisher is writing this')
})

test('a build that fails tells the database to stop, and a database that fails ends the build', async (t) => {
  const folder = await temporaryFolder(t)
  let stopped = false
  async function* pages() {
    try {
      yield makeExportKeys(3)
      throw new Error('the database went away')
    } finally {
      stopped = true
    }
  }
  const build = (staged: string) =>
    buildExport(DESCRIPTION, pages(), async () => FIXED_SIGNATURE, staged)
  await assert.rejects(build(join(folder, 'staged')), /the database went away/)
  stopped = false
  await assert.rejects(build(join(folder, 'no such folder', 'staged')), { code: 'store_failed' })
  assert.ok(stopped)
})
