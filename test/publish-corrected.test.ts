// Test: what phones get to see of corrections: what nobody has seen disappears, what was published is revoked in every stream, what is uploaded again stays withdrawn, and no file tells of issuer handles.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { TestContext } from 'node:test'
import { reinstate } from '../src/correct/reinstate.ts'
import { amend } from '../src/correct/amend.ts'
import { publishDue } from '../src/publish/publish-due.ts'
import { send, withdrawNow } from './correcting-zone.ts'
import { databaseTestOnce, createDatabase } from './database.ts'
import { makeKeys, type TestKey } from './key-zone.ts'
import { readIndex, readPublished } from './published-files.ts'
import { openPublishingZone, type PublishingZone } from './publishing-zone.ts'

const HOUR = 3600
const REVOKED = 5

/** What the newest file of a stream says, key by key, as `list type`; undefined when there is no file. */
async function newest(test: PublishingZone, stream: string) {
  const path = (await readIndex(test.zone.publicFolder, stream)).at(-1)
  if (path === undefined) return undefined
  const file = await readPublished(test.zone.publicFolder, path)
  const told = new Map<string, string>()
  for (const key of file.keys) told.set(key.key_data.toString('hex'), `new ${key.report_type}`)
  for (const key of file.revisedKeys)
    told.set(key.key_data.toString('hex'), `revised ${key.report_type}`)
  return { path, told }
}

async function publishNext(test: PublishingZone): Promise<void> {
  test.clock.advance(HOUR)
  await publishDue(test.zone.publisher)
}

/** A zone with two streams of one region, and one of another. */
async function threeStreams(database: { url: string }, t: TestContext) {
  const test = await openPublishingZone(database as never, t)
  await test.addStream('us')
  await test.addStream('wide', { inputRegions: ['US', 'CA'] })
  await test.addStream('ca', { region: 'CA', inputRegions: ['CA'] })
  return test
}

databaseTestOnce(
  'a report that nobody has seen disappears silently, a published one is revoked in each stream that carried it',
  async (database, t) => {
    await using test = await threeStreams(database, t)
    const seen = await send(test)
    const other = await send(test)
    await publishNext(test)
    const unseen = await send(test)
    await withdrawNow(test, {
      selection: { trackingIds: [seen.trackingId, unseen.trackingId] },
    })
    await publishNext(test)
    for (const stream of ['us', 'wide']) {
      const { told } = (await newest(test, stream)) ?? {}
      assert.deepEqual(
        told,
        new Map(seen.keys.map((key) => [key, `revised ${REVOKED}`])),
        `${stream}: the seen one's keys, nothing of the others`,
      )
    }
    assert.equal(await newest(test, 'ca'), undefined)
    // Nothing is said twice.
    const before = await newest(test, 'us')
    await publishNext(test)
    assert.equal((await newest(test, 'us'))?.path, before?.path)
    assert.equal(other.keys.length, 3)
  },
)

databaseTestOnce(
  'a withdrawn key that is uploaded again stays withdrawn, and the uploader gets what anybody gets',
  async (database, t) => {
    await using test = await threeStreams(database, t)
    const withdrawnKeys = makeKeys(test.clock.now(), 2)
    const usualKeys = makeKeys(test.clock.now(), 2)
    const withdrawn = await send(test, { keys: withdrawnKeys, reportType: 'likely' })
    const usual = await send(test, { keys: usualKeys, reportType: 'likely' })
    await publishNext(test)
    await withdrawNow(test, { selection: { trackingIds: [withdrawn.trackingId] } })
    await publishNext(test)
    /** The reply to a second upload, but for what is random. */
    const again = async (keys: readonly TestKey[], revisionToken?: string) => {
      const fields = revisionToken === undefined ? {} : { revisionToken }
      const reply = await test.send(keys, { reportType: 'confirmed', fields })
      const { padding: _, revisionToken: token, ...body } = reply.body as Record<string, unknown>
      return { status: reply.status, body, token: typeof token }
    }
    assert.deepEqual(await again(withdrawnKeys), await again(usualKeys))
    const revised = await again(withdrawnKeys, withdrawn.revisionToken)
    assert.equal(revised.status, 200)
    assert.deepEqual(revised, await again(usualKeys, usual.revisionToken))
    await publishNext(test)
    const { told } = (await newest(test, 'us')) ?? {}
    assert.deepEqual(told, new Map(usual.keys.map((key) => [key, 'revised 1'])))
  },
)

