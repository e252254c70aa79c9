// Authorize: how long what is kept, docs/retention.md in numbers; promises that no clock is read here and nothing is erased.

/** What is erased at a time of its own. */
export const ERASED_KINDS = [
  'token',
  'failed-code',
  'code-secret',
  'code',
  'code-remains',
  'phone',
  'statistics',
  'audit',
] as const

/** See {@link ERASED_KINDS}. */
export type ErasedKind = (typeof ERASED_KINDS)[number]

const HOUR = 3_600
const DAY = 86_400

/** Times in seconds; `src/log/retention-times.ts` has those that both zones share. */
export const RETENTION = {
  /** HMACs of codes: after both forms expired. */
  codeSecret: 48 * HOUR,
  /** What became of codes: after both forms expired. */
  code: 14 * DAY,
  /** Tokens: after they expired. */
  token: 24 * HOUR,
} as const

/** The kinds that go through the log once. */
export type CursorKind = Exclude<ErasedKind, 'code-secret' | 'code' | 'phone'>
