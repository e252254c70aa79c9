// Cli: lists the streams; promises all that was configured, where each stands, and what is worth a warning.

import { formatTimestamp } from '../operate/timestamp.ts'
import { readStandings } from '../publish/releases.ts'
import { nextDue } from '../publish/plan-windows.ts'
import type { Command } from './command.ts'
import { nameOf } from './stream-keys.ts'
import {
  describeStream,
  printWarnings,
  reportStreams,
  stateOf,
  stateOfSigningKey,
} from './stream-report.ts'
import { withData } from './with-data.ts'

/** `tocsin stream list` */
export const streamListCommand: Command = {
  summary: 'Lists the streams: what each publishes, where it stands, and what is worth a warning.',
  usage: 'stream list',
  options: {},
  run: (context) =>
    withData(context, async (data) => {
      const now = data.now().getTime() / 1000
      const reports = await reportStreams(data)
      const standings = await readStandings(
        data.zones.key.db,
        reports.map(({ stream }) => stream),
      )
      if (reports.length === 0) context.print('None yet: tocsin stream add makes one.')
      const document = reports.map(({ stream, warnings, padding }) => {
        const standing = standings.get(stream.name)
        const due = nextDue(stream, standing?.windowEnd)
        return {
          ...stream,
          keys: stream.keys.map((key) => ({ ...key, state: stateOfSigningKey(key, now) })),
          state: stateOf(stream, now),
          release: standing?.number ?? 0,
          nextDue: due === undefined ? null : formatTimestamp(due),
          padding,
          warnings,
        }
      })
      for (const { name, state, release, nextDue, warnings, ...stream } of document) {
        context.print(
          `${name}  ${state}, release ${release}, ${nextDue === null ? 'none due any more' : `next due ${nextDue}`}`,
        )
        for (const line of describeStream({ name, ...stream })) context.print(`  ${line}`)
        for (const key of stream.keys)
          if (key.state !== 'signing') context.print(`  signing key ${nameOf(key)} is ${key.state}`)
        printWarnings(context, warnings, '  ')
      }
      return { document }
    }),
}
