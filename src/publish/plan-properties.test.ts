// Test: windows over whole histories of a stream: changes of its configuration, downtimes, clocks that stand still, go back or leap.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import * as fc from 'fast-check'
import { nextDue, planWindows, windowEnd, type Schedule, type Window } from './plan-windows.ts'

const GRAIN = 900
const DAY = 86_400
const BEGIN = Date.UTC(2026, 2, 10, 12) / 1000

/** Something that happens to a stream. */
type Happening =
  | { readonly what: 'clock'; readonly by: number }
  | { readonly what: 'look'; readonly most: number }
  | { readonly what: 'key'; readonly embargo: number }
  | { readonly what: 'change'; readonly settings: Partial<Pick<Schedule, 'period' | 'windowAge'>> }
  | { readonly what: 'retire' }
  | { readonly what: 'end'; readonly at: number }
  | { readonly what: 'resume' }

const anyPeriod = fc
  .constantFrom(1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 96)
  .map((grains) => grains * GRAIN)
const anyWindowAge = fc.integer({ min: 0, max: 3 * DAY })

const anyHappening: fc.Arbitrary<Happening> = fc.oneof(
  // A publisher that runs, one that was down for days, a clock that stands still, was put right, or leapt.
  fc.record({ what: fc.constant('clock' as const), by: fc.integer({ min: 0, max: 2 * 3600 }) }),
  fc.record({ what: fc.constant('clock' as const), by: fc.integer({ min: -DAY, max: 6 * DAY }) }),
  fc.record({ what: fc.constant('look' as const), most: fc.integer({ min: 1, max: 40 }) }),
  fc.record({ what: fc.constant('key' as const), embargo: fc.constantFrom(0, 0, 1, 40, 100) }),
  fc.record({
    what: fc.constant('change' as const),
    settings: fc.oneof(
      anyPeriod.map((period) => ({ period })),
      anyWindowAge.map((windowAge) => ({ windowAge })),
    ),
  }),
  fc.constant({ what: 'retire' as const }),
  fc.record({ what: fc.constant('end' as const), at: fc.integer({ min: 0, max: 600 }) }),
  fc.constant({ what: 'resume' as const }),
)

const anyHistory = fc.record({
  period: anyPeriod,
  windowAge: anyWindowAge,
  // Grains after BEGIN: the first window begins in the past, now or later, at a multiple of the period or not.
  start: fc.integer({ min: -200, max: 100 }).map((grains) => BEGIN + grains * GRAIN),
  happenings: fc.array(anyHappening, { minLength: 1, maxLength: 60, size: 'max' }),
})

type History = typeof anyHistory extends fc.Arbitrary<infer Value> ? Value : never

/** A window that was released, and under what. */
interface Released extends Window {
  readonly at: number
  readonly schedule: Schedule
}

/** A key as it was accepted. */
interface Accepted {
  readonly available: number
  /** How many windows were out before. */
  readonly after: number
}

/** What a stream and the log have come to. */
interface State {
  schedule: Schedule
  now: number
  /** The grain of the log's head: never goes back. */
  head: number
  readonly released: Released[]
  readonly keys: Accepted[]
}

/** Plays a history; then the stream is taken up again, and looked at when all that happened is long over. */
function play(history: History): State {
  const { happenings, ...settings } = history
  const state: State = {
    schedule: { ...settings, through: null },
    now: BEGIN,
    head: 0,
    released: [],
    keys: [],
  }
  for (const happening of happenings) happen(state, happening)
  happen(state, { what: 'resume' })
  // However far the clock went back, and beyond any start and age.
  happen(state, { what: 'clock', by: Math.max(0, BEGIN - state.now) + 10 * DAY })
  happen(state, { what: 'look', most: 40 })
  return state
}

