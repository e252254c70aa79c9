// Test: what streams publish of what was uploaded: regions, travelers, report types, held windows, split files, several signing keys.

import assert from 'node:assert/strict'
import { createPublicKey, verify } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ReportType } from '../src/format/report-type.ts'
import { publishDue } from '../src/publish/publish-due.ts'
import { makeSigningKey } from '../src/publish/signer.ts'
import { updateStream, type StreamKey } from '../src/publish/streams.ts'
import { databaseTestOnce } from './database.ts'
import { makeKeys } from './key-zone.ts'
import { digestFolder, readIndex, readPublished } from './published-files.ts'
import {
  assertLogIsClean,
  openPublishingZone,
  publishedKeys,
  releasesOf,
  type PublishingZone,
  type StreamSettings,
} from './publishing-zone.ts'

const EIGHT = Date.UTC(2026, 2, 10, 8) / 1000
const HOUR = 3600

databaseTestOnce(
  'each stream publishes what its regions, travelers and report types say',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    const authorities = {
      us: await test.addAuthority('us.example.health', ['US']),
      ca: await test.addAuthority('ca.example.health', ['CA']),
      both: await test.addAuthority('both.example.health', ['CA', 'US']),
      mx: await test.addAuthority('mx.example.health', ['MX']),
    }
    const streams: Record<string, StreamSettings> = {
      us: {},
      'us-and-ca': { inputRegions: ['us', 'ca'] },
      'all-but-ca': { inputRegions: ['US', 'MX'], excludedRegions: ['CA', 'FR'] },
      travelers: { travelers: 'include' },
      residents: { inputRegions: ['US', 'CA', 'MX'], travelers: 'exclude' },
      'travelers-but-ca': { travelers: 'include', excludedRegions: ['CA', 'FR'] },
      likely: { inputRegions: ['US', 'CA', 'MX'], reportTypes: [2, 3] },
    }
    for (const [name, settings] of Object.entries(streams)) await test.addStream(name, settings)
    const names = new Map<string, string>()
    const send = async (
      app: keyof typeof authorities,
      traveler = false,
      reportType: ReportType = 'confirmed',
    ) => {
      const keys = makeKeys(clock.now(), 1)
      const authority = authorities[app]
      const reply = await test.send(keys, { authority, reportType, fields: { traveler } })
      assert.equal(reply.status, 200, JSON.stringify(reply.body))
      const name = [
        app,
        ...(traveler ? ['traveler'] : []),
        ...(reportType === 'likely' ? ['likely'] : []),
      ]
      names.set(Buffer.from(keys[0]?.key ?? '', 'base64').toString('hex'), name.join(' '))
    }
    for (const app of ['us', 'ca', 'both', 'mx'] as const) {
      await send(app)
      await send(app, true)
      await send(app, false, 'likely')
    }
    clock.advance(HOUR)
    await publishDue(zone.publisher)
    const published: Record<string, string[]> = {}
    for (const name of Object.keys(streams)) {
      const keys = (await publishedKeys(test, name)).flat()
      published[name] = keys.map((key) => names.get(key) ?? 'unknown').sort()
    }
    const all = (app: string) => [app, `${app} likely`, `${app} traveler`]
    assert.deepEqual(published, {
      us: [...all('both'), ...all('us')],
      'us-and-ca': [...all('both'), ...all('ca'), ...all('us')],
      'all-but-ca': [...all('mx'), ...all('us')],
      travelers: [...all('both'), 'ca traveler', 'mx traveler', ...all('us')],
      residents: ['both', 'both likely', 'ca', 'ca likely', 'mx', 'mx likely', 'us', 'us likely'],
      'travelers-but-ca': ['mx traveler', ...all('us')],
      likely: ['both likely', 'ca likely', 'mx likely', 'us likely'],
    })
    await assertLogIsClean(test)
  },
)

