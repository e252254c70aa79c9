// Verify: how much a server may make its clients read; promises that each limit is looked at before anything is allocated.

/** Sizes in bytes. */
export interface Limits {
  /** A zip as it is downloaded. */
  readonly maxFileBytes: number
  /** An export.bin: 1,000,000 keys have 34 MB. */
  readonly maxExportBytes: number
  readonly maxIndexBytes: number
  /** Lines of an index. */
  readonly maxIndexFiles: number
  /** For one download, in milliseconds. */
  readonly timeoutMs: number
}

/** Enough for any feed known, little enough for a phone. */
export const DEFAULT_LIMITS: Limits = {
  maxFileBytes: 24 * 2 ** 20,
  maxExportBytes: 48 * 2 ** 20,
  maxIndexBytes: 2 ** 20,
  maxIndexFiles: 10_000,
  timeoutMs: 60_000,
}
