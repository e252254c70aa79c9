// Distribute: what lies at a path of the store; promises never to hold more of a file than a piece.

import { createHash } from 'node:crypto'
import { lstat, open, type FileHandle } from 'node:fs/promises'
import { storeFailed } from './store-error.ts'

/** How much of a file is read at once, in bytes. */
const PIECE_SIZE = 1 << 16

/** What lies at a path. */
export interface StoredObject {
  /** Bytes. */
  readonly size: number
  /** SHA-256; undefined for a link or a folder, which nobody can download, and for what can't be read. */
  readonly digest: Uint8Array | undefined
}

/** The bytes of a file from `start` on, as it is when this is called. @throws what opening it throws */
export async function streamFile(
  target: string,
  start: number,
): Promise<AsyncIterable<Uint8Array>> {
  const handle = await open(target)
  return piecesOf(handle, start, target)
}

async function* piecesOf(
  handle: FileHandle,
  start: number,
  target: string,
): AsyncGenerator<Uint8Array> {
  try {
    const stream = handle.createReadStream({ start, highWaterMark: PIECE_SIZE })
    for await (const piece of stream) yield piece as Uint8Array
  } catch (error) {
    storeFailed(target)(error)
  }
}

/** What lies at a path, read as a stream. @throws what looking at it throws */
export async function inspectFile(target: string): Promise<StoredObject> {
  const stats = await lstat(target)
  const { size } = stats
  if (!stats.isFile()) return { size, digest: undefined }
  try {
    await using handle = await open(target)
    return { size, digest: await digestHandle(handle, size) }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined || code === 'ENOENT') throw error
    return { size, digest: undefined }
  }
}

async function digestHandle(handle: FileHandle, size: number): Promise<Buffer> {
  const hash = createHash('sha256')
  // Many files are small: a stream's buffers would be most of the work.
  const buffer = Buffer.allocUnsafe(Math.max(1, Math.min(size, PIECE_SIZE)))
  for (;;) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length)
    if (bytesRead === 0) return hash.digest()
    hash.update(buffer.subarray(0, bytesRead))
  }
}
