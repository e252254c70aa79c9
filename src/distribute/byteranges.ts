// Distribute: several parts of a file in one body, multipart/byteranges (RFC 9110, section 14.6); promises its length before a byte is read.

import type { FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { callbackify } from 'node:util'
import type { Part, Validators } from './preconditions.ts'

/** A piece of a body: text of ours, or a part of the file. */
export type Piece = Uint8Array | Part

/** A body in pieces. */
export interface Byteranges {
  readonly contentType: string
  /** Bytes. */
  readonly length: number
  readonly pieces: readonly Piece[]
}

/**
 * Lays out a body of several parts.
 *
 * The boundary is made from the file's digest: a file can't contain it, and every replica sends the same bytes.
 */
export function layOutByteranges(
  parts: readonly Part[],
  file: Validators,
  partType: string,
): Byteranges {
  const boundary = file.etag.replaceAll('"', '')
  const pieces: Piece[] = []
  for (const [number, part] of parts.entries()) {
    const head = [
      `${number === 0 ? '' : '\r\n'}--${boundary}`,
      `Content-Type: ${partType}`,
      `Content-Range: ${contentRange(part, file.size)}`,
      '\r\n',
    ]
    pieces.push(Buffer.from(head.join('\r\n')), part)
  }
  pieces.push(Buffer.from(`\r\n--${boundary}--\r\n`))
  return {
    contentType: `multipart/byteranges; boundary=${boundary}`,
    length: pieces.reduce((sum, piece) => sum + lengthOf(piece), 0),
    pieces,
  }
}

/** A part as the header Content-Range says it. */
export function contentRange({ start, end }: Part, size: number): string {
  return `bytes ${start}-${end - 1}/${size}`
}

/** A body from a file in memory. */
export function joinPieces(pieces: readonly Piece[], bytes: Uint8Array): Uint8Array {
  return Buffer.concat(
    pieces.map((piece) =>
      piece instanceof Uint8Array ? piece : bytes.subarray(piece.start, piece.end),
    ),
  )
}

/**
 * How much of a file is read at once. A large piece costs little more than a small one, but is memory that a slow reader holds, twice
 * over: so few who read at once get large ones, and thousands small ones.
 */
const LARGE_PIECE = 512 << 10
const SMALL_PIECE = 64 << 10
const FEW_READERS = 64
let readers = 0

/** A body from an open file, which is closed when the stream has ended or was destroyed, read or not. */
export function streamPieces(pieces: readonly Piece[], handle: FileHandle): Readable {
  const rest = [...pieces]
  const close = callbackify(() => handle.close())
  readers++
  return new Readable({
    read() {
      nextPiece(rest, handle, readers > FEW_READERS ? SMALL_PIECE : LARGE_PIECE).then(
        (bytes) => this.push(bytes),
        (error: Error) => this.destroy(error),
      )
    },
    destroy(error, done) {
      readers--
      close((closing) => done(error ?? closing))
    },
    highWaterMark: SMALL_PIECE,
  })
}

/** Takes up to `size` bytes from the front of the pieces; null when none is left. */
async function nextPiece(
  rest: Piece[],
  handle: FileHandle,
  size: number,
): Promise<Uint8Array | null> {
  const piece = rest.shift()
  if (piece === undefined) return null
  if (piece instanceof Uint8Array) return piece
  const { start, end } = piece
  const buffer = Buffer.allocUnsafeSlow(Math.min(size, end - start))
  const { bytesRead } = await handle.read(buffer, 0, buffer.length, start)
  // The length was promised: what is missing now breaks the download, so that nobody takes it for whole.
  if (bytesRead === 0) throw new Error('A published file became shorter while it was sent.')
  if (start + bytesRead < end) rest.unshift({ start: start + bytesRead, end })
  return buffer.subarray(0, bytesRead)
}

function lengthOf(piece: Piece): number {
  return piece instanceof Uint8Array ? piece.length : piece.end - piece.start
}
