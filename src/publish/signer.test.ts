// Test: signing keys in files: made once, readable by their owner alone, and signatures that others verify.

import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  verify,
} from 'node:crypto'
import { closeSync, constants, existsSync, openSync } from 'node:fs'
import { chmod, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryFolder } from '../../test/temporary-folder.ts'
import { loadSigner, makeSigningKey } from './signer.ts'

const sha256 = (text: string) => createHash('sha256').update(text).digest()

// RFC 6979, appendix A.2.5: a key on P-256 and its signatures with SHA-256 over two messages.
const RFC6979_KEY = {
  kty: 'EC',
  crv: 'P-256',
  d: 'c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721',
  x: '60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6',
  y: '7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299',
}
const RFC6979_SIGNATURES = {
  sample:
    'efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716' +
    'f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8',
  test:
    'f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367' +
    '019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083',
}

/** r and s of an ASN.1 DER signature, 32 bytes each, in hex. */
function fromDer(signature: Uint8Array): string {
  const bytes = Buffer.from(signature)
  const rEnd = 4 + bytes.readUInt8(3)
  const number = (part: Buffer) => part.toString('hex').padStart(64, '0').slice(-64)
  return number(bytes.subarray(4, rEnd)) + number(bytes.subarray(rEnd + 2))
}

test("signatures are those of RFC 6979's examples, in DER", async (t) => {
  const file = join(await temporaryFolder(t), 'key.pem')
  const base64url = (hex: string) => Buffer.from(hex, 'hex').toString('base64url')
  const { d, x, y, ...rest } = RFC6979_KEY
  const key = createPrivateKey({
    key: { ...rest, d: base64url(d), x: base64url(x), y: base64url(y) },
    format: 'jwk',
  })
  await writeFile(file, key.export({ type: 'sec1', format: 'pem' }), { mode: 0o600 })
  const signer = await loadSigner(file)
  for (const [message, expected] of Object.entries(RFC6979_SIGNATURES)) {
    const signature = await signer.sign(sha256(message))
    assert.equal(fromDer(signature), expected)
    assert.ok(verify('sha256', Buffer.from(message), createPublicKey(signer.publicKey), signature))
  }
})

test('openssl accepts the signature of a key that was made here', async (t) => {
  if (spawnSync('openssl', ['version']).status !== 0) return t.skip('openssl is not installed')
  const folder = await temporaryFolder(t)
  const file = (name: string) => join(folder, name)
  await writeFile(file('public.pem'), await makeSigningKey(file('key.pem')))
  await writeFile(file('message'), 'what is signed')
  const signer = await loadSigner(file('key.pem'))
  await writeFile(file('signature'), await signer.sign(sha256('what is signed')))
  const check = ['dgst', '-sha256', '-verify', file('public.pem'), '-signature', file('signature')]
  const printed = execFileSync('openssl', [...check, file('message')], { encoding: 'utf8' })
  assert.match(printed, /Verified OK/)
})

test("a key that is made is its owner's alone, and is never written over", async (t) => {
  const file = join(await temporaryFolder(t), 'key.pem')
  const publicKey = await makeSigningKey(file)
  assert.equal((await stat(file)).mode & 0o777, 0o600)
  assert.equal((await loadSigner(file)).publicKey, publicKey)
  const before = await readFile(file, 'utf8')
  await assert.rejects(makeSigningKey(file), {
    code: 'signing_key_invalid',
    message: /exists already/,
  })
  assert.equal(await readFile(file, 'utf8'), before)
})

