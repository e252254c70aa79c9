// Publish: puts what the log records and the store lacks; promises the bytes that were signed once, and a pointer that moves last.

import { storePath } from '../distribute/public-paths.ts'
import type { DraftFile } from './build-window.ts'
import type { LeaderContext } from './publisher-context.ts'
import { listedFiles, type FileRow } from './releases.ts'
import { remakeFiles } from './remake-file.ts'
import type { ConfiguredStream } from './streams.ts'

/**
 * Puts every file of a stream that its index must name and the store lacks, oldest first, then the pointer. Work grows with the
 * number of files: for a publisher that begins, or begins again after a failure.
 *
 * @throws TocsinError `log_invalid` when a file can't be made again as it was, `store_conflict`, `store_failed`, `publisher_lost`
 */
export async function placeFiles(context: LeaderContext, stream: ConfiguredStream): Promise<void> {
  const files = await listedFiles(context.db, stream.name)
  const lacking = new Set<number>()
  for (const { path, size, seq } of files)
    if ((await context.store.sizeOf(storePath(path))) !== size) lacking.add(seq)
  for (const seq of lacking) {
    // First: what can't be archived yet need not be made.
    await context.archiveThrough(seq)
    const made = await remakeFiles(context, seq)
    await putFiles(context, made)
  }
  for (const { path, bytes } of pointers(stream, files)) {
    const present = await context.store.read(path)
    if (present === undefined || !Buffer.from(present).equals(bytes))
      return await movePointer(context, stream)
  }
}

/** Puts the files of a release, in order; those that are there already stay. */
export async function putFiles(context: LeaderContext, files: readonly DraftFile[]): Promise<void> {
  for (const { path, built } of files) {
    await context.mustHold()
    await context.store.putImmutable(storePath(path), built.staged, built.digest)
  }
}

/** Moves the pointer. Everything that it names is in the store by now. */
export async function movePointer(context: LeaderContext, stream: ConfiguredStream): Promise<void> {
  const files = await listedFiles(context.db, stream.name)
  for (const { path, bytes } of pointers(stream, files)) {
    await context.mustHold()
    await context.store.putMutable(path, bytes)
  }
}

/** The files of a stream that are replaced, in the order in which they are: the index last. */
export function pointers(
  stream: ConfiguredStream,
  files: readonly Pick<FileRow, 'path'>[],
): { readonly path: string; readonly bytes: Buffer }[] {
  return [
    {
      path: storePath(`${stream.name}/key.pem`),
      // Newest first; a reader that takes one key takes that.
      bytes: Buffer.from(stream.keys.map((key) => key.publicKey).join('')),
    },
    // All paths, oldest first, one a line, no line break at the end.
    {
      path: storePath(`${stream.name}/index.txt`),
      bytes: Buffer.from(files.map((file) => file.path).join('\n')),
    },
  ]
}
