// Test: the names of the zones' logins; promises that each fits PostgreSQL and is one database's alone.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { roleOf, ZONES } from './zones.ts'

test("a login's name fits PostgreSQL's 63 bytes and is no other database's", () => {
  assert.deepEqual(
    ZONES.map((zone) => roleOf(zone, 'tocsin')),
    ['tocsin_key', 'tocsin_authority'],
  )
  const long = 'a'.repeat(62)
  const names = [`${long}b`, `${long}c`, long, 'ä'.repeat(31), '鐘'.repeat(21), '🔔'.repeat(15)]
  const roles = names.flatMap((name) => ZONES.map((zone) => roleOf(zone, name)))
  assert.equal(new Set(roles).size, roles.length)
  for (const role of roles) assert.ok(Buffer.byteLength(role) <= 63, role)
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 63 }), (name) => {
      for (const zone of ZONES) assert.ok(Buffer.byteLength(roleOf(zone, name)) <= 63)
    }),
  )
})
