// Test helper: one export file of new keys alone, by the code that publishes.

import type { ExportKey } from '../src/format/gaen-export.ts'
import type { BuiltExport, ExportDescription, SignDigest } from '../src/publish/build-export.ts'
import { splitExport } from '../src/publish/split-export.ts'

/** Builds a file at `staged`; undefined, and no file, when there is no key. */
export async function buildExport(
  description: ExportDescription,
  pages: AsyncIterable<readonly ExportKey[]>,
  sign: SignDigest,
  staged: string,
): Promise<BuiltExport | undefined> {
  const [built] = await splitExport(asLists(pages), sign, {
    describe: () => description,
    stagingPath: async () => staged,
  })
  return built
}

async function* asLists(pages: AsyncIterable<readonly ExportKey[]>) {
  for await (const keys of pages)
    if (keys.length > 0) yield { list: 'keys' as const, keys, file: 0 }
}
