// Format: decompression with what browsers and Node.js both have; promises to stop as soon as it comes to more than it may.

/**
 * Inflates a whole stream (RFC 1951).
 *
 * @param maxSize bytes that it may come to
 * @throws when it comes to more, ends early, has bytes behind its end, or isn't deflate
 */
export async function inflateRaw(compressed: Uint8Array, maxSize: number): Promise<Uint8Array> {
  const output = new Uint8Array(maxSize)
  let size = 0
  const reader = new Blob([compressed as Uint8Array<ArrayBuffer>])
    .stream()
    .pipeThrough(new DecompressionStream('deflate-raw'))
    .getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return output.subarray(0, size)
    if (size + value.length > maxSize) {
      await reader.cancel().catch(() => undefined)
      throw new RangeError(`more than ${maxSize} bytes`)
    }
    output.set(value, size)
    size += value.length
  }
}
