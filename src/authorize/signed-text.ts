// Authorize: text messages that a phone can tell from forged ones; promises the form that phones accept, and nothing but a signature and a date added to the text.

import { sign, verify, type KeyObject } from 'node:crypto'

/** What a text is about; a phone checks that it is what it expects. */
export type TextPurpose = 'EN Report' | 'User Report'

/** What is signed beside the text. */
export interface TextContext {
  readonly purpose: TextPurpose
  /** To whom it goes, E.164: the text is of no use to anybody else. */
  readonly phone: string
  /** When it is sent; the day counts, in UTC. */
  readonly day: Date
}

/** Who signs. */
export interface TextSignature {
  /** Names the key to phones; without a colon, since it stands between two. */
  readonly kid: string
  /** ECDSA with SHA-256 on P-256, as ASN.1 DER. */
  readonly sign: (signed: Uint8Array) => Uint8Array
}

// The space is needed: Android does not recognise a link that a line feed follows directly.
const MARK = ' \nAuthentication:'

/** The day without its year, the key, the signature. */
const TRAILER = /^(\d{4}):([^:\s]+):([A-Za-z0-9+/]+)$/

/**
 * Signs a text.
 *
 * @param text complete, with its code or link
 * @returns the text as it is to be sent: not one character of it may change on its way
 */
export function signText(text: string, options: TextContext & TextSignature): string {
  const body = text + MARK
  const signature = Buffer.from(options.sign(signedBytes(body, options)))
  const [, month, date] = dayOf(options.day).split('-')
  return `${body}${month}${date}:${options.kid}:${unpadded(signature)}`
}

/**
 * Does what a phone does with a text that it received.
 *
 * @param context with the phone's own number, and the day on which it should have been signed
 * @param keys public keys by their kid
 * @returns the text as it was before it was signed; undefined unless a key of `keys` signed it for this context
 */
export function verifyText(
  received: string,
  context: TextContext,
  keys: ReadonlyMap<string, KeyObject>,
): string | undefined {
  const start = received.lastIndexOf(MARK)
  if (start === -1) return undefined
  const end = start + MARK.length
  const [, monthAndDate, kid = '', signature = ''] = TRAILER.exec(received.slice(end)) ?? []
  const key = keys.get(kid)
  if (!key || monthAndDate !== dayOf(context.day).slice(5).replace('-', '')) return undefined
  const signatureBytes = Buffer.from(signature, 'base64')
  // Base64 has other spellings of the same bytes; a text has one.
  if (unpadded(signatureBytes) !== signature) return undefined
  const signed = signedBytes(received.slice(0, end), context)
  const isRight = verify('sha256', signed, { key, dsaEncoding: 'der' }, signatureBytes)
  return isRight ? received.slice(0, start) : undefined
}

/** What `signText` signs with. @param privateKey P-256 */
export function textSigner(privateKey: KeyObject): TextSignature['sign'] {
  return (signed) => sign('sha256', signed, { key: privateKey, dsaEncoding: 'der' })
}

function signedBytes(body: string, { purpose, phone, day }: TextContext): Uint8Array {
  return Buffer.from(`${purpose}.${phone}.${dayOf(day)}.${body}`)
}

function dayOf(time: Date): string {
  return time.toISOString().slice(0, 10)
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}
