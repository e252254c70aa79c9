// Cli: a made-up town, who meets whom and who falls ill, as a pure function of its seed; promises the same town for the same seed, and a truth that no server was asked for.

import { createHash } from 'node:crypto'
import { INTERVALS_PER_DAY } from '../format/intervals.ts'

/** How large, how long, and which. */
export interface TownOptions {
  readonly phones: number
  readonly days: number
  readonly seed: number
}

/** Two phones beside each other, long enough for one of their identifiers to be heard. */
export interface Encounter {
  readonly a: number
  readonly b: number
  /** Intervals of 10 minutes since the epoch. */
  readonly interval: number
}

/** A person whose test was positive. */
export interface Positive {
  readonly phone: number
  /** Days of the town, from 0. */
  readonly testDay: number
  readonly onsetDay: number
  /** The days whose keys are shared, from the first infectious one to the test's; empty when nothing is. */
  readonly sharedDays: readonly number[]
}

/** All that happens in a town. */
export interface Town {
  /** Midnight of its first day. */
  readonly start: Date
  /** What is heard on each day. */
  readonly encounters: readonly (readonly Encounter[])[]
  readonly positives: readonly Positive[]
  /** Phones that met an infectious one on a key that was then shared: those that must be warned, and no other. */
  readonly exposed: ReadonlySet<number>
  /** A phone's temporary exposure key of a day: 16 bytes. */
  keyOf(phone: number, day: number): Uint8Array
  /** Where two phones meet, a geohash of 4 characters: where both live and work, or else in the centre. */
  placeOf(a: number, b: number): string
}

// Any Monday: the town's own time, so that the same seed gives the same town on every day of ours.
const START = new Date('2026-01-05T00:00:00Z')

/** Areas beside each other, the first of which is the centre. Half of all live and work there. */
const CENTRE = 'u0m7'
const QUARTERS = [CENTRE, CENTRE, 'u0m5', 'u0me'] as const

const HOUSEHOLD = 3
const WORKPLACE = 12
const MEETINGS_A_DAY = 4
const LONGEST_MEETING = 6
/** People are out from 7:00 to 19:50; tests come back at 20:00. */
const FIRST_INTERVAL = 42
const LAST_INTERVAL = 119
/** Days from infection to being infectious, and to symptoms; then a day to the test. */
const INFECTIOUS_AFTER = 1
const ONSET_AFTER = 2
const TEST_AFTER = 3
const SHARED_BEFORE_ONSET = 2
const CHANCE = { infection: 0.08, test: 0.75, share: 0.8 } as const

/** Lets a town live. */
export function simulateTown({ phones, days, seed }: TownOptions): Town {
  const random = seededRandom(seed)
  const infectedOn = firstInfections(phones, random)
  const decisions = Array.from({ length: phones }, () => ({
    tests: random() < CHANCE.test,
    shares: random() < CHANCE.share,
  }))
  const isIsolated = (phone: number, day: number) =>
    decisions[phone]?.tests === true && day > (infectedOn.get(phone) ?? Infinity) + TEST_AFTER
  const encounters: Encounter[][] = []
  for (let day = 0; day < days; day++) {
    const today: Encounter[] = []
    for (const [a, b] of meetings(phones, random)) {
      if (isIsolated(a, day) || isIsolated(b, day)) continue
      today.push(...meet(a, b, day, random))
      if (random() < CHANCE.infection) infect(infectedOn, a, b, day)
    }
    encounters.push(today)
  }
  const positives = [...infectedOn]
    .map(([phone, infected]) => toPositive(phone, infected, decisions[phone]?.shares === true))
    .filter(
      ({ phone, testDay }) => decisions[phone]?.tests === true && testDay >= 0 && testDay < days,
    )
    .sort((one, other) => one.testDay - other.testDay || one.phone - other.phone)
  const quarterOf = (phone: number) => {
    const workplace = phone - (phone % WORKPLACE)
    const hash = createHash('sha256').update(`tocsin town ${seed} quarter ${workplace}`).digest()
    return QUARTERS[(hash[0] as number) % QUARTERS.length] as string
  }
  return {
    start: START,
    encounters,
    positives,
    exposed: findExposed(encounters, positives),
    keyOf: (phone, day) =>
      createHash('sha256').update(`tocsin town ${seed} ${phone} ${day}`).digest().subarray(0, 16),
    placeOf: (a, b) => (quarterOf(a) === quarterOf(b) ? quarterOf(a) : CENTRE),
  }
}