function happen(state: State, happening: Happening): void {
  const { schedule } = state
  // As in the log: the later of the clock's grain and the head's.
  const grain = Math.max(state.head, state.now - (state.now % GRAIN))
  switch (happening.what) {
    case 'clock':
      state.now += happening.by
      return
    case 'look':
      return look(state, happening.most)
    case 'key':
      state.head = grain
      state.keys.push({
        available: grain + happening.embargo * GRAIN,
        after: state.released.length,
      })
      return
    case 'change':
      state.schedule = { ...schedule, ...happening.settings }
      return
    case 'retire':
      state.schedule = {
        ...schedule,
        through: Math.max(windowEnd(schedule.period, grain), schedule.start),
      }
      return
    case 'end':
      state.schedule = { ...schedule, through: schedule.start + happening.at * GRAIN }
      return
    case 'resume':
      state.schedule = { ...schedule, through: null }
      return
  }
}

/** A run of the publisher: makes what is due, some at a time, until nothing is. */
function look(state: State, most: number): void {
  const { schedule, now, released } = state
  for (;;) {
    const due = planWindows(schedule, released.at(-1)?.end, now, most)
    assert.ok(due.length <= most)
    for (const window of due) {
      assert.ok(window.end > window.start)
      released.push({ ...window, at: now, schedule })
    }
    // Planning a window raises the head's grain to its end.
    state.head = Math.max(state.head, ...due.map(({ end }) => end))
    if (due.length < most) return
  }
}

/** Where the next window must end, found by looking at one second grain after the other. */
function searchEnd({ period, through }: Schedule, start: number): number | undefined {
  if (through !== null && through <= start) return undefined
  assert.equal(start % GRAIN, 0)
  let end = start + GRAIN
  while (end % period !== 0 && end !== through) end += GRAIN
  return end
}

const everyHistory = (check: (state: State) => void) =>
  fc.assert(fc.property(anyHistory, (history) => check(play(history))))

test('every instant from the start to the last planned end lies in exactly one window, the first one included, in order', () => {
  everyHistory(({ schedule, released }) => {
    // Ten days after all, whatever the start, the period and the age are, the first window is out.
    assert.ok(released.length > 0)
    let expected = schedule.start
    for (const { start, end } of released) {
      assert.equal(start, expected)
      assert.ok(end > start)
      expected = end
    }
    const last = released.at(-1)?.end ?? schedule.start
    const windowsAt = new Map<number, number>()
    for (const { start, end } of released)
      for (let instant = start; instant < end; instant += GRAIN)
        windowsAt.set(instant, (windowsAt.get(instant) ?? 0) + 1)
    for (let instant = schedule.start; instant < last; instant += GRAIN)
      assert.equal(windowsAt.get(instant), 1)
    assert.equal(windowsAt.size, (last - schedule.start) / GRAIN)
  })
})

test('every key is in exactly one window, and in one that was released after it was accepted', () => {
  everyHistory(({ schedule, released, keys }) => {
    for (const { available, after } of keys) {
      // Keys from before the stream began belong nowhere, those to come to a window to come.
      const last = released.at(-1)?.end ?? schedule.start
      const isIn = schedule.start <= available && available < last
      const due = released.filter(({ start, end }) => start <= available && available < end)
      assert.equal(due.length, isIn ? 1 : 0)
      assert.ok(due.every((window) => released.indexOf(window) >= after))
    }
  })
})

test('no window is released before its end and its age, nor past the end of the stream', () => {
  everyHistory(({ released }) => {
    for (const { end, at, schedule } of released) {
      assert.ok(end + schedule.windowAge <= at)
      assert.ok(schedule.through === null || end <= schedule.through)
    }
  })
})

test('a window ends at a multiple of the period that held when it was planned, or where the stream did', () => {
  everyHistory(({ released }) => {
    for (const { start, end, schedule } of released) assert.equal(end, searchEnd(schedule, start))
  })
})

