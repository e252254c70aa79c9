// Test helper: every write of a publisher as two points, before and after; promises to come by at each, in the same order for the same work.

import type { Database, Transaction } from '../src/db/database.ts'
import type { ObjectStore } from '../src/distribute/directory-store.ts'
import type { PublisherContext } from '../src/publish/publish-due.ts'
import { intercept } from './intercept.ts'

/** Told of each point that is passed; may throw, or never return. */
export type AtPoint = (point: { readonly name: string; readonly when: 'before' | 'after' }) => void

const WRITES = /^\s*(insert|update|delete)\b/
const STORE_READS: readonly (keyof ObjectStore)[] = ['read', 'sizeOf']

/** The same context, with a point before and after each call that writes: to the store, a transaction, a statement in one. */
export function withFaultPoints(context: PublisherContext, atPoint: AtPoint): PublisherContext {
  const around = async <Result>(name: string, proceed: () => Promise<Result>): Promise<Result> => {
    atPoint({ name, when: 'before' })
    const result = await proceed()
    atPoint({ name, when: 'after' })
    return result
  }
  const watch = (db: Database, name: string): Database => ({
    ...db,
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
      STORE_READS.includes(name as keyof ObjectStore)
        ? proceed()
        : around(`store.${name}`, proceed),
    ),
  }
}
