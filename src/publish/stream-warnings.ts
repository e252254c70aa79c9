// Publish: what a health authority's engineer would want to be told of a stream that works; promises a pure function, and a sentence with the reason.

import { formatTimestamp } from '../operate/timestamp.ts'
import { isSigning, type Stream, type StreamKey } from './streams.ts'

/** Something that is allowed and seldom meant. */
export interface StreamWarning {
  /** Stable. */
  readonly code: string
  readonly sentence: string
}

/** What a stream is looked at beside. */
export interface StreamSurroundings {
  /** All streams; the one that is looked at may be among them. */
  readonly streams: readonly Stream[]
  /** The regions of each health authority whose certificates are accepted now, upper case. */
  readonly authorities: readonly (readonly string[])[]
  /** Unix seconds. */
  readonly now: number
}

/** Files that phones read in a day at the most; what is beyond waits for a day that has fewer. */
export const FILES_A_DAY = { iOS: 15, Android: 20 } as const

const HOUR = 3600
const DAY = 24 * HOUR

/** A window with more keys than this is rare in most places: one uploaded report has at most 30. */
const USUAL_MAXIMUM = 10_000

/** Days for which keys matter, and phones look at them. */
const MATCHED_DAYS = 14

type Finding = readonly [code: string, sentence: string]

/** Everything worth telling about a stream's configuration; empty when there is nothing. */
export function warnStream(stream: Stream, surroundings: StreamSurroundings): StreamWarning[] {
  const others = surroundings.streams.filter(({ name }) => name !== stream.name)
  const findings: readonly Finding[] = [
    ...warnPeriod(stream),
    ...warnEnd(stream, surroundings.now),
    ...warnSigningKeys(stream, surroundings.now),
    ...warnSmallNumbers(stream),
    ...warnFiles(stream),
    ...warnRegions(stream, surroundings.authorities),
    ...others
      .filter(({ through }) => through === null || through > surroundings.now)
      .flatMap((other) => [...warnBeside(stream, other)]),
  ]
  return findings.map(([code, sentence]) => ({ code, sentence }))
}

function* warnPeriod({ period, windowAge }: Stream): Generator<Finding> {
  const files = DAY / period
  const { iOS, Android } = FILES_A_DAY
  if (files > Android)
    yield [
      'more_files_than_phones_read',
      `A release every ${inUnits(period)} can be ${files} files a day: iOS lets an app match ${iOS} a day at the most, Android ${Android}. A phone that gets more falls behind and warns its owner later each day. 2h or longer suits both.`,
    ]
  else if (files > iOS)
    yield [
      'more_files_than_ios_reads',
      `A release every ${inUnits(period)} can be ${files} files a day: iOS lets an app match ${iOS} a day at the most (Android ${Android}). An iPhone that gets more falls behind and warns its owner later each day. 2h or longer suits both.`,
    ]
  else if (period < 2 * HOUR)
    yield [
      'no_room_for_more_files',
      `A release every ${inUnits(period)} can be ${files} files a day, and iOS lets an app match ${iOS}: a window that is split into several files, or a second stream that the app reads, is too much for it. 2h or longer leaves room.`,
    ]
  if (period + windowAge > DAY)
    yield [
      'late',
      `A key can wait for ${inUnits(period + windowAge)} (period and window age) before it is published: those whom it concerns are warned that much later.`,
    ]
}

function* warnEnd({ through, start }: Stream, now: number): Generator<Finding> {
  if (through === null) return
  if (through === start) yield ['no_window', 'It ends where it begins: it has no window.']
  else if (through <= now)
    yield [
      'ended',
      `It ended at ${formatTimestamp(through)}: keys that can be published from then on are not in it.`,
    ]
}

function* warnSigningKeys(stream: Stream, now: number): Generator<Finding> {
  const { keys, through } = stream
  const unsigned = firstUnsigned(keys, Math.max(now, stream.start))
  if (unsigned === undefined || (through !== null && unsigned >= through)) return
  if (unsigned <= Math.max(now, stream.start))
    yield [
      'no_signing_key_now',
      `No signing key counts at ${formatTimestamp(unsigned)}: nothing can be published until one does. tocsin stream update ${stream.name} --add-key adds one.`,
    ]
  else
    yield [
      'signing_key_ends',
      `From ${formatTimestamp(unsigned)} on no signing key counts, and nothing can be published: add its successor before, early enough for phones to know it.`,
    ]
}

/** The first moment from `from` on at which none of the keys signs; undefined when there is always one. */
function firstUnsigned(keys: readonly StreamKey[], from: number): number | undefined {
  for (let moment = from; ;) {
    const signing = keys.filter((key) => isSigning(key, moment))
    if (signing.length === 0) return moment
    if (signing.some(({ through }) => through === null)) return undefined
    moment = Math.max(...signing.map(({ through }) => through ?? 0))
  }
}

