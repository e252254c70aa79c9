// Cli: new files that commands make for secrets; promises mode 0600, that nothing is written over, and that what could not be written whole is not there.

import { open, unlink, type FileHandle } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { syncFolder } from '../db/private-file.ts'
import { TocsinError } from '../errors.ts'

/**
 * Makes a file before its content, so that nothing is made that then can't be kept.
 *
 * @param write fills the file and ends the stream; whatever it throws, the file is removed again
 * @returns what `write` gave, once the file is durable
 * @throws TocsinError `file_not_written` when there is such a file, or the disk or the folder fails; whatever `write` throws
 */
export function fillNewFile<Result>(
  file: string,
  write: (sink: Writable) => Promise<Result>,
): Promise<Result> {
  return fillNewFiles([file], ([sink]) => write(sink as Writable))
}

/** The same for several files, all of which are there in the end, or none. @param write gets their streams in order */
export async function fillNewFiles<Result>(
  files: readonly string[],
  write: (sinks: readonly Writable[]) => Promise<Result>,
): Promise<Result> {
  const opened: NewFile[] = []
  try {
    for (const file of files) opened.push(await openNew(resolve(file)))
    const result = await write(opened.map(sinkOf))
    for (const { path, handle } of opened)
      await asWritten(path, async () => {
        await handle.sync()
        await syncFolder(dirname(path))
      })
    return result
  } catch (error) {
    for (const { path } of opened) await unlink(path).catch(() => undefined)
    throw error
  } finally {
    for (const { handle } of opened) await handle.close().catch(() => undefined)
  }
}

/** The same for one line of text. @param make makes it when the file is there */
export function writeNewText(file: string, make: () => Promise<string>): Promise<void> {
  return fillNewFile(file, async (sink) => {
    const text = await make()
    await pipeline([`${text}\n`], sink)
  })
}

/** A file of one's own. */
interface NewFile {
  readonly path: string
  readonly handle: FileHandle
}

/** Leaves the file open when it ends: it is not safe before it is synced. */
function sinkOf(file: NewFile): Writable {
  return new Writable({
    write: (chunk: Buffer, _encoding, done) => void append(file, chunk, done),
  })
}

async function append(
  { path, handle }: NewFile,
  chunk: Buffer,
  done: (error?: Error) => void,
): Promise<void> {
  try {
    await asWritten(path, () => handle.writeFile(chunk))
  } catch (error) {
    done(error as Error)
    return
  }
  done()
}

async function openNew(path: string): Promise<NewFile> {
  const handle = await asWritten(path, () => open(path, 'wx', 0o600))
  try {
    // The mode that it was opened with is cut by the process's mask.
    await asWritten(path, () => handle.chmod(0o600))
    return { path, handle }
  } catch (error) {
    await handle.close().catch(() => undefined)
    await unlink(path).catch(() => undefined)
    throw error
  }
}

/** Does something to a file. @throws TocsinError `file_not_written` */
async function asWritten<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST'
    throw new TocsinError(
      'file_not_written',
      isThere ? `${path} exists already: it is not overwritten.` : `${path} can't be written.`,
      { cause: error },
    )
  }
}
