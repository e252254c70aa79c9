// Test helper: a zone as a process has it that is killed; promises that of its transactions the earlier ones are committed and the later ones never begin.

import type { Database, Transaction } from '../src/db/database.ts'

/** @param number of the transaction before which it is killed: before it begins, or before it commits */
export function killedAt<Zone extends { readonly db: Database }>(
  zone: Zone,
  number: number,
  when: 'begin' | 'commit',
): Zone {
  const killed = new Error('killed')
  let begun = 0
  const transaction = async <Result>(work: (tx: Transaction) => Promise<Result>) => {
    const own = begun++
    if (own > number || (own === number && when === 'begin')) throw killed
    return zone.db.transaction(async (tx) => {
      const result = await work(tx)
      if (own === number) throw killed
      return result
    })
  }
  return { ...zone, db: { ...zone.db, transaction } }
}
