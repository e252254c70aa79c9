// Publish: puts what the log records and the store lacks; promises the bytes that were signed once, and a pointer that moves last.

import { storePath } from '../distribute/public-paths.ts'
import { TocsinError } from '../errors.ts'
import { archiveThrough } from '../log/archive.ts'
import { readEvent } from '../log/read-events.ts'
import { buildWindow } from './build-window.ts'
import type { LeaderContext } from './publisher-context.ts'
import { releaseContent, releasedFiles, type FileRow } from './releases.ts'
import type { ConfiguredStream } from './streams.ts'

/**
 * Puts every file of a stream that the log names and the store lacks, oldest first, then the pointer. Work grows with the
 * number of files: for a publisher that begins, or begins again after a failure.
 *
 * @throws TocsinError `log_invalid` when a file can't be made again as it was, `store_conflict`, `store_failed`, `publisher_lost`
 */
export async function placeFiles(context: LeaderContext, stream: ConfiguredStream): Promise<void> {
  const files = await releasedFiles(context.db, stream.name)
  for (const file of files)
    if ((await context.store.sizeOf(storePath(file.path))) !== file.size)
      await placeFile(context, stream, file)
  for (const { path, bytes } of pointers(stream, files)) {
    const present = await context.store.read(path)
    if (present === undefined || !Buffer.from(present).equals(bytes))
      return await movePointer(context, stream)
  }
}

/** Moves the pointer. Everything that it names is in the store by now. */
export async function movePointer(context: LeaderContext, stream: ConfiguredStream): Promise<void> {
  const files = await releasedFiles(context.db, stream.name)
  for (const { path, bytes } of pointers(stream, files)) {
    await context.mustHold()
    await context.store.putMutable(path, bytes)
  }
}

/** The files of a stream that are replaced, in the order in which they are: the index last. */
function pointers(
  stream: ConfiguredStream,
  files: readonly FileRow[],
): { readonly path: string; readonly bytes: Buffer }[] {
  return [
    { path: storePath(`${stream.name}/key.pem`), bytes: Buffer.from(stream.publicKey) },
    // All paths, oldest first, one a line, no line break at the end.
    {
      path: storePath(`${stream.name}/index.txt`),
      bytes: Buffer.from(files.map((file) => file.path).join('\n')),
    },
  ]
}

/** Makes a recorded file again, from the same keys, with the signature that was recorded, and puts it. */
async function placeFile(
  context: LeaderContext,
  stream: ConfiguredStream,
  file: FileRow,
): Promise<void> {
  const event = await readEvent(context.db, file.seq)
  const content = event === undefined ? undefined : releaseContent(event)
  const recorded = content?.files.find((each) => each.path === file.path)?.signatures[0]
  if (content === undefined || recorded === undefined)
    throw new TocsinError('log_invalid', `The release of ${file.path} is not in the log.`)
  const { signature, keyId, keyVersion } = recorded
  const built = await context.copyDb.transaction((tx) =>
    buildWindow(
      context,
      tx,
      { ...stream, keyId, keyVersion },
      content.window,
      file.path,
      async () => signature,
    ),
  )
  if (built === undefined || !Buffer.from(built.digest).equals(file.digest))
    throw new TocsinError(
      'log_invalid',
      `${file.path} can't be made again: the keys are no longer those of its release.`,
    )
  await archiveThrough(file.seq)
  await context.mustHold()
  await context.store.putImmutable(storePath(file.path), built.staged, built.digest)
}
