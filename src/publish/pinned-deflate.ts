// Publish: the compression of export files; promises bytes that depend on the content alone, on every machine and version of Node.js.

import { Deflate } from 'fflate'
import type { Deflater } from '../format/zip.ts'

/** Bytes that are compressed at once: enough that the blocks' headers cost nothing. */
const BLOCK = 1 << 16

/**
 * Deflate in JavaScript, its version pinned: zlib's output differs between versions and processors.
 *
 * It is fed in blocks of one size. Where it ends its own blocks depends on what it was given at once, and keys leave the
 * database in pages that are cut differently each time.
 */
export function pinnedDeflate(): Deflater {
  let made: Uint8Array[] = []
  const deflate = new Deflate({ level: 6 }, (piece) => made.push(piece))
  const block = new Uint8Array(BLOCK)
  let filled = 0
  return {
    push(chunk, final) {
      made = []
      for (let offset = 0; offset < chunk.length;) {
        const piece = chunk.subarray(offset, offset + BLOCK - filled)
        block.set(piece, filled)
        offset += piece.length
        filled += piece.length
        if (filled < BLOCK) break
        deflate.push(block, false)
        filled = 0
      }
      if (final) deflate.push(block.subarray(0, filled), true)
      return made
    },
  }
}
