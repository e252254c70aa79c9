// Cli: the signing keys of a stream as options name them; promises that a private key can be read before a stream depends on it.

import { resolve } from 'node:path'
import { TocsinError } from '../errors.ts'
import { loadSigner } from '../publish/signer.ts'
import type { StreamKey } from '../publish/streams.ts'
import { textOption, type CommandContext, type CommandOption } from './command.ts'
import { endOption, timeOption } from './stream-options.ts'
import { requiredOption } from './with-data.ts'

/** Which key it is and when it signs. */
export const KEY_OPTIONS = {
  'key-id': {
    type: 'string',
    help: 'id under which phones know the key, often the mobile country code',
  },
  'key-version': { type: 'string', help: 'version under which phones know the key' },
  'key-from': { type: 'string', help: 'time from which on the key signs; default at once' },
  'key-through': {
    type: 'string',
    help: 'time at which it ends: windows that end then or later are not signed with it; none (default) for no end',
  },
} as const satisfies Record<string, CommandOption>

/**
 * The signing key that `option` and the options beside it name.
 *
 * @param option name of the one with the file
 * @throws TocsinError `usage`, `signing_key_invalid`, `file_mode_unsafe`
 */
export async function readKey(context: CommandContext, option: string): Promise<StreamKey> {
  const keyFile = resolve(requiredOption(context, option))
  const key = {
    keyId: requiredOption(context, 'key-id'),
    keyVersion: requiredOption(context, 'key-version'),
    keyFile,
    from: timeOption(context, 'key-from') ?? 0,
    through: endOption(context, 'key-through') ?? null,
  }
  return { ...key, publicKey: (await loadSigner(keyFile)).publicKey }
}

/** What a change makes of a stream's keys. @throws TocsinError `stream_invalid` */
export type ChangeKeys = (keys: readonly StreamKey[]) => readonly StreamKey[]

/** The options of `stream update` that change keys: one of them at a time. */
const CHANGES: Readonly<Record<string, (context: CommandContext) => Promise<ChangeKeys>>> = {
  key: moveKey,
  'add-key': addKey,
  'end-key': async (context) => endKey(context),
  'remove-key': async (context) => removeKey(context),
}

/**
 * What the options of `stream update` say of the keys; undefined when they say nothing.
 *
 * @throws TocsinError `usage`, `signing_key_invalid`, `file_mode_unsafe`
 */
export async function readKeyChange(context: CommandContext): Promise<ChangeKeys | undefined> {
  const given = Object.keys(CHANGES).filter((name) => textOption(context, name) !== undefined)
  const [name, other] = given
  if (name === undefined) {
    refuseBeside(context, 'belongs to --key, --add-key or --end-key', Object.keys(KEY_OPTIONS))
    return undefined
  }
  if (other !== undefined)
    throw new TocsinError('usage', `--${name} and --${other}: one change of the keys at a time.`)
  return CHANGES[name]?.(context)
}

/** The same key in another file, or with another time. */
async function moveKey(context: CommandContext): Promise<ChangeKeys> {
  const given = await readKey(context, 'key')
  const name = nameOf(given)
  const from = timeOption(context, 'key-from')
  const through = endOption(context, 'key-through')
  return (keys) =>
    changeOne(keys, name, (key) => {
      if (key.publicKey !== given.publicKey)
        throw new TocsinError(
          'stream_invalid',
          `Phones know the signing key ${name} by another public half: a new key needs an id or a version of its own, and --add-key.`,
        )
      const { keyFile } = given
      return {
        ...key,
        keyFile,
        from: from ?? key.from,
        through: through === undefined ? key.through : through,
      }
    })
}

async function addKey(context: CommandContext): Promise<ChangeKeys> {
  const key = await readKey(context, 'add-key')
  return (keys) => {
    if (keys.some((each) => nameOf(each) === nameOf(key)))
      throw new TocsinError(
        'stream_invalid',
        `The stream has a signing key ${nameOf(key)} already: a new key needs an id or a version of its own.`,
      )
    return [key, ...keys]
  }
}

function endKey(context: CommandContext): ChangeKeys {
  const name = keyName(context, 'end-key')
  refuseBeside(context, 'does not go with --end-key', ['key-id', 'key-version', 'key-from'])
  const through = endOption(context, 'key-through')
  if (through === undefined)
    throw new TocsinError('usage', '--key-through is needed: when it ends.')
  return (keys) => changeOne(keys, name, (key) => ({ ...key, through }))
}

function removeKey(context: CommandContext): ChangeKeys {
  const name = keyName(context, 'remove-key')
  refuseBeside(context, 'does not go with --remove-key', Object.keys(KEY_OPTIONS))
  return (keys) => {
    changeOne(keys, name, (key) => key)
    if (keys.length === 1)
      throw new TocsinError(
        'stream_invalid',
        `${name} is the only signing key: --add-key its successor first, as files without a signature are no use to phones.`,
      )
    return keys.filter((key) => nameOf(key) !== name)
  }
}

/** Keys of which one is changed. @throws TocsinError `stream_invalid` when it is not among them */
function changeOne(
  keys: readonly StreamKey[],
  name: string,
  change: (key: StreamKey) => StreamKey,
): StreamKey[] {
  if (!keys.some((key) => nameOf(key) === name))
    throw new TocsinError(
      'stream_invalid',
      `The stream has no signing key ${name}; it has ${keys.map(nameOf).join(', ')}.`,
    )
  return keys.map((key) => (nameOf(key) === name ? change(key) : key))
}

function keyName(context: CommandContext, option: string): string {
  const name = requiredOption(context, option)
  if (!/^[^/]+\/[^/]+$/.test(name))
    throw new TocsinError('usage', `--${option} names a key as ID/VERSION, for example 310/v1.`)
  return name
}

function refuseBeside(context: CommandContext, problem: string, names: readonly string[]): void {
  const name = names.find((each) => textOption(context, each) !== undefined)
  if (name !== undefined) throw new TocsinError('usage', `--${name} ${problem}.`)
}

/** How commands name a key: `310/v1`. */
export function nameOf({ keyId, keyVersion }: Pick<StreamKey, 'keyId' | 'keyVersion'>): string {
  return `${keyId}/${keyVersion}`
}
