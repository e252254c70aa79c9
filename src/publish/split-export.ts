// Publish: keys into files of a greatest size; promises that none is lost or repeated at a cut, and one open file at a time.

import {
  openExport,
  type BuiltExport,
  type ExportDescription,
  type ExportFile,
  type SignDigest,
} from './build-export.ts'
import type { KeyPage } from './read-window.ts'

/** What the files are called and say of themselves, by their numbers from 1 on. */
export interface SplitOptions {
  describe(number: number): ExportDescription
  stagingPath(number: number): Promise<string>
}

/** How much there is, and how much goes into a file. */
export interface SplitCounts {
  /** Of the keys that are published for the first time. */
  readonly keys: number
  /** Of keys in one file, both lists together. */
  readonly maximum: number
}

/**
 * Builds as many files as are needed, in the order of the pages: the new keys in parts of one size, since a last file with what
 * is left over could be too small to hide in; the revised ones behind them, where there is room.
 *
 * @throws TocsinError `store_failed`
 */
export async function splitExport(
  pages: AsyncIterable<KeyPage>,
  { keys: total, maximum }: SplitCounts,
  sign: SignDigest,
  { describe, stagingPath }: SplitOptions,
): Promise<BuiltExport[]> {
  const built: BuiltExport[] = []
  const parts = Math.ceil(total / maximum)
  /** Where the new keys of a file end, from 0 on. */
  const endOf = (index: number) => Math.floor(((index + 1) * total) / parts)
  let file: ExportFile | undefined
  let inFile = 0
  let newKeys = 0
  const roomFor = (list: KeyPage['list']) =>
    file === undefined ? 0 : list === 'keys' ? endOf(built.length) - newKeys : maximum - inFile
  const finish = async () => {
    if (file !== undefined) built.push(await file.finish(sign))
    await file?.close()
    file = undefined
  }
  try {
    for await (const { list, keys } of pages)
      for (let offset = 0; offset < keys.length;) {
        if (roomFor(list) <= 0) {
          await finish()
          const number = built.length + 1
          file = await openExport(describe(number), await stagingPath(number))
          inFile = 0
        }
        const part = keys.slice(offset, offset + roomFor(list))
        await file?.append({ list, keys: part })
        offset += part.length
        inFile += part.length
        if (list === 'keys') newKeys += part.length
      }
    await finish()
    return built
  } finally {
    await file?.close()
  }
}
