// Publish: draws padding devices; promises what a report's rules would have let pass, accepted at any grain that was asked for.

import { INTERVAL_SECONDS, INTERVALS_PER_DAY } from '../format/intervals.ts'
import { EXPORT_REPORT_TYPES } from '../format/report-type.ts'
import { FLAG_EMBARGOED, packColumns, type PackedKey } from '../submit/key-columns.ts'
import { availableAfter } from '../submit/key-rows.ts'
import type { PaddingContent } from '../submit/padding-report.ts'
import { LIMITS } from '../submit/validate-keys.ts'
import type { FilteredReport } from './families.ts'
import { drawPriorAudience } from './padding-prior.ts'
import { pick, type RandomSource } from './padding-random.ts'
import { learnShapes, type Shape } from './padding-shapes.ts'
import { asFiltered, type Audience, type Template } from './padding-templates.ts'
import type { Stream } from './streams.ts'

const DAY = 86_400

/** A device that nobody has. */
export interface PaddingDevice {
  readonly content: PaddingContent
  /** What streams are chosen by. */
  readonly report: FilteredReport
  /** From when on each of its keys can be published, unix seconds. */
  readonly available: readonly number[]
}

/** A way to draw devices. */
export interface DeviceChoice {
  /** Their share of all that are known, 0 to 1; 0 when they are of nobody's making but the prior's. */
  readonly share: number
  draw(): PaddingDevice
}

/** What devices are drawn from. */
export interface DeviceSource {
  /**
   * A way to draw the devices that a condition holds for, each as likely as it is among all.
   *
   * @returns undefined when it holds for nothing that is known, and for none of the simplest reports of the family's streams
   */
  select(isWanted: (report: FilteredReport) => boolean): DeviceChoice | undefined
}

/** When devices are to be accepted: unix seconds, `from` inclusive, `until` exclusive. */
export interface AcceptanceSpan {
  readonly from: number
  readonly until: number
  /** Seconds. */
  readonly timeGrain: number
}

/**
 * Makes what draws devices like those of templates; where there are too few, like those of the prior.
 *
 * @param family whose regions a device has when there is no template at all
 */
export function createDeviceSource(
  templates: readonly Template[],
  family: readonly Stream[],
  span: AcceptanceSpan,
  random: RandomSource,
): DeviceSource {
  const { timeGrain } = span
  const drawShape = learnShapes(templates, timeGrain, random)
  const grains = likelyGrains(templates, span)
  const drawFor = (audience: Audience): PaddingDevice => {
    const accepted = pick(grains, random) ?? span.from
    for (;;) {
      const keys = placeKeys(drawShape(audience, accepted), accepted, timeGrain, random)
      if (keys.length > 0) return deviceOf(audience, accepted, timeGrain, keys, random)
    }
  }
  return {
    select(isWanted) {
      const wanted = templates.filter((template) => isWanted(asFiltered(template)))
      const share = wanted.length / Math.max(1, templates.length)
      if (share > 0) return { share, draw: () => drawFor(pick(wanted, random) as Template) }
      const fitting = family
        .map(({ inputRegions, reportTypes }) => ({
          inputRegions: inputRegions.filter((region) => isWanted(plainReport(region, reportTypes))),
          reportTypes,
        }))
        .filter(({ inputRegions }) => inputRegions.length > 0)
      if (fitting.length === 0) return undefined
      return {
        share,
        draw: () =>
          drawFor(drawPriorAudience(fitting, (type) => EXPORT_REPORT_TYPES[type], random)),
      }
    },
  }
}

/** The simplest report of a region that a stream of some types publishes. */
function plainReport(region: string, types: readonly number[]): FilteredReport {
  const reportType = types[0] ?? EXPORT_REPORT_TYPES.confirmed
  return { regions: [region], traveler: false, reportType }
}

/** The grains of a span, each once, and once more for each template that was accepted at its time of the day. */
function likelyGrains(
  templates: readonly Template[],
  { from, until, timeGrain }: AcceptanceSpan,
): number[] {
  const counts = new Map<number, number>()
  for (const { accepted } of templates)
    counts.set(accepted % DAY, (counts.get(accepted % DAY) ?? 0) + 1)
  const grains: number[] = []
  for (let grain = from; grain < until; grain += timeGrain)
    for (let n = counts.get(grain % DAY) ?? 0; n >= 0; n--) grains.push(grain)
  return grains
}

/** Lays a shape around another moment of acceptance. */
function placeKeys(
  shape: Shape,
  accepted: number,
  timeGrain: number,
  random: RandomSource,
): PackedKey[] {
  const today = Math.floor(accepted / DAY)
  // A time grain can be a whole number of intervals and a half: then one is as likely as the other.
  const later = Math.floor(
    ((accepted % DAY) - (shape.accepted % DAY)) / INTERVAL_SECONDS + random.number(),
  )
  return shape.keys.flatMap((key) => {
    if (Math.abs(key.daysSinceOnset) > LIMITS.maxDaysSinceOnset) return []
    let end = key.offset + key.period
    // Today's key, unless it is a whole day's, ended when it was uploaded, or some time around that.
    if (key.age <= 0 && end < INTERVALS_PER_DAY)
      end = Math.min(Math.max(end + later, 1), INTERVALS_PER_DAY)
    const offset = Math.min(key.offset, end - 1)
    const rollingStart = (today - key.age) * INTERVALS_PER_DAY + offset
    const rollingPeriod = end - offset
    const isOver = (rollingStart + rollingPeriod) * INTERVAL_SECONDS <= accepted + timeGrain
    return {
      keyData: random.bytes(16),
      rollingStart,
      rollingPeriod,
      transmissionRisk: key.transmissionRisk,
      daysSinceOnset: key.daysSinceOnset,
      flags: key.embargoed || !isOver ? FLAG_EMBARGOED : 0,
    }
  })
}

function deviceOf(
  { app, regions, traveler, reportType }: Audience,
  accepted: number,
  timeGrain: number,
  keys: readonly PackedKey[],
  random: RandomSource,
): PaddingDevice {
  const sorted = keys.toSorted((a, b) => Buffer.compare(a.keyData, b.keyData))
  const audience = { app, regions, traveler, reportType }
  return {
    report: asFiltered(audience),
    available: sorted.map(({ flags, rollingStart, rollingPeriod }) =>
      (flags & FLAG_EMBARGOED) === 0
        ? accepted
        : availableAfter(rollingStart + rollingPeriod, timeGrain, accepted),
    ),
    content: {
      ...audience,
      trackingId: random.bytes(16),
      fingerprint: random.bytes(16),
      timeGrain,
      accepted,
      keys: packColumns(sorted),
    },
  }
}
