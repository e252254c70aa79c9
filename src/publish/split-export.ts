// Publish: keys into the files that they were cut for; promises one open file at a time.

import {
  openExport,
  type BuiltExport,
  type ExportDescription,
  type ExportFile,
  type SignDigest,
} from './build-export.ts'
import type { CutPage } from './cut-pages.ts'

/** What the files are called and say of themselves, by their numbers from 1 on. */
export interface SplitOptions {
  describe(number: number): ExportDescription
  stagingPath(number: number): Promise<string>
}

/**
 * Builds the files into which the pages were cut.
 *
 * @throws TocsinError `store_failed`
 */
export async function splitExport(
  pages: AsyncIterable<CutPage>,
  sign: SignDigest,
  { describe, stagingPath }: SplitOptions,
): Promise<BuiltExport[]> {
  const built: BuiltExport[] = []
  let file: ExportFile | undefined
  const finish = async () => {
    if (file !== undefined) built.push(await file.finish(sign))
    await file?.close()
    file = undefined
  }
  try {
    for await (const page of pages) {
      if (page.file > built.length) await finish()
      const number = built.length + 1
      file ??= await openExport(describe(number), await stagingPath(number))
      await file.append(page)
    }
    await finish()
    return built
  } finally {
    await file?.close()
  }
}
