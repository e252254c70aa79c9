// Test: why a key is not out yet: each reason by its word, every prediction kept, and every file named that holds a key.

import assert from 'node:assert/strict'
import { explainKey, type KnownKey } from '../src/publish/explain-key.ts'
import { publishDue } from '../src/publish/publish-due.ts'
import { retireStream } from '../src/publish/retire-stream.ts'
import { databaseTestOnce } from './database.ts'
import { makeKeys, type TestKey } from './key-zone.ts'
import { readIndex, readPublished } from './published-files.ts'
import { openPublishingZone, type PublishingZone } from './publishing-zone.ts'
import { sendReport } from './send-report.ts'

const [GRAIN, HOUR, DAY] = [900, 3_600, 86_400] as const

async function explain({ zone, clock }: PublishingZone, { key }: TestKey): Promise<KnownKey> {
  const bytes = Buffer.from(key, 'base64')
  const explained = await explainKey(zone.db, bytes, clock.now().getTime() / 1000)
  assert.ok(explained.known)
  return explained
}

/** How a key stands in a stream, as `verdict` and sentence. */
async function stands(test: PublishingZone, key: TestKey, stream = 'us') {
  const { streams } = await explain(test, key)
  const found = streams.find((each) => each.stream === stream)
  assert.ok(found, stream)
  return found
}

const one = ([key]: readonly TestKey[]) => key as TestKey

databaseTestOnce(
  'a key on its way: embargo, window, age, release, and the way out again',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    await test.addStream('us', { windowAge: 1800, retention: DAY })
    const authority = await test.addAuthority('org.example.clinic', ['US'])
    const today = makeKeys(clock.now(), 1, true)
    await sendReport(test, authority, today)
    const { verdict, says, window, nextRelease } = await stands(test, one(today))
    assert.equal(verdict, 'embargoed')
    assert.match(says, /not before 2026-03-11T00:15:00Z/)
    assert.deepEqual(window, { start: '2026-03-11T00:00:00Z', end: '2026-03-11T01:00:00Z' })
    assert.equal(nextRelease, '2026-03-11T01:30:00Z')

    const keys = makeKeys(clock.now(), 1)
    await sendReport(test, authority, keys)
    const verdicts: string[] = []
    const step = async (seconds: number, publish = true) => {
      clock.advance(seconds)
      if (publish) await publishDue(zone.publisher)
      const found = await stands(test, one(keys))
      verdicts.push(found.verdict)
      return found
    }
    assert.equal((await step(0)).nextRelease, '2026-03-10T09:30:00Z')
    await step(HOUR)
    assert.match((await step(1800, false)).says, /2026-03-10T08:00:00Z to 2026-03-10T09:00:00Z/)
    const { says: published } = await step(0)
    assert.deepEqual(verdicts, ['window_open', 'settling', 'due', 'published'])
    const [path = ''] = await readIndex(zone.publicFolder, 'us')
    assert.equal(published, `published in release 1, in ${path} (listed)`)
    const state = async (seconds: number) => (await step(seconds)).published[0]?.state
    assert.deepEqual([await state(DAY), await state(HOUR + GRAIN)], ['unlisted', 'removed'])
  },
)

databaseTestOnce(
  'keys that are held: how many reports there are, and when they go out at the latest',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    await test.addStream('us', { hold: 3, minimum: 10, maximum: 1000 })
    const authority = await test.addAuthority('org.example.clinic', ['US'])
    const keys = makeKeys(clock.now(), 2)
    await sendReport(test, authority, keys)
    const open = await stands(test, one(keys))
    assert.match(open.says, /fewer than 3 reports it is held, until 2026-03-11T08:00:00Z/)
    assert.match(open.says, /fewer than 10 keys are padded/)
    clock.advance(HOUR)
    await publishDue(zone.publisher)
    await sendReport(test, authority, makeKeys(clock.now(), 2))
    const held = await stands(test, one(keys))
    assert.equal(held.verdict, 'held')
    assert.match(held.says, /2 of 3 reports/)
    assert.match(held.says, /out at 2026-03-11T08:00:00Z at the latest/)
    assert.equal(held.nextRelease, '2026-03-10T10:00:00Z')
    for (let hour = 0; hour < 22; hour++) {
      clock.advance(HOUR)
      await publishDue(zone.publisher)
      assert.equal((await stands(test, one(keys))).verdict, 'held', `after ${hour} more hours`)
    }
    clock.advance(HOUR)
    assert.equal(clock.now().toISOString(), '2026-03-11T08:00:00.000Z')
    await publishDue(zone.publisher)
    assert.equal((await stands(test, one(keys))).verdict, 'published')
  },
)

