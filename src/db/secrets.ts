// Db: the master key and what is wrapped under it; promises that a secret at rest is useless without the master key's file.

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { readFile, stat, type FileHandle } from 'node:fs/promises'
import { TocsinError } from '../errors.ts'
import { writePrivateFile } from './private-file.ts'

/** The key that wraps all others: 32 bytes, read from a file of its own. Prints as nothing. */
export class MasterKey {
  readonly #bytes: Buffer

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes)
  }

  /** For {@link wrapSecret}, {@link unwrapSecret}, and to hand it to a thread of this process. */
  reveal(): Buffer {
    return this.#bytes
  }

  toJSON(): string {
    return '[secret]'
  }
}

/**
 * Reads the master key's file (64 hex digits); makes it when `create` is true and there is none.
 *
 * @throws TocsinError `master_key_missing`, `master_key_wrong` (not 64 hex digits), `file_mode_unsafe` (others may read it), `file_not_written`
 */
export async function loadMasterKey(file: string, create: boolean): Promise<MasterKey> {
  // One that is there stays: somebody else made it first, or an earlier start did.
  if (create) await writePrivateFile(file, `${randomBytes(32).toString('hex')}\n`)
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new TocsinError('master_key_missing', `The master key ${file} can't be read.`, {
      cause: error,
    })
  })
  await refuseReadableByOthers(file)
  if (!/^[0-9a-f]{64}\s*$/.test(text))
    throw new TocsinError('master_key_wrong', `The master key ${file} must hold 64 hex digits.`)
  return new MasterKey(Buffer.from(text.trim(), 'hex'))
}

/**
 * @param handle of the file, when it is open: what is judged is then what is read
 * @throws TocsinError `file_mode_unsafe` when the file's group or others may read it
 */
export async function refuseReadableByOthers(file: string, handle?: FileHandle): Promise<void> {
  if (process.platform === 'win32') return
  const { mode } = await (handle?.stat() ?? stat(file))
  if ((mode & 0o077) !== 0)
    throw new TocsinError(
      'file_mode_unsafe',
      `${file} may be read by others than its owner: chmod 600 ${file}`,
    )
}

/** Encrypts a secret under the master key (AES-256-GCM: nonce 12, ciphertext, tag 16), bound to its name. */
export function wrapSecret(masterKey: MasterKey, name: string, secret: Uint8Array): Uint8Array {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', masterKey.reveal(), nonce).setAAD(Buffer.from(name))
  return Buffer.concat([nonce, cipher.update(secret), cipher.final(), cipher.getAuthTag()])
}

/** @throws TocsinError `master_key_wrong` when it was wrapped under another master key, or under another name */
export function unwrapSecret(masterKey: MasterKey, name: string, wrapped: Uint8Array): Buffer {
  try {
    const bytes = Buffer.from(wrapped)
    const decipher = createDecipheriv('aes-256-gcm', masterKey.reveal(), bytes.subarray(0, 12), {
      authTagLength: 16,
    })
    decipher.setAAD(Buffer.from(name)).setAuthTag(bytes.subarray(-16))
    return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()])
  } catch (error) {
    throw new TocsinError(
      'master_key_wrong',
      `The master key does not open the secret "${name}".`,
      { cause: error },
    )
  }
}
