// Test: keys whose status changes, from upload to signed files: told once, after the key itself, in its final state.

import assert from 'node:assert/strict'
import type { ReportType } from '../src/format/report-type.ts'
import { publishDue } from '../src/publish/publish-due.ts'
import { databaseTestOnce, type TestDatabase } from './database.ts'
import { makeKeys, type TestAuthority, type TestKey } from './key-zone.ts'
import { readIndex, readPublished, type PublishedKey } from './published-files.ts'
import {
  assertLogIsClean,
  openPublishingZone,
  type PublishingZone,
  type StreamSettings,
} from './publishing-zone.ts'
import type { TestContext } from 'node:test'

const HOUR = 3600
const CONFIRMED = 1
const LIKELY = 2
const REVOKED = 5

const hex = (key: TestKey) => Buffer.from(key.key, 'base64').toString('hex')

/** What the files of a stream say, file by file: each key with its report type. */
async function filesOf({ zone }: PublishingZone, stream = 'us') {
  const types = (keys: readonly PublishedKey[]) =>
    Object.fromEntries(keys.map((key) => [key.key_data.toString('hex'), key.report_type]))
  const files = []
  for (const path of await readIndex(zone.publicFolder, stream)) {
    const { keys, revisedKeys } = await readPublished(zone.publicFolder, path)
    files.push({ keys: types(keys), revised: types(revisedKeys) })
  }
  return files
}

async function open(database: TestDatabase, t: TestContext, settings: StreamSettings = {}) {
  const test = await openPublishingZone(database, t)
  await test.addStream('us', settings)
  return {
    ...test,
    /** Uploads, and gives what revises the same keys later. */
    async report(keys: readonly TestKey[], reportType: ReportType, authority?: TestAuthority) {
      const sent = authority === undefined ? { reportType } : { reportType, authority }
      const reply = await test.send(keys, sent)
      assert.equal(reply.status, 200, JSON.stringify(reply.body))
      return async (to: ReportType, by?: TestAuthority, claims?: Record<string, unknown>) => {
        const fields = { revisionToken: reply.body.revisionToken }
        const revised = await test.send(keys, {
          reportType: to,
          fields,
          ...(claims === undefined ? {} : { claims }),
          ...(by === undefined ? {} : { authority: by }),
        })
        assert.equal(revised.status, 200, JSON.stringify(revised.body))
      }
    },
    async publishAfter(seconds: number) {
      test.clock.advance(seconds)
      return publishDue(test.zone.publisher)
    },
    [Symbol.asyncDispose]: () => test[Symbol.asyncDispose](),
  }
}

databaseTestOnce(
  'a published key that is revised is told once, with its new type, onset and risk',
  async (database, t) => {
    await using test = await open(database, t)
    const [key, other] = makeKeys(test.clock.now(), 2) as [TestKey, TestKey]
    const revise = await test.report([key, other], 'likely')
    await test.publishAfter(HOUR)
    const onset = Math.floor(test.clock.now().getTime() / 600_000) - 5 * 144
    await revise('confirmed', undefined, { symptomOnsetInterval: onset })
    assert.deepEqual(await test.publishAfter(HOUR), {
      releases: 1,
      files: 1,
      keys: 0,
      revisedKeys: 2,
    })
    const first = { [hex(key)]: LIKELY, [hex(other)]: LIKELY }
    const then = { [hex(key)]: CONFIRMED, [hex(other)]: CONFIRMED }
    assert.deepEqual(await filesOf(test), [
      { keys: first, revised: {} },
      { keys: {}, revised: then },
    ])
    const [, second] = await readIndex(test.zone.publicFolder, 'us')
    const { revisedKeys } = await readPublished(test.zone.publicFolder, second ?? '')
    const told = revisedKeys.find((each) => each.key_data.toString('hex') === hex(key))
    assert.equal(told?.days_since_onset_of_symptoms, 4, 'the day after an onset five days ago')
    assert.equal(told?.transmission_risk_level, 2)
    // Nothing more is said of it.
    await test.publishAfter(24 * HOUR)
    assert.equal((await filesOf(test)).length, 2)
    await assertLogIsClean(test)
  },
)