databaseTestOnce(
  'a key that is not for a stream: the reason, and what never comes',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    await test.addStream('us')
    await test.addStream('ca', { region: 'CA', inputRegions: ['CA'] })
    await test.addStream('without', { inputRegions: ['US', 'CA'], excludedRegions: ['MX'] })
    await test.addStream('locals', { travelers: 'exclude' })
    await test.addStream('guests', { region: 'CA', inputRegions: ['CA'], travelers: 'include' })
    await test.addStream('clinical', { reportTypes: [2] })
    await test.addStream('later', { start: clock.now().getTime() / 1000 + HOUR })
    await test.addStream('ended')
    await zone.db.transaction((tx) => retireStream(tx, zone.writer, 'ended', clock.now()))
    const authority = await test.addAuthority('org.example.both', ['US', 'MX'])
    const before = makeKeys(clock.now(), 1)
    await sendReport(test, authority, before, { fields: { traveler: true } })
    const all = async (key: TestKey) =>
      Object.fromEntries(
        (await explain(test, key)).streams.map(({ stream, verdict, says }) => [
          stream,
          verdict === 'not_in_stream' ? says : verdict,
        ]),
      )
    const expected = {
      ca: 'its report is of US, MX, the stream takes CA',
      clinical: 'the stream does not publish CONFIRMED_TEST',
      ended: 'window_open',
      guests: 'window_open',
      later: 'before_start',
      locals: "the stream leaves out travelers' keys",
      us: 'window_open',
      without: 'the stream leaves out MX',
    }
    assert.deepEqual(await all(one(before)), expected)
    clock.advance(HOUR)
    await publishDue(zone.publisher)
    assert.deepEqual(await all(one(before)), {
      ...expected,
      ended: 'published',
      guests: 'published',
      us: 'published',
    })
    const after = makeKeys(clock.now(), 1)
    await sendReport(test, authority, after)
    const { ended, later } = await all(one(after))
    assert.deepEqual([ended, later], ['after_end', 'window_open'])
  },
)

databaseTestOnce(
  'keys that are revised: where the change is, and a revoked one that never was out',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    await test.addStream('us')
    await test.addStream('confirmed', { reportTypes: [1] })
    const authority = await test.addAuthority('org.example.clinic', ['US'])
    const send = (
      keys: TestKey[],
      reportType: 'likely' | 'confirmed' | 'negative',
      token?: string,
    ) =>
      sendReport(test, authority, keys, {
        reportType,
        ...(token === undefined ? {} : { fields: { revisionToken: token } }),
      })
    const next = async () => {
      clock.advance(HOUR)
      await publishDue(zone.publisher)
    }
    const [early, late, revoked, recalled] = [1, 1, 1, 1].map((n) => makeKeys(clock.now(), n)) as [
      TestKey[],
      TestKey[],
      TestKey[],
      TestKey[],
    ]
    const tokens = []
    for (const keys of [early, late, revoked, recalled])
      tokens.push((await send(keys, 'likely')).body.revisionToken)
    await send(early, 'confirmed', tokens[0])
    await send(revoked, 'negative', tokens[2])
    assert.equal((await stands(test, one(revoked))).verdict, 'revoked')
    assert.match(
      (await stands(test, one(late), 'confirmed')).says,
      /does not publish CONFIRMED_CLIN/,
    )
    await next()
    assert.equal((await stands(test, one(revoked))).verdict, 'revoked')
    const settled = await stands(test, one(early))
    assert.deepEqual([settled.verdict, settled.revision?.verdict], ['published', 'published'])
    assert.match(settled.revision?.says ?? '', /CONFIRMED_TEST from the first/)
    assert.equal((await stands(test, one(early), 'confirmed')).verdict, 'published')

    await send(late, 'confirmed', tokens[1])
    await send(recalled, 'negative', tokens[3])
    const waiting = await stands(test, one(late))
    assert.deepEqual([waiting.verdict, waiting.revision?.verdict], ['published', 'window_open'])
    assert.equal((await stands(test, one(late), 'confirmed')).verdict, 'window_open')
    assert.equal((await stands(test, one(recalled), 'confirmed')).verdict, 'revoked')
    await next()
    const [, second = ''] = await readIndex(zone.publicFolder, 'us')
    for (const keys of [late, recalled]) {
      const { revision, published } = await stands(test, one(keys))
      assert.equal(revision?.verdict, 'published')
      assert.ok(revision.says.includes(`release 2, in ${second} (listed)`), revision.says)
      assert.deepEqual(
        published.map(({ list, release }) => `${list} ${release}`),
        ['keys 1', 'revisedKeys 2'],
      )
    }
    const brought = await stands(test, one(late), 'confirmed')
    assert.deepEqual([brought.verdict, brought.published[0]?.release], ['published', 2])
  },
)

