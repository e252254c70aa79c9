// Test: the keys of revision tokens: replaced every week, destroyed when no token needs them any more, the same in all processes, whatever the clock and the database do.

import assert from 'node:assert/strict'
import { setTimeout as wait } from 'node:timers/promises'
import { connectOnce, parseAddress, type Queryable } from '../src/db/database.ts'
import { MasterKey, unwrapSecret } from '../src/db/secrets.ts'
import { sql } from '../src/db/sql.ts'
import { addSecretVersion, secretVersions } from '../src/db/zone-secrets.ts'
import { TocsinError } from '../src/errors.ts'
import {
  createRevisionKeys,
  KEY_SCHEDULE,
  openRevisionKeys,
  type RevisionKeys,
} from '../src/submit/revision-keys.ts'
import { createRevisionTokens, type RevisableKey } from '../src/submit/revision-token.ts'
import { startSubmissionThread } from '../src/submit/submission-thread.ts'
import { intervalOf, LIMITS } from '../src/submit/validate-keys.ts'
import { databaseTestOnce } from './database.ts'
import { makeKeys } from './key-zone.ts'
import { openSubmittingZone, START, type SubmittingZone } from './submitting-zone.ts'

const DAY = 86_400
const KEYS: RevisableKey[] = [
  { keyData: Buffer.alloc(16, 7), rollingStart: 1000, rollingPeriod: 144 },
]

const masterKeyOf = ({ zone }: SubmittingZone) =>
  new MasterKey(zone.settings.revisionKeys.masterKey)

/** The keys and tokens of one more process on this zone. */
async function openProcess(town: SubmittingZone, db: Queryable = town.zone.db) {
  const settings = await openRevisionKeys(db, masterKeyOf(town), town.clock.now())
  const keys = createRevisionKeys(db, settings, town.clock.now)
  return { keys, ...createRevisionTokens(keys) }
}

/** Goes on by more than an hour, so that each of these processes first reads its keys again. */
async function goOn(town: SubmittingZone, seconds: number, ...processes: { keys: RevisionKeys }[]) {
  town.clock.advance(seconds)
  for (const { keys } of processes) await keys.refresh()
}

/** Waits for something that happens in the background. */
async function until(happened: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 1000 && !(await happened()); tries++) await wait(5)
}

/** The version of the key that a token names. */
const versionOf = (token: string) => Buffer.from(token, 'base64').readUIntBE(1, 3)

/** The versions that the database holds, and the days on which they were made. */
async function stored({ zone }: SubmittingZone): Promise<[number, string | null][]> {
  const { rows } = await zone.db.query<{ version: number; made: number | null }>(
    sql`select version, made from secret where name = 'revision token' order by version`,
  )
  return rows.map(({ version, made }) => [
    version,
    made === null ? null : new Date(made * 1000).toISOString(),
  ])
}

databaseTestOnce('a key is replaced when it is seven days old, and not before', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  const process = await openProcess(town)
  // No finer than the day, though the clock stands at 10:07.
  assert.deepEqual(await stored(town), [[1, '2026-03-20T00:00:00.000Z']])
  town.clock.set('2026-03-26T23:59:59Z')
  await goOn(town, 0, process)
  assert.equal(process.keys.newest().version, 1)
  town.clock.set('2026-03-27T00:01:00Z')
  const before = process.seal(KEYS)
  assert.equal(process.keys.refresh(), undefined)
  await until(() => process.keys.newest().version === 2)
  assert.equal(process.keys.newest().version, 2)
  assert.deepEqual(await stored(town), [
    [1, '2026-03-20T00:00:00.000Z'],
    [2, '2026-03-27T00:00:00.000Z'],
  ])
  assert.deepEqual(process.open(before), KEYS)
  assert.equal(versionOf(process.seal(KEYS)), 2)
})

databaseTestOnce(
  'a token can be read until its youngest key is too old, then its key is destroyed',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    const process = await openProcess(town)
    // Another process replaces the key at the first moment of a day; this one seals with the old one at the last.
    town.clock.set('2026-03-27T00:00:00Z')
    await openProcess(town)
    town.clock.set('2026-03-27T23:59:00Z')
    const rollingStart = intervalOf(town.clock.now())
    const token = process.seal([{ keyData: new Uint8Array(16), rollingStart, rollingPeriod: 144 }])
    assert.equal(versionOf(token), 1)
    // Each day somebody looks: keys are made and destroyed on the way.
    const tooOld = (rollingStart + 144 + LIMITS.maxAge + 1) * 600
    while (town.clock.now().getTime() / 1000 < tooOld) {
      await goOn(town, DAY / 4, process)
      assert.equal(process.open(token)?.length, 1, town.clock.now().toISOString())
    }
    await goOn(town, 2 * DAY, process)
    assert.equal(process.open(token), undefined)
    assert.equal((await openProcess(town)).open(token), undefined)
    assert.deepEqual(
      (await stored(town)).map(([version]) => version),
      [2, 3, 4],
    )
    // A year later there are still no more.
    for (let week = 0; week < 52; week++) await goOn(town, 7 * DAY, process)
    assert.equal((await stored(town)).length, 4)
    assert.deepEqual(process.open(process.seal(KEYS)), KEYS)
  },
)

