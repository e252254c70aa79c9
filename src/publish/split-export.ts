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

/**
 * Builds as many files as are needed, in the order of the pages.
 *
 * @param maximum of keys in one file, both lists together
 * @throws TocsinError `store_failed`
 */
export async function splitExport(
  pages: AsyncIterable<KeyPage>,
  maximum: number,
  sign: SignDigest,
  { describe, stagingPath }: SplitOptions,
): Promise<BuiltExport[]> {
  const built: BuiltExport[] = []
  let file: ExportFile | undefined
  let room = 0
  const finish = async () => {
    if (file !== undefined) built.push(await file.finish(sign))
    await file?.close()
    file = undefined
  }
  try {
    for await (const { list, keys } of pages)
      for (let offset = 0; offset < keys.length;) {
        if (room === 0) {
          await finish()
          const number = built.length + 1
          file = await openExport(describe(number), await stagingPath(number))
          room = maximum
        }
        const part = keys.slice(offset, offset + room)
        await file?.append({ list, keys: part })
        offset += part.length
        room -= part.length
      }
    await finish()
    return built
  } finally {
    await file?.close()
  }
}
