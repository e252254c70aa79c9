// Test: a day of guessing against a realm of 2,000 phones a day: how many guesses get through, and how many phones are refused.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { createGuessLimits } from './guess-limits.ts'

const DAY_MS = 86_400_000
const PHONES = 2_000
const TYPING_ERRORS = 0.1
/** How long a person takes to type a code again. */
const RETYPE_MS = 20_000

interface Town {
  /** Days of honest tries before the attack. */
  readonly daysBefore: number
  /** Networks of mobile providers, which carry 60 % of the phones, and of homes, which carry the others. */
  readonly mobile: number
  readonly home: number
}

/** A week old; each home network serves some households. */
const TOWN: Town = { daysBefore: 7, mobile: 30, home: 1_000 }

interface Attack {
  readonly guesses: number
  /** The network of a guess. */
  prefix(index: number): string
}

const PAGE = readFileSync(new URL('../../docs/threat-model.md', import.meta.url), 'utf8')

/** Plays an attack on the town, and compares what comes of it with the page's row. */
function playTold(guesses: number, networks: number): ReturnType<typeof play> {
  const result = play(TOWN, spread(guesses, networks))
  const { honest, refused, alarms } = result
  const words = (count: number) => count.toLocaleString('en')
  const cells = [
    ...[guesses, networks, result.guesses].map(words),
    `${words(refused)} of ${words(honest)}`,
    words(alarms.filter((isBraked) => isBraked).length),
  ]
  assert.ok(
    PAGE.includes(`\n| ${cells.join(' | ')} |\n`),
    `docs/threat-model.md: ${cells.join(' | ')}`,
  )
  return result
}

test('without an attack nobody is refused and no alarm is raised, even if all phones share one network', () => {
  const shared = play({ daysBefore: 7, mobile: 1, home: 1 }, spread(0, 1))
  for (const { refused, alarms } of [playTold(0, 1), shared]) {
    assert.equal(refused, 0)
    assert.deepEqual(alarms, [])
  }
})

test('of 1,000,000 guesses a day from one network 116 get through, without the brake', () => {
  const { guesses, refused, alarms } = playTold(1_000_000, 1)
  assert.ok(guesses <= 120, `${guesses}`)
  assert.equal(refused, 0)
  assert.deepEqual(alarms, [])
})

test('of 1,000,000 guesses a day from 10,000 networks 2 % get through, and phones go on', () => {
  const { guesses, share, alarms, brakes } = playTold(1_000_000, 10_000)
  assert.ok(guesses <= 20_000, `${guesses}`)
  assert.ok(share < 0.01, `${share}`)
  assert.deepEqual(alarms, [true])
  assert.equal(brakes, 1)
})

test('of 1,000,000 guesses a day, each from another network, 5 % get through, and phones go on', () => {
  const { guesses, share, alarms } = playTold(1_000_000, 1_000_000)
  assert.ok(guesses <= 100 + (36 + 2) * 1_440, `${guesses}`)
  assert.ok(share < 0.01, `${share}`)
  assert.deepEqual(alarms, [true])
})

test('who stays below the alarm has 100 guesses in 10 minutes, typing errors included', () => {
  const { guesses, refused } = playTold(14_400, 10_000)
  assert.ok(guesses <= 14_400, `${guesses}`)
  assert.equal(refused, 0)
})

function spread(guesses: number, networks: number): Attack {
  return { guesses, prefix: (index) => `bot ${index % networks}` }
}

/** Plays the days; the attack has the last one, its guesses evenly spread. Nothing guessed is right. */
function play(town: Town, attack: Attack) {
  let now = 0
  const alarms: boolean[] = []
  const limits = createGuessLimits({
    now: () => now,
    key: 'of a test',
    alarm: (_, isBraked) => alarms.push(isBraked),
  })
  const random = seeded(42)
  const network = () =>
    random() < 0.6
      ? `mobile ${Math.floor(random() * town.mobile)}`
      : `home ${Math.floor(random() * town.home)}`
  const phones = Array.from({ length: PHONES * (town.daysBefore + 1) }, () => ({
    at: random() * DAY_MS * (town.daysBefore + 1),
    prefix: network(),
  }))
  // Later tries of a phone are inserted behind those that come before them.
  const queue = phones.sort((a, b) => a.at - b.at)
  const result = { guesses: 0, honest: 0, refused: 0, alarms }
  const attackFrom = DAY_MS * town.daysBefore
  const type = (phone: { at: number; prefix: string }) => {
    now = phone.at
    const isCounted = now >= attackFrom
    if (isCounted) result.honest += 1
    const leave = limits.mayTry('de', phone.prefix)
    if (!leave.allowed) {
      if (isCounted) result.refused += 1
      return
    }
    if (random() >= TYPING_ERRORS) return limits.countRight('de', phone.prefix)
    limits.countWrong('de', phone.prefix)
    insert(queue, { at: now + RETYPE_MS, prefix: phone.prefix })
  }
  const typeUntil = (time: number) => {
    for (let next = queue[0]; next !== undefined && next.at <= time; next = queue[0]) {
      queue.shift()
      type(next)
    }
  }
  for (let index = 0; index < attack.guesses; index++) {
    const at = attackFrom + (index / attack.guesses) * DAY_MS
    typeUntil(at)
    now = at
    const prefix = attack.prefix(index)
    if (!limits.mayTry('de', prefix).allowed) continue
    limits.countWrong('de', prefix)
    result.guesses += 1
  }
  typeUntil(attackFrom + DAY_MS)
  return { ...result, share: result.refused / result.honest, brakes: limits.brakes().length }
}

function insert<Item extends { at: number }>(queue: Item[], item: Item): void {
  const index = queue.findIndex((other) => other.at > item.at)
  queue.splice(index === -1 ? queue.length : index, 0, item)
}

function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
