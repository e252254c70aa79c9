// Publish: mends the store by the log; promises the recorded bytes and no others, no index that names an absent file, and that nobody else's file is touched unasked.

import { rm } from 'node:fs/promises'
import { storePath } from '../distribute/public-paths.ts'
import { TocsinError } from '../errors.ts'
import { checkStore, type CheckContext, type StoreFinding } from './check-store.ts'
import { movePointer } from './place-files.ts'
import type { LeaderContext } from './publisher-context.ts'
import { remakeFiles } from './remake-file.ts'
import { renewUnlisted } from './retire-files.ts'
import { listStreams } from './streams.ts'

/** What became of a finding. */
export interface MendedFinding extends StoreFinding {
  readonly repaired: boolean
  /** Why it could not be repaired. */
  readonly reason?: string
}

/** How a repair goes about it. */
export interface RepairOptions {
  /** Whether files that nobody knows are removed, too. */
  readonly removeStrays: boolean
}

/**
 * Checks the store and mends what is wrong, by whoever holds the publisher's lock. Lost and changed files are made again from
 * the log, with the signatures that were recorded, and their digests are checked before they are put: a published file never
 * changes, so those bytes are the only right ones. What lay in the place of a changed file is gone then.
 *
 * @param onFiles as for {@link checkStore}
 * @throws TocsinError `publisher_lost`, `unavailable`, `store_failed` when the store can't be read at all
 */
export async function* repairStore(
  context: LeaderContext & CheckContext,
  options: RepairOptions,
  onFiles?: (count: number) => void,
): AsyncGenerator<MendedFinding[]> {
  /** Streams that lack a file still, or have an old index. */
  const broken = new Set<string>()
  for await (const findings of checkStore(context, onFiles)) {
    const mended: MendedFinding[] = []
    for (const group of byRelease(findings)) {
      const outcome = await attempt(() => mend(context, group, options, broken))
      mended.push(...group.map((finding) => ({ ...finding, ...outcome })))
      if (!outcome.repaired) for (const finding of group) broken.add(streamOf(finding))
    }
    yield mended
  }
}

/** The findings of one release together, since its files are made together; every other by itself. */
function byRelease(findings: readonly StoreFinding[]): StoreFinding[][] {
  const groups = new Map<string | number, StoreFinding[]>()
  for (const finding of findings) {
    const group = finding.recorded?.seq ?? finding.path
    groups.set(group, [...(groups.get(group) ?? []), finding])
  }
  return [...groups.values()]
}

/** Goes on with the others when one thing can't be mended. */
async function attempt(
  work: () => Promise<string | undefined>,
): Promise<Pick<MendedFinding, 'repaired' | 'reason'>> {
  try {
    const reason = await work()
    return reason === undefined ? { repaired: true } : { repaired: false, reason }
  } catch (error) {
    if (!(error instanceof TocsinError)) throw error
    if (error.code === 'publisher_lost' || error.code === 'unavailable') throw error
    return { repaired: false, reason: `${error.code}: ${error.message}` }
  }
}

/** @returns why it is left as it is; undefined when it was mended */
async function mend(
  context: LeaderContext,
  findings: readonly StoreFinding[],
  { removeStrays }: RepairOptions,
  broken: ReadonlySet<string>,
): Promise<string | undefined> {
  const [{ problem, path, recorded, stream: name }] = findings as [StoreFinding]
  if (recorded !== undefined) return restoreFiles(context, recorded.seq, findings)
  // An index, a list or a public key: lost or stale, it is written anew.
  if (name !== undefined) {
    const stream = (await listStreams(context.db)).find((each) => each.name === name)
    if (stream === undefined) return undefined
    if (broken.has(stream.name)) return 'A file that it must name is not there.'
    await renewUnlisted(context, stream)
    await movePointer(context, stream)
    return undefined
  }
  if (problem === 'late' && broken.has(streamOf(findings[0] as StoreFinding)))
    return 'An old index may name it that could not be moved.'
  if (problem === 'stray' && !removeStrays)
    return 'No release names it; --remove-strays removes it.'
  await context.mustHold()
  await context.store.remove(path)
  return undefined
}

/** The stream that a finding is about: its folder. */
function streamOf({ path }: StoreFinding): string {
  return path.slice(storePath('').length).split('/')[0] ?? ''
}

/** Makes the files of a release again, and puts those that are wrong. */
async function restoreFiles(
  context: LeaderContext,
  seq: number,
  findings: readonly StoreFinding[],
): Promise<undefined> {
  await context.archiveThrough(seq)
  const made = await remakeFiles(context, seq)
  const wrong = new Map(findings.map((finding) => [finding.path, finding.problem]))
  for (const { path, built } of made) {
    const problem = wrong.get(storePath(path))
    if (problem === undefined) {
      await rm(built.staged, { force: true })
      continue
    }
    await context.mustHold()
    if (problem === 'changed') await context.store.restore(storePath(path), built.staged)
    else await context.store.putImmutable(storePath(path), built.staged, built.digest)
  }
}
