// Format: PEM text <-> bytes; promises one block of the kind that was asked for, or an error.

import { decodeBase64, encodeBase64 } from './bytes.ts'
import { FormatError } from './format-error.ts'

/** RFC 7468, section 3. @param label for example PUBLIC KEY */
export function encodePem(label: string, bytes: Uint8Array): string {
  const lines = encodeBase64(bytes).match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n')
}

/** @throws FormatError `pem_malformed` */
export function decodePem(label: string, text: string): Uint8Array {
  const begin = `-----BEGIN ${label}-----`
  const end = `-----END ${label}-----`
  const trimmed = text.trim()
  const inside = trimmed.slice(begin.length, -end.length)
  const bytes =
    trimmed.startsWith(begin) && trimmed.endsWith(end) ? decodeBase64(inside.trim()) : undefined
  if (bytes === undefined || bytes.length === 0 || trimmed.length < begin.length + end.length)
    throw new FormatError('pem_malformed', `The text is not one PEM block of a ${label}.`)
  return bytes
}
