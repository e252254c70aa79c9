// Test: publishing, from uploaded keys to signed files that independent readers accept: each key once, in the right window and stream.

import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { createPublicKey, verify } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readEvent, readHead } from '../src/log/read-events.ts'
import { publishDue } from '../src/publish/publish-due.ts'
import { releaseContent } from '../src/publish/earlier-events.ts'
import type { FeedState } from '../src/verify/feed-state.ts'
import { followFeed } from '../src/verify/follow-feed.ts'
import { databaseTest } from './database.ts'
import { makeKeys } from './key-zone.ts'
import { readIndex, readPublished } from './published-files.ts'
import { assertLogIsClean, openPublishingZone, publishedKeys } from './publishing-zone.ts'
import { serve } from './served-files.ts'

const EIGHT = Date.UTC(2026, 2, 10, 8) / 1000
const HOUR = 3600
const zipName = (stream: string, start: number, end = start + HOUR) =>
  `${stream}/${start}-${end}-00001.zip`

databaseTest(
  'keys are published once their hour is over, signed, with all that phones need',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock, folder } = test
    const publicKey = await test.addStream('us')
    const uploaded = [...(await test.upload()), ...(await test.upload())]
    const events = (await readHead(zone.db)).nextSeq
    assert.deepEqual(await publishDue(zone.publisher), {
      releases: 0,
      files: 0,
      keys: 0,
      revisedKeys: 0,
    })
    clock.advance(HOUR)
    assert.deepEqual(await publishDue(zone.publisher), {
      releases: 1,
      files: 1,
      keys: 6,
      revisedKeys: 0,
    })

    const path = zipName('us', EIGHT)
    assert.equal(await readFile(join(zone.publicFolder, 'exports/us/index.txt'), 'latin1'), path)
    assert.equal(await readFile(join(zone.publicFolder, 'exports/us/key.pem'), 'utf8'), publicKey)
    const { bin, header, keys, revisedKeys, signatures } = await readPublished(
      zone.publicFolder,
      path,
    )
    const { start_timestamp, end_timestamp, region, batch_num, batch_size } = header
    assert.deepEqual(
      { start_timestamp, end_timestamp, region, batch_num, batch_size },
      {
        start_timestamp: EIGHT,
        end_timestamp: EIGHT + HOUR,
        region: 'US',
        batch_num: 1,
        batch_size: 1,
      },
    )
    assert.deepEqual(
      keys.map((key) => key.key_data.toString('hex')),
      uploaded.sort(),
    )
    const midnight = (EIGHT - (EIGHT % 86_400)) / 600
    const oneOfTheFirst = keys.find((key) => key.rolling_start_interval_number === midnight - 144)
    assert.deepEqual(
      { ...oneOfTheFirst, key_data: '' },
      {
        key_data: '',
        transmission_risk_level: 2,
        rolling_start_interval_number: midnight - 144,
        report_type: 1,
        days_since_onset_of_symptoms: 2,
      },
    )
    assert.deepEqual(revisedKeys, [])

    const signature = signatures[0]?.signature ?? Buffer.alloc(0)
    assert.equal(signatures.length, 1)
    assert.ok(verify('sha256', bin, createPublicKey(publicKey), signature))
    if (spawnSync('openssl', ['version']).status === 0) {
      await writeFile(join(folder, 'export.bin'), bin)
      await writeFile(join(folder, 'signature'), signature)
      const check = ['-verify', join(zone.publicFolder, 'exports/us/key.pem'), '-signature']
      const args = [
        'dgst',
        '-sha256',
        ...check,
        join(folder, 'signature'),
        join(folder, 'export.bin'),
      ]
      assert.match(execFileSync('openssl', args, { encoding: 'utf8' }), /Verified OK/)
    }

    const event = await readEvent(zone.db, events)
    assert.equal(event?.type, 'release')
    const content = releaseContent(event)
    assert.deepEqual(content.window, { start: EIGHT, end: EIGHT + HOUR })
    assert.deepEqual([content.stream, content.number, content.readSeq], ['us', 1, events])
    assert.equal(content.checkpoint.size, events)
    assert.equal((await readEvent(zone.db, content.configurationSeq))?.type, 'stream.configured')
    assert.deepEqual(
      content.files.map((file) => [file.path, file.keys]),
      [[path, 6]],
    )
    assert.deepEqual(
      content.files[0]?.signatures.map((each) => ({
        ...each,
        signature: Buffer.from(each.signature),
      })),
      [{ keyId: '310', keyVersion: 'v1', signature }],
    )
    await assertLogIsClean(test)
  },
)

