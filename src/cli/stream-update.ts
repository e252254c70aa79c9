// Cli: changes a stream; promises that only what was given changes, and that of two changes at once neither is lost.

import { TocsinError } from '../errors.ts'
import { formatTimestamp } from '../operate/timestamp.ts'
import { updateStream, type Stream, type StreamChanges } from '../publish/streams.ts'
import type { Command } from './command.ts'
import { KEY_OPTIONS, readKeyChange, type ChangeKeys } from './stream-keys.ts'
import { readStreamOptions, STREAM_OPTIONS } from './stream-options.ts'
import { describeStream, printWarnings, reportStream } from './stream-report.ts'
import { changeSettings, hasSettings, SETTING_OPTIONS } from './stream-settings.ts'
import { withData } from './with-data.ts'

/** `tocsin stream update` */
export const streamUpdateCommand: Command = {
  summary:
    'Changes a stream: what is given, and nothing else. Windows that are out stay as they are.',
  usage:
    'stream update NAME [OPTIONS]\n       tocsin stream update NAME --add-key FILE --key-id 310 --key-version v2 [--key-from TIME] [--key-through TIME]\n       tocsin stream update NAME --end-key 310/v1 --key-through TIME\n       tocsin stream update NAME --remove-key 310/v1',
  positionals: 1,
  options: {
    ...STREAM_OPTIONS,
    'add-key': {
      type: 'string',
      help: 'file with a further signing key, the newest: files carry a signature of each that counts',
    },
    'end-key': { type: 'string', help: 'ID/VERSION of the signing key that ends at --key-through' },
    'remove-key': { type: 'string', help: 'ID/VERSION of the signing key that signs no more' },
    key: {
      type: 'string',
      help: 'file in which the signing key of --key-id and --key-version lies now',
    },
    ...KEY_OPTIONS,
    ...SETTING_OPTIONS,
  },
  async run(context) {
    const [name] = context.positionals
    if (name === undefined)
      throw new TocsinError('usage', 'Say which: tocsin stream update NAME ...')
    const settings = readStreamOptions(context)
    const changeKeys = await readKeyChange(context)
    const isEmpty = Object.keys(settings).length === 0 && !hasSettings(context)
    if (isEmpty && changeKeys === undefined)
      throw new TocsinError('usage', 'Say what changes: tocsin stream update --help lists it.')
    return withData(context, async (data) => {
      const { db, writer } = data.zones.key
      const now = data.now()
      let ended: number | null = null
      const changed = (before: Stream) => {
        ended = before.through
        return { ...change(before, settings, changeKeys), ...changeSettings(context, before) }
      }
      await db.transaction((tx) => updateStream(tx, writer, name, changed, now))
      const { stream, warnings, padding } = await reportStream(data, name)
      context.print(`Stream ${name} from its next window on:`)
      for (const line of describeStream(stream)) context.print(`  ${line}`)
      const resumed = isResumed(stream, ended, now)
      if (resumed)
        context.print(
          `It goes on where it ended, at ${formatTimestamp(ended ?? 0)}: the windows since then are due, oldest first, and bring the keys of the time in between that have not been erased.`,
        )
      context.print(padding.sentence)
      printWarnings(context, warnings)
      return { document: { name, updated: true, resumed, stream, padding, warnings } }
    })
  },
}

/** Whether a stream that had ended has windows again. */
function isResumed({ through }: Stream, ended: number | null, now: Date): boolean {
  if (ended === null || ended > now.getTime() / 1000) return false
  return through === null || through > ended
}

function change(stream: Stream, settings: StreamChanges, changeKeys?: ChangeKeys): StreamChanges {
  const { region, inputRegions } = settings
  // Nobody said which keys it publishes but by its region: they go with it.
  const isOwn = stream.inputRegions.length === 1 && stream.inputRegions[0] === stream.region
  const follows = region !== undefined && inputRegions === undefined && isOwn
  return {
    ...settings,
    ...(follows ? { inputRegions: [region] } : {}),
    ...(changeKeys === undefined ? {} : { keys: changeKeys(stream.keys) }),
  }
}
