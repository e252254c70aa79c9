// Cli: phones of the town that broadcast contact event numbers; promises that each tells a number once, knows only those that it heard and the lists that it downloaded and verified, and downloads those of places alone in which it was.

import { createHash } from 'node:crypto'
import { TocsinError } from '../errors.ts'
import { encodeHex } from '../format/bytes.ts'
import { NUMBER_BYTES, SIGNATURE_SUFFIX, type IndexedNumberFile } from '../format/number-file.ts'
import { DEMO_APP, DEMO_NAME } from './demo-deployment.ts'
import { issueCode, type PhoneService } from './phone-client.ts'
import { loadTrustedKeys, type LoadedKey } from '../verify/trusted-keys.ts'
import { readNumberIndex, verifyNumbers } from '../verify/verify-numbers.ts'
import { DEFAULT_LIMITS } from '../verify/limits.ts'
import type { ObservedIdentifier } from '../verify/match.ts'
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
  // So that few reports show a release that is split by location.
  streamSettings: { cells: 4, cellReports: 2 },
  unit: 'numbers',
  async makePhones(count, service) {
    const publicKey = new TextDecoder().decode(await get(service, `${DEMO_NAME}/key.pem`))
    const keys = await loadTrustedKeys([{ publicKey }])
    return Array.from({ length: count }, (_, number) => makePhone(number, service, keys))
  },
  letHear(town, day, phones) {
    for (const { a, b, interval } of town.encounters[day] ?? []) {
      const place = town.placeOf(a, b)
      const [ofA, ofB] = [a, b].map((phone) => ({
        identifier: numberOf(town, phone, interval),
        interval,
        place,
      })) as [HeardNumber, HeardNumber]
      phones[a]?.hear(ofB)
      phones[b]?.hear(ofA)
    }
  },
}

/** A number, and where it was heard. */
interface HeardNumber extends ObservedIdentifier {
  /** A geohash of 4 characters. */
  readonly place?: string
}

/** What a phone broadcasts in an interval: nothing that anybody could tell from the others. */
function numberOf(town: Town, phone: number, interval: number): Uint8Array {
  const day = Math.floor((interval - startOfTownDay(0)) / NUMBERS_A_DAY)
  const hash = createHash('sha256').update(town.keyOf(phone, day)).update(String(interval))
  return hash.digest().subarray(0, NUMBER_BYTES)
}

function makePhone(number: number, service: PhoneService, keys: readonly LoadedKey[]): TownPhone {
  const heard = new Set<string>()
  /** Where it met somebody, and when last: an interval. */
  const places = new Map<string, number>()
  let readUntil = 0
  return {
    number,
    hear({ identifier, interval, place = '' }: HeardNumber) {
      heard.add(encodeHex(identifier))
      places.set(place, interval)
    },
    async upload(town, positive) {
      const code = await issueCode(service, 'confirmed', onsetOf(town, positive))
      const numbers = positive.sharedDays.flatMap((day) =>
        Array.from({ length: NUMBERS_A_DAY }, (_, index) =>
          numberOf(town, number, startOfTownDay(day) + index),
        ),
      )
      const since = startOfTownDay(positive.sharedDays[0] ?? 0)
      const cell = commonArea([...places].flatMap(([place, last]) => (last < since ? [] : place)))
      const response = await fetch(`${service.url}/v1/cens`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${code}`,
          'content-type': 'application/octet-stream',
          ...(cell === '' ? {} : { 'cen-cell': cell }),
        },
        body: Buffer.concat(numbers),
      })
      if (!response.ok) throw await refused('POST /v1/cens', response)
      await response.arrayBuffer()
    },
    async download() {
      let isExposed = false
      const index = readNumberIndex(await get(service, `${DEMO_NAME}/index.txt`), DEFAULT_LIMITS)
      const isNew = ({ kind, end }: IndexedNumberFile) => kind !== 'removed' && end > readUntil
      for (const file of filesOf(index.filter(isNew), [...places.keys()])) {
        const list = await readList(service, keys, file)
        for (let at = 0; at < list.length; at += NUMBER_BYTES)
          isExposed = heard.has(encodeHex(list.subarray(at, at + NUMBER_BYTES))) || isExposed
      }
      readUntil = Math.max(readUntil, ...index.map(({ end }) => end))
      return isExposed
    },
  }
}

/** The smallest area that all places are in, so that whoever was met in one of them looks there: what their geohashes begin with. */
function commonArea([first = '', ...others]: readonly string[]): string {
  let area = first
  for (const place of others) while (!place.startsWith(area)) area = area.slice(0, -1)
  return area
}

/** Of the files of one time and kind, for each place the one with the longest cell that it lies in. */
function filesOf(
  files: readonly IndexedNumberFile[],
  places: readonly string[],
): Set<IndexedNumberFile> {
  const chosen = new Map<string, IndexedNumberFile>()
  for (const place of places)
    for (const file of files.filter(({ cell }) => place.startsWith(cell))) {
      const { kind, start, end, cell } = file
      const set = `${place} ${kind} ${start} ${end}`
      if (cell.length >= (chosen.get(set)?.cell.length ?? 0)) chosen.set(set, file)
    }
  return new Set(chosen.values())
}

/** The numbers of a file, once its signature was checked. */
async function readList(
  service: PhoneService,
  keys: readonly LoadedKey[],
  file: IndexedNumberFile,
): Promise<Uint8Array> {
  const bytes = await get(service, file.path)
  verifyNumbers(file, bytes, await get(service, `${file.path}${SIGNATURE_SUFFIX}`), keys)
  return bytes
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
