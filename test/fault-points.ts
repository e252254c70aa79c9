// Test helper: every write of a publisher as two points, before and after; promises to come by at each, in the same order for the same work.

import type { Database, Transaction } from '../src/db/database.ts'
import type { ObjectStore } from '../src/distribute/directory-store.ts'
import { TocsinError } from '../src/errors.ts'
import type { PublisherContext } from '../src/publish/publish-due.ts'
import { intercept } from './intercept.ts'

/** A moment of a publisher's work. */
export interface FaultPoint {
  /** `store.<method>`, `db.transaction`, `db.query` for a statement in one, `db.read` for one outside; `copyDb` likewise. */
  readonly name: string
  readonly when: 'before' | 'after'
}

/** Told of each point that is passed; may throw, or never return. */
export type AtPoint = (point: FaultPoint) => void

const WRITES = /^\s*(insert|update|delete)\b/
const STORE_READS: readonly (keyof ObjectStore)[] = ['read', 'sizeOf', 'inspect', 'list']

/**
 * The same context, with a point before and after each call that writes: to the store, a transaction, a statement in one.
 *
 * @param withReads whether there is one before each call that only reads, too
 */
export function withFaultPoints(
  context: PublisherContext,
  atPoint: AtPoint,
  withReads = false,
): PublisherContext {
  const around = async <Result>(name: string, proceed: () => Promise<Result>): Promise<Result> => {
    atPoint({ name, when: 'before' })
    const result = await proceed()
    atPoint({ name, when: 'after' })
    return result
  }
  const reading = async <Result>(name: string, proceed: () => Promise<Result>): Promise<Result> => {
    if (withReads) atPoint({ name, when: 'before' })
    return proceed()
  }
  const watch = (db: Database, name: string): Database => ({
    ...db,
    query: (statement) => reading(`${name}.read`, () => db.query(statement)),
    transaction: (work) =>
      around(`${name}.transaction`, () =>
        db.transaction((tx) => work(watchStatements(tx, `${name}.query`))),
      ),
  })
  const watchStatements = (tx: Transaction, name: string): Transaction => ({
    ...tx,
    query: (statement) =>
      WRITES.test(statement.text) ? around(name, () => tx.query(statement)) : tx.query(statement),
  })
  return {
    ...context,
    db: watch(context.db, 'db'),
    copyDb: watch(context.copyDb, 'copyDb'),
    store: intercept(context.store, (name, proceed) =>
      (STORE_READS.includes(name as keyof ObjectStore) ? reading : around)(
        `store.${name}`,
        proceed,
      ),
    ),
  }
}

/** What a call fails with, as the store and the database do. */
export function failureOf(name: string): TocsinError {
  return new TocsinError(name.startsWith('store') ? 'store_failed' : 'unavailable')
}
