// Test: health authorities from memory; promises few questions, no wait while what is known is fresh, and nothing believed for long without the database.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import type { Queryable } from '../src/db/database.ts'
import { TocsinError } from '../src/errors.ts'
import { createAuthorityCache } from '../src/submit/authority-cache.ts'
import { addHealthAuthority } from '../src/submit/health-authorities.ts'
import { revokeAuthorityKey } from '../src/submit/health-authority-keys.ts'
import { databaseTestOnce } from './database.ts'
import { makeAuthority } from './key-zone.ts'
import { openSubmittingZone } from './submitting-zone.ts'

const APP = 'org.example.health'

/** A cache over a database whose answers can be held up or refused. */
function cacheOver(db: Queryable) {
  let time = 0
  const state = {
    asked: 0,
    before: async (): Promise<void> => undefined,
    /** Holds up answers that the database has given. */
    after: async (): Promise<void> => undefined,
  }
  const query = (async (statement) => {
    state.asked++
    await state.before()
    const answer = await db.query(statement)
    await state.after()
    return answer
  }) as Queryable['query']
  return {
    state,
    find: createAuthorityCache({ query }, () => time),
    set: (ms: number) => (time = ms),
  }
}

databaseTestOnce(
  'a reading that was given up changes nothing when it comes late',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    const { state, find, set } = cacheOver(town.zone.db)
    const reached = Promise.withResolvers<void>()
    const released = Promise.withResolvers<void>()
    let answered = 0
    // The third answer, the keys as they are now, is held up.
    state.after = async () => {
      if (++answered !== 3) return
      reached.resolve()
      await released.promise
    }
    const waiting = find(APP)
    await reached.promise
    await town.zone.db.transaction((tx) =>
      revokeAuthorityKey(tx, town.zone.writer, APP, 'v1', town.clock.now()),
    )
    set(5_001)
    assert.equal((await find(APP))?.verificationKeys.size, 0)
    released.resolve()
    await waiting
    state.before = () => Promise.reject(new TocsinError('unavailable'))
    set(6_000)
    assert.equal((await find(APP))?.verificationKeys.size, 0)
  },
)

const away = async () => {
  throw new TocsinError('unavailable')
}

databaseTestOnce('it asks once for all, and then behind the answers', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  const { state, find, set } = cacheOver(town.zone.db)
  const known = await Promise.all(Array.from({ length: 50 }, () => find('ORG.example.health')))
  assert.equal(known[49]?.app, APP)
  assert.equal(known[49].verificationKeys.get('v1')?.key.asymmetricKeyType, 'ec')
  assert.equal(await find('org.example.unknown'), undefined)
  assert.equal(state.asked, 3, 'the head, the authorities, their keys')
  const { privateKey: _, ...later } = makeAuthority('org.example.later')
  await town.zone.db.transaction((tx) =>
    addHealthAuthority(tx, town.zone.writer, later, town.clock.now()),
  )
  set(400)
  assert.equal(await find(later.app), undefined)
  assert.equal(state.asked, 3, 'fresh')
  set(401)
  assert.equal(await find(later.app), undefined, 'does not wait')
  assert.equal(state.asked, 4)
  await setTimeout(200)
  assert.equal((await find(later.app))?.app, later.app)
  assert.equal(state.asked, 6)
  set(5_000)
  assert.equal((await find(later.app))?.app, later.app)
  assert.equal(state.asked, 7, 'nothing changed: the head alone')
  await town.zone.db.transaction((tx) =>
    revokeAuthorityKey(tx, town.zone.writer, later.app, 'v1', town.clock.now()),
  )
  set(5_801)
  assert.equal((await find(later.app))?.verificationKeys.size, 0, 'after 800 ms it waits')
  assert.equal((await find(APP))?.verificationKeys.size, 1)
})

databaseTestOnce('a slow database holds up nobody while what is known is fresh', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  const { state, find, set } = cacheOver(town.zone.db)
  await find(APP)
  state.before = () => setTimeout(60_000, undefined, { ref: false })
  set(800)
  const startedAt = performance.now()
  for (let round = 0; round < 100; round++) assert.equal((await find(APP))?.app, APP)
  assert.ok(performance.now() - startedAt < 1_000)
  assert.equal(state.asked, 4, 'one reading is under way')
  // What is older is waited for, but not for ever, and all wait together.
  set(1_000)
  const all = await Promise.all(Array.from({ length: 20 }, () => find(APP)))
  assert.equal(all[19]?.app, APP)
  const waited = performance.now() - startedAt
  assert.ok(waited > 1_500 && waited < 4_000, `${waited} ms`)
  assert.equal((await find(APP))?.app, APP)
  assert.ok(performance.now() - startedAt < waited + 500, 'the patience is over')
  // One that never answers is given up.
  state.before = async () => undefined
  set(6_000)
  await find(APP)
  assert.equal(state.asked, 5)
  state.before = away
  set(66_000)
  assert.equal((await find(APP))?.app, APP, 'it was read at 6,000')
})

databaseTestOnce(
  'while the database is away, what is known counts for 60 s and no longer; then all goes on',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    const { state, find, set } = cacheOver(town.zone.db)
    state.before = away
    await assert.rejects(find(APP), { code: 'unavailable' })
    state.before = async () => undefined
    await find(APP)
    state.before = away
    const asked = state.asked
    for (const time of [100, 401, 801, 10_000, 59_999, 60_000]) {
      set(time)
      assert.equal((await find(APP))?.app, APP, `${time}`)
      assert.equal(await find('org.example.unknown'), undefined)
    }
    assert.equal(state.asked - asked, 3, 'not at once after a failure: at 401, 10,000 and 59,999')
    set(60_001)
    await assert.rejects(find(APP), { code: 'unavailable' })
    await assert.rejects(find('org.example.unknown'), { code: 'unavailable' })
    state.before = async () => undefined
    assert.equal((await find(APP))?.app, APP)
  },
)

test('without an answer at all, the answer is that it is unavailable', async () => {
  const query = () => new Promise<never>(() => undefined)
  const find = createAuthorityCache({ query }, () => 0)
  const startedAt = performance.now()
  // The pause keeps no process alive; this one is kept by the test.
  const [outcome] = await Promise.all([
    find(APP).catch((error: unknown) => error),
    setTimeout(5_500),
  ])
  assert.equal((outcome as TocsinError).code, 'unavailable')
  assert.ok(performance.now() - startedAt > 4_900)
})
