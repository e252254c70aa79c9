// Cli: the keys that sign a realm's certificates and texts; promises to show public halves only.

import { destroyNow, rotateNow } from '../authorize/key-schedule.ts'
import { isPublished, keyInUse } from '../authorize/plan-signing-keys.ts'
import { KEY_PURPOSES, listSigningKeys, type SigningKey } from '../authorize/signing-keys.ts'
import { formatTimestamp } from '../operate/timestamp.ts'
import type { Command } from './command.ts'
import {
  choiceOption,
  isGiven,
  noteLookUp,
  REALM_OPTION,
  requiredArgument,
  requireRealm,
  withAuthority,
} from './with-authority.ts'
import { requiredOption } from './with-data.ts'

/** `tocsin key list` */
export const keyListCommand: Command = {
  summary: "Lists the keys that sign a realm's certificates and texts, and where each stands.",
  usage: 'key list --realm NAME [--purpose certificate|text] [--pem]',
  options: {
    realm: REALM_OPTION,
    purpose: { type: 'string', help: 'certificate or text; both when left out' },
    pem: { type: 'boolean', help: 'with the public halves of those that are published' },
  },
  async run(context) {
    const realm = requiredOption(context, 'realm')
    const purpose = choiceOption(context, 'purpose', KEY_PURPOSES) ?? null
    return withAuthority(context, async (zone, now) => {
      await requireRealm(zone, realm)
      const keys = await listSigningKeys(zone.db, realm, purpose)
      await noteLookUp(zone, 'signing-keys', realm, now())
      const document = keys.map((key) => {
        const same = keys.filter((each) => each.purpose === key.purpose)
        return { ...key, state: stateOf(key, same, now()), published: isPublished(key, now()) }
      })
      if (document.length === 0) context.print('None yet: tocsin key rotate makes one.')
      for (const { kid, purpose: signs, state, published, ...key } of document) {
        const until = key.usedUntil ? `, until ${formatTimestamp(key.usedUntil)}` : ''
        const from = `from ${formatTimestamp(key.usedFrom)}`
        context.print(
          `${kid}  ${signs}, ${state}, ${from}${until}${published ? '' : ', not published'}`,
        )
        if (published && isGiven(context, 'pem')) context.print(key.publicKey.trimEnd())
      }
      return { document }
    })
  },
}

type KeyState = 'signs' | 'follows' | 'retired' | 'destroyed'

/** @param same all keys of its realm and purpose */
function stateOf(key: SigningKey, same: readonly SigningKey[], now: Date): KeyState {
  if (key.destroyedAt !== null) return 'destroyed'
  if (keyInUse(same, now)?.kid === key.kid) return 'signs'
  return key.usedFrom * 1000 > now.getTime() ? 'follows' : 'retired'
}

/** `tocsin key rotate` */
export const keyRotateCommand: Command = {
  summary:
    'Makes the key that follows the one in use: published at once, used an hour later. The first of its purpose is used at once.',
  usage: 'key rotate --realm NAME [--purpose certificate|text] [--at-once]',
  options: {
    realm: REALM_OPTION,
    purpose: { type: 'string', help: 'certificate (default) or text' },
    'at-once': {
      type: 'boolean',
      help: 'for a key that has leaked: the new one is used now, though key servers learn of it only within minutes',
    },
  },
  async run(context) {
    const realm = requiredOption(context, 'realm')
    const purpose = choiceOption(context, 'purpose', KEY_PURPOSES) ?? 'certificate'
    return withAuthority(context, async (zone, now) => {
      const key = await rotateNow(
        zone,
        realm,
        purpose,
        'command',
        now(),
        isGiven(context, 'at-once'),
      )
      context.print(`${key.kid} signs from ${formatTimestamp(key.usedFrom)} on.`)
      context.print(key.publicKey.trimEnd())
      return { document: key }
    })
  },
}

/** `tocsin key destroy` */
export const keyDestroyCommand: Command = {
  summary:
    'Destroys a signing key that is used no more, and publishes its public half no longer: what it signed counts no more.',
  usage: 'key destroy KID --realm NAME',
  positionals: 1,
  options: { realm: REALM_OPTION },
  async run(context) {
    const kid = requiredArgument(context, 'KID', 'key destroy')
    const realm = requiredOption(context, 'realm')
    return withAuthority(context, async (zone, now) => {
      await destroyNow(zone, realm, kid, 'command', now())
      context.print(
        `${kid} is destroyed. Key servers that were told of it by hand: revoke it there.`,
      )
      return { document: { realm, kid, destroyed: true } }
    })
  },
}
