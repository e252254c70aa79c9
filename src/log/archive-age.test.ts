// Test: how long events have waited to be archived; promises never less than the truth.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { ArchiveAge } from './archive-age.ts'

test('an event has waited since the last look that did not see it', () => {
  const age = new ArchiveAge()
  assert.equal(age.note(0, 5, 5), 0)
  assert.equal(age.note(10, 6, 5), 10)
  assert.equal(age.note(20, 6, 5), 20)
  // The one behind it came after the look at 20.
  assert.equal(age.note(30, 7, 6), 10)
  assert.equal(age.note(40, 7, 7), 0)
})

test('what was there at the first look has waited since then', () => {
  const age = new ArchiveAge()
  assert.equal(age.note(100, 5, 0), 0)
  assert.equal(age.note(170, 5, 0), 70)
})

test('whatever comes and is archived, the age is never below the truth', () => {
  const step = fc.record({ pause: fc.nat(20), come: fc.nat(3), archived: fc.nat(4) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const age = new ArchiveAge()
      const cameAt: number[] = []
      let [now, end] = [0, 0]
      age.note(now, 0, 0)
      for (const { pause, come, archived } of steps) {
        // At the earliest right behind the look before.
        for (let index = 0; index < come; index++) cameAt.push(now)
        now += pause
        const told = age.note(now, cameAt.length, end)
        const oldest = cameAt[end]
        assert.ok(told >= (oldest === undefined ? 0 : now - oldest))
        end = Math.min(cameAt.length, end + archived)
      }
    }),
  )
})
