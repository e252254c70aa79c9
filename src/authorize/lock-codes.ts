// Authorize: reads verification codes that are about to change; promises that nobody else changes them before the transaction ends.

import type { Queryable, Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import type { ReportType } from '../format/report-type.ts'
import type { IssuedCode, Token } from './codes.ts'

/** A code as it stands now. */
export interface VerificationCode extends Omit<IssuedCode, 'apiKey' | 'externalIssuer'> {
  /** The number of the event that issued it. */
  readonly seq: number
  readonly token: Token | undefined
  /** HMAC of what the token's certificate covers; undefined until there is one. */
  readonly keysMac: Uint8Array | undefined
}

/** Whether a realm has issued a code under this uuid. */
export async function isUuidTaken(db: Queryable, realm: string, uuid: string): Promise<boolean> {
  const { rowCount } = await db.query(
    sql`select 1 from verification_code where realm = ${realm} and uuid = ${uuid}`,
  )
  return rowCount !== 0
}

const COLUMNS = `seq, realm, uuid, code_mac, long_code_mac, test_type, symptom_date::text, test_date::text,
                 expires_at, long_expires_at, token_id, token_expires_at, keys_mac`

/** The code whose short or long form has this HMAC, locked until the transaction ends. */
export async function lockCode(
  tx: Transaction,
  realm: string,
  mac: Uint8Array,
): Promise<VerificationCode | undefined> {
  const { rows } = await tx.query<CodeRow>({
    name: 'lock-code',
    text: `select ${COLUMNS} from verification_code
           where realm = $1 and (code_mac = $2 or long_code_mac = $2) for update`,
    values: [realm, mac],
  })
  return rows[0] === undefined ? undefined : readCode(rows[0])
}

/** The code that was swapped for this token, locked until the transaction ends. */
export async function lockCodeOfToken(
  tx: Transaction,
  realm: string,
  tokenId: Uint8Array,
): Promise<VerificationCode | undefined> {
  const { rows } = await tx.query<CodeRow>({
    name: 'lock-code-of-token',
    text: `select ${COLUMNS} from verification_code where realm = $1 and token_id = $2 for update`,
    values: [realm, tokenId],
  })
  return rows[0] === undefined ? undefined : readCode(rows[0])
}

interface CodeRow {
  readonly seq: number
  readonly realm: string
  readonly uuid: string
  readonly code_mac: Uint8Array
  readonly long_code_mac: Uint8Array
  readonly test_type: ReportType
  readonly symptom_date: string | null
  readonly test_date: string | null
  readonly expires_at: number
  readonly long_expires_at: number
  readonly token_id: Uint8Array | null
  readonly token_expires_at: number | null
  readonly keys_mac: Uint8Array | null
}

function readCode(row: CodeRow): VerificationCode {
  return {
    seq: row.seq,
    realm: row.realm,
    uuid: row.uuid,
    codeMac: row.code_mac,
    longCodeMac: row.long_code_mac,
    testType: row.test_type,
    symptomDate: row.symptom_date,
    testDate: row.test_date,
    expiresAt: row.expires_at,
    longExpiresAt: row.long_expires_at,
    token:
      row.token_id === null || row.token_expires_at === null
        ? undefined
        : { id: row.token_id, expiresAt: row.token_expires_at },
    keysMac: row.keys_mac ?? undefined,
  }
}
