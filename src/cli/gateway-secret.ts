// Cli: the secret that a realm shares with its gateway for texts; promises that it is told once, in a new file or on the terminal, and counts only once the file is safe.

import { randomBytes } from 'node:crypto'
import { unlink } from 'node:fs/promises'
import { resolve } from 'node:path'
import { lockRealm } from '../authorize/realms.ts'
import { gatewaySecretName } from '../authorize/senders.ts'
import { configured, type AuthorityZone } from '../authorize/zone.ts'
import { writePrivateFile } from '../db/private-file.ts'
import { addSecretVersion, destroySecretVersions, secretVersions } from '../db/zone-secrets.ts'
import { TocsinError } from '../errors.ts'
import { appendEvents } from '../log/append-event.ts'
import { textOption, type Command } from './command.ts'
import { requiredArgument, requireRealm, withAuthority } from './with-authority.ts'

const SECRET_BYTES = 32

/** `tocsin realm gateway-secret` */
export const gatewaySecretCommand: Command = {
  summary:
    'Makes the secret that signs requests to the gateway for texts, in place of the one before; it is shown once.',
  usage: 'realm gateway-secret NAME [--out FILE]',
  positionals: 1,
  options: { out: { type: 'string', help: 'new file for the secret, instead of printing it' } },
  async run(context) {
    const realm = requiredArgument(context, 'NAME', 'realm gateway-secret')
    const out = textOption(context, 'out')
    const file = out === undefined ? undefined : resolve(out)
    return withAuthority(context, async (zone, now) => {
      await requireRealm(zone, realm)
      const secret = randomBytes(SECRET_BYTES)
      const keep = () => keepSecret(zone, realm, secret, now())
      if (file === undefined) {
        const version = await keep()
        context.print(secret.toString('hex'))
        return { document: { realm, version, secret: secret.toString('hex') } }
      }
      const version = await keepWithFile(file, secret, keep)
      context.print(`Version ${version} of the secret of realm ${realm} is in ${file}`)
      return { document: { realm, version, file } }
    })
  },
}

async function keepWithFile<Result>(
  file: string,
  secret: Buffer,
  keep: () => Promise<Result>,
): Promise<Result> {
  // Without a line feed: the gateway's key is the text, and programs read the whole file.
  if (!(await writePrivateFile(file, secret.toString('hex'))))
    throw new TocsinError('file_not_written', `${file} exists already: it is not overwritten.`)
  try {
    return await keep()
  } catch (error) {
    await unlink(file)
    throw error
  }
}

/** @returns its version */
function keepSecret(
  { db, writer, masterKey }: AuthorityZone,
  realm: string,
  secret: Uint8Array,
  now: Date,
): Promise<number> {
  const name = gatewaySecretName(realm)
  return db.transaction(async (tx) => {
    // One at a time: of two, each would tell a secret, and one of them would not count.
    await lockRealm(tx, realm)
    const newest = (await secretVersions(tx, masterKey, name)).at(-1)?.version ?? 0
    const version = newest + 1
    await addSecretVersion(tx, masterKey, name, newest, now, () => secret)
    await destroySecretVersions(tx, name, version)
    const made = configured('gateway-secret.made', { realm, version, by: 'command' as const })
    await appendEvents(tx, writer, [made], now)
    return version
  })
}
