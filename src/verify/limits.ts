// Verify: how much a server may make its clients read; promises that each limit is looked at before anything is allocated.

/** Sizes in bytes. */
export interface Limits {
  /** A zip as it is downloaded, which lies in memory: 1,000,000 keys have 19 MB. */
  readonly maxFileBytes: number
  /** An export.bin, which is never held as a whole: 1,000,000 keys have 34 MB. */
  readonly maxExportBytes: number
  /** Keys of a file, both lists together; and of a feed, as far as its files are compared with each other. */
  readonly maxKeys: number
  /** All files of one look at a feed, also those that are refused. */
  readonly maxLookBytes: number
  /** Files of one look that are not believed. */
  readonly maxRefusedFiles: number
  readonly maxIndexBytes: number
  /** Lines of an index. */
  readonly maxIndexFiles: number
  /** For one download, in milliseconds. */
  readonly timeoutMs: number
}

/** Enough for any feed known, little enough for a phone. */
export const DEFAULT_LIMITS: Limits = {
  maxFileBytes: 20 * 2 ** 20,
  maxExportBytes: 48 * 2 ** 20,
  maxKeys: 1_500_000,
  maxLookBytes: 512 * 2 ** 20,
  // More than the hourly files of 14 days, which another signing key may have made.
  maxRefusedFiles: 500,
  maxIndexBytes: 2 ** 20,
  maxIndexFiles: 10_000,
  timeoutMs: 60_000,
}
