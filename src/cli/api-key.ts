// Cli: API keys of a realm; promises that a key is shown once, on the terminal or in a file of mode 0600 that was not there before.

import { open, unlink } from 'node:fs/promises'
import { resolve } from 'node:path'
import { addApiKey, API_KEY_TYPES } from '../authorize/api-keys.ts'
import { TocsinError } from '../errors.ts'
import { textOption, type Command } from './command.ts'
import { requiredOption, withData } from './with-data.ts'

/** `tocsin api-key add` */
export const apiKeyAddCommand: Command = {
  summary: 'Makes an API key of a realm; it is shown once.',
  usage: 'api-key add --realm NAME --type device|admin [--out FILE]',
  options: {
    realm: { type: 'string', help: 'realm whose key it is' },
    type: {
      type: 'string',
      help: 'device for an app (verify, certificate), admin for a health system (issue)',
    },
    out: { type: 'string', help: 'new file for the key, instead of printing it' },
  },
  async run(context) {
    const realm = requiredOption(context, 'realm')
    const type = API_KEY_TYPES.find((each) => each === requiredOption(context, 'type'))
    if (type === undefined) throw new TocsinError('usage', '--type must be device or admin.')
    const out = textOption(context, 'out')
    const file = out === undefined ? undefined : resolve(out)
    return withData(context, async ({ zones, now }) => {
      const zone = { ...zones.authority, masterKey: zones.masterKey }
      const makeKey = () => addApiKey(zone, { realm, type }, now())
      if (file === undefined) {
        const apiKey = await makeKey()
        context.print(apiKey)
        return { document: { realm, type, apiKey } }
      }
      await writeNewFile(file, makeKey)
      context.print(`An API key of type ${type} for realm ${realm} is in ${file}`)
      return { document: { realm, type, file } }
    })
  },
}

/** Makes the file before its content, so that no key is made that then can't be kept. */
async function writeNewFile(file: string, makeText: () => Promise<string>): Promise<void> {
  const handle = await open(file, 'wx', 0o600).catch((error: unknown) => {
    const exists = (error as NodeJS.ErrnoException).code === 'EEXIST'
    throw new TocsinError(
      'file_not_written',
      exists ? `${file} exists already: it is not overwritten.` : `${file} can't be written.`,
      { cause: error },
    )
  })
  try {
    await handle.writeFile(`${await makeText()}\n`)
    await handle.sync()
  } catch (error) {
    await unlink(file).catch(() => undefined)
    throw error
  } finally {
    await handle.close()
  }
}
