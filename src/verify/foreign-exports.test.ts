// Test: export files that other servers made and signed: each gets the verdict that it deserves.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { encodeHex } from '../format/bytes.ts'
import type { ExportKey } from '../format/gaen-export.ts'
import { verifyExport } from './verify-export.ts'
import { VerificationError } from './verification-error.ts'

// Public keys of google/exposure-notifications-server, examples/export/public.pem: of 2020-05-15 (also in
// google/exposure-notifications-internals, ContactTracingFeature.java) and of today.
const KEY_OF_MAY_15 = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEUczyMAkfSeoU77Nmcb1G7t7xyGCA
hQqMOIVDFLFas3J+elP7CiotovigCLWj706F07j1EPL27ThRzZl7Ha9uOA==
-----END PUBLIC KEY-----
`
const KEY_OF_TODAY = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEml59itec9qzwVojreLXdPNRsUWzf
YHc1cKvIIi6/H56AJS/kZEYQnfDpxrgyGhdAm+pNN2GAJ3XdnQZ1Sk4amg==
-----END PUBLIC KEY-----
`

/** Files of google/exposure-notifications-server, as base64. */
const FILES = {
  /** examples/export/testExport-2-records-1-of-1.zip at dadaebed. */
  may23: {
    sha256: '084a5748ea752813e075c2420dc2521d9145b2d2b5721310cc8e364bb73698d2',
    base64: `
      UEsDBBQACAAIAAAAAAAAAAAAAAAAAAAAAAAKAAAAZXhwb3J0LmJpbnL1VnCtKMgvKlEoM1RQUFDg/PDieBwDAwODYIHVSTBD
      iik0WIFRg9FIUYrRUIm9OD83NT4zRUvYUM9Iz8LEQM/QwMDEVM9Ez1jPyEqaS0Bc/0jD0xmePCbiZSzGs0WdBTgk/txbyKjA
      CJLUTma1OtKs3PuwTGxem7ztWQFGiS6QZBEgAAD//1BLBwhQGAPXhwAAAIcAAABQSwMEFAAIAAgAAAAAAAAAAAAAAAAAAAAA
      AAoAAABleHBvcnQuc2ln4irkUpRiNFRiL87PTY3PTNESNtQz0rMwMdAzNDAwMdUz0TPWMxJglGBU8jBwY1JkmLft5dW1WRn9
      Kws2PKvhaDOJe39XQjJS725LgpfMeV8mdyZFhgm59Wc/CR4X+OGlVSnOwFq878N79SXTHTXvaZStyZD8lgUIAAD//1BLBwhE
      Y4HtfAAAAHMAAABQSwECFAAUAAgACAAAAAAAUBgD14cAAACHAAAACgAAAAAAAAAAAAAAAAAAAAAAZXhwb3J0LmJpblBLAQIU
      ABQACAAIAAAAAABEY4HtfAAAAHMAAAAKAAAAAAAAAAAAAAAAAL8AAABleHBvcnQuc2lnUEsFBgAAAAACAAIAcAAAAHMBAAAA
      AA==`,
  },
  /** The same path at 3e2c4e35. */
  may20: {
    sha256: 'a95fa6b6f414a7e27b6e4e6a72a3359d79c186ecd6d8c7244b7b30c7eb4fe344',
    base64: `
      UEsDBBQACAAIAAAAAAAAAAAAAAAAAAAAAAAKAAAAZXhwb3J0LmJpbnL1VnCtKMgvKlEoM1RQUFDgLLBcE8fAwMAg+KFrLZgh
      xRQarMCowWikKMVoqMRenJ+bGp+ZoiVsqGekZ2FioGdoYGBiqmeiZ6xnZCXNJSCuf6Th6QxPHhPxMhbj2aLOAhwSf+4tZFRg
      BElqJ7NaHWlW7n1YJjavTd72rACjRBdIsggQAAD//1BLBwiwZw+ehwAAAIcAAABQSwMEFAAIAAgAAAAAAAAAAAAAAAAAAAAA
      AAoAAABleHBvcnQuc2ln4irgUpRiNFRiL87PTY3PTNESNtQz0rMwMdAzNDAwMdUz0TPWMxJglGBUcjdwZVKwnh+xy9S9Zmtv
      DHvVPn+HTP/gaj3L16e1myteernlhs1jUmSYw6K4QthT8O0Z/2lbX0bpMZ86cy1njYnDj8cpl6yKZu/dAggAAP//UEsHCGPs
      ZFt7AAAAcgAAAFBLAQIUABQACAAIAAAAAACwZw+ehwAAAIcAAAAKAAAAAAAAAAAAAAAAAAAAAABleHBvcnQuYmluUEsBAhQA
      FAAIAAgAAAAAAGPsZFt7AAAAcgAAAAoAAAAAAAAAAAAAAAAAvwAAAGV4cG9ydC5zaWdQSwUGAAAAAAIAAgBwAAAAcgEAAAAA`,
  },
  /** examples/export/sample-export.zip at ec32f66d. */
  sample: {
    sha256: '19f038611f43834ceade8cc1c4840a1b6b35aa632b8526b2640cc34539fa3a34',
    base64: `
      UEsDBBQACAAIAAAAAAAAAAAAAAAAAAAAAAAKAAAAZXhwb3J0LmJpbnL1VnCtKMgvKlEoM1RQUFDgDNi4N46BgYFBMGE/hCHF
      FBqswKjBaKSuJOBakZhbkJManFpUlloUn22oJWyoZ6RnYWKgZ2hgYGKqZ6JnrGdkJcklUD7vqKv1Xcv/jcairUvWqE8WYJQ4
      cH0hI0jqzq9Dccut5ovz52UdKP94vwoqBQgAAP//UEsHCI63TvaGAAAAiQAAAFBLAwQUAAgACAAAAAAAAAAAAAAAAAAAAAAA
      CgAAAGV4cG9ydC5zaWcAeACH/wp2CiciEEV4YW1wbGVTZXJ2ZXJfazEqEzEuMi44NDAuMTAwNDUuNC4zLjIQARgBIkcwRQIg
      W8jkI+lc3k7zRasXY+f7ipIqaZuy9+waAcIc3PPk0iQCIQDCEnbz+fZPaYVmmj39IUTOwRi3cPPXpvj9J3aWu7se/QEAAP//
      UEsHCHWBKweCAAAAeAAAAFBLAQIUABQACAAIAAAAAACOt072hgAAAIkAAAAKAAAAAAAAAAAAAAAAAAAAAABleHBvcnQuYmlu
      UEsBAhQAFAAIAAgAAAAAAHWBKweCAAAAeAAAAAoAAAAAAAAAAAAAAAAAvgAAAGV4cG9ydC5zaWdQSwUGAAAAAAIAAgBwAAAA
      eAEAAAAA`,
  },
  /** 1605818700-1605819000-0001-ff23e2.zip at 1cc99f7c: export.sig is empty. */
  unsigned: {
    sha256: '19886359b3d66f423a1bbc64620203bca5086fc7674d610f37a1c310da8ea061',
    base64: `
      UEsDBBQACAAIAAAAAAAAAAAAAAAAAAAAAAAKAAAAZXhwb3J0LmJpbnL1VnCtKMgvKlEoM1RQUFDg9Lm5LZ6BgYFBsOIWhCHF
      FBqswKjBaCXLJfDgV6yEdWv4jojZG08pHsrQFmCSaFi9mFGD0UAEJP2w8xbn/ZNLs6/8Z53ovOrYXQEmiQvzwNJg3Q8Xymxo
      kGGRTm9k8XG1YL8gwCKxYMliRg0mqPTjgyyrHz+YdWSJY8ouu4IgkOGLwLo5QNKPtGafUgpvOGASeOf01wzmbwJMEhuWgqWZ
      wdJNUt1KLvVSly/43zfcEHRSgEXiwXyw4dwg6cdbW6O7//+8/efVpTnc9xbLCLBAdDMZMIClrz6+x7wwd/2cyrhv9hJH9NGc
      9oTH/8uHGyG8B8y27rVamTpZgEViwmKwNCtY2mDHyq9BlgdPGR/qsH6/nQ8hDXb5k0CfSNfirasfN3O/OaR6ORDhNLDLn4QF
      mde4OzkeF56X6TJB4iBCNxNYOpy9777BjzoF0bv7ljyYkiTAIvFhAZL0iT+R322/HVeWi4rq9SyaCArz5Ygwf+pqfH4f50z7
      xw3iPUZTebnRPPbU2+Gz1+w/0bJXrf93KgdWCLBAdDMZsIClbzu7G6RGvJPar1R6xE+QUYAJ4nJGA36w9BfNNrMzorsr52hf
      rdk1Yw5aoD79Nv1DW/MVJ37b1+/tuir/ImIMHCzPDFmyfFPEmM05NdqauQ/aIXTzgKWTfq2vVs8PufQ8+f0lV7b7aE57tvxk
      +57Kmz/z+V7y5+YqhAiwSByYC5YWBUtvvrZ2iR/r2s2n+Z8/EJ4fiab7uerixVcWbJxhc3tTuHP/1zqE3Vxg6Ri+148zTgfo
      nOqbuZujuhskPQcszQuWXvdRSV7gX8zMD4vlIiPPiAkwQexmNBAESb/4kHU0XV2y6Gd8jOii9vUvQHbPQyTFFx/ZC+Z/bivd
      OPGcR/32oFSE0/hA0q95lc5zb7UQ09outOJ4j/phhN3gMH8T9DGFpTEznnEBs9+M7sklCN3g5PBWPjuBbW/W/rc67N3nVkb6
      IcIcnFLful6OsJw3b01+88bQd4/uLxVgkviwEiwN0X14edLRL++XZxXe0FOdGsSIFmrv6l/VRqQntrkt+vHWUK90E8Jp4MT0
      biaHU3xIYIV2pJI6z+ovaWi63+utsX3NHPI0oeaHCTvb3VSE3eDC4338AoWl8idcV9079bFz1pZERPYHh9r7es0Pf1ZXtLab
      rpryvzNYBJGQwYnpfVdwr46NSBfjPTmmjvd9kxB5DGz3B8H4v9EcOj/3V/3qODIhbRsoE60ESwuBpD8WbF/+sSTDwedVXSnf
      WXUJRGICh/nHNRYZa25u70nk4r9xrEtqOyJCwYH68fnz6buau0Jfnv2mz3TpYD4iC4KzwWetXq5bQoZLTWLSTz8OEYpESw6f
      k6Sb7+n0fpHuvx9a2G7gjQhUcGL63PlXTLj0xQvLA1suzr5bDorvBysQHvvyrcuHf61nwRvtAxcP2setR8uCXxVMb1ru3XXs
      Q2ldhdisI0sR0mxgaQ/GBdrbPLkP6f275tW7MhDNaV//y1Qtzw6yzjhV5sSg1PQUEeYsgAAAAP//UEsHCF7Wnd6RBAAAOAYA
      AFBLAwQUAAgACAAAAAAAAAAAAAAAAAAAAAAACgAAAGV4cG9ydC5zaWcBAAD//1BLBwgAAAAABQAAAAAAAABQSwECFAAUAAgA
      CAAAAAAAXtad3pEEAAA4BgAACgAAAAAAAAAAAAAAAAAAAAAAZXhwb3J0LmJpblBLAQIUABQACAAIAAAAAAAAAAAABQAAAAAA
      AAAKAAAAAAAAAAAAAAAAAMkEAABleHBvcnQuc2lnUEsFBgAAAAACAAIAcAAAAAYFAAAAAA==`,
  },
}

