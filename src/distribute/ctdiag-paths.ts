// Distribute: where the lists of a stream for ct-diag-server's apps lie; promises the same names to who publishes them and who serves them.

import { storePath } from './public-paths.ts'

/** Paths in the store. */
export interface ListPaths {
  /** Records of 21 bytes. */
  readonly records: string
  /** The same keys in the same order, records of 18 bytes. */
  readonly dayRecords: string
  /** Keys of 16 bytes that a listed release corrected: each may have had an earlier place in the list. */
  readonly corrected: string
}

/** Where the lists of a stream lie. */
export function listPaths(stream: string): ListPaths {
  return {
    records: storePath(`${stream}/diagnosis-keys.bin`),
    dayRecords: storePath(`${stream}/diagnosis-keys-v0.bin`),
    corrected: storePath(`${stream}/corrected-keys.bin`),
  }
}
