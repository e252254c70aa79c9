// Cli: makes a signing key; promises that the private half is in one file of mode 0600 and nowhere else.

import { resolve } from 'node:path'
import { makeSigningKey } from '../publish/signer.ts'
import type { Command } from './command.ts'
import { requiredOption } from './with-data.ts'

/** `tocsin keygen` */
export const keygenCommand: Command = {
  summary: 'Makes a P-256 signing key and prints its public half.',
  usage: 'keygen --out FILE',
  options: { out: { type: 'string', help: 'new file for the private key' } },
  async run(context) {
    const file = resolve(requiredOption(context, 'out'))
    const publicKey = await makeSigningKey(file)
    context.print(publicKey.trimEnd())
    return { document: { file, publicKey } }
  },
}