function bytesOf(name: keyof typeof FILES): Uint8Array {
  const bytes = new Uint8Array(Buffer.from(FILES[name].base64, 'base64'))
  assert.equal(createHash('sha256').update(bytes).digest('hex'), FILES[name].sha256)
  return bytes
}

function summary({ keyData, ...rest }: ExportKey) {
  return { key: encodeHex(keyData), ...rest }
}

const TWO_KEYS = [
  {
    key: '172fc480e598490c34177604339b1543',
    transmissionRisk: 8,
    rollingStart: 2649980,
    rollingPeriod: 1,
  },
  {
    key: '2b63053ac483238de176169e861f3dcd',
    transmissionRisk: 1,
    rollingStart: 2649866,
    rollingPeriod: 114,
  },
]

test('an export of the reference server is valid under its key, with its keys and span', async () => {
  const verified = await verifyExport(bytesOf('may23'), [{ publicKey: KEY_OF_TODAY }])
  const { header } = verified
  assert.equal(header.region, 'US')
  assert.deepEqual([header.startTimestamp, header.endTimestamp], [1590159600, 1590246000])
  assert.deepEqual(
    [...verified.entries()].map(({ list, key }) => [list, summary(key)]),
    TWO_KEYS.map((key) => ['keys', key]),
  )
  assert.deepEqual(verified.signatures, [
    {
      verificationKeyId: 'some_id',
      verificationKeyVersion: '1',
      signatureAlgorithm: '1.2.840.10045.4.3.2',
      verdict: 'trusted',
    },
  ])
  assert.deepEqual(verified.findings, [])
})