databaseTestOnce(
  'a version is destroyed when its successor is 18 days old, and not before',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    town.clock.set('2026-03-27T10:00:00Z')
    await openProcess(town)
    const versionsAt = async (time: string) => {
      town.clock.set(time)
      await openProcess(town)
      return (await stored(town)).map(([version]) => version)
    }
    assert.deepEqual(await versionsAt('2026-04-13T23:59:59Z'), [1, 2, 3])
    assert.deepEqual(await versionsAt('2026-04-14T00:00:00Z'), [2, 3])
  },
)

databaseTestOnce('a clock that is moved back changes nothing', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  const process = await openProcess(town)
  const first = process.seal(KEYS)
  await goOn(town, 8 * DAY, process)
  const second = process.seal(KEYS)
  const before = await stored(town)
  for (const time of ['2026-03-20T10:07:00Z', '2025-01-01T00:00:00Z', '1970-01-01T00:00:00Z']) {
    town.clock.set(time)
    await goOn(town, 0, process)
    const another = await openProcess(town)
    for (const { open, seal, keys } of [process, another]) {
      assert.equal(keys.newest().version, 2)
      assert.deepEqual([open(first), open(second), open(seal(KEYS))], [KEYS, KEYS, KEYS])
    }
    assert.deepEqual(await stored(town), before)
  }
  // Nor does anybody wait for the time to catch up: what others make is read.
  const { db: zoneDb } = town.zone
  await addSecretVersion(zoneDb, masterKeyOf(town), 'revision token', 2, new Date(START))
  await goOn(town, -DAY, process)
  assert.equal(process.keys.newest().version, 3)
  // Back in the present it goes on as before.
  town.clock.set(START)
  await goOn(town, 16 * DAY, process)
  assert.equal(process.keys.newest().version, 4)
  assert.deepEqual(process.open(first), KEYS)
})

databaseTestOnce(
  'a key whose age is not known is replaced at once, and lives on',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    const token = (await openProcess(town)).seal(KEYS)
    await town.zone.db.query(sql`update secret set made = null`)
    const process = await openProcess(town)
    assert.deepEqual(await stored(town), [
      [1, null],
      [2, '2026-03-20T00:00:00.000Z'],
    ])
    await goOn(town, 17 * DAY, process)
    assert.deepEqual(process.open(token), KEYS)
    await goOn(town, DAY, process)
    assert.equal(process.open(token), undefined)
  },
)

databaseTestOnce('several that make a key at once end with the same', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  await town.zone.db.query(sql`delete from secret where name like 'revision token%'`)
  const processes = await Promise.all(Array.from({ length: 8 }, () => openProcess(town)))
  const agree = async () => {
    for (const { seal } of processes) {
      const token = seal(KEYS)
      for (const { open } of processes) assert.deepEqual(open(token), KEYS)
    }
    return (await stored(town)).map(([version]) => version)
  }
  assert.deepEqual(await agree(), [1])
  for (const versions of [
    [1, 2],
    [1, 2, 3],
  ]) {
    town.clock.advance(7 * DAY)
    await Promise.all(processes.map(async ({ keys }) => await keys.refresh()))
    assert.deepEqual(await agree(), versions)
  }
})

databaseTestOnce('what comes too late makes no version that was there before', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  const { db: zoneDb } = town.zone
  const add = (newest: number) =>
    addSecretVersion(zoneDb, masterKeyOf(town), 'revision token', newest, town.clock.now())
  await add(1)
  await add(2)
  const before = await secretVersions(zoneDb, masterKeyOf(town), 'revision token')
  await zoneDb.query(sql`delete from secret where name = 'revision token' and version = 2`)
  await add(1)
  await add(2)
  assert.deepEqual(
    await secretVersions(zoneDb, masterKeyOf(town), 'revision token'),
    before.filter(({ version }) => version !== 2),
  )
})

databaseTestOnce(
  'a token of a version that another process made just now is known soon after',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    let readings = 0
    const counting: Queryable = {
      query: (statement) => {
        if (statement.text.startsWith('select version')) readings++
        return town.zone.db.query(statement)
      },
    }
    const late = await openProcess(town, counting)
    town.clock.advance(KEY_SCHEDULE.readEarlyAfter)
    const { db: zoneDb } = town.zone
    await addSecretVersion(zoneDb, masterKeyOf(town), 'revision token', 1, town.clock.now())
    const newer = await openProcess(town)
    const token = newer.seal(KEYS)
    readings = 0
    for (let again = 0; again < 20; again++) assert.equal(late.open(token), undefined)
    await until(() => late.open(token) !== undefined)
    assert.deepEqual(late.open(token), KEYS)
    assert.equal(readings, 1)
    // Made-up versions make it read no more often; older ones never.
    const madeUp = (version: number) => {
      const bytes = Buffer.from(token, 'base64')
      bytes.writeUIntBE(version, 1, 3)
      return bytes.toString('base64')
    }
    for (let second = 1; second <= 30; second++) {
      town.clock.advance(1)
      assert.equal(late.open(madeUp(1000 + second)), undefined)
      await wait(10)
    }
    assert.equal(readings, 1 + 30 / KEY_SCHEDULE.readEarlyAfter)
    town.clock.advance(KEY_SCHEDULE.readEarlyAfter)
    assert.equal(late.open(madeUp(0)), undefined)
    await wait(10)
    assert.equal(readings, 1 + 30 / KEY_SCHEDULE.readEarlyAfter)
  },
)

