// Cli: the phones of the town; promises that each knows only what it heard and what it downloaded and verified.

import { deriveIdentifiers, IDENTIFIER_BYTES } from '../format/gaen-derivation.ts'
import { INTERVALS_PER_DAY } from '../format/intervals.ts'
import type { FeedState } from '../verify/feed-state.ts'
import { followFeed } from '../verify/follow-feed.ts'
import { createMatcher, type ObservedIdentifier } from '../verify/match.ts'
import { issueCode, uploadKeys, verifyCode, type PhoneService } from './phone-client.ts'
import type { TownProtocol } from './town-protocols.ts'
import { startOfTownDay, type Positive, type Town } from './town.ts'

/** A phone of the town. */
export interface TownPhone {
  readonly number: number
  /** Its owner's test was positive: a code from the doctor, a certificate, the keys of the shared days. */
  upload(town: Town, positive: Positive): Promise<void>
  /** Downloads what is new, verifies and matches it. @returns whether its owner was near somebody */
  download(): Promise<boolean>
  hear(identifier: ObservedIdentifier): void
}

/** The Exposure Notification framework: keys of a day, signed exports. */
export const GAEN_PROTOCOL: TownProtocol = {
  kind: 'gaen',
  settings: {},
  unit: 'keys',
  makePhones,
  letHear,
}

/** The phones, and the signing key that their app was built with. */
async function makePhones(count: number, service: PhoneService): Promise<TownPhone[]> {
  const publicKey = await (await fetch(`${service.url}/exports/demo/key.pem`)).text()
  return Array.from({ length: count }, (_, number) => makePhone(number, service, publicKey))
}

/** A day of the town: who met heard each other. */
export function letHear(town: Town, day: number, phones: readonly TownPhone[]): void {
  const broadcast = new Map<number, Uint8Array>()
  const start = startOfTownDay(day)
  const identifierOf = (phone: number, interval: number): Uint8Array => {
    const identifiers =
      broadcast.get(phone) ?? deriveIdentifiers(town.keyOf(phone, day), start, INTERVALS_PER_DAY)
    broadcast.set(phone, identifiers)
    const offset = (interval - start) * IDENTIFIER_BYTES
    return identifiers.subarray(offset, offset + IDENTIFIER_BYTES)
  }
  for (const { a, b, interval } of town.encounters[day] ?? []) {
    phones[a]?.hear({ identifier: identifierOf(b, interval), interval })
    phones[b]?.hear({ identifier: identifierOf(a, interval), interval })
  }
}

/** The day of the first symptoms, YYYY-MM-DD. */
export function onsetOf(town: Town, { onsetDay }: Positive): string {
  return new Date(town.start.getTime() + onsetDay * 86_400_000).toISOString().slice(0, 10)
}

function makePhone(number: number, service: PhoneService, publicKey: string): TownPhone {
  const observed: ObservedIdentifier[] = []
  let seen: FeedState | undefined
  return {
    number,
    hear: (identifier) => void observed.push(identifier),
    async upload(town, positive) {
      const { sharedDays } = positive
      const code = await issueCode(service, 'confirmed', onsetOf(town, positive))
      const token = await verifyCode(service, code)
      const keys = sharedDays.map((day) => ({
        keyData: town.keyOf(number, day),
        rollingStart: startOfTownDay(day),
        rollingPeriod: INTERVALS_PER_DAY,
      }))
      await uploadKeys(service, token, keys)
    },
    async download() {
      const matcher = createMatcher(observed)
      let isExposed = false
      const feed = followFeed({
        index: `${service.url}/exports/demo/index.txt`,
        trustedKeys: [{ publicKey }],
        seen,
      })
      for await (const event of feed) {
        if (event.type === 'key') isExposed = matcher.match(event.key).length > 0 || isExposed
        if (event.type === 'state') seen = event.state
        if (event.type === 'refused') throw event.error
      }
      return isExposed
    },
  }
}