test('an export of the reference server whose keys are younger than its span is valid, which is remarked on', async () => {
  const verified = await verifyExport(bytesOf('may20'), [
    { publicKey: KEY_OF_TODAY, keyId: 'some_id', keyVersion: '1' },
  ])
  assert.deepEqual(
    [...verified.entries()].map(({ key }) => summary(key)),
    TWO_KEYS,
  )
  assert.deepEqual(
    verified.findings.map(({ code }) => code),
    ['keys_still_valid', 'keys_in_future'],
  )
})

test('an early sample of the reference server, without periods and a key version, is valid', async () => {
  const verified = await verifyExport(bytesOf('sample'), [
    { publicKey: KEY_OF_MAY_15, keyId: 'ExampleServer_k1' },
  ])
  assert.deepEqual(
    [...verified.entries()].map(({ key }) => summary(key)),
    [
      {
        key: '779ec5453bdd39ff81331585a4ac2793',
        transmissionRisk: 1,
        rollingStart: 2649024,
        rollingPeriod: 144,
      },
      {
        key: 'dcfac25ea73a9f170f6e6ac077f1df7a',
        transmissionRisk: 1,
        rollingStart: 2649024,
        rollingPeriod: 144,
      },
    ],
  )
})

test('the same files are not trusted under another key, and wrong under another key of their name', async () => {
  for (const [name, other, keyId] of [
    ['may23', KEY_OF_MAY_15, 'some_id'],
    ['may20', KEY_OF_MAY_15, 'some_id'],
    ['sample', KEY_OF_TODAY, 'ExampleServer_k1'],
  ] as const) {
    await refuses(name, { publicKey: other }, 'signature_not_trusted', 'untrusted')
    await refuses(name, { publicKey: other, keyId }, 'signature_invalid', 'invalid')
    await refuses(
      name,
      { publicKey: other, keyId: 'another' },
      'signature_not_trusted',
      'untrusted',
    )
  }
})

test('an export without a signature is not trusted', async () => {
  await refuses('unsigned', { publicKey: KEY_OF_TODAY }, 'signature_missing', 'untrusted')
})

async function refuses(
  name: keyof typeof FILES,
  key: { publicKey: string; keyId?: string },
  code: string,
  verdict: string,
) {
  await assert.rejects(
    verifyExport(bytesOf(name), [key]),
    (error: unknown) =>
      error instanceof VerificationError && error.code === code && error.verdict === verdict,
    `${name} ${code}`,
  )
}