databaseTestOnce(
  'keys are read once a minute, in the background; a database that is away changes nothing',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    let readings = 0
    let away = false
    const failing: Queryable = {
      query: (statement) => {
        readings++
        return away ? Promise.reject(new TocsinError('unavailable')) : town.zone.db.query(statement)
      },
    }
    const process = await openProcess(town, failing)
    const token = process.seal(KEYS)
    readings = 0
    for (let second = 0; second < 600; second++) {
      town.clock.advance(1)
      assert.equal(process.keys.refresh(), undefined, 'nobody waits')
      await wait(second % 60 === 0 ? 20 : 0)
    }
    assert.equal(readings, 10)
    away = true
    for (let hour = 0; hour < 48; hour++) await goOn(town, 3601, process)
    assert.deepEqual(process.open(token), KEYS)
    assert.deepEqual(process.open(process.seal(KEYS)), KEYS)
    away = false
    await goOn(town, 7 * DAY, process)
    assert.equal(process.keys.newest().version, 2)
  },
)

databaseTestOnce('a database that does not answer holds nobody up for long', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  let silent = false
  const hanging: Queryable = {
    query: (statement) => (silent ? new Promise(() => undefined) : town.zone.db.query(statement)),
  }
  const process = await openProcess(town, hanging)
  silent = true
  const timer = setInterval(() => undefined, 1000)
  await goOn(town, 2 * DAY, process)
  clearInterval(timer)
  assert.deepEqual(process.open(process.seal(KEYS)), KEYS)
  // The question that got no answer is given up.
  silent = false
  await goOn(town, 7 * DAY, process)
  assert.equal(process.keys.newest().version, 2)
})

databaseTestOnce('after a long sleep a process first reads, then seals', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  const process = await openProcess(town)
  town.clock.advance(8 * DAY)
  const read = process.keys.refresh()
  assert.ok(read instanceof Promise)
  await read
  assert.equal(process.keys.newest().version, 2)
})

databaseTestOnce(
  'the thread of submissions learns new keys, with and without submissions',
  async (db, t) => {
    await using town = await openSubmittingZone(db, t)
    const { settings, address } = town.zone
    const data = { address, poolSize: 4, settings }
    await using thread = await startSubmissionThread(data, town.clock.now, 20)
    const keys = makeKeys(town.clock.now(), 3)
    const submit = async (body: Uint8Array) => {
      const { status, body: reply } = await thread.submit(body, '')
      assert.equal(status, 200, reply.error)
      return reply.revisionToken ?? ''
    }
    const token = await submit(await town.body(keys))
    // Alone: it is told the time.
    town.clock.advance(7 * DAY)
    await until(async () => (await stored(town)).length === 2)
    assert.equal((await stored(town)).length, 2)
    const later = await submit(await town.body(keys, { fields: { revisionToken: token } }))
    assert.deepEqual([versionOf(token), versionOf(later)], [1, 2])
    assert.equal((await openProcess(town)).open(later)?.length, 3)
  },
)

databaseTestOnce('a thread that slept learns new keys before it answers', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  const data = { address: town.zone.address, poolSize: 4, settings: town.zone.settings }
  await using thread = await startSubmissionThread(data, town.clock.now)
  town.clock.advance(7 * DAY)
  const body = await town.body()
  let answered = false
  const owner = await connectOnce(parseAddress(db.url))
  let reply
  try {
    // Whoever wants to read the keys waits.
    await owner.query('begin')
    await owner.query('lock table key_zone.secret in access exclusive mode')
    reply = thread.submit(body, '').finally(() => (answered = true))
    await wait(300)
    assert.equal(answered, false)
    await owner.query('commit')
  } finally {
    await owner.end()
  }
  assert.equal(versionOf((await reply).body.revisionToken ?? ''), 2)
})

databaseTestOnce('keys are stored wrapped, and secrets that stay have no time', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  const { rows } = await town.zone.db.query<{
    name: string
    wrapped: Uint8Array
    made: number | null
  }>(sql`select name, wrapped, made from secret order by name`)
  assert.deepEqual(
    rows.map(({ name, made }) => [name, made]),
    [
      ['fingerprint', null],
      ['revision token', Date.parse('2026-03-20T00:00:00Z') / 1000],
      ['revision token deployment', null],
    ],
  )
  for (const { name, wrapped } of rows)
    assert.equal(unwrapSecret(masterKeyOf(town), name, wrapped).length, 32)
})
