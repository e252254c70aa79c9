// Authorize: batches of paper codes; promises that no code of a batch counts before all of it is stored, and that the codes can be told once only.

import type { Queryable, Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { TocsinError } from '../errors.ts'
import type { ReportType } from '../format/report-type.ts'
import { appendEvents } from '../log/append-event.ts'
import type { Projection } from '../log/projection.ts'
import type { NewEvent, StoredEvent } from '../log/record.ts'
import { randomPiece } from '../operate/random-piece.ts'
import { BATCH_MADE, batchCodes, batchMade, type CodeBatch } from './batch-events.ts'
import type { RandomBytes } from './draw-code.ts'
import { openHandle } from './handles.ts'
import { drawBatchId, drawPaperCode } from './paper-code.ts'
import { readPeppers, type Peppers } from './peppers.ts'
import { requireProvider } from './providers.ts'
import { findRealm, lockRealm, type Realm } from './realms.ts'
import { countPrinted } from './stat-counts.ts'
import { looksAsDigits, readCharacters } from './typed-characters.ts'
import { configured, dayOf, type Actor, type AuthorityZone } from './zone.ts'

/** What a batch is made of. */
export interface NewBatch extends Pick<
  CodeBatch,
  'realm' | 'provider' | 'label' | 'language' | 'needsActivation' | 'size'
> {
  readonly testType: string
  /** How long its codes live, seconds. */
  readonly life: number
}

/** A batch, and how many of its codes are in which state; of one whose codes time has erased, all are 0. */
export interface BatchReport extends CodeBatch {
  readonly invalidated: boolean
  /** No certificate yet, and there may be one; those that wait for their activation, too. */
  readonly unused: number
  /** A certificate was issued with it. */
  readonly used: number
  /** Invalidated before one was. */
  readonly invalid: number
  /** Expired before one was. */
  readonly expired: number
}

/** Codes of a batch at the most. */
export const MOST_CODES = 100_000
/** Codes of a batch that has a handle of its own, at the least: with fewer it would tell too much about a single one. */
const FEWEST_FOR_HANDLE = 10
/** How long codes of a batch live at the least, seconds; at the most as long as the realm says. */
const SHORTEST_LIFE = 3600
/** Codes of one event, and events of one transaction: nobody else can write to the log for that long. */
const CODES_AN_EVENT = 1000
const EVENTS_A_TRANSACTION = 2

/**
 * Makes a batch and its codes. Nobody can tell the codes again: they are printed from what is returned, or not at all. What
 * a failure leaves behind counts for nothing.
 *
 * @throws TocsinError `batch_invalid` with a sentence that says what to mend, `realm_unknown`, `provider_unknown`
 */
export async function makeBatch(
  zone: AuthorityZone,
  asked: NewBatch,
  by: Actor,
  now: Date,
  random: RandomBytes = randomPiece,
): Promise<{ readonly batch: CodeBatch; readonly codes: readonly string[] }> {
  const realm = await findRealm(zone.db, asked.realm)
  if (realm === undefined)
    throw new TocsinError('realm_unknown', `There is no realm "${asked.realm.slice(0, 40)}".`)
  const { label, language, provider, needsActivation, size } = asked
  const testType = checkBatch(asked, realm)
  await checkProvider(zone.db, realm.name, provider)
  const peppers = await readPeppers(zone.db, zone.masterKey, now)
  for (let draws = 0; draws < MOST_DRAWS; draws++) {
    const id = drawBatchId(random)
    const own =
      size < FEWEST_FOR_HANDLE ? undefined : openHandle(realm.name, provider, id, dayOf(now))
    const batch: CodeBatch = {
      id,
      realm: realm.name,
      provider,
      label,
      language,
      testType,
      needsActivation,
      size,
      expiresAt: Math.floor(now.getTime() / 1000) + asked.life,
      handle: own?.handle ?? null,
    }
    const codes = Array.from({ length: size }, () => drawPaperCode(id, random))
    try {
      await storeCodes(zone, batch, codes, peppers, now)
    } catch (error) {
      if (error instanceof IdTaken) continue
      throw error
    }
    await complete(zone, batch, own === undefined ? [] : [own.event], by, now)
    return { batch, codes }
  }
  throw new Error('no name is left for a batch')
}

/** With half of all names taken, so many draws find none once in 2^100 times. */
const MOST_DRAWS = 100

/** Thrown when another batch has the name. */
class IdTaken extends Error {}

async function storeCodes(
  { db, writer }: AuthorityZone,
  batch: CodeBatch,
  codes: readonly string[],
  peppers: Peppers,
  now: Date,
): Promise<void> {
  const { version } = peppers
  const place = { realm: batch.realm, day: dayOf(now) }
  const eventOf = (some: readonly string[]): NewEvent =>
    batchCodes(
      batch,
      version,
      some.map((code) => peppers.under(version, 'code', batch.realm, code)),
      countPrinted(place, some.length),
    )
  for (const [index, some] of inPieces(codes, CODES_AN_EVENT * EVENTS_A_TRANSACTION).entries()) {
    const events = inPieces(some, CODES_AN_EVENT).map(eventOf)
    await db.transaction(async (tx) => {
      const [first] = await appendEvents(tx, writer, events, now)
      // The log's head is locked by now, so that of two with one name the second sees the first.
      if (index === 0 && (await isTaken(tx, batch.id, first?.seq ?? 0))) throw new IdTaken()
    })
  }
}

/** Whether a batch of that name was begun before the event of that number; also one that was never completed. */
async function isTaken(tx: Transaction, id: string, seq: number): Promise<boolean> {
  const { rows } = await tx.query<{ taken: boolean }>(
    sql`select exists (select 1 from code_batch where id = ${id})
            or exists (select 1 from verification_code where batch = ${id} and seq < ${seq}::bigint) as taken`,
  )
  return rows[0]?.taken === true
}

/** Makes the codes count. */
async function complete(
  { db, writer }: AuthorityZone,
  batch: CodeBatch,
  handleOpened: readonly NewEvent[],
  by: Actor,
  now: Date,
): Promise<void> {
  await db.transaction(async (tx) => {
    await lockRealm(tx, batch.realm)
    await checkProvider(tx, batch.realm, batch.provider)
    const { rows } = await tx.query<{ hit: boolean }>(
      sql`select exists (select 1 from verification_code where batch = ${batch.id} and invalidated) as hit`,
    )
    // Half of the cards would not work.
    if (rows[0]?.hit === true)
      throw refusal("The provider's codes were invalidated meanwhile: make the batch again.")
    await appendEvents(tx, writer, [...handleOpened, batchMade(batch, by)], now)
  })
}

/** @throws TocsinError `batch_invalid` @returns the type of test */
function checkBatch(asked: NewBatch, { settings }: Realm): ReportType {
  const { label, language, size, life } = asked
  if (!/^[^\p{Cc}\ufeff]{1,100}$/u.test(label) || !label.isWellFormed())
    throw refusal('The label must have 1 to 100 characters.')
  if (!/^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*$/.test(language))
    throw refusal('The language must be a tag such as en or pt-BR.')
  if (!Number.isInteger(size) || size < 1 || size > MOST_CODES)
    throw refusal(`The number of codes must be from 1 to ${MOST_CODES}.`)
  if (!Number.isInteger(life) || life < SHORTEST_LIFE || life > settings.paperLife)
    throw refusal(`The life must be from ${SHORTEST_LIFE} to ${settings.paperLife} seconds.`)
  const testType = settings.testTypes.find((type) => type === asked.testType)
  // Who reports themselves has no card.
  if (testType === undefined || testType === 'user-report')
    throw refusal('The test type must be confirmed, likely or negative, and enabled in the realm.')
  return testType
}

async function checkProvider(db: Queryable, realm: string, name: string): Promise<void> {
  const { state } = await requireProvider(db, realm, name)
  if (state !== 'active') throw refusal(`The provider is ${state}: its codes would not count.`)
}

function inPieces<Item>(items: readonly Item[], size: number): (readonly Item[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  )
}

/** A realm's batches by label, with the states of their codes now. */
export async function listBatches(db: Queryable, realm: string, now: Date): Promise<BatchReport[]> {
  const seconds = Math.floor(now.getTime() / 1000)
  // A code that has a handle has a certificate: that is known for as long as the code is.
  const { rows } = await db.query<BatchReport>(
    sql`select b.id, b.realm, b.provider, b.label, b.language, b.test_type as "testType", b.needs_activation as "needsActivation",
          b.size, b.expires_at as "expiresAt", b.handle, b.invalidated, n.unused, n.used, n.invalid, n.expired
        from code_batch b cross join lateral (
          select count(*) filter (where c.handle is not null) as used,
                 count(*) filter (where c.handle is null and c.invalidated) as invalid,
                 count(*) filter (where c.handle is null and not c.invalidated and c.expires_at <= ${seconds}::bigint) as expired,
                 count(*) filter (where c.handle is null and not c.invalidated and c.expires_at > ${seconds}::bigint) as unused
          from verification_code c where c.batch = b.id) as n
        where b.realm = ${realm} order by b.label, b.id`,
  )
  return rows
}

/** A batch of a realm. @param id as somebody typed it from a card @throws TocsinError `batch_unknown` */
export async function requireBatch(
  db: Queryable,
  realm: string,
  id: string,
): Promise<Pick<CodeBatch, 'id' | 'provider' | 'handle'> & { readonly invalidated: boolean }> {
  const characters = readCharacters(id)
  const typed = characters === undefined ? '' : looksAsDigits(characters).toUpperCase()
  const { rows } = await db.query<Awaited<ReturnType<typeof requireBatch>>>(
    sql`select id, provider, handle, invalidated from code_batch where realm = ${realm} and id = ${typed}`,
  )
  if (rows[0] === undefined) throw new TocsinError('batch_unknown')
  return rows[0]
}

const BATCHES_INVALIDATED = 'batch.invalidated'

/**
 * Batches are invalidated. Known for ever, as the batches are; of their codes another event says so, which time erases with
 * them.
 */
export function batchesInvalidated(batches: readonly string[], by: Actor): NewEvent {
  return configured(BATCHES_INVALIDATED, { batches, by })
}

/** Writes the table of batches. */
export const batchProjection: Projection = {
  types: [BATCH_MADE, BATCHES_INVALIDATED],
  tables: ['code_batch'],
  async apply(tx, events) {
    for (const event of events) await applyOne(tx, event)
  },
}

async function applyOne(tx: Transaction, { type, parts }: StoredEvent): Promise<void> {
  if (type === BATCHES_INVALIDATED) {
    const content = parts[0]?.content as { readonly batches: readonly string[] }
    await tx.query(
      sql`update code_batch set invalidated = true where id = any(${content.batches}::text[])`,
    )
    return
  }
  const batch = parts[0]?.content as CodeBatch
  await tx.query(
    sql`insert into code_batch (id, realm, provider, label, language, test_type, needs_activation, size, expires_at, handle)
        values (${batch.id}, ${batch.realm}, ${batch.provider}, ${batch.label}, ${batch.language}, ${batch.testType},
                ${batch.needsActivation}, ${batch.size}::integer, ${batch.expiresAt}::bigint, ${batch.handle})`,
  )
}

function refusal(sentence: string): TocsinError {
  return new TocsinError('batch_invalid', sentence)
}
