// Authorize: what its parts need of the authority zone; promises that what is stored of a secret is an HMAC under a key that only this zone has.

import { createHmac } from 'node:crypto'
import { encode } from 'cborg'
import type { Database, Queryable } from '../db/database.ts'
import type { MasterKey } from '../db/secrets.ts'
import { zoneSecret } from '../db/zone-secrets.ts'
import type { LogWriter } from '../log/append-event.ts'

/** The authority zone's data, and the key to its secrets. */
export interface AuthorityZone {
  readonly db: Database
  readonly writer: LogWriter
  readonly masterKey: MasterKey
}

/** HMAC-SHA256 over values, bound to the purpose that they serve: 32 bytes. */
export type Mac = (purpose: MacPurpose, ...values: readonly (string | Uint8Array)[]) => Uint8Array

/** What is looked up or recognised by its HMAC alone. */
export type MacPurpose = 'api key' | 'code' | 'keys'

/** The zone's HMAC; its key is made with the first use. */
export async function openMac(db: Queryable, masterKey: MasterKey): Promise<Mac> {
  const pepper = await zoneSecret(db, masterKey, 'pepper')
  // CBOR says where one value ends and the next begins.
  return (...meaning) => createHmac('sha256', pepper).update(encode(meaning)).digest()
}
