// Test: codes and tokens that are swapped in one group, whose commit is sent right behind what it stores.

import assert from 'node:assert/strict'
import { codeRequest, countEvents, getToken, someKeysHmac, zoneTest } from './authority-zone.ts'

const PAIRS = 6

zoneTest('claims and certificates that come together are all stored', async (zone, clock) => {
  // The first certificate opens the handle, which is an event of another kind.
  const first = await getToken(zone)
  await zone.certify({ token: first.token, ekeyhmac: someKeysHmac() })
  const codes: string[] = []
  const tokens: unknown[] = []
  for (let pair = 0; pair < PAIRS; pair++) {
    codes.push(String((await zone.issue(codeRequest(clock.now()))).body['code']))
    tokens.push((await getToken(zone)).token)
  }
  // In turn, so that a group's statements are of both kinds, one behind the other. All replies come after the commit.
  const replies = await Promise.all(
    codes.flatMap((code, pair) => [
      zone.verify({ code }),
      zone.certify({ token: tokens[pair], ekeyhmac: someKeysHmac() }),
    ]),
  )
  assert.deepEqual(
    replies.map(({ status }) => status),
    replies.map(() => 200),
  )
  // A statement that comes too late for its commit fails: the group would be done again, and leave second events.
  const dump = await zone.dump()
  assert.equal(countEvents(dump, 'code.claimed'), 1 + 2 * PAIRS)
  assert.equal(countEvents(dump, 'code.certified'), 1 + PAIRS)
})
