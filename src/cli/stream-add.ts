// Cli: adds a stream of signed files; promises that its private key can be read before anything depends on it.

import { TocsinError } from '../errors.ts'
import { addStream, STREAM_DEFAULTS } from '../publish/streams.ts'
import { inUnits } from '../publish/stream-warnings.ts'
import { KINDS } from '../kinds.ts'
import { textOption, type Command, type CommandContext } from './command.ts'
import { KEY_OPTIONS, readKey } from './stream-keys.ts'
import { readStreamOptions, STREAM_OPTIONS } from './stream-options.ts'
import { describeList, printWarnings, reportStream } from './stream-report.ts'
import { changeSettings, defaultsOfKind, SETTING_OPTIONS } from './stream-settings.ts'
import { requiredOption, withData } from './with-data.ts'

/** `tocsin stream add` */
export const streamAddCommand: Command = {
  summary: 'Adds a stream of signed files.',
  usage:
    'stream add NAME --region US --period 2h --key FILE --key-id 310 --key-version v1 [OPTIONS]',
  positionals: 1,
  options: {
    kind: {
      type: 'string',
      help: `kind of key that it publishes: ${KINDS.map(({ name }) => name).join(', ')}; default gaen`,
    },
    ...STREAM_OPTIONS,
    key: {
      type: 'string',
      help: 'file with the signing key (tocsin keygen); only its public half is stored',
    },
    ...KEY_OPTIONS,
    ...SETTING_OPTIONS,
  },
  async run(context) {
    const [name] = context.positionals
    if (name === undefined)
      throw new TocsinError('usage', 'Name the stream: tocsin stream add NAME ...')
    const region = requiredOption(context, 'region')
    requiredOption(context, 'period')
    const { period = 0, ...settings } = readStreamOptions(context)
    const kind = readKind(context)
    const keys = [await readKey(context, 'key')]
    const own = changeSettings(context, { kind, settings: {} })
    const stream = {
      ...defaultsOfKind(kind),
      ...settings,
      ...own,
      kind,
      name,
      region,
      period,
      keys,
    }
    return withData(context, async (data) => {
      const { db, writer } = data.zones.key
      await db.transaction((tx) => addStream(tx, writer, stream, data.now()))
      const { warnings, padding } = await reportStream(data, name)
      context.print(
        `Stream ${name} publishes every ${inUnits(period)} at /exports/${name}/index.txt`,
      )
      const list = describeList(stream, data.config.ofKinds)
      // Else a warning says the same.
      if (list !== undefined && !warnings.some(({ code }) => code === 'list_empty'))
        context.print(list)
      context.print(padding.sentence)
      printWarnings(context, warnings)
      return { document: { name, added: true, padding, warnings } }
    })
  },
}

function readKind(context: CommandContext): string {
  const kind = textOption(context, 'kind')
  if (kind === undefined) return STREAM_DEFAULTS.kind
  if (KINDS.some(({ name }) => name === kind)) return kind
  throw new TocsinError(
    'usage',
    `--kind must be one of ${KINDS.map(({ name }) => name).join(', ')}.`,
  )
}