test('after a look nothing is due that was due: no more windows and no fewer, however many at a time', () => {
  fc.assert(
    fc.property(anyHistory, fc.integer({ min: 1, max: 50 }), (history, most) => {
      const { happenings, ...settings } = history
      const state = { schedule: { ...settings, through: null }, now: BEGIN, head: 0 }
      const playing: State = { ...state, released: [], keys: [] }
      for (const happening of happenings) {
        if (happening.what !== 'look') {
          happen(playing, happening)
          continue
        }
        const { schedule, now, released } = playing
        let end = released.at(-1)?.end ?? schedule.start
        const expected: Window[] = []
        for (;;) {
          const next = searchEnd(schedule, end)
          if (next === undefined || next + schedule.windowAge > now) break
          expected.push({ start: end, end: next })
          end = next
        }
        const before = released.length
        look(playing, most)
        assert.deepEqual(
          released.slice(before).map(({ start, end }) => ({ start, end })),
          expected,
        )
        const next = searchEnd(schedule, end)
        assert.equal(
          nextDue(schedule, released.at(-1)?.end),
          next === undefined ? undefined : next + schedule.windowAge,
        )
      }
    }),
  )
})

test('a stream that was retired and is taken up again leaves nothing out', () => {
  fc.assert(
    fc.property(anyPeriod, fc.integer({ min: 0, max: 500 }), (period, awayGrains) => {
      const schedule = { period, windowAge: 0, start: BEGIN, through: null }
      const state: State = { schedule, now: BEGIN + 2 * DAY, head: 0, released: [], keys: [] }
      happen(state, { what: 'key', embargo: 0 })
      happen(state, { what: 'retire' })
      happen(state, { what: 'clock', by: DAY + awayGrains * GRAIN })
      happen(state, { what: 'look', most: 10 })
      assert.ok(
        (state.released.at(-1)?.end ?? 0) > (state.keys[0]?.available ?? Infinity),
        'what was accepted before is in a window before the end',
      )
      const ended = state.released.length
      happen(state, { what: 'key', embargo: 0 })
      happen(state, { what: 'look', most: 10 })
      assert.equal(state.released.length, ended, 'there is none behind the end')
      happen(state, { what: 'resume' })
      happen(state, { what: 'clock', by: DAY + period })
      happen(state, { what: 'look', most: 10 })
      const late = state.keys[1]?.available ?? assert.fail()
      const windows = state.released.filter(({ start, end }) => start <= late && late < end)
      assert.equal(windows.length, 1)
      assert.equal(state.released[ended]?.start, state.released[ended - 1]?.end)
    }),
  )
})

test('daylight saving can not matter: a year has the same windows whatever the zone of the machine', async () => {
  const source = `
    import { planWindows } from ${JSON.stringify(new URL('./plan-windows.ts', import.meta.url).href)}
    import { createHash } from 'node:crypto'
    const start = Date.UTC(2026, 0, 1) / 1000
    const schedule = { period: 4 * 3600, windowAge: 600, start, through: null }
    const windows = planWindows(schedule, undefined, start + 366 * 86400, 10000)
    const odd = windows.filter(({ start, end }) => end - start !== 4 * 3600 || end % (4 * 3600) !== 0)
    const digest = createHash('sha256').update(JSON.stringify(windows)).digest('hex')
    console.log([new Date(start * 1000).getTimezoneOffset(), windows.length, odd.length, digest].join())`
  const run = async (zone: string) => {
    const args = ['--input-type=module', '--eval', source]
    const { stdout } = await promisify(execFile)(process.execPath, args, {
      env: { ...process.env, TZ: zone },
    })
    return stdout.trim().split(',')
  }
  const zones = ['UTC', 'America/New_York', 'Europe/Berlin', 'Australia/Lord_Howe']
  const [expected = [], ...others] = await Promise.all(zones.map(run))
  assert.deepEqual(expected.slice(1, 3), ['2195', '0'])
  for (const [offset, ...windows] of others) {
    assert.notEqual(offset, '0', 'the child is in the zone')
    assert.deepEqual(windows, expected.slice(1))
  }
})
