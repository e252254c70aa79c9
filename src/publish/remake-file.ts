// Publish: a recorded file made again from the log; promises the very bytes that were signed, or a refusal.

import { TocsinError } from '../errors.ts'
import { readEvent } from '../log/read-events.ts'
import type { SignDigest } from './build-export.ts'
import { inSnapshot, type DraftFile } from './build-window.ts'
import type { PublisherContext } from './publisher-context.ts'
import { releaseContent } from './earlier-events.ts'
import { RELEASE, type ReleaseContent } from './releases.ts'
import { encoderOf } from './stream-encoder.ts'
import { streamAt } from './streams.ts'

/**
 * Makes the files of a release again, staged: from the keys that its event says it was read from, by the configuration of that
 * time, with the signatures that were recorded.
 *
 * @param seq of the release's event
 * @throws TocsinError `log_invalid` when that gives other bytes, `store_failed`
 */
export async function remakeFiles(context: PublisherContext, seq: number): Promise<DraftFile[]> {
  const event = await readEvent(context.db, seq)
  if (event?.type !== RELEASE) throw new TocsinError('log_invalid', `Event ${seq} is no release.`)
  const release = releaseContent(event)
  const stream = await streamAt(context.db, release.configurationSeq)
  const encoder = encoderOf(context, stream)
  if (release.encoderVersion !== encoder.version)
    throw new TocsinError(
      'log_invalid',
      `${release.files[0]?.path} was made by encoder ${release.encoderVersion}, and this version has encoder ${encoder.version}: bring the file back from a copy of the store.`,
    )
  const { files } = release
  if (files.length === 0) return []
  const made = await inSnapshot(context, (tx) => encoder.remake(context, tx, stream, release))
  for (const [index, { path, digest }] of files.entries()) {
    const again = made[index]
    if (again?.path !== path || !Buffer.from(again.built.digest).equals(digest))
      throw new TocsinError(
        'log_invalid',
        `${path} can't be made again: its keys were erased when their time was over, or are no longer those of its release. Bring the file back from a copy of the store.`,
      )
  }
  return made
}

/** Gives the signatures in the order in which they were made: file by file, key by key. */
export function recordedSignatures({ files }: ReleaseContent): SignDigest {
  const signatures = files.flatMap((file) => file.signatures).values()
  return async () => signatures.next().value?.signature ?? new Uint8Array()
}
