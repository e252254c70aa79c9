// Format: published files of contact event numbers and the index that names them; promises that what is written is read as it was.

/** Length of a contact event number. */
export const NUMBER_BYTES = 16

/**
 * What a file is: `release` holds numbers that are new, `removed` numbers that count no more, `whole` all that count when its window
 * ends. The number in the file's name says which.
 */
export const NUMBER_FILES = ['release', 'removed', 'whole'] as const

/** One of {@link NUMBER_FILES}. */
export type NumberFileKind = (typeof NUMBER_FILES)[number]

/** A file of sorted numbers. */
export interface NumberFile {
  /** `<stream>/<start>-<end>-<nnnnn>.bin`, or with `-<cell>`; with a folder of eight hex digits after a recovery to an earlier point. */
  readonly path: string
  readonly kind: NumberFileKind
  /** A geohash, all of whose area it is about that no longer cell of its release has; empty for the whole world. */
  readonly cell: string
  /** The window, unix seconds. */
  readonly start: number
  readonly end: number
}

/** First line of an index, so that no other index is taken for one. */
export const NUMBER_INDEX_HEAD = 'tocsin-cen 1'

/** Stands for the whole world where a cell is named. */
const WORLD = '*'

/** Ends the path of a file's signatures, which lie beside it. */
export const SIGNATURE_SUFFIX = '.sig'

const NAME =
  /^[a-z0-9][a-z0-9-]{0,62}\/(?:[0-9a-f]{8}\/)?(\d{1,12})-(\d{1,12})-0000([1-3])(?:-([0-9b-hjkmnp-z]{1,4}))?\.bin$/

/** The path of a file. @param folder in which it lies: the stream, and the log's where it has one */
export function numberFilePath(
  folder: string,
  { kind, cell, start, end }: Omit<NumberFile, 'path'>,
): string {
  const number = String(NUMBER_FILES.indexOf(kind) + 1).padStart(5, '0')
  return `${folder}/${start}-${end}-${number}${cell === '' ? '' : `-${cell}`}.bin`
}

/** What a path names; undefined for any other than {@link numberFilePath} makes. */
export function parseNumberFilePath(path: string): NumberFile | undefined {
  const match = NAME.exec(path)
  if (match === null) return undefined
  const [, start, end, number, cell = ''] = match
  const kind = NUMBER_FILES[Number(number) - 1] as NumberFileKind
  return { path, kind, cell, start: Number(start), end: Number(end) }
}

/**
 * An index: a line that says what it is; then a line for each file, oldest first: its path, what it is, its cell (`*` for the whole world)
 * and how many numbers it has, with a space between them. No line break at the end.
 *
 */
export function encodeNumberIndex(
  files: readonly { readonly path: string; readonly size: number }[],
): string {
  const lines = files.flatMap(({ path, size }) => {
    const file = parseNumberFilePath(path)
    if (file === undefined) return []
    return [`${path} ${file.kind} ${file.cell || WORLD} ${size / NUMBER_BYTES}`]
  })
  return [NUMBER_INDEX_HEAD, ...lines].join('\n')
}

/** A line of an index. */
export interface IndexedNumberFile extends NumberFile {
  readonly count: number
}

/** What a line of an index names; undefined when the line is no such one, or says another thing than the path. */
export function parseIndexLine(line: string): IndexedNumberFile | undefined {
  const [path = '', kind, cell, count = '', ...rest] = line.split(' ')
  const file = parseNumberFilePath(path)
  const isPlain = file !== undefined && rest.length === 0 && /^\d{1,15}$/.test(count)
  if (!isPlain || kind !== file.kind || cell !== (file.cell || WORLD)) return undefined
  return { ...file, count: Number(count) }
}
