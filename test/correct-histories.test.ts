// Test: random histories of uploads, revisions, withdrawals, reinstatements, amendments and downtimes: phones that read now and then, and one that comes late, end in the same state, and it is the right one.

import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { reinstate } from '../src/correct/reinstate.ts'
import { withdraw } from '../src/correct/withdraw.ts'
import { publishDue } from '../src/publish/publish-due.ts'
import {
  belongs,
  DAY,
  HOUR,
  finalOf,
  play,
  steps,
  STREAMS,
  type Known,
  type Step,
} from './correction-history.ts'
import { createDatabase, databaseTestOnce, type TestDatabase } from './database.ts'
import { makeKeys } from './key-zone.ts'
import { Phone, REVOKED } from './phone.ts'
import { digestFolder } from './published-files.ts'
import { assertLogIsClean, openPublishingZone, type StreamSettings } from './publishing-zone.ts'
import { playHistories } from './random-histories.ts'

/** Takes back what a phone has, then gives half of it back. */
const TAKEN_BACK: readonly Step[] = [
  { do: 'upload', who: 0, days: 2, today: false, traveler: false, type: 'confirmed' },
  { do: 'upload', who: 2, days: 3, today: false, traveler: false, type: 'confirmed' },
  { do: 'wait', minutes: 130, publish: true, restart: false },
  { do: 'read', phone: 0 },
  { do: 'withdraw', which: [0, 1] },
  { do: 'wait', minutes: 130, publish: true, restart: false },
  { do: 'read', phone: 1 },
  { do: 'reinstate', which: 0, part: true },
]

function checkPhone(name: string, { keys }: Phone, known: readonly Known[]): number {
  const settings = STREAMS[name] as StreamSettings
  const { reportTypes = [] } = settings
  let revoked = 0
  for (const each of known) {
    const { key, first, revised } = each
    const isIn =
      belongs(settings, first) ||
      (revised !== undefined && revised.held.size === 0 && belongs(settings, revised))
    const final = isIn ? finalOf(each) : undefined
    const phone = keys.get(key)
    if (phone?.type === REVOKED) revoked++
    if (final === undefined)
      assert.ok(phone === undefined || phone.type === REVOKED, `${name}: ${key} is still there`)
    else if (phone !== undefined)
      // A revision that repeats the onset says its own days: those are in the row.
      assert.equal(phone.type, final.type, `${name}: ${key} is not in its final state`)
    else
      assert.ok(
        reportTypes.length > 0 && !reportTypes.includes(final.type),
        `${name}: ${key} is missing`,
      )
  }
  const strangers = [...keys.keys()].filter((key) => !known.some((each) => each.key === key))
  assert.deepEqual(strangers, [], `${name}: nobody uploaded these`)
  return revoked
}

async function checkHistory(database: TestDatabase, t: TestContext, history: readonly Step[]) {
  const own = await createDatabase(database.url)
  try {
    await using test = await openPublishingZone(own, t)
    for (const [name, settings] of Object.entries(STREAMS)) await test.addStream(name, settings)
    const authorities = [
      await test.addAuthority('us.example.health', ['US']),
      await test.addAuthority('ca.example.health', ['CA']),
      await test.addAuthority('both.example.health', ['CA', 'US']),
    ]
    const names = Object.keys(STREAMS)
    // Two that read now and then, and one that comes when all is over.
    const phones = names.map((name) => [new Phone(name), new Phone(name), new Phone(name)])
    const known = await play(test, authorities, phones, history)
    test.clock.advance(2 * DAY)
    await publishDue(test.zone.publisher)
    let revoked = 0
    for (const [index, name] of names.entries()) {
      const [often, seldom, late] = phones[index] ?? []
      for (const phone of [often, seldom, late]) await phone?.read(test.zone.publicFolder)
      assert.deepEqual(seldom?.keys, often?.keys, `${name}: phones differ`)
      assert.deepEqual(late?.keys, often?.keys, `${name}: the late phone differs`)
      revoked += checkPhone(name, often as Phone, known)
    }
    await assertLogIsClean(test)
    // An empty disk is filled again with the same bytes, whatever was corrected since.
    const before = await digestFolder(test.zone.publicFolder)
    await rm(join(test.zone.publicFolder, 'exports'), { recursive: true })
    await publishDue(test.zone.publisher)
    assert.deepEqual(await digestFolder(test.zone.publicFolder), before)
    return revoked
  } finally {
    await own[Symbol.asyncDispose]()
  }
}

databaseTestOnce(
  'whatever was corrected, phones that read before, between and after end in the right state',
  async (database, t) => {
    let revoked = 0
    await playHistories(
      steps,
      8,
      async (history) => {
        revoked += await checkHistory(database, t, history)
      },
      [TAKEN_BACK],
    )
    assert.ok(revoked > 0, 'some history took back what phones had')
  },
)

databaseTestOnce(
  'a key that a reinstatement brings into a held window comes out',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    await test.addStream('us', { hold: 2 })
    const publish = async () => {
      clock.advance(HOUR)
      await publishDue(zone.publisher)
    }
    const note = { reason: 'a test', by: 'test' }
    const selection = { healthAuthority: 'org.example.health' }
    const keys = await test.upload(makeKeys(clock.now(), 1))
    const { id } = await withdraw(zone, { selection, scope: 'retroactive', ...note }, clock.now())
    await publish()
    await reinstate(zone, { withdrawal: id, ...note }, clock.now())
    // One report waits for a day, and nothing else comes.
    for (let hour = 0; hour < 30; hour++) await publish()
    const phone = new Phone('us')
    await phone.read(zone.publicFolder)
    assert.deepEqual([...phone.keys.keys()], keys)
  },
)