test('a key that is missing, unreadable for the machine or of another kind is refused with a reason', async (t) => {
  const folder = await temporaryFolder(t)
  const put = async (name: string, text: string, mode = 0o600) => {
    await writeFile(join(folder, name), text)
    await chmod(join(folder, name), mode)
    return join(folder, name)
  }
  const pem = (curve: string) =>
    generateKeyPairSync('ec', { namedCurve: curve })
      .privateKey.export({ type: 'pkcs8', format: 'pem' })
      .toString()
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const encrypted = (type: 'pkcs8' | 'sec1') =>
    privateKey.export({ type, format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }).toString()
  const ofRsa = rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const ofPublic = publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const invalid: [string, string, RegExp][] = [
    ['empty', '', /must hold a P-256 private key as PEM: tocsin keygen/],
    ['text', 'no key', /must hold a P-256 private key as PEM: tocsin keygen/],
    ['p384', pem('secp384r1'), /not one of secp384r1/],
    ['secp256k1', pem('secp256k1'), /not one of secp256k1/],
    ['rsa', ofRsa, /not one of RSA/],
    ['public', ofPublic, /not a public one/],
    ['encrypted', encrypted('pkcs8'), /not an encrypted one/],
    ['encrypted-sec1', encrypted('sec1'), /not an encrypted one/],
  ]
  const invalidFiles = invalid.map(async ([name, text, message]) => {
    return { file: await put(name, text), code: 'signing_key_invalid', message }
  })
  const cases = [
    { file: join(folder, 'missing.pem'), code: 'signing_key_invalid', message: /can't be read/ },
    { file: folder, code: 'signing_key_invalid', message: /can't be read/ },
    ...(await Promise.all(invalidFiles)),
    {
      file: await put('shared', pem('prime256v1'), 0o640),
      code: 'file_mode_unsafe',
      message: /chmod 600/,
    },
    {
      file: await put('public-to-all', pem('prime256v1'), 0o604),
      code: 'file_mode_unsafe',
      message: /chmod 600/,
    },
  ]
  for (const { file, code, message } of cases)
    await assert.rejects(loadSigner(file), (error: Error & { code: string }) => {
      assert.equal(error.code, code, file)
      assert.match(error.message, message)
      assert.ok(error.message.includes(file), 'the sentence names the file')
      return true
    })
})

test('both forms in which a private key is written as PEM are read', async (t) => {
  const folder = await temporaryFolder(t)
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  for (const [type, heading] of [
    ['pkcs8', 'BEGIN PRIVATE KEY'],
    ['sec1', 'BEGIN EC PRIVATE KEY'],
  ] as const) {
    const pem = privateKey.export({ type, format: 'pem' }).toString()
    assert.ok(pem.includes(heading))
    await writeFile(join(folder, type), pem, { mode: 0o600 })
    const signer = await loadSigner(join(folder, type))
    assert.equal(signer.publicKey, publicKey.export({ type: 'spki', format: 'pem' }))
  }
})

test('a link to a key is as good as the key', async (t) => {
  const folder = await temporaryFolder(t)
  const publicKey = await makeSigningKey(join(folder, 'key.pem'))
  await symlink('key.pem', join(folder, 'linked.pem'))
  assert.equal((await loadSigner(join(folder, 'linked.pem'))).publicKey, publicKey)
  await chmod(join(folder, 'key.pem'), 0o640)
  await assert.rejects(loadSigner(join(folder, 'linked.pem')), { code: 'file_mode_unsafe' })
})

test('a key longer than 64 KiB is refused, whatever it holds', async (t) => {
  const file = join(await temporaryFolder(t), 'key.pem')
  const publicKey = await makeSigningKey(file)
  const pem = await readFile(file, 'utf8')
  await writeFile(file, pem.padEnd(65_536, '\n'))
  assert.equal((await loadSigner(file)).publicKey, publicKey)
  await writeFile(file, pem.padEnd(65_537, '\n'))
  await assert.rejects(loadSigner(file), { code: 'signing_key_invalid', message: /64 KiB/ })
})

test('a pipe, which nobody may ever write into, is no key', { timeout: 20_000 }, async (t) => {
  let file = ''
  // Before the folder goes: whoever waits for a writer waits no longer, or this process could not end.
  t.after(() => existsSync(file) && closeSync(openSync(file, constants.O_RDWR)))
  file = join(await temporaryFolder(t), 'key.pem')
  if (spawnSync('mkfifo', ['-m', '600', file]).status !== 0) return t.skip('there are no pipes')
  await assert.rejects(loadSigner(file), { code: 'signing_key_invalid', message: /no file/ })
})
