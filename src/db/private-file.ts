// Db: new files that hold a secret; promises that one is there whole or not at all, its owner's alone, and never written over.

import { randomBytes } from 'node:crypto'
import { link, open, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { TocsinError } from '../errors.ts'

/**
 * Makes a file of mode 0600 that survives a crash from the moment it is seen.
 *
 * @returns false, with nothing changed, when there is a file of this name
 * @throws TocsinError `file_not_written`, for example because the disk is full; then it isn't there
 */
export async function writePrivateFile(file: string, content: string): Promise<boolean> {
  const staged = `${file}.${randomBytes(6).toString('hex')}`
  try {
    await writeThrough(staged, content)
    // Unlike a rename this replaces nothing.
    await link(staged, file)
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false
    throw new TocsinError(
      'file_not_written',
      `${file} can't be written: check the disk and the folder.`,
      { cause: error },
    )
  } finally {
    await unlink(staged).catch(() => undefined)
  }
  await syncFolder(dirname(file))
  return true
}

async function writeThrough(file: string, content: string): Promise<void> {
  const handle = await open(file, 'wx', 0o600)
  try {
    // The mode that it was opened with is cut by the process's mask.
    await handle.chmod(0o600)
    await handle.writeFile(content)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Makes the names in a folder durable: those of new files are not before. */
export async function syncFolder(folder: string): Promise<void> {
  // Windows can't open a folder, and writes its entries through.
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function isErrno(error: unknown, code: string): boolean {
  return (error as NodeJS.ErrnoException).code === code
}
