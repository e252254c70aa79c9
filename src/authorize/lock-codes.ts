// Authorize: reads verification codes that are about to change; promises that nobody else changes them before the transaction ends.

import { byteaArray } from '../db/binary-array.ts'
import type { Queryable, Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import type { ReportType } from '../format/report-type.ts'
import type { IssuedCode, CodeId, Token } from './codes.ts'

/** A code as it stands now. */
export interface VerificationCode extends CodeId, Omit<IssuedCode, 'uuid' | 'apiKey' | 'staff'> {
  readonly uuid: string | null
  readonly apiKey: string | null
  readonly staff: string | null
  /** Null once they were blanked. */
  readonly pepper: number | null
  readonly codeMac: Uint8Array | null
  readonly longCodeMac: Uint8Array | null
  readonly nonceMac: Uint8Array | null
  readonly token: Token | undefined
  /** HMAC of what the token's certificate covers; undefined until there is one. */
  readonly keysMac: Uint8Array | undefined
  /** Whether it ever was swapped for a token. */
  readonly isClaimed: boolean
  /** What its certificate carries. */
  readonly handle: string | null
  /** No longer to be accepted. */
  readonly invalidated: boolean
  readonly isActivated: boolean
  /** The batch that it is of; `isReady` when that is complete and counts. */
  readonly batch:
    | {
        readonly id: string
        readonly isReady: boolean
        readonly needsActivation: boolean
        readonly handle: string | null
      }
    | undefined
}

const SELECT = `select c.seq, c.place, c.realm, c.uuid, c.pepper, c.code_mac, c.long_code_mac, c.nonce_mac, c.needs_nonce, c.test_type,
    c.symptom_date::text, c.test_date::text, c.expires_at, c.long_expires_at, c.short_life, c.provider, c.api_key, c.staff,
    c.external_issuer, c.token_id, c.token_expires_at, c.keys_mac, c.claimed, c.handle, c.invalidated, c.activated_seq, c.batch,
    b.id as batch_id, b.needs_activation, b.handle as batch_handle, b.invalidated as batch_invalidated
  from verification_code c left join code_batch b on b.id = c.batch`

/**
 * The codes that have one of these HMACs as their short or long form, or one of these tokens, locked until the transaction
 * ends; always in one order, so that two transactions never wait for each other.
 */
export async function lockCodes(
  tx: Transaction,
  macs: readonly Uint8Array[],
  tokenIds: readonly Uint8Array[],
): Promise<VerificationCode[]> {
  const { rows } = await tx.query<CodeRow>({
    name: 'lock-codes',
    text: `${SELECT} where c.code_mac = any($1::bytea[]) or c.long_code_mac = any($1::bytea[]) or c.token_id = any($2::bytea[])
           order by c.seq, c.place for update of c`,
    values: [byteaArray(macs), byteaArray(tokenIds)],
  })
  return rows.map(readCode)
}

/** The realm's code of a uuid, locked; undefined when there is none. */
export async function lockCodeOfUuid(
  tx: Transaction,
  realm: string,
  uuid: string,
): Promise<VerificationCode | undefined> {
  const { rows } = await tx.query<CodeRow>({
    text: `${SELECT} where c.realm = $1 and c.uuid = $2 for update of c`,
    values: [realm, uuid],
  })
  return rows[0] === undefined ? undefined : readCode(rows[0])
}

/** The realm's code of a uuid, as it is now. */
export async function findCodeOfUuid(
  db: Queryable,
  realm: string,
  uuid: string,
): Promise<VerificationCode | undefined> {
  const { rows } = await db.query<CodeRow>({
    text: `${SELECT} where c.realm = $1 and c.uuid = $2`,
    values: [realm, uuid],
  })
  return rows[0] === undefined ? undefined : readCode(rows[0])
}

/** Whether a realm has issued a code under this uuid. */
export async function isUuidTaken(db: Queryable, realm: string, uuid: string): Promise<boolean> {
  const { rowCount } = await db.query(
    sql`select 1 from verification_code where realm = ${realm} and uuid = ${uuid}`,
  )
  return rowCount !== 0
}

interface CodeRow {
  readonly seq: number
  readonly place: number
  readonly realm: string
  readonly uuid: string | null
  readonly pepper: number | null
  readonly code_mac: Uint8Array | null
  readonly long_code_mac: Uint8Array | null
  readonly nonce_mac: Uint8Array | null
  readonly needs_nonce: boolean
  readonly test_type: ReportType
  readonly symptom_date: string | null
  readonly test_date: string | null
  readonly expires_at: number
  readonly long_expires_at: number
  readonly short_life: number
  readonly provider: string | null
  readonly api_key: string | null
  readonly staff: string | null
  readonly external_issuer: string | null
  readonly token_id: Uint8Array | null
  readonly token_expires_at: number | null
  readonly keys_mac: Uint8Array | null
  readonly claimed: boolean
  readonly handle: string | null
  readonly invalidated: boolean
  readonly activated_seq: number | null
  readonly batch: string | null
  readonly batch_id: string | null
  readonly needs_activation: boolean | null
  readonly batch_handle: string | null
  readonly batch_invalidated: boolean | null
}

function readCode(row: CodeRow): VerificationCode {
  return {
    seq: row.seq,
    place: row.place,
    realm: row.realm,
    uuid: row.uuid,
    pepper: row.pepper,
    codeMac: row.code_mac,
    longCodeMac: row.long_code_mac,
    nonceMac: row.nonce_mac,
    needsNonce: row.needs_nonce,
    testType: row.test_type,
    symptomDate: row.symptom_date,
    testDate: row.test_date,
    expiresAt: row.expires_at,
    longExpiresAt: row.long_expires_at,
    shortLife: row.short_life,
    provider: row.provider,
    apiKey: row.api_key,
    staff: row.staff,
    externalIssuer: row.external_issuer,
    token:
      row.token_id === null || row.token_expires_at === null
        ? undefined
        : { id: row.token_id, expiresAt: row.token_expires_at },
    keysMac: row.keys_mac ?? undefined,
    isClaimed: row.claimed,
    handle: row.handle,
    invalidated: row.invalidated,
    isActivated: row.activated_seq !== null,
    batch:
      row.batch === null
        ? undefined
        : {
            id: row.batch,
            isReady: row.batch_id !== null && row.batch_invalidated === false,
            needsActivation: row.needs_activation === true,
            handle: row.batch_handle,
          },
  }
}
