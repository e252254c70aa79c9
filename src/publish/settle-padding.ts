// Publish: padding for windows with few keys; promises the same padding in every stream of a family, and none in what was published already.

import { isDeepStrictEqual } from 'node:util'
import { TocsinError } from '../errors.ts'
import { appendEvents } from '../log/append-event.ts'
import { paddingEvent } from '../submit/padding-report.ts'
import { drawPadding } from './padding-draw.ts'
import { publishes } from './families.ts'
import { createDeviceSource, type AcceptanceSpan, type PaddingDevice } from './padding-device.ts'
import { readNeeds, unsettledEnds, type StreamNeed } from './padding-needs.ts'
import { SECURE_RANDOM, type RandomSource } from './padding-random.ts'
import { readTemplates } from './padding-templates.ts'
import type { LeaderContext } from './publisher-context.ts'
import { readStandings, type Standing } from './releases.ts'
import type { ConfiguredStream } from './streams.ts'

/** Devices that are appended in one transaction: submissions wait for its lock. */
const DEVICES_AT_ONCE = 150

/**
 * Makes the padding that the streams of a family need for the windows that end at a moment, and for earlier ones that nobody has
 * published. Whoever calls it again, after a crash, finds what is there and adds what is missing, mostly nothing.
 *
 * The head's grain has been raised to `end` before: what is counted here can't grow any more.
 *
 * @param family from `familiesOf`
 * @param end unix seconds
 * @throws TocsinError `publisher_lost`
 */
export async function settlePadding(
  context: LeaderContext,
  family: readonly ConfiguredStream[],
  end: number,
  random: RandomSource = SECURE_RANDOM,
): Promise<void> {
  const minimum = Math.max(0, ...family.map((stream) => stream.minimum))
  if (minimum === 0) return
  const standings = await readStandings(context.db, family)
  for (const each of unsettledEnds(family, standings, end)) {
    const needs = await readNeeds(context.db, family, standings, each, minimum)
    if (!needs.some(isShort)) continue
    const devices = await drawDevices(context, family, needs, each, minimum, random)
    await appendDevices(context, family, standings, devices)
  }
}

function isShort({ isPublishing, hasKeys, has, wanted }: StreamNeed): boolean {
  return isPublishing && hasKeys && has < wanted
}

/** Draws what a family needs at the end of a window. */
async function drawDevices(
  context: LeaderContext,
  family: readonly ConfiguredStream[],
  needs: readonly StreamNeed[],
  end: number,
  minimum: number,
  random: RandomSource,
): Promise<PaddingDevice[]> {
  const templates = await readTemplates(context.db, family, end, random)
  const span = acceptanceSpan(needs, end, context.writer.timeGrain)
  const source = createDeviceSource(templates, family, span, random)
  const published = needs.filter(({ from }) => from > span.from)
  const isAllowed = (report: Parameters<typeof publishes>[1]) =>
    !published.some(({ stream }) => publishes(stream, report))
  return drawPadding(needs, source, isAllowed, end, minimum, random)
}

/**
 * When padding pretends to have been accepted: since all streams of the family have published, so that it comes into the open
 * window of each. When one of them has published beyond that already (the other was added with a start in the past), it can
 * only be for reports which that one does not publish.
 */
function acceptanceSpan(
  needs: readonly StreamNeed[],
  end: number,
  timeGrain: number,
): AcceptanceSpan {
  const all = Math.max(...needs.map(({ from }) => from))
  const from = all < end ? all : Math.max(...needs.filter(isShort).map((need) => need.from))
  return { from, until: end, timeGrain }
}

/**
 * Appends devices, some at a time. A crash in between leaves some of them: the next call counts them, and draws the rest from
 * the same distribution.
 */
async function appendDevices(
  context: LeaderContext,
  family: readonly ConfiguredStream[],
  standings: ReadonlyMap<string, Standing>,
  devices: readonly PaddingDevice[],
): Promise<void> {
  for (let done = 0; done < devices.length; done += DEVICES_AT_ONCE) {
    const events = devices
      .slice(done, done + DEVICES_AT_ONCE)
      .map(({ content }) => paddingEvent(content))
    await context.mustHold()
    await context.db.transaction(async (tx) => {
      await appendEvents(tx, context.writer, events, context.now())
      // The head is locked: what another leader has released by now holds none of this.
      if (!isDeepStrictEqual(await readStandings(tx, family), standings))
        throw new TocsinError('publisher_lost')
    })
  }
}