databaseTestOnce(
  'more keys than the maximum go into several full files, each single, with times of its own',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    await test.addStream('us', { maximum: 4 })
    const uploaded = [...(await test.upload()), ...(await test.upload(makeKeys(clock.now(), 6)))]
    clock.advance(HOUR)
    const run = { releases: 1, files: 3, keys: 9, revisedKeys: 0 }
    assert.deepEqual(await publishDue(zone.publisher), run)
    const paths = await readIndex(zone.publicFolder, 'us')
    assert.deepEqual(
      paths,
      [1, 2, 3].map((number) => `us/${EIGHT}-${EIGHT + HOUR}-0000${number}.zip`),
    )
    const found: string[] = []
    for (const [index, path] of paths.entries()) {
      const { header, keys } = await readPublished(zone.publicFolder, path)
      assert.deepEqual(
        [
          header['start_timestamp'],
          header['end_timestamp'],
          header['batch_num'],
          header['batch_size'],
        ],
        [EIGHT, EIGHT + HOUR + index + 1, 1, 1],
      )
      found.push(...keys.map((key) => key.key_data.toString('hex')))
    }
    assert.deepEqual(found, uploaded.sort(), 'sorted over all files')
    assert.deepEqual(
      (await publishedKeys(test, 'us')).map((keys) => keys.length),
      [4, 4, 1],
    )
    // Exactly the maximum is one file, of the usual times.
    await test.upload(makeKeys(clock.now(), 4))
    clock.advance(HOUR)
    await publishDue(zone.publisher)
    const last = (await readIndex(zone.publicFolder, 'us')).slice(3)
    assert.deepEqual(last, [`us/${EIGHT + HOUR}-${EIGHT + 2 * HOUR}-00001.zip`])
    const { header } = await readPublished(zone.publicFolder, last[0] ?? '')
    assert.equal(header['end_timestamp'], EIGHT + 2 * HOUR)
  },
)

databaseTestOnce(
  'a window with too few reports waits for more, and its keys go out with the next one',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    await test.addStream('us', { hold: 3 })
    const publish = () => {
      clock.advance(HOUR)
      return publishDue(zone.publisher)
    }
    const none = { releases: 1, files: 0, keys: 0, revisedKeys: 0 }
    const held = await test.upload()
    assert.deepEqual(await publish(), none)
    const more = await test.upload()
    assert.deepEqual(await publish(), none)
    assert.deepEqual(await publish(), none)
    const enough = await test.upload()
    assert.deepEqual(await publish(), { ...none, files: 1, keys: 9 })
    assert.deepEqual(await readIndex(zone.publicFolder, 'us'), [
      `us/${EIGHT}-${EIGHT + 4 * HOUR}-00001.zip`,
    ])
    assert.deepEqual(await publishedKeys(test, 'us'), [[...held, ...more, ...enough].sort()])
    await assertLogIsClean(test)
  },
)

databaseTestOnce(
  'a window is held for a day at the most, and corrections are never held',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    await test.addStream('us', { hold: 2 })
    const likely = makeKeys(clock.now(), 1)
    const [first, second] = [
      await test.send(likely, { reportType: 'likely' }),
      await test.send(makeKeys(clock.now(), 1)),
    ]
    assert.deepEqual([first.status, second.status], [200, 200])
    clock.advance(HOUR)
    assert.equal((await publishDue(zone.publisher)).keys, 2)
    // One report alone waits; a correction of what is out does not.
    await test.upload()
    const fields = { revisionToken: first.body.revisionToken }
    assert.equal((await test.send(likely, { reportType: 'negative', fields })).status, 200)
    clock.advance(HOUR)
    const corrected = { releases: 1, files: 1, keys: 0, revisedKeys: 1 }
    assert.deepEqual(await publishDue(zone.publisher), corrected)
    clock.advance(22 * HOUR)
    assert.deepEqual(await publishDue(zone.publisher), {
      ...corrected,
      releases: 22,
      files: 0,
      revisedKeys: 0,
    })
    clock.advance(HOUR)
    assert.deepEqual(await publishDue(zone.publisher), {
      releases: 1,
      files: 1,
      keys: 3,
      revisedKeys: 0,
    })
    assert.deepEqual(await readIndex(zone.publicFolder, 'us'), [
      `us/${EIGHT}-${EIGHT + HOUR}-00001.zip`,
      `us/${EIGHT + HOUR}-${EIGHT + 2 * HOUR}-00001.zip`,
      `us/${EIGHT + HOUR}-${EIGHT + 25 * HOUR}-00001.zip`,
    ])
    await assertLogIsClean(test)
  },
)

databaseTestOnce(
  'while signing keys rotate both sign, and each window is signed by the keys of its end',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock, folder } = test
    const oldKey = await test.addStream('us')
    const keyFile = join(folder, 'new.pem')
    const newKey = await makeSigningKey(keyFile)
    const added: StreamKey = {
      keyId: '310',
      keyVersion: 'v2',
      publicKey: newKey,
      keyFile,
      from: EIGHT + 2 * HOUR,
      through: null,
    }
    await zone.db.transaction((tx) =>
      updateStream(
        tx,
        zone.writer,
        'us',
        ({ keys }) => ({
          keys: [added, ...keys.map((key) => ({ ...key, through: EIGHT + 4 * HOUR }))],
        }),
        clock.now(),
      ),
    )
    for (let hour = 1; hour <= 4; hour++) {
      await test.upload()
      clock.advance(HOUR)
      await publishDue(zone.publisher)
    }
    const versions = []
    for (const path of await readIndex(zone.publicFolder, 'us')) {
      const { bin, header, signatures } = await readPublished(zone.publicFolder, path)
      const infos = signatures.map((each) => each['signature_info'] as Record<string, string>)
      assert.deepEqual(infos, header['signature_infos'])
      for (const [index, { signature }] of signatures.entries()) {
        const pem = infos[index]?.['verification_key_version'] === 'v2' ? newKey : oldKey
        assert.ok(verify('sha256', bin, createPublicKey(pem), signature), path)
      }
      versions.push(infos.map((info) => info['verification_key_version']))
    }
    assert.deepEqual(versions, [['v1'], ['v2', 'v1'], ['v2', 'v1'], ['v2']])
    assert.deepEqual(await releasesOf(zone.db), { us: 4 })
  },
)

