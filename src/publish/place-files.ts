// Publish: puts what the log records and the store lacks; promises the bytes that were signed once, and a pointer that moves last.

import { createHash } from 'node:crypto'
import { storePath } from '../distribute/public-paths.ts'
import type { DraftFile } from './build-window.ts'
import type { LeaderContext } from './publisher-context.ts'
import { listedFiles } from './releases.ts'
import { remakeFiles } from './remake-file.ts'
import { encoderOf, type Pointer } from './stream-encoder.ts'
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
  for (const pointer of encoderOf(context, stream).pointers(context, stream, files))
    if (!(await isAsItMustBe(context, pointer))) return await movePointer(context, stream)
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
  for (const { path, content } of encoderOf(context, stream).pointers(context, stream, files)) {
    await context.mustHold()
    await context.store.putMutable(path, content())
  }
}

/** Whether a file that is replaced has its bytes. */
export async function isAsItMustBe(
  { store }: Pick<LeaderContext, 'store'>,
  { path, content }: Pointer,
): Promise<boolean> {
  const present = await store.inspect(path)
  if (present?.digest === undefined) return false
  const hash = createHash('sha256')
  for await (const bytes of content()) hash.update(bytes)
  return hash.digest().equals(present.digest)
}
