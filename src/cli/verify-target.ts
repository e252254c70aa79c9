// Cli: where the files to verify lie; promises the same reading of a URL, a folder and a file.

import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { TocsinError } from '../errors.ts'
import { download, httpFeed, type DownloadOptions, type FeedSource } from '../verify/feed-source.ts'
import { followFiles, type FileEvent } from '../verify/follow-feed.ts'
import type { Limits } from '../verify/limits.ts'
import { oldestFirst } from '../verify/read-index.ts'
import type { LoadedKey } from '../verify/trusted-keys.ts'
import { VerificationError } from '../verify/verification-error.ts'
import { verifyExportWith } from '../verify/verify-export.ts'

/** What happens while a target is verified. */
export type TargetEvent = Exclude<FileEvent, { type: 'state' }>

/**
 * Verifies a URL (of an index.txt, of the folder where it lies, or of one zip), a folder (with an index.txt, or with zips) or
 * a zip file.
 *
 * @throws TocsinError `target_unreadable`
 * @throws VerificationError `index_invalid`, `index_too_large`
 */
export async function* verifyTarget(
  target: string,
  keys: readonly LoadedKey[],
  limits: Limits,
  options: DownloadOptions,
): AsyncGenerator<TargetEvent, void> {
  try {
    if (/^https?:\/\//i.test(target)) yield* verifyUrl(new URL(target), keys, limits, options)
    else yield* verifyPath(resolve(target), keys, limits)
  } catch (error) {
    if (
      error instanceof VerificationError &&
      (error.code === 'download_failed' || error.code === 'file_missing')
    )
      throw new TocsinError('target_unreadable', error.message, { cause: error })
    throw error
  }
}

async function* verifyUrl(
  url: URL,
  keys: readonly LoadedKey[],
  limits: Limits,
  options: DownloadOptions,
) {
  const { pathname } = url
  if (pathname.endsWith('.zip')) {
    const bytes = await download(url.href, limits.maxFileBytes, 'file_too_large', limits, options)
    yield await verifyOne(basename(pathname), bytes, keys, limits)
    return
  }
  if (!pathname.endsWith('/index.txt')) url.pathname = `${pathname.replace(/\/$/, '')}/index.txt`
  yield* withoutState(followFiles(httpFeed(url.href, limits, options), keys, limits))
}

async function* verifyPath(
  path: string,
  keys: readonly LoadedKey[],
  limits: Limits,
): AsyncGenerator<TargetEvent, void> {
  const found = await stat(path).catch((error: unknown) => {
    throw new TocsinError('target_unreadable', `There is nothing to read at ${path}.`, {
      cause: error,
    })
  })
  if (basename(path) === 'index.txt') {
    yield* verifyPath(dirname(path), keys, limits)
    return
  }
  if (!found.isDirectory()) {
    yield await verifyOne(basename(path), await readLimited(path, limits), keys, limits)
    return
  }
  const names = await readdir(path)
  if (names.includes('index.txt')) {
    yield* withoutState(followFiles(folderFeed(path, limits), keys, limits))
    return
  }
  const zips = names.filter((name) => name.endsWith('.zip')).sort()
  if (zips.length === 0)
    throw new TocsinError(
      'target_unreadable',
      `${path} has neither an index.txt nor zip files: name the folder of one stream.`,
    )
  for (const name of oldestFirst(zips))
    yield await verifyOne(name, await readLimited(join(path, name), limits), keys, limits)
}

/** A stream's folder, wherever it was copied to: what the index calls `<stream>/<file>` lies beside the index. */
function folderFeed(folder: string, limits: Limits): FeedSource {
  return {
    readIndex: () => readLimited(join(folder, 'index.txt'), limits),
    readFile: (name) =>
      readLimited(join(folder, name.includes('/') ? name.slice(name.indexOf('/')) : name), limits),
  }
}

/** @throws VerificationError `file_missing`, `file_too_large` */
async function readLimited(path: string, limits: Limits): Promise<Uint8Array> {
  try {
    const { size } = await stat(path)
    if (size > limits.maxFileBytes)
      throw new VerificationError(
        'file_too_large',
        `${path} has more than ${limits.maxFileBytes} bytes.`,
      )
    return await readFile(path)
  } catch (cause) {
    if (cause instanceof VerificationError) throw cause
    throw new VerificationError('file_missing', `${path} can't be read.`, { cause })
  }
}

async function verifyOne(
  file: string,
  bytes: Uint8Array,
  keys: readonly LoadedKey[],
  limits: Limits,
): Promise<TargetEvent> {
  try {
    return { type: 'file', file, export: await verifyExportWith(bytes, keys, limits) }
  } catch (error) {
    if (error instanceof VerificationError) return { type: 'refused', file, error }
    throw error
  }
}

async function* withoutState(events: AsyncIterable<FileEvent>) {
  for await (const event of events) if (event.type !== 'state') yield event
}
