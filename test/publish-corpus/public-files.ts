// Test helper: everything that a stream publishes, as anybody downloads it; promises the entries of each export beside the file itself.

import { extractEntry, listZip } from '../../src/format/read-zip.ts'

/** The bytes by their names. */
export async function publishedFiles(
  url: string,
  stream: string,
): Promise<ReadonlyMap<string, Buffer>> {
  const files = new Map<string, Buffer>()
  const download = async (path: string) => {
    const bytes = Buffer.from(await (await fetch(`${url}${path}`)).arrayBuffer())
    files.set(path, bytes)
    return bytes
  }
  await download('/')
  const index = await download(`/exports/${stream}/index.txt`)
  for (const path of index.toString().split('\n').filter(Boolean)) {
    const zip = await download(`/exports/${path}`)
    for (const entry of listZip(zip))
      files.set(`${path}/${entry.name}`, Buffer.from(extractEntry(entry, 1_000_000)))
  }
  return files
}
