// Publish: what a stream's configuration must keep to; promises a sentence for each thing that is wrong with it.

import { STREAM_NAME } from '../distribute/public-paths.ts'
import { TocsinError } from '../errors.ts'
import { formatTimestamp } from '../operate/timestamp.ts'
import type { Stream } from './streams.ts'

const DAY = 86_400

/** The least and the most that a stream may be told: seconds, reports, keys. Its period, retention and times have more rules. */
export const STREAM_LIMITS = {
  period: { least: 1, most: DAY },
  windowAge: { least: 0, most: 14 * DAY },
  hold: { least: 0, most: 1_000 },
  minimum: { least: 0, most: 100_000 },
  maximum: { least: 1, most: 1_000_000 },
  retention: { least: 1, most: 366 * DAY },
  signingKeys: { least: 1, most: 10 },
} as const

/** How long before it is added a stream may begin, seconds: reports are kept for 18 days, so there is nothing earlier. */
export const EARLIEST_START = 18 * DAY

/** What travelers' reports can count as; see {@link Stream.travelers}. */
export const TRAVELER_RULES = ['regional', 'include', 'exclude'] as const

/** The end of the year 9999: the last time that can be written down with four digits for the year. */
const LAST_TIME = 253_402_300_799

const REGION = /^[A-Z0-9-]{1,10}$/
// Phones take nothing else in these fields.
const KEY_NAME = /^[A-Za-z0-9_]{1,64}$/

/**
 * Refuses a configuration that can't be published.
 *
 * @param timeGrain seconds
 * @throws TocsinError `stream_invalid`
 */
export function checkStream(stream: Stream, timeGrain: number): void {
  const problem =
    findNameProblem(stream) ??
    findKindProblem(stream) ??
    findFilterProblem(stream) ??
    findNumberProblem(stream, timeGrain) ??
    findTimeProblem(stream, timeGrain) ??
    findKeyProblem(stream.keys)
  if (problem !== undefined) throw new TocsinError('stream_invalid', problem)
}

/**
 * Refuses a stream that begins so early that all its first windows would be empty.
 *
 * @throws TocsinError `stream_invalid`
 */
export function checkStart({ start }: Stream, now: Date): void {
  const earliest = Math.floor(now.getTime() / 1000) - EARLIEST_START
  if (start < earliest)
    throw new TocsinError(
      'stream_invalid',
      `A stream can begin ${EARLIEST_START / DAY} days ago at the earliest, at ${formatTimestamp(earliest)}: earlier keys have been erased.`,
    )
}

function findNameProblem({ name }: Stream): string | undefined {
  if (STREAM_NAME.test(name)) return undefined
  return 'A name has 1 to 63 lower-case letters, digits and hyphens.'
}

function findKindProblem({ kind }: Stream): string | undefined {
  if (/^[a-z]{1,20}$/.test(kind)) return undefined
  return 'A kind of key has 1 to 20 lower-case letters.'
}

function findFilterProblem(stream: Stream): string | undefined {
  const { region, inputRegions, excludedRegions, travelers, reportTypes } = stream
  const wrong = [region, ...inputRegions, ...excludedRegions].find((each) => !REGION.test(each))
  if (wrong !== undefined) return `A region has 1 to 10 letters, digits or hyphens, not "${wrong}".`
  if (inputRegions.length === 0) return 'A stream needs at least one region to publish.'
  const both = inputRegions.find((each) => excludedRegions.includes(each))
  if (both !== undefined) return `The region ${both} can not be published and excluded at once.`
  if (!TRAVELER_RULES.includes(travelers))
    return `What counts for travelers is ${inWords(TRAVELER_RULES)}, not "${travelers}".`
  if (!reportTypes.every((type) => isWithin(type, { least: 1, most: 3 })))
    return 'A report type to publish is confirmed, likely or user-report.'
  return undefined
}

function findNumberProblem(stream: Stream, timeGrain: number): string | undefined {
  const { period, windowAge, hold, minimum, maximum, retention } = stream
  if (!isWithin(period, STREAM_LIMITS.period) || DAY % period !== 0)
    return 'The period must divide 24 hours.'
  if (period % timeGrain !== 0)
    return `The period must be a whole multiple of the time grain, ${timeGrain} s.`
  if (!isWithin(windowAge, STREAM_LIMITS.windowAge)) return 'The window age must be 0 to 14 days.'
  if (!isWithin(hold, STREAM_LIMITS.hold)) return 'The hold must be 0 to 1,000 reports.'
  if (!isWithin(minimum, STREAM_LIMITS.minimum)) return 'The minimum must be 0 to 100,000 keys.'
  if (!isWithin(maximum, STREAM_LIMITS.maximum)) return 'The maximum must be 1 to 1,000,000 keys.'
  if (maximum < 2 * minimum)
    return 'The maximum must be at least twice the minimum, so that no file of a window that is split is below it.'
  if (!isWithin(retention, { ...STREAM_LIMITS.retention, least: period + windowAge }))
    return 'Files must stay for at least one period and the window age, and for 366 days at the most.'
  return undefined
}

function findTimeProblem({ start, through }: Stream, grain: number): string | undefined {
  for (const time of [start, through]) {
    if (time === null) continue
    if (!isWithin(time, { least: 0, most: LAST_TIME }))
      return 'A stream begins and ends between the years 1970 and 9999, at a whole second.'
    if (time % grain === 0) continue
    const before = time - (time % grain)
    return `A stream begins and ends at a whole multiple of the time grain, ${grain} s: ${formatTimestamp(before)} or ${formatTimestamp(before + grain)}, not ${formatTimestamp(time)}.`
  }
  if (through !== null && through < start) return 'A stream can not end before it begins.'
  return undefined
}

function findKeyProblem(keys: Stream['keys']): string | undefined {
  const { least, most } = STREAM_LIMITS.signingKeys
  if (!isWithin(keys.length, { least, most }))
    return `A stream has ${least} to ${most} signing keys.`
  for (const { keyId, keyVersion, from, through } of keys) {
    if (!KEY_NAME.test(keyId) || !KEY_NAME.test(keyVersion))
      return 'Key id and version have 1 to 64 letters, digits or underscores.'
    for (const time of [from, through])
      if (time !== null && !isWithin(time, { least: 0, most: LAST_TIME }))
        return 'A signing key begins and ends between the years 1970 and 9999, at a whole second.'
    if (through !== null && through <= from)
      return `The signing key ${keyId} ${keyVersion} can not end before it begins.`
  }
  const names = new Set(keys.map(({ keyId, keyVersion }) => `${keyId} ${keyVersion}`))
  if (names.size < keys.length) return 'Two signing keys can not have the same id and version.'
  return undefined
}

function isWithin(value: number, { least, most }: { least: number; most: number }): boolean {
  return Number.isInteger(value) && value >= least && value <= most
}

function inWords(words: readonly string[]): string {
  return `${words.slice(0, -1).join(', ')} or ${words.at(-1) ?? ''}`
}
