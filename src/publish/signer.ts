// Publish: what signs export files; promises that the private key stays in its file and that its file is nobody else's to read.

import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { p256 } from '@noble/curves/nist.js'
import { writePrivateFile } from '../db/private-file.ts'
import { refuseReadableByOthers } from '../db/secrets.ts'
import { TocsinError } from '../errors.ts'

/** The longest file that is read as a key, in bytes: many times what any key takes. */
const MOST_BYTES = 65_536

/** Signs digests. A file is its first form; a hardware module can be another. */
export interface Signer {
  /** SubjectPublicKeyInfo, PEM. */
  readonly publicKey: string
  /**
   * Signs a SHA-256 digest: ECDSA on P-256, ASN.1 DER. Deterministic (RFC 6979), though nothing relies on it: signatures
   * are recorded before they are published.
   */
  sign(digest: Uint8Array): Promise<Uint8Array>
}

/**
 * A signer from a PEM file with a P-256 private key.
 *
 * @throws TocsinError `signing_key_invalid`, `file_mode_unsafe`
 */
export async function loadSigner(file: string): Promise<Signer> {
  const pem = await readPem(file)
  const key = readPrivateKey(file, pem)
  const scalar = Buffer.from((key.export({ format: 'jwk' }) as { d: string }).d, 'base64url')
  return {
    publicKey: publicHalf(key),
    sign: async (digest) =>
      p256.sign(digest, scalar, { prehash: false, format: 'der', lowS: false }),
  }
}

/**
 * Makes a signing key: the private half in a new file of mode 0600.
 *
 * @returns the public half, PEM
 * @throws TocsinError `signing_key_invalid` when the file exists: a key is never overwritten
 */
export async function makeSigningKey(file: string): Promise<string> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const made = await writePrivateFile(file, pem).catch((error: unknown) => {
    throw new TocsinError('signing_key_invalid', `${file} can't be written.`, { cause: error })
  })
  if (!made)
    throw new TocsinError(
      'signing_key_invalid',
      `${file} exists already: a key is never overwritten.`,
    )
  return publicHalf(privateKey)
}

/** Of one open file, whatever its name leads to a moment later. */
async function readPem(file: string): Promise<string> {
  const refuse = (why: string, cause?: unknown) =>
    new TocsinError('signing_key_invalid', `The signing key ${file} can't be read${why}.`, {
      cause,
    })
  // A pipe that nobody writes into would otherwise keep the process, deaf to signals, for good.
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch(
    (error: unknown) => {
      throw refuse('', error)
    },
  )
  try {
    if (!(await handle.stat()).isFile()) throw refuse(': it is no file')
    await refuseReadableByOthers(file, handle)
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(MOST_BYTES + 1))
    if (bytesRead > MOST_BYTES) throw refuse(': it is longer than 64 KiB')
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await handle.close()
  }
}

function readPrivateKey(file: string, pem: string): KeyObject {
  let key: KeyObject | undefined
  try {
    key = createPrivateKey(pem)
  } catch {
    // Refused below, with what can be told from its heading.
  }
  if (key?.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key
  throw new TocsinError(
    'signing_key_invalid',
    `${file} must hold a P-256 private key as PEM${describeOther(key, pem)}: tocsin keygen makes one.`,
  )
}

/** What a file holds instead, as far as it is worth telling. */
function describeOther(key: KeyObject | undefined, pem: string): string {
  if (key !== undefined)
    return `, not one of ${key.asymmetricKeyDetails?.namedCurve ?? key.asymmetricKeyType?.toUpperCase() ?? 'another kind'}`
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(pem))
    return ', not an encrypted one (openssl pkey decrypts it)'
  return pem.includes('-----BEGIN PUBLIC KEY-----') ? ', not a public one' : ''
}

function publicHalf(key: KeyObject): string {
  return createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString()
}
