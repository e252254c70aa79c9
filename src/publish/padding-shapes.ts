// Publish: what devices look like, learnt from real reports; promises the joint distribution where much is known, and no copy of what is rare.

import { INTERVALS_PER_DAY } from '../format/intervals.ts'
import type { ReportType } from '../format/report-type.ts'
import { withRisk } from '../submit/validate-keys.ts'
import { drawPriorKeys, type TodaysKey } from './padding-prior.ts'
import { below, pick, type RandomSource } from './padding-random.ts'
import type { Audience, KeyShape, Template } from './padding-templates.ts'

/** With this many keys a kind of report is known well enough to be drawn from alone. */
const KNOWN_KEYS = 1_000

/** The keys of a device, laid out around when it was accepted. */
export type Shape = Pick<Template, 'accepted' | 'keys'>

/**
 * Learns from templates. What is drawn is the shape of a template of the same audience, of one of the same report type, or of the
 * prior's making: each in the measure in which it is known. So a region with three reports lends its name to all of its
 * padding, and its three reports' own shapes to almost none, where a hundred copies would give them away.
 *
 * @param timeGrain seconds
 * @returns draws the shape of a device
 */
export function learnShapes(
  templates: readonly Template[],
  timeGrain: number,
  random: RandomSource,
): (audience: Audience, accepted: number) => Shape {
  const ofAudience = groupTemplates(templates, nameOf)
  const ofType = groupTemplates(templates, ({ reportType }) => reportType)
  const risks = learnRisks(templates, random)
  const smoothed = smoothing(templates, risks, random)
  return (audience, accepted) => {
    for (const group of [ofAudience.get(nameOf(audience)), ofType.get(audience.reportType)]) {
      if (group === undefined || random.number() >= group.keys / KNOWN_KEYS) continue
      const template = pick(group.templates, random)
      if (template !== undefined) return smoothed(template)
    }
    const known = pick(ofType.get(audience.reportType)?.templates ?? [], random)
    const style = known === undefined ? undefined : todaysKeyOf(known)
    const keys = drawPriorKeys(accepted, timeGrain, style, random).map((key) =>
      withRisk(
        { ...key, transmissionRisk: risks(audience.reportType, key) ?? 0 },
        audience.reportType,
      ),
    )
    return { accepted, keys }
  }
}

interface Group {
  readonly templates: Template[]
  /** Of all of them. */
  keys: number
}

function groupTemplates(
  templates: readonly Template[],
  nameOfGroup: (template: Template) => string,
): Map<string, Group> {
  const groups = new Map<string, Group>()
  for (const template of templates) {
    const name = nameOfGroup(template)
    const group = groups.get(name) ?? { templates: [], keys: 0 }
    group.templates.push(template)
    group.keys += template.keys.length
    groups.set(name, group)
  }
  return groups
}

function nameOf({ regions, traveler, reportType }: Audience): string {
  return `${reportType} ${traveler} ${regions.join()}`
}

function todaysKeyOf({ keys }: Template): TodaysKey {
  const todays = keys.find((key) => key.age === 0)
  if (todays === undefined) return 'none'
  return todays.offset + todays.period === INTERVALS_PER_DAY ? 'whole' : 'ended'
}

/** Draws a transmission risk for a key that no app sent: one that keys of the report type have, of the same place if possible. */
function learnRisks(
  templates: readonly Template[],
  random: RandomSource,
): (type: ReportType, key: Pick<KeyShape, 'age' | 'daysSinceOnset'>) => number | undefined {
  const seen = new Map<string, number[]>()
  const namesOf = (
    type: ReportType,
    { age, daysSinceOnset }: Pick<KeyShape, 'age' | 'daysSinceOnset'>,
  ) => [`${type} ${daysSinceOnset} ${age}`, `${type} ${daysSinceOnset}`, type]
  for (const { reportType, keys } of templates)
    for (const key of keys)
      for (const name of namesOf(reportType, key)) {
        const risks = seen.get(name)
        if (risks === undefined) seen.set(name, [key.transmissionRisk])
        else risks.push(key.transmissionRisk)
      }
  return (type, key) => {
    const name = namesOf(type, key).find((each) => seen.has(each))
    return name === undefined ? undefined : pick(seen.get(name) ?? [], random)
  }
}

// One device in so many of those that are known has its onset a day earlier or later than its template's.
const MOVED_ONSETS = 10

/** Keys that end within a day count as usual when at least this share of all such keys has the same times. */
const USUAL_SHARE = 0.01
const USUAL_COUNT = 5

/** How far the times of unusual ones are moved at the most, intervals. */
const MOST_MOVED = 9

/**
 * Makes a shape that resembles a template: few enough are known for some of their onsets to be missing among them, and times
 * that only one device has would show every copy of it.
 */
function smoothing(
  templates: readonly Template[],
  risks: ReturnType<typeof learnRisks>,
  random: RandomSource,
): (template: Template) => Shape {
  const isUsual = learnUsualTimes(templates)
  const shareOfMoved = Math.min(0.5, MOVED_ONSETS / templates.length)
  return ({ accepted, keys, reportType }) => {
    const moved = random.number() < shareOfMoved ? (random.number() < 0.5 ? 1 : -1) : 0
    const steps = new Map<number, number>()
    return {
      accepted,
      keys: keys.map((key) => {
        const timed =
          key.age === 0 || isUsual(key) ? key : moveTimes(key, stepOf(steps, key.age, random))
        if (moved === 0) return timed
        const onset = { ...timed, daysSinceOnset: timed.daysSinceOnset + moved }
        return { ...onset, transmissionRisk: risks(reportType, onset) ?? onset.transmissionRisk }
      }),
    }
  }
}

/** The keys of one day are moved together, so that they still follow each other. */
function stepOf(steps: Map<number, number>, age: number, random: RandomSource): number {
  const step = steps.get(age) ?? below(2 * MOST_MOVED + 1, random) - MOST_MOVED
  steps.set(age, step)
  return step
}

/** Moves those of a key's ends that are not its day's. */
function moveTimes(key: KeyShape, step: number): KeyShape {
  const end = key.offset + key.period
  const inside = (time: number) => Math.min(Math.max(time + step, 1), INTERVALS_PER_DAY - 1)
  const offset = key.offset === 0 ? 0 : inside(key.offset)
  const newEnd = end >= INTERVALS_PER_DAY ? end : inside(end)
  if (newEnd <= offset || newEnd - offset > INTERVALS_PER_DAY) return key
  return { ...key, offset, period: newEnd - offset }
}

function learnUsualTimes(templates: readonly Template[]): (key: KeyShape) => boolean {
  const counts = new Map<string, number>()
  const timesOf = ({ offset, period }: KeyShape) => `${offset} ${period}`
  const isWhole = ({ offset, period }: KeyShape) => offset === 0 && period === INTERVALS_PER_DAY
  let total = 0
  for (const key of templates.flatMap(({ keys }) => keys)) {
    if (key.age === 0 || isWhole(key)) continue
    counts.set(timesOf(key), (counts.get(timesOf(key)) ?? 0) + 1)
    total++
  }
  const least = Math.max(USUAL_COUNT, total * USUAL_SHARE)
  return (key) => isWhole(key) || (counts.get(timesOf(key)) ?? 0) >= least
}