databaseTest(
  'the index lists files oldest first without a last line break, and is empty for a new stream',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    const publicKey = await test.addStream('us')
    const index = () => readFile(join(zone.publicFolder, 'exports/us/index.txt'), 'latin1')
    await publishDue(zone.publisher)
    assert.equal(await index(), '')
    assert.equal(await readFile(join(zone.publicFolder, 'exports/us/key.pem'), 'utf8'), publicKey)
    const expected: string[] = []
    for (let hour = 0; hour < 3; hour++) {
      await test.upload()
      expected.push(zipName('us', EIGHT + hour * HOUR))
      clock.advance(HOUR)
      await publishDue(zone.publisher)
      assert.equal(await index(), expected.join('\n'))
    }
  },
)

databaseTest(
  'two streams publish the keys of their own regions, a key of both in both',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    await test.addStream('us')
    await test.addStream('canada', { region: 'ca', keyId: '302', keyVersion: 'v2' })
    await test.addStream('quiet', { region: 'FR' })
    const canadian = await test.addAuthority('ca.example.health', ['CA'])
    const both = await test.addAuthority('both.example.health', ['CA', 'US'])
    const now = clock.now()
    const us = await test.upload()
    const ca = await test.upload(makeKeys(now, 4), canadian)
    const shared = await test.upload(makeKeys(now, 2), both)
    clock.advance(HOUR)
    assert.deepEqual(await publishDue(zone.publisher), {
      releases: 3,
      files: 2,
      keys: 11,
      revisedKeys: 0,
    })
    assert.deepEqual(await publishedKeys(test, 'us'), [[...us, ...shared].sort()])
    assert.deepEqual(await publishedKeys(test, 'canada'), [[...ca, ...shared].sort()])
    assert.deepEqual(await publishedKeys(test, 'quiet'), [])
    const { header } = await readPublished(zone.publicFolder, zipName('canada', EIGHT))
    assert.equal(header['region'], 'CA')
    assert.deepEqual(header['signature_infos'], [
      {
        verification_key_id: '302',
        verification_key_version: 'v2',
        signature_algorithm: '1.2.840.10045.4.3.2',
      },
    ])
    await assertLogIsClean(test)
  },
)

databaseTest(
  'a key that is still in use goes out in the window after it has expired, and in no other',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    await test.addStream('us')
    const [today, ...earlier] = await test.upload(makeKeys(clock.now(), 3, true))
    clock.set('2026-03-11T00:59:59Z')
    await publishDue(zone.publisher)
    assert.deepEqual(await publishedKeys(test, 'us'), [earlier.sort()])
    clock.set('2026-03-11T01:00:00Z')
    await publishDue(zone.publisher)
    assert.deepEqual(await publishedKeys(test, 'us'), [earlier, [today]])
    assert.equal(
      (await readIndex(zone.publicFolder, 'us')).at(-1),
      zipName('us', Date.UTC(2026, 2, 11) / 1000),
    )
  },
)

databaseTest(
  'a phone that follows the feed over HTTP gets each key once, and believes every file',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    const publicKey = await test.addStream('us')
    const { port } = await serve(t, zone.publicFolder)
    const index = `http://127.0.0.1:${port}/exports/us/index.txt`
    const trustedKeys = [{ publicKey, keyId: '310', keyVersion: 'v1' }]
    let seen: FeedState | undefined
    for (const uploads of [0, 2, 0, 1]) {
      const uploaded: string[] = []
      for (let upload = 0; upload < uploads; upload++) uploaded.push(...(await test.upload()))
      clock.advance(HOUR)
      await publishDue(zone.publisher)
      const received: string[] = []
      for await (const event of followFeed({ index, trustedKeys, seen })) {
        assert.notEqual(event.type, 'refused')
        if (event.type === 'key') received.push(Buffer.from(event.key.keyData).toString('hex'))
        if (event.type === 'file') assert.deepEqual(event.export.findings, [])
        if (event.type === 'state') seen = event.state
      }
      assert.deepEqual(received, uploaded.sort())
    }
  },
)
