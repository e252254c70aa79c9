// Cli: streams of signed files; promises that the private key's path is checked before a stream depends on it.

import { resolve } from 'node:path'
import { TocsinError } from '../errors.ts'
import { parseDuration } from '../operate/duration.ts'
import { latestReleases } from '../publish/releases.ts'
import { loadSigner } from '../publish/signer.ts'
import { nextDue } from '../publish/plan-windows.ts'
import { addStream, listStreams } from '../publish/streams.ts'
import { textOption, type Command, type CommandContext } from './command.ts'
import { requiredOption, withData } from './with-data.ts'

/** `tocsin stream add` */
export const streamAddCommand: Command = {
  summary: 'Adds a stream of signed files.',
  usage: 'stream add NAME --region US --period 1h --key FILE --key-id 310 --key-version v1',
  positionals: 1,
  options: {
    region: { type: 'string', help: 'region whose keys it publishes' },
    period: { type: 'string', help: 'time between two releases, for example 2h; divides 24 h' },
    'window-age': { type: 'string', help: 'how long a window is left to settle; default 0s' },
    key: {
      type: 'string',
      help: 'file with the signing key (tocsin keygen); only its public half is stored',
    },
    'key-id': {
      type: 'string',
      help: 'id under which phones know the key, often the mobile country code',
    },
    'key-version': { type: 'string', help: 'version under which phones know the key' },
  },
  async run(context) {
    const [name] = context.positionals
    if (name === undefined)
      throw new TocsinError('usage', 'Name the stream: tocsin stream add NAME ...')
    const keyFile = resolve(requiredOption(context, 'key'))
    const stream = {
      name,
      region: requiredOption(context, 'region'),
      period: durationOption(context, 'period', undefined),
      windowAge: durationOption(context, 'window-age', 0),
      keyId: requiredOption(context, 'key-id'),
      keyVersion: requiredOption(context, 'key-version'),
      publicKey: (await loadSigner(keyFile)).publicKey,
      keyFile,
    }
    return withData(context, async ({ zones, now }) => {
      await zones.key.db.transaction((tx) => addStream(tx, zones.key.writer, stream, now()))
      context.print(
        `Stream ${name} publishes every ${stream.period} s at /exports/${name}/index.txt`,
      )
      return { document: { name, added: true } }
    })
  },
}

/** `tocsin stream list` */
export const streamListCommand: Command = {
  summary: 'Lists the streams.',
  usage: 'stream list',
  options: {},
  run: (context) =>
    withData(context, async ({ zones }) => {
      const [streams, latest] = await Promise.all([
        listStreams(zones.key.db),
        latestReleases(zones.key.db),
      ])
      const document = streams.map((stream) => ({
        ...stream,
        release: latest.get(stream.name)?.number ?? 0,
        nextDue: new Date(nextDue(stream, latest.get(stream.name)?.windowEnd) * 1000).toISOString(),
      }))
      if (document.length === 0) context.print('None yet: tocsin stream add makes one.')
      for (const { name, region, period, release, nextDue } of document)
        context.print(
          `${name}  region ${region}, every ${period} s, release ${release}, next due ${nextDue}`,
        )
      return { document }
    }),
}

function durationOption(context: CommandContext, name: string, absent: number | undefined): number {
  const text = textOption(context, name)
  if (text === undefined && absent !== undefined) return absent
  const seconds = parseDuration(text ?? '')
  if (seconds === undefined)
    throw new TocsinError(
      'usage',
      `--${name} must be a duration such as 15m, 2h or 30s, of 68 years at the most.`,
    )
  return seconds
}
