// Verify: where a feed is read from; promises that no more is read than asked for, and nothing from elsewhere.

import { collectPieces } from '#collect'
import type { Limits } from './limits.ts'
import { releaseBytes, startSpareBuffer, type SpareBuffer } from './release-bytes.ts'
import { VerificationError } from './verification-error.ts'

/** A feed's bytes, wherever they lie. */
export interface FeedSource {
  /** The bytes of index.txt. @throws VerificationError `download_failed`, `file_missing`, `index_too_large` */
  readIndex(): Promise<Uint8Array>
  /**
   * The bytes of a file that the index names, if it has no more than these.
   *
   * @throws VerificationError `download_failed`, `file_missing`, `file_too_large`
   */
  readFile(name: string, maxBytes: number): Promise<Uint8Array>
  /** Takes back what `readFile` gave: nobody reads it any more. Left out where others may. */
  release?(bytes: Uint8Array): void
}

/** What downloads need besides an address. */
export interface DownloadOptions {
  /** The platform's when left out. */
  readonly fetch?: typeof globalThis.fetch | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * A feed over HTTP or HTTPS. Its index lies in a folder of its own, and lists files from the folder above that:
 * `https://example.org/exports/us/index.txt` lists `us/1606780800-1606784400-00001.zip`.
 *
 * @param index address of index.txt
 * @throws VerificationError `index_invalid` when it is no such address
 */
export function httpFeed(index: string, limits: Limits, options: DownloadOptions): FeedSource {
  if (!URL.canParse(index) || !/^https?:$/.test(new URL(index).protocol))
    throw new VerificationError(
      'index_invalid',
      'The address of the index must begin with https:// or http://.',
    )
  const base = new URL('..', index)
  const spare = startSpareBuffer()
  return {
    readIndex: () =>
      download(index, limits.maxIndexBytes, 'index_too_large', limits, {
        ...options,
        cache: 'no-cache',
        // An index whose end is missing looks like a shorter one; a zip says where it ends.
        isPlain: true,
      }),
    readFile: (name, maxBytes) =>
      download(new URL(name, base).href, maxBytes, 'file_too_large', limits, { ...options, spare }),
    release: (bytes) => spare.giveBack(bytes),
  }
}

/** A source for one look: when its files have come to `maxLookBytes`, believed or not, it throws `look_too_large`. */
export function limitLook(source: FeedSource, limits: Pick<Limits, 'maxLookBytes'>): FeedSource {
  let left = limits.maxLookBytes
  const refuse = (cause?: unknown) =>
    new VerificationError(
      'look_too_large',
      `The files that are new have more than ${limits.maxLookBytes} bytes: another look goes on from here.`,
      { cause },
    )
  return {
    readIndex: () => source.readIndex(),
    release: (bytes) => source.release?.(bytes),
    async readFile(name, maxBytes) {
      if (left <= 0) throw refuse()
      const max = Math.min(left, maxBytes)
      try {
        const bytes = await source.readFile(name, max)
        left -= bytes.length
        return bytes
      } catch (error) {
        if (!(error instanceof VerificationError && error.code === 'file_too_large')) throw error
        left -= max
        throw max < maxBytes ? refuse(error) : error
      }
    },
  }
}

/**
 * Downloads one address. Redirects are refused: they could lead anywhere, also into the network that the client is in.
 *
 * @throws VerificationError `tooLarge`, `file_missing`, `download_failed`; the reason of `options.signal` when it aborts
 */
export async function download(
  url: string,
  maxBytes: number,
  tooLarge: 'index_too_large' | 'file_too_large',
  limits: Pick<Limits, 'timeoutMs'>,
  options: DownloadOptions & {
    readonly cache?: 'no-cache'
    /** Whether a compressed answer is refused, where the platform can ask for another: when one is cut off, fetch gives what came. */
    readonly isPlain?: boolean
    /** Where the bytes are to lie. */
    readonly spare?: SpareBuffer
  },
): Promise<Uint8Array> {
  checkAddress(url)
  const timeout = AbortSignal.timeout(limits.timeoutMs)
  const signal = options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal])
  const request = options.fetch ?? ((input, init) => globalThis.fetch(input, init))
  try {
    const { cache = 'default', isPlain = false } = options
    const response = await request(url, { signal, redirect: 'manual', cache, headers: HEADERS })
    checkStatus(response, url)
    checkEncoding(response, url, isPlain && canAskForPlain() ? PLAIN : ENCODINGS)
    const refuse = () => new VerificationError(tooLarge, `${url} has more than ${maxBytes} bytes.`)
    return await readBody(response, maxBytes, refuse, options.spare)
  } catch (cause) {
    if (cause instanceof VerificationError) throw cause
    options.signal?.throwIfAborted()
    const why = timeout.aborted ? `took more than ${limits.timeoutMs} ms` : 'failed'
    throw new VerificationError('download_failed', `The download of ${url} ${why}.`, { cause })
  }
}

