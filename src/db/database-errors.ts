// Db: what errors of PostgreSQL and of the way to it mean; promises that a lost database is told apart from a wrong statement.

import { DatabaseError } from 'pg'
import { TocsinError } from '../errors.ts'

/** The SQLSTATE of an error that PostgreSQL reported; undefined for any other. */
export function sqlStateOf(error: unknown): string | undefined {
  return error instanceof DatabaseError ? error.code : undefined
}

/** Whether an error is PostgreSQL's report of a value that a unique index already holds. */
export function isUniqueViolation(error: unknown): boolean {
  return sqlStateOf(error) === '23505'
}

/** The name of the constraint or index that a statement would have broken; undefined for any other error. */
export function violatedConstraint(error: unknown): string | undefined {
  return error instanceof DatabaseError ? error.constraint : undefined
}

// SQLSTATEs that say the server is away, full, shutting down or closed to connections, not that the statement is wrong.
const AWAY = /^(08|53|57P0|57014|25006|40001|40P01|55000)/

/** An error of ours for what says that the database is away; any other as it is. */
export function asTocsinError(error: unknown): unknown {
  if (error instanceof TocsinError) return error
  if (error instanceof DatabaseError)
    return AWAY.test(error.code ?? '')
      ? new TocsinError('unavailable', undefined, { cause: error })
      : error
  if (error instanceof Error && isConnectionError(error))
    return new TocsinError('unavailable', undefined, { cause: error })
  return error
}

// What the system answers when the server can't be reached. Not every error of the system: a full disk under a file that
// is written during a transaction is no lost database.
const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
])

function isConnectionError(error: NodeJS.ErrnoException): boolean {
  if (UNREACHABLE.has(error.code ?? '')) return true
  // The unix socket is gone, or nobody may listen on it.
  if (error.code !== undefined && error.syscall === 'connect') return true
  return /Connection terminated|timeout exceeded when trying to connect|timeout expired|Query read timeout|not queryable/.test(
    error.message,
  )
}
