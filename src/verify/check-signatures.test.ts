// Test: what is said of signatures whose names nobody has signed: odd ones are remarked on and never repeated.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeEntries, makeExport, makeSigner, makeZip } from '../../test/export-files.ts'
import type { ExportSignature } from '../format/gaen-signature.ts'
import { verifyExport } from './verify-export.ts'

const signer = makeSigner()
const trusted = { publicKey: signer.publicKey, keyId: '310', keyVersion: 'v1' }

test('a name that nobody would choose is remarked on, and not repeated', async () => {
  const odd = '\u001b]0;PWNED\u0007\nvalid: \u202e'
  for (const other of [makeSigner(odd, 'v1'), makeSigner('1', odd), makeSigner('x'.repeat(101))]) {
    const zip = makeExport({ signers: [signer, other] })
    const { findings } = await verifyExport(zip, [trusted])
    assert.deepEqual(
      findings.map(({ code }) => code),
      ['signature_name_odd', 'signature_unknown'],
    )
    for (const { sentence } of findings) assert.match(sentence, /^Signature 2 [ -~]{1,99}$/)
  }
  const loose = (each: ExportSignature) => ({
    ...each,
    signatureInfo: { ...each.signatureInfo, signatureAlgorithm: odd },
  })
  const { findings } = await verifyExport(
    makeExport({ signers: [signer], changeSignature: loose }),
    [trusted],
  )
  assert.deepEqual(
    findings.map(({ code }) => code),
    ['signature_name_odd', 'algorithm_unusual'],
  )
  for (const { sentence } of findings) assert.match(sentence, /^Signature 1 [ -~]+$/)
  const { bin, sig } = makeEntries({ signers: [signer] })
  const zip = makeZip({ 'export.bin': bin, 'export.sig': sig, [odd]: sig })
  const [finding] = (await verifyExport(zip, [trusted])).findings
  assert.match(finding?.sentence ?? '', /^The zip has an entry [ -~]+$/)
})