/** Browsers and Node.js refuse such an address too, but repeat it in their error. */
function checkAddress(url: string): void {
  const { username, password } = new URL(url)
  if (username !== '' || password !== '')
    throw new VerificationError(
      'download_failed',
      'Published files are for everybody: leave the user name and password out of the address.',
    )
}

function checkStatus(response: Response, url: string): void {
  const { status, type } = response
  if (status === 404 || status === 410)
    throw new VerificationError('file_missing', `There is no ${url}.`)
  if (type === 'opaqueredirect' || (status >= 300 && status < 400))
    throw new VerificationError(
      'download_failed',
      `${url} redirects to another address: name the one where the files are.`,
    )
  // Others of the 200s give nothing, a part, or what somebody on the way made of it (RFC 9110, section 15.3).
  if (status !== 200)
    throw new VerificationError('download_failed', `${url} was answered with ${status}, not 200.`)
}

async function readBody(
  response: Response,
  maxBytes: number,
  refuse: () => VerificationError,
  spare: SpareBuffer = startSpareBuffer(),
): Promise<Uint8Array> {
  const reader = response.body?.getReader()
  if (reader === undefined) return new Uint8Array()
  let bytes = spare.take() ?? new Uint8Array()
  let size = 0
  try {
    if (Number(response.headers.get('content-length') ?? 0) > maxBytes) throw refuse()
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return bytes.subarray(0, size)
      if (size + value.length > maxBytes) throw refuse()
      if (size + value.length > bytes.length) bytes = grow(bytes, size + value.length, maxBytes)
      bytes.set(value, size)
      size += value.length
      if (Math.floor(size / COLLECT_BYTES) > Math.floor((size - value.length) / COLLECT_BYTES))
        collectPieces()
    }
  } catch (error) {
    spare.giveBack(bytes)
    await reader.cancel().catch(() => undefined)
    throw error
  }
}

const SMALL_BYTES = 2 ** 20
const COLLECT_BYTES = 2 ** 20

/**
 * Room for a body: soon for all that it may have, rather than twice as much again and again, when what was before lies beside what
 * comes. Systems give memory when it is used.
 */
function grow(bytes: Uint8Array<ArrayBuffer>, needed: number, most: number) {
  const grown = new Uint8Array(
    needed > SMALL_BYTES ? most : Math.min(most, Math.max(needed, 2 * bytes.length)),
  )
  grown.set(bytes)
  releaseBytes(bytes)
  return grown
}

/** Zips don't get smaller, and an index is short. */
const HEADERS = { 'accept-encoding': 'identity' }
const PLAIN = ['', 'identity']

/** What fetch asks for by itself. Others take more memory to decompress than all that is read here: zstd as much as a server likes. */
const ENCODINGS = [...PLAIN, 'gzip', 'x-gzip', 'deflate', 'br']

/** Browsers keep this header to themselves (Fetch, section 2.2.2: forbidden request-headers) and drop it without a word. */
function canAskForPlain(): boolean {
  const { headers } = new Request('https://example.org', { headers: HEADERS })
  return headers.has('accept-encoding')
}

function checkEncoding(response: Response, url: string, encodings: readonly string[]): void {
  const encoding = response.headers.get('content-encoding') ?? ''
  if (!encodings.includes(encoding.trim().toLowerCase()))
    throw new VerificationError(
      'download_failed',
      `${url} is compressed in a way that was not asked for: serve it without content-encoding.`,
    )
}
