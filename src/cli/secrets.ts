// Cli: a backup of both zones' secrets; promises a file that is useless without the master key, and never one that others may read.

import { readFile } from 'node:fs/promises'
import { ZONES, type Zone } from '../db/zones.ts'
import { writePrivateFile } from '../db/private-file.ts'
import { readWrapped, type WrappedSecret } from '../db/secrets-backup.ts'
import { TocsinError } from '../errors.ts'
import type { Command } from './command.ts'
import { counted } from './counted.ts'
import { requiredOption, withData } from './with-data.ts'

/** The content of a backup's file. */
export interface SecretsBackup {
  readonly version: 1
  readonly zones: { readonly [Z in Zone]: readonly WrappedSecret[] }
}

/** `tocsin secrets export` */
export const secretsExportCommand: Command = {
  summary:
    'Writes the secrets of both zones to a new file, as they are kept: wrapped under the master key, which must be backed up elsewhere. A recovery takes it with --secrets.',
  usage: 'secrets export --out FILE',
  options: { out: { type: 'string', help: 'the new file; of mode 0600' } },
  run: (context) =>
    withData(context, async ({ zones }) => {
      const file = requiredOption(context, 'out')
      const backup: SecretsBackup = {
        version: 1,
        zones: {
          key: await readWrapped(zones.key.db),
          authority: await readWrapped(zones.authority.db),
        },
      }
      if (!(await writePrivateFile(file, `${JSON.stringify(backup, undefined, 2)}\n`)))
        throw new TocsinError('file_not_written', `${file} is there already: name a new file.`)
      const count = { key: backup.zones.key.length, authority: backup.zones.authority.length }
      context.print(
        `${file}: ${counted(count.key, 'secret')} of the key zone, ${count.authority} of the authority zone. Back it up anew when signing keys or peppers were made since.`,
      )
      return { document: { file, secrets: count } }
    }),
}

/** Reads a backup. @throws TocsinError `secrets_invalid` */
export async function readSecretsBackup(file: string): Promise<SecretsBackup> {
  try {
    const backup = JSON.parse(await readFile(file, 'utf8')) as SecretsBackup
    if (backup.version === 1 && ZONES.every((zone) => backup.zones[zone].every(isWrapped)))
      return backup
  } catch (error) {
    throw new TocsinError('secrets_invalid', `${file} can't be read as a backup of secrets.`, {
      cause: error,
    })
  }
  throw new TocsinError('secrets_invalid', `${file} is no backup of secrets of this version.`)
}

function isWrapped({ name, version, wrapped, made }: WrappedSecret): boolean {
  return (
    typeof name === 'string' &&
    Number.isSafeInteger(version) &&
    typeof wrapped === 'string' &&
    (made === null || Number.isSafeInteger(made))
  )
}
