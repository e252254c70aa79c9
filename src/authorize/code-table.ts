// Authorize: the table of codes; promises that it is what the events say, as far as time has left them.

import { bigintArray, byteaArray, integerArray } from '../db/binary-array.ts'
import type { Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { allWritten } from '../db/transactions.ts'
import type { Projection } from '../log/projection.ts'
import type { StoredEvent } from '../log/record.ts'
import type { Retention } from '../log/retentions.ts'
import { BATCH_CODES, batchRows } from './batch-events.ts'
import {
  ACTIVATED,
  CERTIFIED,
  CLAIMED,
  EXPIRED,
  FAILED,
  INVALIDATED,
  ISSUED,
  type ActivatedContent,
  type CertifiedContent,
  type ClaimedContent,
  type CodeId,
  type CodeSecrets,
  type ExpiredContent,
  type HandleContent,
  type InvalidatedContent,
  type IssuedCode,
  type ReportedPhone,
} from './codes.ts'

/** A row that comes into the table. */
export interface NewCodeRow extends CodeId, Omit<IssuedCode, 'uuid'>, Partial<CodeSecrets> {
  readonly uuid: string | null
  readonly batch: string | null
}

/** Writes the table of codes. */
export const codeProjection: Projection = {
  types: [ISSUED, BATCH_CODES, CLAIMED, CERTIFIED, FAILED, EXPIRED, ACTIVATED, INVALIDATED],
  tables: ['verification_code'],
  async apply(tx, events) {
    // Claims and certificates come in groups, and a code has one of a kind in a group: those are written kind by kind.
    // All are sent before the first is answered: the connection keeps their order, and a commit may be sent right behind.
    const written: Promise<void>[] = []
    for (let from = 0; from < events.length;) {
      const kind = kindOf(events[from])
      let until = from + 1
      while (until < events.length && kindOf(events[until]) === kind) until++
      written.push(WRITERS[kind](tx, events.slice(from, until)))
      from = until
    }
    await allWritten(written)
  },
}

type Kind = 'new' | 'claimed' | 'certified' | 'single'

function kindOf(event: StoredEvent | undefined): Kind {
  if (event?.type === ISSUED || event?.type === BATCH_CODES) return 'new'
  if (event?.type === CLAIMED) return 'claimed'
  return event?.type === CERTIFIED ? 'certified' : 'single'
}

const WRITERS: Readonly<
  Record<Kind, (tx: Transaction, events: readonly StoredEvent[]) => Promise<void>>
> = {
  new: insertCodes,
  claimed: markClaimed,
  certified: markCertified,
  single: (tx, events) => allWritten(events.map((event) => applySingle(tx, event))),
}

/** Thrown when the realm has a code with this uuid, short form or long form already. */
export class AlreadyIssued extends Error {
  override readonly name = 'AlreadyIssued'
}

/** The content of the part of that retention, or undefined when there is none or it was erased. */
function partOf(event: StoredEvent, retention: Retention): unknown {
  return event.parts.find((part) => part.retention === retention)?.content
}

async function insertCodes(tx: Transaction, events: readonly StoredEvent[]): Promise<void> {
  const codes = events.flatMap((event) =>
    event.type === BATCH_CODES ? batchRows(event) : issuedRows(event),
  )
  if (codes.length === 0) return
  const { rowCount } = await tx.query({
    name: 'insert-codes',
    text: `insert into verification_code
             (seq, place, realm, uuid, pepper, code_mac, long_code_mac, nonce_mac, needs_nonce, test_type, symptom_date, test_date,
              expires_at, long_expires_at, short_life, provider, api_key, staff, external_issuer, batch)
           select * from unnest($1::bigint[], $2::integer[], $3::text[], $4::uuid[], $5::integer[], $6::bytea[], $7::bytea[], $8::bytea[],
             $9::boolean[], $10::text[], $11::date[], $12::date[], $13::bigint[], $14::bigint[], $15::integer[], $16::text[],
             $17::text[], $18::text[], $19::text[], $20::text[])
           on conflict do nothing`,
    values: [
      codes.map((code) => code.seq),
      codes.map((code) => code.place),
      codes.map((code) => code.realm),
      codes.map((code) => code.uuid),
      codes.map((code) => code.pepper ?? null),
      codes.map((code) => code.codeMac ?? null),
      codes.map((code) => code.longCodeMac ?? null),
      codes.map((code) => code.nonceMac ?? null),
      codes.map((code) => code.needsNonce),
      codes.map((code) => code.testType),
      codes.map((code) => code.symptomDate),
      codes.map((code) => code.testDate),
      codes.map((code) => code.expiresAt),
      codes.map((code) => code.longExpiresAt),
      codes.map((code) => code.shortLife),
      codes.map((code) => code.provider),
      codes.map((code) => code.apiKey),
      codes.map((code) => code.staff),
      codes.map((code) => code.externalIssuer),
      codes.map((code) => code.batch),
    ],
  })
  // An error of PostgreSQL's own would write the uuid into its log.
  if (rowCount !== codes.length) throw new AlreadyIssued()
}

function issuedRows(event: StoredEvent): NewCodeRow[] {
  const code = partOf(event, 'code') as (IssuedCode & Partial<CodeSecrets>) | undefined
  if (code === undefined) return []
  const secrets = partOf(event, 'code-secret') as CodeSecrets | undefined
  // One of an earlier version has its secrets beside the rest, and not all of the rest.
  const earlier = { shortLife: 900, provider: null, staff: null, needsNonce: false }
  const pepper = code.codeMac === undefined ? {} : { pepper: 1 }
  return [{ ...earlier, ...pepper, seq: event.seq, place: 0, batch: null, ...code, ...secrets }]
}

async function markClaimed(tx: Transaction, events: readonly StoredEvent[]): Promise<void> {
  const claims = events.flatMap((event) => {
    const claim = partOf(event, 'token') as ClaimedContent | undefined
    return claim === undefined ? [] : [{ ...claim, at: event.seq }]
  })
  const onlyClaimed = events.flatMap((event) =>
    partOf(event, 'token') === undefined
      ? ((partOf(event, 'code') as CodeId | undefined) ?? [])
      : [],
  )
  if (onlyClaimed.length > 0)
    await tx.query({
      name: 'mark-only-claimed',
      text: `update verification_code c set claimed = true
             from unnest($1::bigint[], $2::integer[]) as claim(seq, place)
             where c.seq = claim.seq and c.place = claim.place`,
      values: [
        bigintArray(onlyClaimed.map((claim) => claim.seq)),
        integerArray(onlyClaimed.map((claim) => claim.place)),
      ],
    })
  // The last claim of a code is the one that counts, which an update from several rows does not promise.
  const last = [...new Map(claims.map((claim) => [`${claim.seq} ${claim.place}`, claim])).values()]
  if (last.length === 0) return
  await tx.query({
    name: 'mark-claimed',
    text: `update verification_code c set token_id = claim.token_id, token_expires_at = claim.expires_at, token_seq = claim.at, claimed = true,
             nonce_mac = coalesce(claim.nonce_mac, case when c.needs_nonce then c.nonce_mac end)
           from unnest($1::bigint[], $2::integer[], $3::bytea[], $4::bigint[], $5::bytea[], $6::bigint[])
             as claim(seq, place, token_id, expires_at, nonce_mac, at)
           where c.seq = claim.seq and c.place = claim.place`,
    values: [
      bigintArray(last.map((claim) => claim.seq)),
      integerArray(last.map((claim) => claim.place)),
      byteaArray(last.map((claim) => claim.tokenId)),
      bigintArray(last.map((claim) => claim.expiresAt)),
      byteaArray(last.map((claim) => claim.nonceMac)),
      bigintArray(last.map((claim) => claim.at)),
    ],
  })
}

async function markCertified(tx: Transaction, events: readonly StoredEvent[]): Promise<void> {
  const certified = events.flatMap((event) => {
    const covered = partOf(event, 'token') as CertifiedContent | undefined
    const carried = partOf(event, 'code') as HandleContent | undefined
    // Of an old one only the handle is left, or nothing.
    const code = covered ?? carried
    const keysMac = covered?.keysMac ?? null
    return code === undefined
      ? []
      : [{ ...code, keysMac, handle: carried?.handle ?? null, at: event.seq }]
  })
  if (certified.length === 0) return
  await tx.query({
    name: 'mark-certified',
    text: `update verification_code c set
             keys_mac = coalesce(certified.keys_mac, c.keys_mac),
             certified_seq = case when certified.keys_mac is null then c.certified_seq else certified.at end,
             handle = coalesce(certified.handle, c.handle)
           from unnest($1::bigint[], $2::integer[], $3::bytea[], $4::text[], $5::bigint[])
             as certified(seq, place, keys_mac, handle, at)
           where c.seq = certified.seq and c.place = certified.place`,
    values: [
      bigintArray(certified.map((each) => each.seq)),
      integerArray(certified.map((each) => each.place)),
      byteaArray(certified.map((each) => each.keysMac)),
      certified.map((each) => each.handle),
      bigintArray(certified.map((each) => each.at)),
    ],
  })
}

async function applySingle(tx: Transaction, event: StoredEvent): Promise<void> {
  // Of these events each has one part, but for the counts.
  const content = event.parts[0]?.content as CodeId | undefined
  if (content === undefined) return
  const { seq, place } = content
  if (event.type === FAILED) {
    await tx.query(sql`delete from verification_code where seq = ${seq} and place = ${place}`)
  } else if (event.type === EXPIRED) {
    const { at } = content as ExpiredContent
    await tx.query(
      sql`update verification_code set expires_at = least(expires_at, ${at}), long_expires_at = least(long_expires_at, ${at})
          where seq = ${seq} and place = ${place}`,
    )
  } else if (event.type === ACTIVATED) {
    const { symptomDate, testDate } = content as ActivatedContent
    await tx.query(
      sql`update verification_code set symptom_date = ${symptomDate}, test_date = ${testDate}, activated_seq = ${event.seq}::bigint
          where seq = ${seq} and place = ${place}`,
    )
  } else await invalidate(tx, content as unknown as InvalidatedContent, event.seq)
}

async function invalidate(tx: Transaction, content: InvalidatedContent, at: number): Promise<void> {
  if (content.scope === 'code')
    await tx.query(
      sql`update verification_code set invalidated = true where seq = ${content.seq} and place = ${content.place}`,
    )
  else if (content.scope === 'batch')
    await tx.query(
      sql`update verification_code set invalidated = true where batch = ${content.batch}`,
    )
  else
    await tx.query(
      sql`update verification_code set invalidated = true
          where realm = ${content.realm} and provider = ${content.provider} and seq < ${at}`,
    )
}

/** Writes the table of phones that reported themselves. */
export const userReportProjection: Projection = {
  types: [ISSUED, FAILED],
  tables: ['user_report'],
  async apply(tx, events) {
    for (const event of events) {
      const phone = partOf(event, 'phone') as ReportedPhone | undefined
      const failed =
        event.type === FAILED ? (partOf(event, 'code') as CodeId | undefined) : undefined
      if (failed !== undefined)
        await tx.query(sql`delete from user_report where seq = ${failed.seq}`)
      if (phone !== undefined)
        await tx.query(
          sql`insert into user_report (realm, phone_mac, pepper, seq, forget_day)
              values (${phone.realm}, ${phone.phoneMac}, ${phone.pepper}, ${event.seq}::bigint, ${phone.forgetDay}::integer)
              on conflict (realm, phone_mac) do update set pepper = excluded.pepper, seq = excluded.seq, forget_day = excluded.forget_day`,
        )
    }
  },
}
