// Authorize: verification codes and their tokens as the log keeps them, and the table that follows; promises to hold neither a code nor a token.

import type { Transaction } from '../db/database.ts'
import type { ReportType } from '../format/report-type.ts'
import type { Projection } from '../log/projection.ts'
import type { NewEvent, StoredEvent } from '../log/record.ts'

/** A code when it is issued. Times are unix seconds, dates YYYY-MM-DD. */
export interface IssuedCode {
  readonly realm: string
  /** Lower case. */
  readonly uuid: string
  /** HMACs of its short and its long form. */
  readonly codeMac: Uint8Array
  readonly longCodeMac: Uint8Array
  readonly testType: ReportType
  readonly symptomDate: string | null
  readonly testDate: string | null
  readonly expiresAt: number
  readonly longExpiresAt: number
  /** The prefix of the API key that asked for it. */
  readonly apiKey: string
  /** What the caller's own system says of who asked. */
  readonly externalIssuer: string | null
}

/** The token that a code was swapped for. */
export interface Token {
  /** 128 random bits. */
  readonly id: Uint8Array
  /** Unix seconds. */
  readonly expiresAt: number
}

const ISSUED = 'code.issued'
const CLAIMED = 'code.claimed'
const CERTIFIED = 'code.certified'

/** A code was issued. */
export function codeIssued(code: IssuedCode): NewEvent {
  return { type: ISSUED, parts: [{ retention: 'code', content: code }] }
}

/** A code was swapped for a token. @param code the number of the event that issued it */
export function codeClaimed(code: number, token: Token): NewEvent {
  const content: ClaimedContent = { code, tokenId: token.id, expiresAt: token.expiresAt }
  return { type: CLAIMED, parts: [{ retention: 'code', content }] }
}

/** A code's token was swapped for a certificate. @param code the number of the event that issued it */
export function codeCertified(code: number, keysMac: Uint8Array): NewEvent {
  const content: CertifiedContent = { code, keysMac }
  return { type: CERTIFIED, parts: [{ retention: 'code', content }] }
}

interface ClaimedContent {
  readonly code: number
  readonly tokenId: Uint8Array
  readonly expiresAt: number
}

interface CertifiedContent {
  readonly code: number
  readonly keysMac: Uint8Array
}

/** Writes the table of codes. */
export const codeProjection: Projection = {
  types: [ISSUED, CLAIMED, CERTIFIED],
  tables: ['verification_code'],
  async apply(tx, events) {
    const contents = (type: string) => events.filter((event) => event.type === type)
    // A code goes through these in this order and never back, so that a page of events may be written type by type.
    await insertIssued(tx, contents(ISSUED))
    await markClaimed(tx, contents(CLAIMED))
    await markCertified(tx, contents(CERTIFIED))
  },
}

/** Thrown when the realm has a code with this uuid, short form or long form already. */
export class AlreadyIssued extends Error {
  override readonly name = 'AlreadyIssued'
}

async function insertIssued(tx: Transaction, events: readonly StoredEvent[]): Promise<void> {
  if (events.length === 0) return
  const codes = events.map((event) => event.parts[0]?.content as IssuedCode)
  const { rowCount } = await tx.query({
    name: 'insert-codes',
    text: `insert into verification_code
             (seq, realm, uuid, code_mac, long_code_mac, test_type, symptom_date, test_date,
              expires_at, long_expires_at, api_key, external_issuer)
           select * from unnest($1::bigint[], $2::text[], $3::uuid[], $4::bytea[], $5::bytea[], $6::text[], $7::date[], $8::date[],
                                $9::bigint[], $10::bigint[], $11::text[], $12::text[])
           on conflict do nothing`,
    values: [
      events.map((event) => event.seq),
      codes.map((code) => code.realm),
      codes.map((code) => code.uuid),
      codes.map((code) => code.codeMac),
      codes.map((code) => code.longCodeMac),
      codes.map((code) => code.testType),
      codes.map((code) => code.symptomDate),
      codes.map((code) => code.testDate),
      codes.map((code) => code.expiresAt),
      codes.map((code) => code.longExpiresAt),
      codes.map((code) => code.apiKey),
      codes.map((code) => code.externalIssuer),
    ],
  })
  // An error of PostgreSQL's own would write the uuid into its log.
  if (rowCount !== codes.length) throw new AlreadyIssued()
}

async function markClaimed(tx: Transaction, events: readonly StoredEvent[]): Promise<void> {
  if (events.length === 0) return
  const claims = events.map((event) => event.parts[0]?.content as ClaimedContent)
  await tx.query({
    name: 'mark-claimed',
    text: `update verification_code set token_id = claim.token_id, token_expires_at = claim.expires_at
           from unnest($1::bigint[], $2::bytea[], $3::bigint[]) as claim(code, token_id, expires_at)
           where seq = claim.code`,
    values: [
      claims.map((claim) => claim.code),
      claims.map((claim) => claim.tokenId),
      claims.map((claim) => claim.expiresAt),
    ],
  })
}

async function markCertified(tx: Transaction, events: readonly StoredEvent[]): Promise<void> {
  if (events.length === 0) return
  const certified = events.map((event) => event.parts[0]?.content as CertifiedContent)
  await tx.query({
    name: 'mark-certified',
    text: `update verification_code set keys_mac = certified.keys_mac
           from unnest($1::bigint[], $2::bytea[]) as certified(code, keys_mac)
           where seq = certified.code`,
    values: [certified.map((each) => each.code), certified.map((each) => each.keysMac)],
  })
}
