// Correct: padding that goes along with few reports, so that a release does not show which keys belong together; promises 20 devices together in each stream, as far as there are any.

import type { Queryable } from '../db/database.ts'
import { below, type RandomSource } from '../publish/padding-random.ts'
import { countPublished, publishedPadding } from '../publish/published-keys.ts'
import type { Concerned } from './count-effects.ts'
import type { HeldReport, Holder } from './held.ts'

/** As many as a window must have before it goes out by itself (`hold`). */
const TOGETHER = 20

/** Padding to take along. */
export interface PaddingBeside {
  /** Numbers of its reports, ascending. */
  readonly padding: readonly number[]
  /** Whether some stream has not enough of it. */
  readonly isShort: boolean
}

/**
 * Chooses padding for what a stream's next release will show: published devices, at random, until there are {@link TOGETHER}
 * with those that are concerned.
 *
 * @param devices what each phone uploaded: a report, or the single keys of one
 * @param streams those that published any of it
 */
export async function choosePadding(
  db: Queryable,
  devices: readonly Concerned[],
  streams: readonly string[],
  random: RandomSource,
): Promise<PaddingBeside> {
  const counts = await countDevices(db, devices, streams)
  const chosen = new Set<number>()
  let isShort = false
  for (const [stream, count] of [...counts].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (count >= TOGETHER) continue
    const candidates = await publishedPadding(db, [stream])
    const beside = candidates.filter((seq) => chosen.has(seq)).length
    const left = candidates.filter((seq) => !chosen.has(seq))
    const missing = Math.max(0, TOGETHER - count - beside)
    for (const seq of chooseAtRandom(left, missing, random)) chosen.add(seq)
    isShort ||= left.length < missing
  }
  return { padding: [...chosen].sort((a, b) => a - b), isShort }
}

/** Chooses padding that comes back with a part of what a withdrawal took: as much as hides it; all when nothing else is left of it. */
export function chooseBack(holders: readonly Holder[], random: RandomSource): HeldReport[] {
  return holders.flatMap(({ ending, staying, padding }) =>
    staying === 0 ? padding : chooseAtRandom(padding, TOGETHER - ending, random),
  )
}

/** Whether some stream has published some of these devices, but fewer than hide each other. */
export async function areFewPublished(
  db: Queryable,
  devices: readonly Concerned[],
  streams: readonly string[],
): Promise<boolean> {
  const counts = await countDevices(db, devices, streams)
  return [...counts.values()].some((count) => count < TOGETHER)
}

/** As many of some items, each as likely as the others; all when there are no more. */
export function chooseAtRandom<Item>(
  items: readonly Item[],
  count: number,
  random: RandomSource,
): Item[] {
  const left = [...items]
  const chosen: Item[] = []
  while (chosen.length < count && left.length > 0)
    chosen.push(...left.splice(below(left.length, random), 1))
  return chosen
}

/** Looked at at a time: mostly the first ones are enough. */
const CHUNK = 64

/** How many devices each stream published, up to {@link TOGETHER} or some more. */
async function countDevices(
  db: Queryable,
  devices: readonly Concerned[],
  streams: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>()
  const isEnough = () => streams.every((stream) => (counts.get(stream) ?? 0) >= TOGETHER)
  for (let from = 0; from < devices.length && !isEnough(); from += CHUNK)
    await tallyPublished(db, devices.slice(from, from + CHUNK), counts)
  return counts
}

/** Adds the devices that each stream published, by halving: what was not published at all costs one look. */
async function tallyPublished(
  db: Queryable,
  devices: readonly Concerned[],
  counts: Map<string, number>,
): Promise<void> {
  if (devices.length === 0) return
  const published = await countPublished(db, {
    reports: devices.flatMap(({ reports }) => reports),
    keys: devices.flatMap(({ keys }) => keys),
  })
  const streams = [...new Set(published.map(({ stream }) => stream))]
  if (streams.every((stream) => (counts.get(stream) ?? 0) >= TOGETHER)) return
  if (devices.length === 1) {
    for (const stream of streams) counts.set(stream, (counts.get(stream) ?? 0) + 1)
    return
  }
  const half = Math.ceil(devices.length / 2)
  await tallyPublished(db, devices.slice(0, half), counts)
  await tallyPublished(db, devices.slice(half), counts)
}
