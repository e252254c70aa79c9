// Cli: ends a stream; promises that what was accepted so far is still published, and that files stay until their time.

import { TocsinError } from '../errors.ts'
import { formatTimestamp } from '../operate/timestamp.ts'
import { retireStream } from '../publish/retire-stream.ts'
import { updateStream } from '../publish/streams.ts'
import type { Command } from './command.ts'
import { timeOption } from './stream-options.ts'
import { printWarnings, reportStream } from './stream-report.ts'
import { withData } from './with-data.ts'

/** `tocsin stream retire` */
export const streamRetireCommand: Command = {
  summary: 'Ends a stream with the window that is open now; its files stay until their time.',
  usage: 'stream retire NAME [--at TIME]',
  positionals: 1,
  options: {
    at: {
      type: 'string',
      help: 'where its last window ends, instead; a day later than now takes in keys that phones still use',
    },
  },
  async run(context) {
    const [name] = context.positionals
    if (name === undefined) throw new TocsinError('usage', 'Say which: tocsin stream retire NAME.')
    const at = timeOption(context, 'at')
    return withData(context, async (data) => {
      const { db, writer } = data.zones.key
      const now = data.now()
      const changed = await db.transaction(async (tx) => {
        if (at === undefined) return (await retireStream(tx, writer, name, now)).changed
        let before: number | null = null
        await updateStream(
          tx,
          writer,
          name,
          (stream) => {
            before = stream.through
            return { through: at }
          },
          now,
        )
        return before !== at
      })
      const { stream, warnings } = await reportStream(data, name)
      const end = formatTimestamp(stream.through ?? stream.start)
      context.print(
        changed
          ? `The last window of ${name} ends at ${end}; its files stay for their retention.`
          : `${name} ends at ${end} already.`,
      )
      if (changed)
        context.print(
          'Keys that phones still use then are not in it. tocsin stream update --through none takes it up again, without a gap.',
        )
      printWarnings(context, warnings)
      return { document: { name, retired: true, changed, through: end, warnings } }
    })
  },
}
