// Log: a record without the contents that are kept apart, and with them again; promises the same bytes after there and back, and the same leaf hash throughout.

import { encode } from 'cborg'
import { TocsinError } from '../errors.ts'
import { findParts, type PartPlace } from './quick-record.ts'
import { digestPart, SALT_LENGTH, type DetachedContent } from './record.ts'
import { isDetached } from './retentions.ts'

/** A record as the table `event` has it, with what it lacks. */
export interface TakenApart {
  readonly record: Uint8Array
  readonly contents: readonly DetachedContent[]
}

// RFC 8949: a list of two or three items, byte strings of 16 and 32 bytes.
const ERASED_PART = Buffer.of(0x82)
const PART = Buffer.of(0x83)
const SALT = Buffer.of(0x50)
const DIGEST = Buffer.of(0x58, 0x20)

/**
 * Takes the contents that are kept apart out of a record.
 *
 * @throws TocsinError `log_invalid` when such a content is no byte string
 */
export function detachParts(record: Uint8Array): TakenApart {
  const places = findParts(record)
  const contents: DetachedContent[] = []
  const pieces = places?.parts.map((place, part) => {
    const { retention, retentionAt, saltAt, contentAt, end } = place
    if (contentAt === undefined || !isDetached(retention)) return wholePart(record, place)
    const salt = record.subarray(saltAt, saltAt + SALT_LENGTH)
    const encoded = record.subarray(contentAt, end)
    contents.push({ part, salt, content: byteString(encoded) })
    const name = record.subarray(retentionAt, saltAt - SALT.length)
    return Buffer.concat([ERASED_PART, name, DIGEST, digestPart(salt, encoded)])
  })
  if (places === undefined || pieces === undefined || contents.length === 0)
    return { record, contents }
  return { record: Buffer.concat([record.subarray(0, places.partsAt), ...pieces]), contents }
}

/** Puts contents into a record that lacks them. What has no place in it is left out, and so is the whole of one that can't be read. */
export function attachParts(record: Uint8Array, contents: readonly DetachedContent[]): Uint8Array {
  const places = findParts(record)
  if (places === undefined) return record
  const pieces = places.parts.map((place, part) => {
    const { retention, retentionAt, saltAt, contentAt } = place
    const own = contents.find((each) => each.part === part)
    if (own === undefined || contentAt !== undefined || !isDetached(retention))
      return wholePart(record, place)
    const name = record.subarray(retentionAt, saltAt - DIGEST.length)
    return Buffer.concat([PART, name, SALT, own.salt, encode(encode(own.content))])
  })
  return Buffer.concat([record.subarray(0, places.partsAt), ...pieces])
}

/** A part with its head, which is one byte before the name of its retention's own. */
function wholePart(record: Uint8Array, { retentionAt, end }: PartPlace): Uint8Array {
  return record.subarray(retentionAt - 1, end)
}

/** What a byte string says. Its head has one byte, and up to eight more for the length. */
function byteString(encoded: Uint8Array): Uint8Array {
  const info = (encoded[0] ?? 0) & 31
  const head = info < 24 ? 1 : 1 + 2 ** (info - 24)
  const content = encoded.subarray(head)
  if (Buffer.compare(encode(content), encoded) === 0) return content
  throw new TocsinError('log_invalid', 'A part that is kept apart holds something else than bytes.')
}
