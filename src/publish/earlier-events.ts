// Publish: events as the first version of the log has them; promises that what they say is read as today's say it.

import type { StoredEvent } from '../log/record.ts'
import type { ReleaseContent } from './releases.ts'
import type { Stream, StreamKey } from './streams.ts'

/** The type of the event that added a stream, before streams could be changed. */
export const STREAM_ADDED = 'stream.added'

/** A stream as that event has it: one region, one signing key. */
type EarlierStream = Pick<Stream, 'name' | 'region' | 'period' | 'windowAge' | 'start'> &
  Pick<StreamKey, 'keyId' | 'keyVersion' | 'publicKey' | 'keyFile'>

/** What every stream was before kinds of key, and what a kind has of its own, were said. */
const EARLIEST_KIND = { kind: 'gaen', settings: {}, diagnosisKeys: true } as const

/** What nobody could choose; the migration that made these columns has the same. */
const WITHOUT_CHOICE = {
  excludedRegions: [],
  travelers: 'regional',
  reportTypes: [],
  hold: 20,
  minimum: 1_000,
  maximum: 500_000,
  retention: 14 * 86_400,
  through: null,
} as const

/** The configuration that an event of a stream brought. */
export function streamContent(event: StoredEvent): Stream {
  // Streams had one kind, and said nothing of it, nor of what a kind has of its own.
  if (event.type !== STREAM_ADDED)
    return {
      ...EARLIEST_KIND,
      ...(event.parts[0]?.content as Stream),
    }
  const content = event.parts[0]?.content as EarlierStream
  const { keyId, keyVersion, publicKey, keyFile, ...stream } = content
  return {
    ...stream,
    ...EARLIEST_KIND,
    ...WITHOUT_CHOICE,
    inputRegions: [stream.region],
    keys: [{ keyId, keyVersion, publicKey, keyFile, from: 0, through: null }],
  }
}

/** The content of a release's event: the first ones held nothing back, and revised nothing. */
export function releaseContent(event: StoredEvent): ReleaseContent {
  const content = event.parts[0]?.content as ReleaseContent
  if ((content.keysFrom as number | null | undefined) !== undefined) return content
  return {
    ...content,
    keysFrom: content.window.start,
    // They took no revision into account.
    readSeq: 0,
    files: content.files.map((file) => ({ ...file, revisedKeys: 0 })),
  }
}
