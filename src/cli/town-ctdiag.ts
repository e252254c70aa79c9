// Cli: phones of the town that speak ct-diag-server's protocol; promises that each uses its binary API alone, and goes on behind the last record that it has.

import { TocsinError } from '../errors.ts'
import { encodeHex } from '../format/bytes.ts'
import { readRecord, RECORD_LENGTH, writeRecord, type KeyRecord } from '../format/ctdiag.ts'
import { createMatcher, type ObservedIdentifier } from '../verify/match.ts'
import { issueCode, type PhoneService } from './phone-client.ts'
import { DEMO_APP, DEMO_NAME } from './demo-deployment.ts'
import { letHear, onsetOf, type TownPhone } from './town-phones.ts'
import type { TownProtocol } from './town-protocols.ts'
import { startOfTownDay } from './town.ts'

/** Records of 21 bytes, uploaded with the doctor's code. */
export const CTDIAG_PROTOCOL: TownProtocol = {
  kind: 'ctdiag',
  settings: {
    TOCSIN_CTDIAG_UPLOADS: 'code',
    TOCSIN_CTDIAG_REALM: DEMO_NAME,
    TOCSIN_CTDIAG_APP: DEMO_APP,
    TOCSIN_CTDIAG_STREAM: DEMO_NAME,
  },
  unit: 'keys',
  makePhones: async (count, service) =>
    Array.from({ length: count }, (_, number) => makePhone(number, service)),
  letHear,
}

function makePhone(number: number, service: PhoneService): TownPhone {
  const observed: ObservedIdentifier[] = []
  let after: string | undefined
  return {
    number,
    hear: (identifier) => void observed.push(identifier),
    async upload(town, positive) {
      const code = await issueCode(service, 'confirmed', onsetOf(town, positive))
      const records = positive.sharedDays.map((day) => ({
        keyData: town.keyOf(number, day),
        rollingStart: startOfTownDay(day),
        transmissionRisk: 0,
      }))
      const response = await fetch(`${service.url}/diagnosis-keys`, {
        method: 'POST',
        headers: { authorization: `Bearer ${code}`, 'content-type': 'application/octet-stream' },
        body: encodeRecords(records),
      })
      if (!response.ok) throw await refused('POST', response)
      await response.arrayBuffer()
    },
    async download() {
      const query = after === undefined ? '' : `?after=${after}`
      const response = await fetch(`${service.url}/diagnosis-keys${query}`)
      if (!response.ok) throw await refused('GET', response)
      const records = decodeRecords(new Uint8Array(await response.arrayBuffer()))
      const last = records.at(-1)
      if (last !== undefined) after = encodeHex(last.keyData)
      const matcher = createMatcher(observed)
      return records.some((record) => matcher.match({ ...record, rollingPeriod: 144 }).length > 0)
    },
  }
}

function encodeRecords(records: readonly KeyRecord[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(records.length * RECORD_LENGTH)
  records.forEach((record, index) => writeRecord(bytes, index * RECORD_LENGTH, record))
  return bytes
}

function decodeRecords(bytes: Uint8Array): KeyRecord[] {
  return Array.from({ length: bytes.length / RECORD_LENGTH }, (_, index) =>
    readRecord(bytes, index * RECORD_LENGTH),
  )
}

async function refused(method: string, response: Response): Promise<TocsinError> {
  return new TocsinError(
    'request_refused',
    `${method} /diagnosis-keys was answered ${response.status}: ${await response.text()}`,
  )
}