/** A day's first interval. */
export function startOfTownDay(day: number): number {
  return Math.floor(START.getTime() / 600_000) + day * INTERVALS_PER_DAY
}

function firstInfections(phones: number, random: () => number): Map<number, number> {
  const infectedOn = new Map<number, number>()
  const wanted = Math.min(phones, Math.max(3, Math.round(phones * 0.02)))
  // Some are ill already when the town begins, so that its first days have tests, too.
  while (infectedOn.size < wanted)
    infectedOn.set(Math.floor(random() * phones), -Math.floor(random() * TEST_AFTER))
  return infectedOn
}

function meetings(phones: number, random: () => number): [number, number][] {
  const pairs: [number, number][] = []
  for (let phone = 0; phone < phones; phone++)
    for (let count = 0; count < MEETINGS_A_DAY; count++) {
      const kind = random()
      const other =
        kind < 0.3
          ? within(phone, HOUSEHOLD, phones, random)
          : kind < 0.7
            ? within(phone, WORKPLACE, phones, random)
            : Math.floor(random() * phones)
      if (other !== phone) pairs.push([phone, other])
    }
  return pairs
}

/** Somebody of the same group: the phones are numbered so that neighbours live or work together. */
function within(phone: number, size: number, phones: number, random: () => number): number {
  const first = phone - (phone % size)
  return Math.min(phones - 1, first + Math.floor(random() * size))
}

function meet(a: number, b: number, day: number, random: () => number): Encounter[] {
  const length = 1 + Math.floor(random() * LONGEST_MEETING)
  const first =
    FIRST_INTERVAL + Math.floor(random() * (LAST_INTERVAL - FIRST_INTERVAL - length + 2))
  return Array.from({ length }, (_, index) => ({
    a,
    b,
    interval: startOfTownDay(day) + first + index,
  }))
}

function infect(infectedOn: Map<number, number>, a: number, b: number, day: number): void {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    const infected = infectedOn.get(from)
    if (infected !== undefined && day >= infected + INFECTIOUS_AFTER && !infectedOn.has(to))
      infectedOn.set(to, day)
  }
}

function toPositive(phone: number, infected: number, shares: boolean): Positive {
  const onsetDay = infected + ONSET_AFTER
  const testDay = infected + TEST_AFTER
  const first = Math.max(0, onsetDay - SHARED_BEFORE_ONSET)
  const sharedDays = shares
    ? Array.from({ length: Math.max(0, testDay - first + 1) }, (_, index) => first + index)
    : []
  return { phone, testDay, onsetDay, sharedDays }
}

function findExposed(
  encounters: readonly (readonly Encounter[])[],
  positives: readonly Positive[],
): Set<number> {
  const exposed = new Set<number>()
  for (const { phone, sharedDays } of positives)
    for (const day of sharedDays)
      for (const { a, b } of encounters[day] ?? []) {
        if (a === phone) exposed.add(b)
        if (b === phone) exposed.add(a)
      }
  return exposed
}

/** Numbers in [0, 1) from a 32-bit seed (splitmix32: the state counts, and each count is mixed). */
function seededRandom(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x9e3779b9) | 0
    let mixed = state ^ (state >>> 16)
    mixed = Math.imul(mixed, 0x21f0aaad)
    mixed ^= mixed >>> 15
    mixed = Math.imul(mixed, 0x735a2d97)
    mixed ^= mixed >>> 15
    return (mixed >>> 0) / 2 ** 32
  }
}
