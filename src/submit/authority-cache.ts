// Submit: health authorities from memory; promises what looking at the configuration promises: no query for an app that nobody registered, and changes within a second.

import { createPublicKey } from 'node:crypto'
import type { Queryable } from '../db/database.ts'
import { watchConfiguration } from '../log/watch-configuration.ts'
import {
  listHealthAuthorities,
  type FindAuthority,
  type HealthAuthority,
  type TrustedAuthority,
} from './health-authorities.ts'

/**
 * Health authorities from memory: the whole table, so that an unknown app costs no query.
 *
 * @param monotonicMs a clock that never goes back, in milliseconds
 */
export function createAuthorityCache(db: Queryable, monotonicMs: () => number): FindAuthority {
  const load = async () => {
    const authorities = (await listHealthAuthorities(db)).map(importKeys)
    return new Map(authorities.map((authority) => [authority.app, authority]))
  }
  const known = watchConfiguration(db, load, monotonicMs)
  return async (app) => (await known()).get(app.toLowerCase())
}

function importKeys(authority: HealthAuthority): TrustedAuthority {
  const entries = authority.keys
    .filter((key) => key.revokedBy === undefined)
    .map((key) => [key.kid, { ...key, key: createPublicKey(key.publicKey) }] as const)
  return { ...authority, verificationKeys: new Map(entries) }
}
