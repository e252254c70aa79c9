// Verify: pieces of downloads that nobody needs any more; promises that on Node.js they don't pile up to 50 MB before the collector looks.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

type Collect = (options: { readonly type: 'minor' }) => void
let collect: Collect | undefined

/**
 * Lets the collector look at what is young: a millisecond, however large the heap is. Pieces lie outside of the heap, where they count
 * for next to nothing, so that by itself it comes late.
 */
export function collectPieces(): void {
  collect ??= findCollector()
  collect({ type: 'minor' })
}

function findCollector(): Collect {
  try {
    setFlagsFromString('--expose-gc')
    const found: unknown = runInNewContext('gc')
    if (typeof found === 'function') return found as Collect
  } catch {
    // Another engine under the name of Node.js: it manages by itself.
  }
  return () => undefined
}
