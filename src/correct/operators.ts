// Correct: operators, the people and systems that may look at reports or correct them; promises that a key is shown once, that what is stored of it opens nothing, and that one that was revoked opens nothing a second later.

import { createHmac, timingSafeEqual } from 'node:crypto'
import { isUniqueViolation } from '../db/database-errors.ts'
import type { Queryable, Transaction } from '../db/database.ts'
import type { MasterKey } from '../db/secrets.ts'
import { sql } from '../db/sql.ts'
import { zoneSecret } from '../db/zone-secrets.ts'
import { TocsinError } from '../errors.ts'
import { appendEvents } from '../log/append-event.ts'
import type { Projection } from '../log/projection.ts'
import type { NewEvent, StoredEvent } from '../log/record.ts'
import { watchConfiguration } from '../log/watch-configuration.ts'
import { drawApiKey, prefixOfApiKey } from '../operate/api-key.ts'
import type { KeyZone } from './zone.ts'

/** `look`: previews, lists, and what became of a report; `correct`: that, and corrections. */
export type OperatorRole = 'look' | 'correct'

/** The roles. */
export const OPERATOR_ROLES: readonly OperatorRole[] = ['look', 'correct']

/** Somebody, or something, that may look or correct. */
export interface Operator {
  /** Lower-case letters, digits and hyphens. */
  readonly name: string
  readonly role: OperatorRole
  /** The part of the key that finds it. */
  readonly prefix: string
  readonly revoked: boolean
}

/** An operator with what recognises the key: HMAC-SHA256, 32 bytes. */
interface StoredOperator extends Operator {
  readonly mac: Uint8Array
}

/** A zone whose secrets can be read. */
export interface OpenKeyZone extends KeyZone {
  readonly masterKey: MasterKey
}

const ADDED = 'operator.added'
const REVOKED = 'operator.revoked'

/** Events hold everything but what changes. */
type OperatorContent = Omit<StoredOperator, 'revoked'>

/** Who types commands has this name in the log. */
const COMMAND = 'command'

/**
 * Adds an operator. One that was revoked can be added again, and gets a new key.
 *
 * @param by who adds it, for the log
 * @returns the API key, `<prefix>.<secret>` in base64url: nobody can tell it again
 * @throws TocsinError `operator_invalid`, `operator_exists`
 */
export async function addOperator(
  { db, writer, masterKey }: OpenKeyZone,
  { name, role }: Pick<Operator, 'name' | 'role'>,
  by: string,
  now: Date,
): Promise<string> {
  if (!/^[a-z0-9][a-z0-9-]{0,39}$/.test(name) || name === COMMAND)
    throw new TocsinError(
      'operator_invalid',
      `The name must be 1 to 40 lower-case letters, digits or hyphens, not begin with a hyphen, and not be ${COMMAND}.`,
    )
  const { prefix, apiKey } = drawApiKey()
  const mac = macOf(await operatorSecret(db, masterKey), apiKey)
  const exists = new TocsinError(
    'operator_exists',
    `There is an operator "${name}" already: revoke it first, then it can be added with a new key.`,
  )
  const content = { name, role, prefix, mac } satisfies OperatorContent
  try {
    await db.transaction(async (tx) => {
      if ((await findOperator(tx, name))?.revoked === false) throw exists
      await appendEvents(tx, writer, [configuration(ADDED, { ...content, by })], now)
    })
  } catch (error) {
    // Somebody else added it since.
    throw isUniqueViolation(error) ? exists : error
  }
  return apiKey
}

/**
 * Revokes an operator's key: every process refuses it within a second.
 *
 * @throws TocsinError `operator_unknown`
 */
export function revokeOperator(
  { db, writer }: KeyZone,
  name: string,
  by: string,
  now: Date,
): Promise<void> {
  return db.transaction(async (tx) => {
    const operator = await findOperator(tx, name)
    if (operator === undefined) throw new TocsinError('operator_unknown')
    if (operator.revoked) return
    await appendEvents(tx, writer, [configuration(REVOKED, { name, by })], now)
  })
}

/** All operators by name, those that were revoked among them. */
export async function listOperators(db: Queryable): Promise<Operator[]> {
  const { rows } = await db.query<Operator>(
    sql`select name, role, prefix, revoked from operator order by name`,
  )
  return rows
}

async function findOperator(db: Queryable, name: string): Promise<Operator | undefined> {
  return (await listOperators(db)).find((each) => each.name === name)
}

/** The operator of an API key. @throws TocsinError `unauthorized` whatever is wrong with the key, or its role; `unavailable` */
export type AdmitOperator = (sent: string | undefined, role: OperatorRole) => Promise<Operator>

/**
 * Recognises operators by their API keys, from memory.
 *
 * @param monotonicMs a clock that never goes back, in milliseconds
 */
export function createAdmitOperator(
  { db, masterKey }: Pick<OpenKeyZone, 'db' | 'masterKey'>,
  monotonicMs: () => number,
): AdmitOperator {
  const known = watchConfiguration(db, () => readStored(db), monotonicMs)
  let secret: Uint8Array | undefined
  return async (sent, role) => {
    const prefix = prefixOfApiKey(sent ?? '')
    if (sent === undefined || prefix === undefined) throw new TocsinError('unauthorized')
    // One that was added counts within a second.
    const operator = (await known((operators) => operators.has(prefix))).get(prefix)
    if (operator === undefined || operator.revoked) throw new TocsinError('unauthorized')
    secret ??= await operatorSecret(db, masterKey)
    if (!timingSafeEqual(operator.mac, macOf(secret, sent))) throw new TocsinError('unauthorized')
    if (role === 'correct' && operator.role !== 'correct')
      throw new TocsinError(
        'unauthorized',
        'This API key may look and correct nothing: use one of the role correct.',
      )
    return operator
  }
}

/** By prefix. */
async function readStored(db: Queryable): Promise<ReadonlyMap<string, StoredOperator>> {
  const { rows } = await db.query<StoredOperator>(
    sql`select name, role, prefix, revoked, mac from operator`,
  )
  return new Map(rows.map((operator) => [operator.prefix, operator]))
}

function operatorSecret(db: Queryable, masterKey: MasterKey): Promise<Uint8Array> {
  return zoneSecret(db, masterKey, 'operator keys')
}

function macOf(secret: Uint8Array, apiKey: string): Uint8Array {
  return createHmac('sha256', secret).update(apiKey).digest()
}

function configuration(
  type: string,
  content: { readonly by: string } & Readonly<Record<string, unknown>>,
): NewEvent {
  return { type, parts: [{ retention: 'configuration', content }] }
}

/** Writes the table of operators. */
export const operatorProjection: Projection = {
  types: [ADDED, REVOKED],
  tables: ['operator'],
  async apply(tx, events) {
    // Rare, and each may concern the one before: one after the other.
    for (const event of events) await applyOne(tx, event)
  },
}

async function applyOne(tx: Transaction, { type, parts }: StoredEvent): Promise<void> {
  const content = parts[0]?.content as OperatorContent
  const { name, role, prefix, mac } = content
  if (type === REVOKED) {
    await tx.query(sql`update operator set revoked = true where name = ${name}`)
    return
  }
  await tx.query(sql`delete from operator where name = ${name} and revoked`)
  await tx.query(
    sql`insert into operator (name, prefix, role, mac) values (${name}, ${prefix}, ${role}, ${mac})`,
  )
}
