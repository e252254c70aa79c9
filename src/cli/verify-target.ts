// Cli: where the files to verify lie; promises the same reading of a URL, a folder and a file.

import { constants } from 'node:fs'
import { open, readdir, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { TocsinError } from '../errors.ts'
import { startAudit } from '../verify/audit-feed.ts'
import type { FeedForm, TargetEvent } from '../verify/feed-form.ts'
import { download, httpFeed, type DownloadOptions, type FeedSource } from '../verify/feed-source.ts'
import { followFiles, type FileEvent } from '../verify/follow-feed.ts'
import type { Limits } from '../verify/limits.ts'
import { oldestFirst } from '../verify/read-index.ts'
import { releaseBytes } from '../verify/release-bytes.ts'
import type { LoadedKey } from '../verify/trusted-keys.ts'
import { FINDING_CODES, VerificationError, type FindingCode } from '../verify/verification-error.ts'
import { verifyExportWith } from '../verify/verify-export.ts'

/** How a target is read. */
export interface TargetOptions extends DownloadOptions {
  /** Forms of files beside signed export zips. */
  readonly forms?: readonly FeedForm[]
}

/**
 * Verifies a URL (of an index.txt, of the folder where it lies, or of one file), a folder (with an index.txt, or with zips) or
 * a file: a zip, or one whose name is of another form.
 *
 * @throws TocsinError `target_unreadable`
 * @throws VerificationError of the target as a whole: `index_invalid`, `index_too_large`; `file_too_large` of an address; in the
 * midst of a feed `look_too_large`, `too_many_refused`
 */
export async function* verifyTarget(
  target: string,
  keys: readonly LoadedKey[],
  limits: Limits,
  options: TargetOptions,
): AsyncGenerator<TargetEvent, void> {
  try {
    if (isAddress(target)) yield* verifyUrl(parseAddress(target), keys, limits, options)
    else yield* verifyPath(resolve(target), keys, limits, options)
  } catch (error) {
    if (error instanceof VerificationError && isUnreadable(error))
      throw new TocsinError('target_unreadable', error.message, { cause: error })
    throw error
  }
}

/** Whether nothing is known because nothing could be read. */
function isUnreadable({ code }: VerificationError): boolean {
  return code === 'download_failed' || code === 'file_missing'
}

/** Whether a target is an address rather than a path. */
export function isAddress(target: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(target)
}

/** The address may hold a password, so it isn't repeated. @throws TocsinError `target_unreadable` */
export function parseAddress(target: string): URL {
  if (URL.canParse(target) && /^https?:/i.test(target)) return new URL(target)
  throw new TocsinError(
    'target_unreadable',
    'The address can not be understood: it must begin with https:// or http://, and name a host.',
  )
}

async function* verifyUrl(
  url: URL,
  keys: readonly LoadedKey[],
  limits: Limits,
  options: TargetOptions,
) {
  const { pathname } = url
  if (pathname.endsWith('.zip')) {
    const bytes = await download(url.href, limits.maxFileBytes, 'file_too_large', limits, options)
    yield* withAudit(
      verifyOne(basename(pathname), () => bytes, keys, limits),
      limits,
      ALONE,
    )
    return
  }
  const form = formOf(basename(pathname), options)
  if (form !== undefined) {
    // As an index would name it: from the folder above its own.
    const index = new URL('index.txt', url).href
    const path = pathname.split('/').slice(-2).join('/')
    yield* verifyAlone(form, httpFeed(index, limits, options), path, keys)
    return
  }
  if (!pathname.endsWith('/index.txt')) url.pathname = `${pathname.replace(/\/$/, '')}/index.txt`
  yield* verifyFeed(httpFeed(url.href, limits, options), keys, limits, options)
}

/** A feed of the form that its index says. */
async function* verifyFeed(
  source: FeedSource,
  keys: readonly LoadedKey[],
  limits: Limits,
  { forms = [] }: TargetOptions,
): AsyncGenerator<TargetEvent, void> {
  const index = await source.readIndex()
  const form = forms.find((each) => each.isIndex(index))
  if (form !== undefined) {
    yield* form.verifyFeed(source, index, keys, limits)
    return
  }
  const readIndex = () => Promise.resolve(index)
  yield* withAudit(followFiles({ ...source, readIndex }, keys, limits), limits)
}

/** The form of a file that is no export zip, by its name. */
function formOf(file: string, { forms = [] }: TargetOptions): FeedForm | undefined {
  return forms.find((each) => each.isFile(file))
}

/** A file of another form, without its feed. @param path in the source */
async function* verifyAlone(
  form: FeedForm,
  source: FeedSource,
  path: string,
  keys: readonly LoadedKey[],
): AsyncGenerator<TargetEvent, void> {
  const file = basename(path)
  try {
    yield { type: 'file', file, export: await form.verifyFile(source, path, keys) }
  } catch (error) {
    if (!(error instanceof VerificationError) || isUnreadable(error)) throw error
    yield { type: 'refused', file, error }
  }
}

async function* verifyPath(
  path: string,
  keys: readonly LoadedKey[],
  limits: Limits,
  options: TargetOptions,
): AsyncGenerator<TargetEvent, void> {
  const found = await stat(path).catch((error: unknown) => {
    throw new TocsinError('target_unreadable', `There is nothing to read at ${path}.`, {
      cause: error,
    })
  })
  if (basename(path) === 'index.txt') {
    yield* verifyPath(dirname(path), keys, limits, options)
    return
  }
  if (!found.isDirectory()) {
    if (!found.isFile()) throw new TocsinError('target_unreadable', `${path} is no regular file.`)
    const form = formOf(basename(path), options)
    if (form !== undefined) {
      yield* verifyAlone(form, folderFeed(dirname(path), limits), basename(path), keys)
      return
    }
    const read = () => readZip(path, limits.maxFileBytes)
    yield* withAudit(verifyOne(basename(path), read, keys, limits), limits, ALONE)
    return
  }
  const names = await readdir(path)
  if (names.includes('index.txt')) {
    yield* verifyFeed(folderFeed(path, limits), keys, limits, options)
    return
  }
  const zips = names.filter((name) => name.endsWith('.zip')).sort()
  if (zips.length === 0)
    throw new TocsinError(
      'target_unreadable',
      `${path} has neither an index.txt nor zip files: name the folder of one stream.`,
    )
  yield* withAudit(verifyZips(path, oldestFirst(zips), keys, limits), limits)
}

async function* verifyZips(
  folder: string,
  names: readonly string[],
  keys: readonly LoadedKey[],
  limits: Limits,
) {
  for (const name of names)
    yield* verifyOne(name, () => readZip(join(folder, name), limits.maxFileBytes), keys, limits)
}

/** A stream's folder, wherever it was copied to: what the index calls `<stream>/<file>` lies beside the index. */
function folderFeed(folder: string, limits: Limits): FeedSource {
  return {
    readIndex: () =>
      readLimited(join(folder, 'index.txt'), limits.maxIndexBytes, 'index_too_large'),
    readFile: (name, maxBytes) =>
      readZip(join(folder, name.includes('/') ? name.slice(name.indexOf('/')) : name), maxBytes),
    release: releaseBytes,
  }
}

/** @throws VerificationError `file_missing`, `file_too_large` */
export async function readZip(path: string, maxBytes: number): Promise<Uint8Array> {
  return await readLimited(path, maxBytes, 'file_too_large')
}

/** @throws VerificationError `file_missing`, also for what is no regular file, and `tooLarge` */
async function readLimited(
  path: string,
  maxBytes: number,
  tooLarge: 'file_too_large' | 'index_too_large',
): Promise<Uint8Array> {
  try {
    // Opening a pipe would else wait for somebody who writes to it.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const found = await file.stat()
    if (!found.isFile()) throw new VerificationError('file_missing', `${path} is no regular file.`)
    if (found.size > maxBytes)
      throw new VerificationError(tooLarge, `${path} has more than ${maxBytes} bytes.`)
    // As much as it had: a file that grows meanwhile isn't read without end.
    const { buffer, bytesRead } = await file.read(new Uint8Array(found.size), 0, found.size, 0)
    return buffer.subarray(0, bytesRead)
  } catch (cause) {
    if (cause instanceof VerificationError) throw cause
    throw new VerificationError('file_missing', `${path} can't be read.`, { cause })
  }
}

async function* verifyOne(
  file: string,
  read: () => Uint8Array | Promise<Uint8Array>,
  keys: readonly LoadedKey[],
  limits: Limits,
): AsyncGenerator<Exclude<FileEvent, { type: 'state' }>, void> {
  let bytes: Uint8Array = new Uint8Array()
  let event: Exclude<FileEvent, { type: 'state' }>
  try {
    bytes = await read()
    event = { type: 'file', file, export: verifyExportWith(bytes, keys, limits) }
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error
    event = { type: 'refused', file, error }
  }
  yield event
  releaseBytes(bytes)
}

/** Of an audit's findings, those that say something of a file without any other: its window and its revisions follow on others. */
const ALONE: readonly FindingCode[] = ['keys_in_both_lists']

/**
 * Adds to each file's findings those that only show beside the files before it.
 *
 * @param codes which ones; all when left out
 */
async function* withAudit(
  events: AsyncIterable<FileEvent>,
  limits: Limits,
  codes: readonly FindingCode[] = FINDING_CODES,
): AsyncGenerator<TargetEvent, void> {
  const audit = startAudit(limits)
  for await (const event of events) {
    if (event.type === 'state') continue
    if (event.type === 'refused') yield event
    else {
      const added = audit.addFile(event.file, event.export)
      const findings = [
        ...event.export.findings,
        ...added.filter(({ code }) => codes.includes(code)),
      ]
      yield { ...event, export: { ...event.export, findings } }
    }
  }
}
