// Publish: diagnosis keys for ct-diag-server's apps: signed export zips, and the lists that follow from them; promises that auditors find the same releases as of any other stream.

import { listPaths } from '../distribute/ctdiag-paths.ts'
import type { ObjectStore } from '../distribute/directory-store.ts'
import { createList } from './ctdiag-list.ts'
import { GAEN_ENCODER, gaenPointers } from './gaen-encoder.ts'
import type { StreamEncoder } from './stream-encoder.ts'

/** Streams with a list of all their keys. */
export const CTDIAG_ENCODER: StreamEncoder = {
  ...GAEN_ENCODER,
  pointers({ store }, stream, files) {
    const paths = listPaths(stream.name)
    const list = listOf(store, stream.name)(files)
    const [publicKey, index] = gaenPointers(stream, files)
    if (publicKey === undefined || index === undefined) throw new Error('a stream has both')
    return [
      publicKey,
      // First: whoever reads a list learns then at the latest which keys have moved in it.
      { path: paths.corrected, content: list.corrected },
      // It is composed from the list before, which the next one replaces.
      { path: paths.dayRecords, content: list.dayRecords },
      { path: paths.records, content: list.records },
      index,
    ]
  },
}

/** The lists of this process: they remember what they gave. */
const lists = new WeakMap<object, Map<string, ReturnType<typeof createList>>>()

function listOf(store: ObjectStore, stream: string): ReturnType<typeof createList> {
  const ofStore = lists.get(store) ?? new Map<string, ReturnType<typeof createList>>()
  lists.set(store, ofStore)
  const list = ofStore.get(stream) ?? createList(store, stream)
  ofStore.set(stream, list)
  return list
}
