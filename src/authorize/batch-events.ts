// Authorize: batches of paper codes as the log keeps them; promises that a hundred thousand codes are few events.

import type { ReportType } from '../format/report-type.ts'
import type { NewEvent, StoredEvent } from '../log/record.ts'
import type { NewCodeRow } from './code-table.ts'
import { statPart, type StatCount } from './stat-counts.ts'
import type { Actor } from './zone.ts'

/** A batch of paper codes. */
export interface CodeBatch {
  /** The first group of its codes: 4 characters of Crockford's base32. */
  readonly id: string
  readonly realm: string
  readonly provider: string
  /** What people call it. */
  readonly label: string
  /** BCP 47, of its cards. */
  readonly language: string
  readonly testType: ReportType
  /** Whether each code works only once the lab has activated it. */
  readonly needsActivation: boolean
  readonly size: number
  /** Unix seconds. */
  readonly expiresAt: number
  /** Its own handle; null where it is too small for one. */
  readonly handle: string | null
}

export const BATCH_MADE = 'batch.made'
export const BATCH_CODES = 'batch.codes'

/** A batch is complete: its codes count from now on. */
export function batchMade(batch: CodeBatch, by: Actor): NewEvent {
  return {
    type: BATCH_MADE,
    parts: [{ retention: 'configuration', content: { ...batch, by } }],
  }
}

interface BatchCodesContent {
  readonly batch: string
  readonly realm: string
  readonly provider: string
  readonly testType: ReportType
  readonly expiresAt: number
  readonly count: number
}

interface BatchSecrets {
  readonly pepper: number
  /** One behind the other, 32 bytes each. */
  readonly macs: Uint8Array
}

/** Some codes of a batch. */
export function batchCodes(
  { id, realm, provider, testType, expiresAt }: CodeBatch,
  pepper: number,
  macs: readonly Uint8Array[],
  counts: readonly StatCount[],
): NewEvent {
  const content: BatchCodesContent = {
    batch: id,
    realm,
    provider,
    testType,
    expiresAt,
    count: macs.length,
  }
  const secrets: BatchSecrets = { pepper, macs: Buffer.concat(macs) }
  return {
    type: BATCH_CODES,
    parts: [
      { retention: 'code', content },
      { retention: 'code-secret', content: secrets },
      statPart(counts),
    ],
  }
}

const MAC_LENGTH = 32

/** The rows that follow from {@link batchCodes}. */
export function batchRows({ seq, parts }: StoredEvent): NewCodeRow[] {
  const content = parts[0]?.content as BatchCodesContent | undefined
  const secrets = parts[1]?.content as BatchSecrets | undefined
  if (content === undefined) return []
  const { batch, realm, provider, testType, expiresAt } = content
  return Array.from({ length: content.count }, (_, place) => ({
    seq,
    place,
    realm,
    batch,
    provider,
    testType,
    expiresAt,
    longExpiresAt: expiresAt,
    uuid: null,
    symptomDate: null,
    testDate: null,
    shortLife: 0,
    needsNonce: false,
    apiKey: null,
    staff: null,
    externalIssuer: null,
    ...(secrets === undefined
      ? {}
      : {
          pepper: secrets.pepper,
          codeMac: secrets.macs.subarray(place * MAC_LENGTH, (place + 1) * MAC_LENGTH),
        }),
  }))
}
