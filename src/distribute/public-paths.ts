// Distribute: the one table of what is public: paths, content types, how long they may be kept; promises that nothing else is served, whatever kind of key it holds.

/** A kind of public file. */
export interface PublicKind {
  /** Matches the whole path below the served root. */
  readonly pattern: RegExp
  readonly contentType: string
  readonly cacheControl: string
  /** The same path gives the same bytes for ever. */
  readonly immutable: boolean
}

const STREAM = '[a-z0-9][a-z0-9-]{0,62}'

/** The folder of a log that began with a recovery to an earlier point. */
const LOG = '[0-9a-f]{8}'

/** A release's file: its time span, its number, and what part of the release it holds where that is split. */
const RELEASED = `exports/${STREAM}/(?:${LOG}/)?[0-9]{1,12}-[0-9]{1,12}-[0-9]{5}`

/** Every kind of public file. */
export const PUBLIC_KINDS: readonly PublicKind[] = [
  {
    pattern: new RegExp(`^${RELEASED}\\.zip$`),
    contentType: 'application/zip',
    cacheControl: 'public, max-age=86400, immutable',
    immutable: true,
  },
  // Of kinds of key that are no zips: records, and their signatures.
  {
    pattern: new RegExp(`^${RELEASED}(?:-[a-z0-9]{1,20})?\\.bin(?:\\.sig)?$`),
    contentType: 'application/octet-stream',
    cacheControl: 'public, max-age=86400, immutable',
    immutable: true,
  },
  // What follows from all files that the index names, made anew with each release.
  {
    pattern: new RegExp(`^exports/${STREAM}/[a-z][a-z0-9-]{0,62}\\.bin$`),
    contentType: 'application/octet-stream',
    cacheControl: 'no-cache, max-age=0',
    immutable: false,
  },
  {
    pattern: new RegExp(`^exports/${STREAM}/index\\.txt$`),
    contentType: 'text/plain; charset=us-ascii',
    cacheControl: 'no-cache, max-age=0',
    immutable: false,
  },
  {
    pattern: new RegExp(`^exports/${STREAM}/key\\.pem$`),
    contentType: 'application/x-pem-file',
    cacheControl: 'no-cache, max-age=0',
    immutable: false,
  },
]

/** How long an answer may be kept that says "not yet" or "not so": not at all, or a cache would go on saying it. */
export const REFUSAL_CACHE_CONTROL = 'no-store'

/** The name of a stream. */
export const STREAM_NAME = new RegExp(`^${STREAM}$`)

/** The kind of a path, or undefined when nothing public can lie there. */
export function publicKind(path: string): PublicKind | undefined {
  return PUBLIC_KINDS.find((kind) => kind.pattern.test(path))
}

/**
 * A zip's path as the index and the log name it; below `exports/` in the store.
 *
 * @param logFolder of the log that publishes it, as {@link logFolderOf} gives it; undefined for the stream's own folder
 */
export function zipPath(
  stream: string,
  logFolder: string | undefined,
  { start, end }: { readonly start: number; readonly end: number },
  number: number,
): string {
  const folder = logFolder === undefined ? stream : `${stream}/${logFolder}`
  return `${folder}/${start}-${end}-${String(number).padStart(5, '0')}.zip`
}

/** In which folder below the stream's own a zip lies; undefined in that one itself. */
export function logFolderOf(path: string): string | undefined {
  const [, folder, file] = path.split('/')
  return file === undefined ? undefined : folder
}

/** A path of the index, as the store has it. */
export function storePath(path: string): string {
  return `exports/${path}`
}
