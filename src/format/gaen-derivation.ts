// Format: what phones broadcast, derived from a key; promises what the exposure notification cryptography specification 1.2 says.

import { encryptBlocks } from './aes128.ts'
import { INTERVALS_PER_DAY } from './intervals.ts'
import { hkdfSha256 } from './sha256.ts'

/** Bytes of a temporary exposure key, and of a rolling proximity identifier. */
export const IDENTIFIER_BYTES = 16

const utf8 = new TextEncoder()
const IDENTIFIER_KEY_INFO = utf8.encode('EN-RPIK')
const METADATA_KEY_INFO = utf8.encode('EN-AEMK')

// PaddedData of a day's identifiers: "EN-RPI", six zeros, the interval's number. Filled in anew by every call.
const PADDED = new Uint8Array(INTERVALS_PER_DAY * IDENTIFIER_BYTES)
const PADDED_VIEW = new DataView(PADDED.buffer)
for (let block = 0; block < INTERVALS_PER_DAY; block++)
  PADDED.set(utf8.encode('EN-RPI'), block * IDENTIFIER_BYTES)

/** RPIK, section "Rolling Proximity Identifier Key": 16 bytes. @param keyData the temporary exposure key, 16 bytes */
export function deriveIdentifierKey(keyData: Uint8Array): Uint8Array {
  return hkdfSha256(checkKey(keyData), IDENTIFIER_KEY_INFO, 16)
}

/** AEMK, section "Associated Encrypted Metadata Key": 16 bytes. @param keyData the temporary exposure key, 16 bytes */
export function deriveMetadataKey(keyData: Uint8Array): Uint8Array {
  return hkdfSha256(checkKey(keyData), METADATA_KEY_INFO, 16)
}

/**
 * The rolling proximity identifiers of a key (section "Rolling Proximity Identifier"), 16 bytes each, one behind the other.
 *
 * @param rollingStart the first interval
 * @param count how many intervals, 1 to 144
 * @param output where to put them, at least 16 bytes for each
 * @throws RangeError when an argument is out of its range
 */
export function deriveIdentifiers(
  keyData: Uint8Array,
  rollingStart: number,
  count: number,
  output = new Uint8Array(count * IDENTIFIER_BYTES),
): Uint8Array {
  if (!Number.isInteger(count) || count < 1 || count > INTERVALS_PER_DAY)
    throw new RangeError(`a key has 1 to ${INTERVALS_PER_DAY} identifiers, not ${count}`)
  if (!Number.isInteger(rollingStart) || rollingStart < 0 || rollingStart + count > 2 ** 32)
    throw new RangeError(`${rollingStart} is no interval`)
  for (let index = 0; index < count; index++)
    PADDED_VIEW.setUint32(index * IDENTIFIER_BYTES + 12, rollingStart + index, true)
  const blocks = PADDED.subarray(0, count * IDENTIFIER_BYTES)
  encryptBlocks(deriveIdentifierKey(keyData), blocks, output)
  return output
}

/**
 * Encrypts or decrypts the metadata that is broadcast with an identifier (section "Associated Encrypted Metadata": AES-CTR,
 * where encryption and decryption are the same).
 *
 * @param metadataKey of {@link deriveMetadataKey}
 * @param metadata at most 16 bytes; phones send 4
 */
export function cipherMetadata(
  metadataKey: Uint8Array,
  identifier: Uint8Array,
  metadata: Uint8Array,
): Uint8Array {
  if (identifier.length !== IDENTIFIER_BYTES || metadata.length > IDENTIFIER_BYTES)
    throw new RangeError('metadata has at most 16 bytes, and an identifier exactly 16')
  const pad = new Uint8Array(IDENTIFIER_BYTES)
  encryptBlocks(metadataKey, identifier, pad)
  return metadata.map((byte, index) => byte ^ (pad[index] as number))
}

function checkKey(keyData: Uint8Array): Uint8Array {
  if (keyData.length !== 16) throw new RangeError(`a key has 16 bytes, not ${keyData.length}`)
  return keyData
}
