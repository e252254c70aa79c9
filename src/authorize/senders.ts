// Authorize: what sends a realm's texts, and signs them; promises that a phone number goes to the realm's own gateway and nowhere else.

import { secretVersions } from '../db/zone-secrets.ts'
import { TocsinError } from '../errors.ts'
import type { Known } from './known.ts'
import { keyInUse } from './plan-signing-keys.ts'
import type { Realm } from './realms.ts'
import { signText, textSigner, type TextPurpose } from './signed-text.ts'
import { loadSigningKey } from './signing-keys.ts'
import {
  createHttpGateway,
  createNoSender,
  GATEWAY_TIMES,
  type TextSender,
} from './text-gateway.ts'
import type { AuthorityZone } from './zone.ts'

/** Sends and signs the texts of a realm. */
export interface RealmTexts {
  /** What sends them. @throws TocsinError `signing_key_invalid` when the gateway's secret is missing */
  sender(): Promise<TextSender>
  /** The text as phones recognise it; as it is where the realm signs none. @throws TocsinError `signing_key_invalid` */
  sign(text: string, purpose: TextPurpose, phone: string, day: Date): Promise<string>
}

/** Finds what sends a realm's texts. */
export type FindSender = (known: Known, realm: Realm) => RealmTexts

/** The secret under which requests to a realm's gateway are signed. */
export function gatewaySecretName(realm: string): string {
  return `gateway secret ${realm}`
}

/** @param now the clock of the keys that sign */
export function createSenders(zone: AuthorityZone, now: () => Date): FindSender {
  return (known, realm) => ({
    sender: async () =>
      realm.settings.textSender === 'none' ? createNoSender() : openGateway(zone, realm, now),
    async sign(text, purpose, phone, day) {
      if (!realm.settings.signTexts) return text
      const own = known.signingKeys.filter(
        (key) => key.realm === realm.name && key.purpose === 'text',
      )
      const key = keyInUse(own, now())
      if (key === undefined)
        throw new TocsinError('signing_key_invalid', `Realm "${realm.name}" has no key for texts.`)
      const sign = textSigner(await loadSigningKey(zone, key))
      return signText(text, { purpose, phone, day, kid: key.kid, sign })
    },
  })
}

async function openGateway(
  zone: AuthorityZone,
  realm: Realm,
  clock: () => Date,
): Promise<TextSender> {
  const name = gatewaySecretName(realm.name)
  const secret = (await secretVersions(zone.db, zone.masterKey, name)).at(-1)?.secret
  if (secret === undefined)
    throw new TocsinError('signing_key_invalid', `Realm "${realm.name}" has no gateway secret.`)
  return createHttpGateway({
    url: realm.settings.gatewayUrl,
    secret: Buffer.from(secret).toString('hex'),
    clock: { now: clock },
    times: GATEWAY_TIMES,
  })
}
