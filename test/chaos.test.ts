// Test: kill -9 at random moments of submitting, publishing, archiving, correcting and recovering; promises that nothing acknowledged is lost, nothing is there twice, and nothing is left half done.

import assert from 'node:assert/strict'
import { runWorld } from './chaos/world.ts'
import { databaseTestOnce } from './database.ts'

/** As test/chaos.ts is told; otherwise a sample that is another one each time. */
const rounds = Number(process.env['TOCSIN_TEST_CHAOS_ROUNDS'] ?? 6)
const seed = Number(process.env['TOCSIN_TEST_CHAOS_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
/** More in one world would only make its checks long. */
const ROUNDS_OF_A_WORLD = 20

for (let world = 0; world * ROUNDS_OF_A_WORLD < rounds; world++) {
  const left = Math.min(ROUNDS_OF_A_WORLD, rounds - world * ROUNDS_OF_A_WORLD)
  databaseTestOnce(
    `whoever is killed, whenever: seed ${seed + world}, ${left} rounds`,
    async (database, t) => {
      const result = await runWorld(database, t, seed + world, left)
      t.diagnostic(JSON.stringify(result))
      assert.ok(result.kills >= left)
      assert.ok(result.reports > left && result.files > 0, JSON.stringify(result))
    },
  )
}
