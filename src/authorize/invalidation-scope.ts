// Authorize: which codes are to be invalidated, as somebody says it; promises codes of that realm alone.

import type { Queryable } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { TocsinError } from '../errors.ts'
import { requireBatch } from './batches.ts'
import type { CodeId, InvalidatedContent } from './codes.ts'
import { readPaperCode } from './paper-code.ts'
import { readPeppers } from './peppers.ts'
import { requireProvider } from './providers.ts'
import type { Actor, AuthorityZone } from './zone.ts'

/** Which codes. */
export type InvalidationScope = { readonly realm: string } & (
  | { readonly scope: 'code'; readonly uuid: string }
  /** As somebody typed it from a card. */
  | { readonly scope: 'paper-code'; readonly code: string }
  /** The first four characters of its codes. */
  | { readonly scope: 'batch'; readonly batch: string }
  | { readonly scope: 'provider'; readonly provider: string }
)

/** What recognises a typed code. @throws TocsinError `code_invalid` when it can't be one, without asking the database for it */
export async function macsOf(
  { db, masterKey }: Pick<AuthorityZone, 'db' | 'masterKey'>,
  scope: InvalidationScope,
  now: Date,
): Promise<readonly Uint8Array[]> {
  if (scope.scope !== 'paper-code') return []
  const code = readPaperCode(scope.code)
  if (code === undefined) throw new TocsinError('code_invalid')
  return (await readPeppers(db, masterKey, now)).every('code', scope.realm, code)
}

/** The codes of a scope, found. */
export type Target = { readonly realm: string } & (
  | ({ readonly scope: 'code' } & CodeId)
  | { readonly scope: 'batch'; readonly batch: string; readonly handle: string | null }
  | { readonly scope: 'provider'; readonly provider: string }
)

/** @throws TocsinError `code_invalid`, `batch_unknown`, `provider_unknown` */
export async function findTarget(
  db: Queryable,
  scope: InvalidationScope,
  macs: readonly Uint8Array[],
): Promise<Target> {
  const { realm } = scope
  if (scope.scope === 'batch') {
    const { id, handle } = await requireBatch(db, realm, scope.batch)
    return { realm, scope: 'batch', batch: id, handle }
  }
  if (scope.scope === 'provider') {
    const { name } = await requireProvider(db, realm, scope.provider)
    return { realm, scope: 'provider', provider: name }
  }
  const uuid = scope.scope === 'code' && UUID.test(scope.uuid) ? scope.uuid.toLowerCase() : null
  const { rows } = await db.query<CodeId>(
    sql`select c.seq, c.place from verification_code c left join code_batch b on b.id = c.batch
        where c.realm = ${realm} and (c.uuid = ${uuid}::uuid or c.code_mac = any(${macs}::bytea[]))
          and (c.batch is null or b.id is not null)`,
  )
  if (rows[0] === undefined) throw new TocsinError('code_invalid')
  return { realm, scope: 'code', ...rows[0] }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** `seq`, `place`, `batch` and `provider` behind the realm: those that are not null choose the codes. */
export function valuesOf(target: Target): unknown[] {
  if (target.scope === 'code') return [target.realm, target.seq, target.place, null, null]
  if (target.scope === 'batch') return [target.realm, null, null, target.batch, null]
  return [target.realm, null, null, null, target.provider]
}

/** What the event says of a target. */
export function contentOf(target: Target, by: Actor): InvalidatedContent {
  if (target.scope === 'code') return { scope: 'code', seq: target.seq, place: target.place, by }
  if (target.scope === 'batch') return { scope: 'batch', batch: target.batch, by }
  return { ...target, by }
}