databaseTestOnce('a change goes out also with a release that is held', async (database, t) => {
  await using test = await openPublishingZone(database, t)
  const { zone, clock } = test
  await test.addStream('us', { hold: 2 })
  const authority = await test.addAuthority('org.example.clinic', ['US'])
  const [changed, other, alone] = [1, 2, 3].map((n) => makeKeys(clock.now(), n)) as [
    TestKey[],
    TestKey[],
    TestKey[],
  ]
  const { body } = await sendReport(test, authority, changed, { reportType: 'likely' })
  await sendReport(test, authority, other)
  clock.advance(HOUR)
  await publishDue(zone.publisher)
  await sendReport(test, authority, changed, { fields: { revisionToken: body.revisionToken } })
  await sendReport(test, authority, alone)
  clock.advance(HOUR)
  await publishDue(zone.publisher)
  assert.equal((await stands(test, one(alone))).verdict, 'held')
  const { revision, published } = await stands(test, one(changed))
  assert.equal(revision?.verdict, 'published')
  assert.deepEqual(
    published.map(({ list, release }) => `${list} ${release}`),
    ['keys 1', 'revisedKeys 2'],
  )
})

databaseTestOnce(
  'every file that is named holds the key, every other does not, and keys go out when it was said',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock } = test
    await test.addStream('whole')
    await test.addStream('split', { maximum: 4, period: 2 * HOUR, windowAge: 600 })
    await test.addStream('held', { hold: 3, maximum: 5 })
    await test.addStream('likely', { reportTypes: [2], inputRegions: ['US', 'CA'] })
    const authorities = [
      await test.addAuthority('org.example.one', ['US']),
      await test.addAuthority('org.example.two', ['CA', 'US']),
      await test.addAuthority('org.example.three', ['CA']),
    ]
    const keys: TestKey[] = []
    const promised = new Map<string, string>()
    let step = 0
    for (let hour = 0; hour < 6; hour++) {
      for (const authority of authorities.slice(0, hour % 4)) {
        const more = makeKeys(clock.now(), 1 + (step++ % 4), step % 3 === 0)
        await sendReport(test, authority, more, { reportType: step % 2 ? 'likely' : 'confirmed' })
        keys.push(...more)
      }
      for (const key of keys)
        for (const { stream, verdict, nextRelease } of (await explain(test, key)).streams)
          if (verdict === 'window_open' && stream !== 'held')
            promised.set(`${key.key} ${stream}`, nextRelease ?? '')
      clock.advance(HOUR)
      await publishDue(zone.publisher)
      const now = clock.now().toISOString().replace('.000Z', 'Z')
      for (const [promise, when] of promised) {
        const [key = '', stream = ''] = promise.split(' ')
        const { verdict } = await stands(test, { key } as TestKey, stream)
        assert.equal(verdict === 'published', when <= now, `${stream}: ${verdict}, said ${when}`)
      }
    }
    clock.advance(26 * HOUR)
    await publishDue(zone.publisher)
    await publishDue(zone.publisher)
    assert.ok(promised.size > 20, `${promised.size} promises`)
    let split = 0
    for (const stream of ['whole', 'split', 'held', 'likely']) {
      const holders = new Map<string, string>()
      for (const path of await readIndex(zone.publicFolder, stream)) {
        if (/0000[2-9]\.zip$/.test(path)) split++
        for (const { key_data: data } of (await readPublished(zone.publicFolder, path)).keys)
          holders.set(data.toString('base64'), path)
      }
      for (const key of keys) {
        const { published } = await stands(test, key, stream)
        assert.equal(published[0]?.path, holders.get(key.key), `${stream} ${key.key}`)
      }
    }
    assert.ok(split > 2, `${split} files that follow a first one`)
  },
)