databaseTestOnce(
  'a last file has its minimum of new keys, and the revised ones come behind them',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    await test.addStream('us', { maximum: 10, minimum: 4 })
    const likely = makeKeys(clock.now(), 9)
    const first = await test.send(likely, { reportType: 'likely' })
    clock.advance(HOUR)
    await publishDue(zone.publisher)
    const fields = { revisionToken: first.body.revisionToken }
    assert.equal((await test.send(likely, { reportType: 'confirmed', fields })).status, 200)
    for (let report = 0; report < 4; report++) await test.upload()
    clock.advance(HOUR)
    await publishDue(zone.publisher)
    const sizes = []
    for (const path of (await readIndex(zone.publicFolder, 'us')).slice(1)) {
      const { keys, revisedKeys } = await readPublished(zone.publicFolder, path)
      sizes.push([keys.length, revisedKeys.length])
    }
    assert.deepEqual(sizes, [
      [6, 0],
      [6, 4],
      [0, 5],
    ])
    await assertRemade(test)
  },
)

databaseTestOnce(
  'what changed in a configuration makes no key known that was not, and loses no correction',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    await test.addStream('grows', { reportTypes: [1] })
    await test.addStream('shrinks')
    const change = (name: string, reportTypes: number[]) =>
      zone.db.transaction((tx) =>
        updateStream(tx, zone.writer, name, () => ({ reportTypes }), clock.now()),
      )
    const [confirmed, revoked] = [makeKeys(clock.now(), 1), makeKeys(clock.now(), 1)]
    const replies = [
      await test.send(confirmed, { reportType: 'likely' }),
      await test.send(revoked, { reportType: 'likely' }),
    ]
    clock.advance(HOUR)
    await publishDue(zone.publisher)
    await change('grows', [])
    await change('shrinks', [1])
    for (const [index, reportType] of (['confirmed', 'negative'] as const).entries()) {
      const fields = { revisionToken: replies[index]?.body.revisionToken }
      const keys = index === 0 ? confirmed : revoked
      assert.equal((await test.send(keys, { reportType, fields })).status, 200)
    }
    clock.advance(HOUR)
    await publishDue(zone.publisher)
    const told: Record<string, number[][]> = {}
    for (const name of ['grows', 'shrinks'])
      for (const path of await readIndex(zone.publicFolder, name)) {
        const { keys, revisedKeys } = await readPublished(zone.publicFolder, path)
        told[name] = [...(told[name] ?? []), [keys.length, revisedKeys.length]]
      }
    // The one comes as a new key, the other was never known there; where both were known, both are corrected.
    assert.deepEqual(told, {
      grows: [[1, 0]],
      shrinks: [
        [2, 0],
        [0, 2],
      ],
    })
    await assertRemade(test)
    await assertLogIsClean(test)
  },
)

databaseTestOnce(
  'a stream can not end where its newest window is held: its keys would never come out',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    await test.addStream('us', { hold: 5 })
    const uploaded = await test.upload()
    clock.advance(HOUR)
    await publishDue(zone.publisher)
    const endAt = (through: number) =>
      zone.db.transaction((tx) =>
        updateStream(tx, zone.writer, 'us', () => ({ through }), clock.now()),
      )
    await assert.rejects(endAt(EIGHT + HOUR), { code: 'stream_invalid', message: /is held/ })
    await endAt(EIGHT + HOUR + 900)
    clock.advance(900)
    await publishDue(zone.publisher)
    assert.deepEqual(await publishedKeys(test, 'us'), [uploaded.sort()])
  },
)

/** An empty disk is filled again with the same bytes. */
async function assertRemade({ zone }: PublishingZone): Promise<void> {
  const before = await digestFolder(zone.publicFolder)
  await rm(join(zone.publicFolder, 'exports'), { recursive: true })
  await publishDue(zone.publisher)
  assert.deepEqual(await digestFolder(zone.publicFolder), before)
}