databaseTestOnce(
  'a key revised before it was published appears once, in its final state; a revoked one nowhere',
  async (database, t) => {
    await using test = await open(database, t)
    const [confirmed, revoked, stays] = makeKeys(test.clock.now(), 3) as [TestKey, TestKey, TestKey]
    const confirm = await test.report([confirmed], 'likely')
    const revoke = await test.report([revoked], 'likely')
    await test.report([stays], 'likely')
    test.clock.advance(HOUR / 4)
    await confirm('confirmed')
    await revoke('negative')
    await test.publishAfter(HOUR)
    await test.publishAfter(24 * HOUR)
    assert.deepEqual(await filesOf(test), [
      { keys: { [hex(confirmed)]: CONFIRMED, [hex(stays)]: LIKELY }, revised: {} },
    ])
  },
)

databaseTestOnce(
  'after a downtime a key that was revised meanwhile appears once, though its windows are two',
  async (database, t) => {
    await using test = await open(database, t)
    const [confirmed, revoked] = makeKeys(test.clock.now(), 2) as [TestKey, TestKey]
    const confirm = await test.report([confirmed], 'likely')
    const revoke = await test.report([revoked], 'likely')
    test.clock.advance(3 * HOUR)
    await confirm('confirmed')
    await revoke('negative')
    await test.publishAfter(5 * HOUR)
    assert.deepEqual(await filesOf(test), [{ keys: { [hex(confirmed)]: CONFIRMED }, revised: {} }])
  },
)

databaseTestOnce(
  'a key in embargo that is revised goes out once, when its embargo ends',
  async (database, t) => {
    await using test = await open(database, t)
    const [today] = makeKeys(test.clock.now(), 1, true) as [TestKey]
    const confirm = await test.report([today], 'likely')
    await test.publishAfter(HOUR)
    await confirm('confirmed')
    await test.publishAfter(2 * HOUR)
    assert.deepEqual(await filesOf(test), [])
    await test.publishAfter(24 * HOUR)
    assert.deepEqual(await filesOf(test), [{ keys: { [hex(today)]: CONFIRMED }, revised: {} }])
  },
)

databaseTestOnce('a published key that is revoked is told as REVOKED', async (database, t) => {
  await using test = await open(database, t)
  const [key] = makeKeys(test.clock.now(), 1) as [TestKey]
  const revise = await test.report([key], 'likely')
  await test.publishAfter(HOUR)
  await revise('negative')
  await test.publishAfter(HOUR)
  assert.deepEqual(await filesOf(test), [
    { keys: { [hex(key)]: LIKELY }, revised: {} },
    { keys: {}, revised: { [hex(key)]: REVOKED } },
  ])
})

databaseTestOnce(
  'a stream of one report type brings a key once it has that type, and tells what becomes of it then',
  async (database, t) => {
    await using test = await open(database, t, { reportTypes: [CONFIRMED] })
    const [key, merged] = makeKeys(test.clock.now(), 2) as [TestKey, TestKey]
    const confirm = await test.report([key], 'likely')
    const confirmEarly = await test.report([merged], 'likely')
    await confirmEarly('confirmed')
    await test.publishAfter(HOUR)
    await confirm('confirmed')
    await test.publishAfter(HOUR)
    await test.publishAfter(24 * HOUR)
    assert.deepEqual(await filesOf(test), [
      { keys: { [hex(merged)]: CONFIRMED }, revised: {} },
      { keys: { [hex(key)]: CONFIRMED }, revised: {} },
    ])
  },
)

databaseTestOnce(
  'a revision by an authority of another region reaches every stream that published the key, and those of its regions',
  async (database, t) => {
    await using test = await open(database, t)
    await test.addStream('canada', { region: 'CA' })
    const canadian = await test.addAuthority('ca.example.health', ['CA'])
    const [key] = makeKeys(test.clock.now(), 1) as [TestKey]
    const revise = await test.report([key], 'likely')
    await test.publishAfter(HOUR)
    await revise('confirmed', canadian)
    await test.publishAfter(HOUR)
    await test.publishAfter(24 * HOUR)
    assert.deepEqual(await filesOf(test), [
      { keys: { [hex(key)]: LIKELY }, revised: {} },
      { keys: {}, revised: { [hex(key)]: CONFIRMED } },
    ])
    assert.deepEqual(await filesOf(test, 'canada'), [
      { keys: { [hex(key)]: CONFIRMED }, revised: {} },
    ])
  },
)