function* warnSmallNumbers({ hold, minimum }: Stream): Generator<Finding> {
  if (hold === 0)
    yield [
      'hold_zero',
      'Without a hold a window with a single report is published: who knows of one test in that time knows whose keys these are.',
    ]
  if (minimum === 0)
    yield [
      'minimum_zero',
      'Without a minimum small windows are not padded: a file tells how many tests there were, and keys of one phone can be told from others.',
    ]
}

function* warnFiles({ maximum, minimum, retention }: Stream): Generator<Finding> {
  if (maximum < Math.max(USUAL_MAXIMUM, 2 * minimum))
    yield [
      'maximum_small',
      `A window with more than ${maximum} keys is split, and each of its files counts towards the ${FILES_A_DAY.iOS} that iOS reads in a day (Android ${FILES_A_DAY.Android}): with many reports phones fall behind.`,
    ]
  if (retention < MATCHED_DAYS * DAY)
    yield [
      'retention_short',
      `Files leave after ${inUnits(retention)}: a phone that was off for longer misses keys, though encounters of the last ${MATCHED_DAYS} days matter.`,
    ]
  if (retention > MATCHED_DAYS * DAY)
    yield [
      'retention_long',
      `Files stay for ${inUnits(retention)}: after ${MATCHED_DAYS} days they help no phone any more, and are there for others all the same.`,
    ]
}

function* warnRegions(
  stream: Stream,
  authorities: StreamSurroundings['authorities'],
): Generator<Finding> {
  const { inputRegions, excludedRegions, travelers } = stream
  const has = (regions: readonly string[], some: readonly string[]) =>
    regions.some((region) => some.includes(region))
  const matching = authorities.filter(
    (regions) =>
      (travelers === 'include' || has(regions, inputRegions)) && !has(regions, excludedRegions),
  )
  if (authorities.length === 0)
    yield [
      'nothing_matches',
      'No health authority is registered whose certificates are accepted, so there is nothing to publish: tocsin authority add registers one.',
    ]
  else if (matching.length === 0)
    yield [
      'nothing_matches',
      `No health authority can vouch for keys that belong here: theirs are of ${listed(authorities.flat())}, and this stream takes ${listed(inputRegions)}${excludedRegions.length === 0 ? '' : ` without ${listed(excludedRegions)}`}.`,
    ]
  else {
    const unknown = inputRegions.filter((region) => !authorities.flat().includes(region))
    if (unknown.length > 0)
      yield [
        'region_of_no_authority',
        `No health authority vouches for keys of ${listed(unknown)}: is it misspelt?`,
      ]
  }
}

/** What two streams have to do with each other. */
function* warnBeside(stream: Stream, other: Stream): Generator<Finding> {
  for (const key of stream.keys) {
    const same = other.keys.find(
      (each) => each.keyId === key.keyId && each.keyVersion === key.keyVersion,
    )
    if (same !== undefined && same.publicKey !== key.publicKey)
      yield [
        'key_name_shared',
        `${key.keyId}/${key.keyVersion} is another key in the stream "${other.name}": a phone knows one public key by a name, and refuses the files of the other stream.`,
      ]
  }
  const shareKey = stream.keys.some((key) =>
    other.keys.some(({ publicKey }) => publicKey === key.publicKey),
  )
  if (stream.region === other.region && shareKey)
    yield [
      'stream_alike',
      `The stream "${other.name}" has the region ${stream.region} and a signing key of this one, too: an app that reads both gets keys twice, and both count towards the files that a phone reads in a day.`,
    ]
  const [longer, shorter] = [
    Math.max(stream.period, other.period),
    Math.min(stream.period, other.period),
  ]
  if (
    longer % shorter !== 0 &&
    stream.inputRegions.some((each) => other.inputRegions.includes(each))
  )
    yield [
      'windows_cross',
      `The windows of the stream "${other.name}" (${inUnits(other.period)}) and these (${inUnits(stream.period)}) cross: what is in one file of either and not in the other tells finer times than both. A period that is a whole multiple of the other's avoids it.`,
    ]
}

function listed(regions: readonly string[]): string {
  return [...new Set(regions)].sort().join(', ')
}

/** Seconds as `--period` takes them: 2h, 90m, 10s. */
export function inUnits(seconds: number): string {
  for (const [unit, length] of [
    ['d', DAY],
    ['h', HOUR],
    ['m', 60],
  ] as const)
    if (seconds > 0 && seconds % length === 0) return `${seconds / length}${unit}`
  return `${seconds}s`
}