databaseTestOnce(
  'a reinstated key comes back with its type; one that two withdrawals hold only when both are taken back',
  async (database, t) => {
    await using test = await threeStreams(database, t)
    const report = await send(test, { reportType: 'likely' })
    await publishNext(test)
    const selection = { trackingIds: [report.trackingId] }
    const first = await withdrawNow(test, { selection })
    const second = await withdrawNow(test, { selection })
    await publishNext(test)
    const takeBack = (withdrawal: string) =>
      reinstate(test.zone, { withdrawal, reason: 'a test', by: 'command' }, test.clock.now())
    await takeBack(first.id)
    const before = await newest(test, 'us')
    await publishNext(test)
    assert.equal((await newest(test, 'us'))?.path, before?.path, 'still withdrawn')
    await takeBack(second.id)
    await publishNext(test)
    for (const stream of ['us', 'wide'])
      assert.deepEqual(
        (await newest(test, stream))?.told,
        new Map(report.keys.map((key) => [key, 'revised 2'])),
      )
    // What is amended is told likewise.
    await amend(
      test.zone,
      { selection, reportType: 'confirmed', reason: 'a test', by: 'command' },
      test.clock.now(),
    )
    await publishNext(test)
    assert.deepEqual(new Set((await newest(test, 'us'))?.told.values()), new Set(['revised 1']))
  },
)

databaseTestOnce(
  'what comes under a standing withdrawal is in no file, until it is taken back',
  async (database, t) => {
    await using test = await threeStreams(database, t)
    const handle = randomBytes(16).toString('base64url')
    const standing = await withdrawNow(test, {
      selection: { issuerHandles: [handle] },
      scope: 'from-now-on',
    })
    const held = await send(test, { handle })
    const free = await send(test)
    await publishNext(test)
    const first = await newest(test, 'us')
    assert.deepEqual(new Set(first?.told.keys()), new Set(free.keys))
    await reinstate(
      test.zone,
      { withdrawal: standing.id, reason: 'a test', by: 'command' },
      test.clock.now(),
    )
    await publishNext(test)
    assert.deepEqual(
      (await newest(test, 'us'))?.told,
      new Map(held.keys.map((key) => [key, 'new 1'])),
      'published for the first time now',
    )
  },
)

databaseTestOnce(
  'public files are the same bytes whatever the issuer handles are',
  async (database, t) => {
    const start = Date.parse('2026-03-10T08:00:00Z')
    const uploads = Array.from({ length: 6 }, () => makeKeys(new Date(start), 3))
    const histories = [undefined, 'a', 'b'].map((kind) => async () => {
      await using own = await createDatabase(database.url)
      await using test = await threeStreams(own, t)
      for (const [index, keys] of uploads.entries()) {
        const name = kind === 'a' ? `one ${index % 2}` : `another ${index}`
        const handle = Buffer.from(name.padEnd(16, '.')).toString('base64url')
        await send(test, { keys, ...(kind === undefined ? {} : { handle }) })
      }
      await publishNext(test)
      const published: [string, string][] = []
      for (const stream of ['us', 'wide', 'ca'])
        for (const path of await readIndex(test.zone.publicFolder, stream).catch(() => [])) {
          const { bin } = await readPublished(test.zone.publicFolder, path)
          published.push([path, bin.toString('hex')])
        }
      return published
    })
    const [without = [], shared, own] = [
      await histories[0]?.(),
      await histories[1]?.(),
      await histories[2]?.(),
    ]
    assert.equal(without.length, 2)
    assert.deepEqual(shared, without)
    assert.deepEqual(own, without)
  },
)
