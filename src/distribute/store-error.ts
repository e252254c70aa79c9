// Distribute: what is said when a file can't be written or read; promises the system's reason and a path, and no code of ours lost on the way.

import { TocsinError } from '../errors.ts'

/**
 * For a promise's `catch`: turns an error of the file system into `store_failed`, and leaves every other as it is.
 *
 * @param path of the file that it is about
 */
export function storeFailed(path: string): (error: unknown) => never {
  return (error) => {
    if (error instanceof TocsinError || !(error instanceof Error) || !('code' in error)) throw error
    throw new TocsinError(
      'store_failed',
      `${path} can't be written or read (${String(error.code)}): check the disk's room and the folder's owner.`,
      { cause: error },
    )
  }
}
