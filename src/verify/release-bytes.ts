// Verify: memory that is done with; promises that it is given back at once, as far as the engine can, and that nobody reads on in it.

interface Transferable {
  transfer?(length?: number): ArrayBuffer
}

/**
 * Frees the buffer that an array lies in. Left to the collector, which hardly sees what lies outside of its heap, file after file would
 * pile up: a server can offer as many as an index has lines.
 *
 * @param array one that nobody else holds: it has no length any more
 */
export function releaseBytes(array: { readonly buffer: ArrayBufferLike }): void {
  // Engines of before 2023 do without.
  ;(array.buffer as Transferable).transfer?.(0)
}

/** A large buffer that one file after the other lies in: between others of all sizes, freed ones would leave holes. */
export interface SpareBuffer {
  /** The buffer, or nothing when it is in use. */
  take(): Uint8Array<ArrayBuffer> | undefined
  /** @param array what lies in the buffer: it has no length any more */
  giveBack(array: Uint8Array): void
}

/** Keeps the largest buffer that was given back. */
export function startSpareBuffer(): SpareBuffer {
  let spare: ArrayBuffer | undefined
  return {
    take() {
      const buffer = spare
      spare = undefined
      return buffer && new Uint8Array(buffer)
    },
    giveBack(array) {
      if (spare !== undefined && spare.byteLength >= array.buffer.byteLength) releaseBytes(array)
      else spare = (array.buffer as Transferable).transfer?.()
    },
  }
}
