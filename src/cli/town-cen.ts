// Cli: phones of the town that broadcast contact event numbers; promises that each tells a number once, and knows only those that it heard and the lists that it downloaded and verified.

import { createHash } from 'node:crypto'
import { TocsinError } from '../errors.ts'
import { encodeHex } from '../format/bytes.ts'
import { NUMBER_BYTES, SIGNATURE_SUFFIX } from '../format/number-file.ts'
import { DEMO_APP, DEMO_NAME } from './demo-deployment.ts'
import { issueCode, type PhoneService } from './phone-client.ts'
import { loadTrustedKeys, type LoadedKey } from '../verify/trusted-keys.ts'
import { readNumberIndex, verifyNumbers } from '../verify/verify-numbers.ts'
import { DEFAULT_LIMITS } from '../verify/limits.ts'
import { onsetOf, type TownPhone } from './town-phones.ts'
import type { TownProtocol } from './town-protocols.ts'
import { startOfTownDay, type Town } from './town.ts'

const NUMBERS_A_DAY = 144

/** Numbers of 16 bytes, a new one every 10 minutes, uploaded with the doctor's permission number. */
export const CEN_PROTOCOL: TownProtocol = {
  kind: 'cen',
  settings: {
    TOCSIN_CEN_UPLOADS: 'code',
    TOCSIN_CEN_REALM: DEMO_NAME,
    TOCSIN_CEN_APP: DEMO_APP,
  },
  unit: 'numbers',
  async makePhones(count, service) {
    const publicKey = new TextDecoder().decode(await get(service, `${DEMO_NAME}/key.pem`))
    const keys = await loadTrustedKeys([{ publicKey }])
    return Array.from({ length: count }, (_, number) => makePhone(number, service, keys))
  },
  letHear(town, day, phones) {
    for (const { a, b, interval } of town.encounters[day] ?? []) {
      phones[a]?.hear({ identifier: numberOf(town, b, interval), interval })
      phones[b]?.hear({ identifier: numberOf(town, a, interval), interval })
    }
  },
}

/** What a phone broadcasts in an interval: nothing that anybody could tell from the others. */
function numberOf(town: Town, phone: number, interval: number): Uint8Array {
  const day = Math.floor((interval - startOfTownDay(0)) / NUMBERS_A_DAY)
  const hash = createHash('sha256').update(town.keyOf(phone, day)).update(String(interval))
  return hash.digest().subarray(0, NUMBER_BYTES)
}

function makePhone(number: number, service: PhoneService, keys: readonly LoadedKey[]): TownPhone {
  const heard = new Set<string>()
  const read = new Set<string>()
  return {
    number,
    hear: ({ identifier }) => void heard.add(encodeHex(identifier)),
    async upload(town, positive) {
      const code = await issueCode(service, 'confirmed', onsetOf(town, positive))
      const numbers = positive.sharedDays.flatMap((day) =>
        Array.from({ length: NUMBERS_A_DAY }, (_, index) =>
          numberOf(town, number, startOfTownDay(day) + index),
        ),
      )
      const response = await fetch(`${service.url}/v1/cens`, {
        method: 'POST',
        headers: { authorization: `Bearer ${code}`, 'content-type': 'application/octet-stream' },
        body: Buffer.concat(numbers),
      })
      if (!response.ok) throw await refused('POST /v1/cens', response)
      await response.arrayBuffer()
    },
    async download() {
      let isExposed = false
      for await (const list of newLists(service, keys, read))
        for (let at = 0; at < list.length; at += NUMBER_BYTES)
          isExposed = heard.has(encodeHex(list.subarray(at, at + NUMBER_BYTES))) || isExposed
      return isExposed
    },
  }
}

/** The numbers of each file that is new to a phone, once its signature was checked. @param read paths; brought up to date */
async function* newLists(
  service: PhoneService,
  keys: readonly LoadedKey[],
  read: Set<string>,
): AsyncGenerator<Uint8Array> {
  const index = await get(service, `${DEMO_NAME}/index.txt`)
  for (const file of readNumberIndex(index, DEFAULT_LIMITS)) {
    if (file.kind === 'removed' || read.has(file.path)) continue
    const bytes = await get(service, file.path)
    verifyNumbers(file, bytes, await get(service, `${file.path}${SIGNATURE_SUFFIX}`), keys)
    read.add(file.path)
    yield bytes
  }
}

async function get(service: PhoneService, path: string): Promise<Uint8Array> {
  const response = await fetch(`${service.url}/v1/cens/${path}`)
  if (!response.ok) throw await refused(`GET /v1/cens/${path}`, response)
  return new Uint8Array(await response.arrayBuffer())
}

async function refused(request: string, response: Response): Promise<TocsinError> {
  return new TocsinError(
    'request_refused',
    `${request} was answered ${response.status}: ${await response.text()}`,
  )
}
