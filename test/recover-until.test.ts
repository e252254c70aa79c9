// Test: recovery to an earlier point; promises that phones end with what was so at the point, whatever they had seen, and that nothing else of the dropped part counts.

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import * as fc from 'fast-check'
import { reinstate } from '../src/correct/reinstate.ts'
import { withdraw } from '../src/correct/withdraw.ts'
import { sql } from '../src/db/sql.ts'
import { openDirectoryStore } from '../src/distribute/directory-store.ts'
import { ENCODERS } from '../src/kinds.ts'
import { openArchive } from '../src/log/archive-store.ts'
import { readHead } from '../src/log/read-events.ts'
import { verifyLog } from '../src/log/verify-log.ts'
import type { OpenZone } from '../src/operate/open-zones.ts'
import { publishDue, type PublisherContext } from '../src/publish/publish-due.ts'
import { listStreams, updateStream } from '../src/publish/streams.ts'
import { digestTables, differingTables } from '../src/recover/compare-tables.ts'
import { findPoint } from '../src/recover/find-point.ts'
import { openSource } from '../src/recover/open-source.ts'
import { historyTest } from './authority-history.ts'
import { DAY, HOUR, play, steps, STREAMS, type Step } from './correction-history.ts'
import { createDatabase, databaseTest, databaseTestOnce, type TestDatabase } from './database.ts'
import { makeKeys } from './key-zone.ts'
import { Phone, REVOKED } from './phone.ts'
import { digestFolder, readIndex } from './published-files.ts'
import { openOwner, openPublishingZone, type PublishingZone } from './publishing-zone.ts'
import { openEmpty, recoverFrom, recoverUntilFrom } from './recovered-zone.ts'
import { playHistories } from './random-histories.ts'
import { tocsin } from './run-command.ts'
import { temporaryFolder } from './temporary-folder.ts'
import { makeIdentity, writeObject, writeSegments } from './write-archive.ts'

type Recovered = Awaited<ReturnType<typeof openEmpty>>

/** A publisher of a recovered zone that goes on below a served folder. */
function publisherOf(test: PublishingZone, { key }: Recovered, folder: string): PublisherContext {
  return {
    ...test.zone.publisher,
    db: key.db,
    copyDb: key.copyDb,
    writer: key.writer,
    store: openDirectoryStore(folder),
  }
}

/** What a zone says of each key that it knew before an event: type, days, whether it is withdrawn. */
async function statesBefore({ db }: OpenZone, seq: number): Promise<unknown[]> {
  const { rows } = await db.query(
    sql`select k.key_data, s.report_type, s.transmission_risk, s.days_since_onset
        from diagnosis_key k cross join lateral key_state(k.key_data, ${2 ** 50}, 0) s where k.seq < ${seq} order by k.key_data`,
  )
  return rows
}

async function assertClean({ db, writer }: OpenZone): Promise<void> {
  assert.deepEqual((await verifyLog(db, writer.projections)).problems, [])
}

/** Of tables that events of the dropped part are carried into, the others must be those of a zone that was stopped at the point. */
const CARRIED_INTO = [
  'event',
  'log_head',
  'checkpoint',
  'report',
  'diagnosis_key',
  'key_revision',
  'report_mark',
  'key_mark',
  'report_amendment',
  'correction',
  'release',
  'release_file',
  'stream_filter',
]

interface Rewound {
  readonly recovered: Recovered
  readonly twin: Recovered
  readonly withdrawal: string | undefined
}

/** Recovers to a point, and beside it a zone that was stopped there; both are as they should be. */
async function rewind(
  database: Pick<TestDatabase, 'url'>,
  { zone, folder, clock }: PublishingZone,
  point: number,
  opened: AsyncDisposableStack,
): Promise<Rewound> {
  const { identity } = await makeIdentity(folder)
  const place = await mkdtemp(join(folder, 'rewind-'))
  const archive = join(place, 'archive')
  await writeSegments(zone.db, archive, 'key', identity, 23)
  const recovered = opened.use(await openEmpty(database, folder))
  const { logId, withdrawal } = await recoverUntilFrom(
    recovered.key,
    archive,
    'key',
    identity,
    { seq: point },
    { now: clock.now(), batchBytes: 1 },
  )
  const { nextSeq: endSeq, logId: previous } = await readHead(zone.db)
  const head = await readHead(recovered.key.db)
  assert.equal(Buffer.from(head.logId).toString('hex'), logId)
  assert.notDeepEqual(head.logId, previous)
  assert.ok(endSeq > point)
  await assertClean(recovered.key)

  const stopped = join(place, 'stopped')
  await writeObject(zone.db, stopped, 'key', identity, { first: 0, end: point, previous: null })
  const twin = opened.use(await openEmpty(database, folder))
  await recoverFrom(twin.key, stopped, 'key', identity)
  assert.deepEqual(await statesBefore(recovered.key, point), await statesBefore(twin.key, point))
  const [was, is] = [await digestTables(twin.key.db), await digestTables(recovered.key.db)]
  const differing = differingTables(was, is).filter((name) => !CARRIED_INTO.includes(name))
  assert.deepEqual(
    differing.filter((name) => name !== 'stream' && name !== 'stream_key'),
    [],
  )
  assert.deepEqual(await configurations(recovered), await configurations(twin))

  // From the new log's own archive the same comes back.
  const anew = join(place, 'anew')
  await writeSegments(recovered.key.db, anew, 'key', identity, 23)
  const again = opened.use(await openEmpty(database, folder))
  await recoverFrom(again.key, anew, 'key', identity)
  const third = await digestTables(again.key.db)
  assert.deepEqual(differingTables(is, third), [])
  assert.deepEqual(await readHead(again.key.db), head)
  return { recovered, twin, withdrawal }
}

async function configurations({ key }: Recovered): Promise<unknown[]> {
  return (await listStreams(key.db)).map((stream) => ({ ...stream, configurationSeq: 0 }))
}

databaseTest('what was published behind the point is taken back', async (database, t) => {
  await using opened = new AsyncDisposableStack()
  await using test = await openPublishingZone(database, t)
  const { zone, clock, folder } = test
  const { publicFolder, publisher } = zone
  await test.addStream('us', { minimum: 30 })
  const publish = async () => {
    clock.advance(HOUR)
    await publishDue(publisher)
  }
  const phones = [new Phone('us'), new Phone('us'), new Phone('us')]
  const [early, late, fresh] = phones as [Phone, Phone, Phone]
  const before = await test.upload(makeKeys(clock.now(), 4))
  const likely = makeKeys(clock.now(), 3)
  const { body } = await test.send(likely, { reportType: 'likely' })
  const toWithdraw = await test.upload(makeKeys(clock.now(), 2))
  await publish()
  await early.read(publicFolder)
  await test.upload(makeKeys(clock.now(), 2))
  const { nextSeq: point } = await readHead(zone.db)

  // Behind the point: a report, a revision, a withdrawal, another configuration.
  const bogus = await test.upload(makeKeys(clock.now(), 5))
  const revised = await test.send(likely, {
    reportType: 'negative',
    fields: { revisionToken: body.revisionToken },
  })
  assert.equal(revised.status, 200)
  await withdraw(
    zone,
    { selection: { keys: toWithdraw }, scope: 'both', reason: 'a mistake', by: 'test' },
    clock.now(),
  )
  await withdraw(
    zone,
    {
      selection: { healthAuthority: 'org.example.health' },
      scope: 'from-now-on',
      reason: 'a mistake',
      by: 'test',
    },
    clock.now(),
  )
  const held = await test.upload(makeKeys(clock.now(), 2))
  await zone.db.transaction((tx) =>
    updateStream(tx, zone.writer, 'us', () => ({ minimum: 40 }), clock.now()),
  )
  await publish()
  await late.read(publicFolder)
  assert.equal(late.keys.get(toWithdraw[0] ?? '')?.type, REVOKED)
  assert.equal(late.keys.get(bogus[0] ?? '')?.type, 1)
  const lost = makeKeys(clock.now(), 2)
  await test.upload(lost)

  const oldFiles = await readIndex(publicFolder, 'us')
  const digests = await digestFolder(publicFolder)
  const { recovered, withdrawal } = await rewind(database, test, point, opened)
  // Not all of the dropped part: what no release was read from is nowhere.
  const { rows } = await recovered.key.db.query<{ key: string }>(
    sql`select encode(key_data, 'hex') as key from diagnosis_key`,
  )
  const known = new Set(rows.map(({ key }) => key))
  assert.ok(bogus.every((key) => known.has(key)))
  assert.ok(lost.every(({ key }) => !known.has(Buffer.from(key, 'base64').toString('hex'))))

  // The files of before can be made again to the byte.
  await rm(join(publicFolder, 'exports'), { recursive: true })
  const goesOn = publisherOf(test, recovered, publicFolder)
  await publishDue(goesOn)
  const again = await digestFolder(publicFolder)
  for (const path of oldFiles) assert.equal(again[`exports/${path}`], digests[`exports/${path}`])
  clock.advance(HOUR)
  await publishDue(goesOn)
  const files = await readIndex(publicFolder, 'us')
  const { logId } = await readHead(recovered.key.db)
  const folderOfLog = Buffer.from(logId).toString('hex').slice(0, 8)
  const added = files.slice(oldFiles.length)
  assert.deepEqual(files.slice(0, oldFiles.length), oldFiles)
  assert.ok(added.length > 0 && added.every((path) => path.startsWith(`us/${folderOfLog}/`)))

  for (const phone of phones) await phone.read(publicFolder)
  assert.deepEqual(late.keys, early.keys)
  assert.deepEqual(fresh.keys, early.keys)
  const typeOf = (key: string | undefined) => fresh.keys.get(key ?? '')?.type
  for (const key of before) assert.equal(typeOf(key), 1)
  for (const key of toWithdraw) assert.equal(typeOf(key), 1)
  for (const { key } of likely) assert.equal(typeOf(Buffer.from(key, 'base64').toString('hex')), 2)
  for (const key of bogus) assert.equal(typeOf(key), REVOKED)
  for (const key of held) assert.equal(typeOf(key), undefined)

  // It can be brought back as a whole.
  await reinstate(
    { ...recovered.key, encoders: ENCODERS },
    { withdrawal: withdrawal ?? '', reason: 'they were right', by: 'test' },
    clock.now(),
  )
  clock.advance(HOUR)
  await publishDue(goesOn)
  for (const phone of phones) await phone.read(publicFolder)
  for (const key of bogus) assert.equal(typeOf(key), 1)
  assert.deepEqual(late.keys, fresh.keys)
  await assertClean(recovered.key)

  // The same once more is done already; and back behind the first recovery, its own events are carried.
  const { identity } = await makeIdentity(folder)
  const twice = { ...test, zone: { ...zone, ...recovered.key } } as PublishingZone
  const second = await rewind(database, twice, point, opened)
  assert.ok(second.withdrawal !== undefined)
  await assert.rejects(
    recoverUntilFrom(
      second.recovered.key,
      await archived(zone, folder, identity),
      'key',
      identity,
      { seq: point },
      { now: clock.now() },
    ),
    { code: 'recovery_not_empty' },
  )
})

async function archived(zone: OpenZone, folder: string, identity: string): Promise<string> {
  const archive = join(folder, 'archived')
  await writeSegments(zone.db, archive, 'key', identity, 50)
  return archive
}

/** Compares what phones know in the end with what a phone knows that only ever saw the log up to the point. */
function comparePhones(name: string, phone: Phone, twin: Phone, keysBefore: Set<string>): void {
  const { reportTypes = [] } = STREAMS[name] ?? {}
  for (const key of new Set([...phone.keys.keys(), ...twin.keys.keys()])) {
    const [is, should] = [phone.keys.get(key), twin.keys.get(key)]
    if (!keysBefore.has(key)) {
      assert.equal(is?.type, REVOKED, `${name}: ${key} came behind the point`)
      continue
    }
    if (should === undefined && is !== undefined) {
      // One that only the dropped part let into the stream stays there, as what it is.
      assert.ok(
        is.type === REVOKED || (reportTypes.length > 0 && !reportTypes.includes(is.type)),
        `${name}: ${key} is there as ${is.type}`,
      )
      continue
    }
    if (is === undefined && should?.type === REVOKED) continue
    assert.deepEqual(is, should, `${name}: ${key} is not what it was at the point`)
  }
}

async function checkHistory(
  database: TestDatabase,
  t: TestContext,
  history: readonly Step[],
  where: number,
): Promise<void> {
  await using opened = new AsyncDisposableStack()
  const own = opened.use(await createDatabase(database.url))
  await using test = await openPublishingZone(own, t)
  const { zone, clock } = test
  for (const [name, settings] of Object.entries(STREAMS)) await test.addStream(name, settings)
  const authorities = [
    await test.addAuthority('us.example.health', ['US']),
    await test.addAuthority('ca.example.health', ['CA']),
    await test.addAuthority('both.example.health', ['CA', 'US']),
  ]
  const { nextSeq: first } = await readHead(zone.db)
  const names = Object.keys(STREAMS)
  const phones = names.map((name) => [new Phone(name), new Phone(name), new Phone(name)])
  await play(test, authorities, phones, history)
  const { nextSeq: end } = await readHead(zone.db)
  if (end === first) return
  const point = first + Math.floor(where * (end - first))
  const { recovered, twin } = await rewind(own, test, point, opened)
  clock.advance(2 * DAY)
  await publishDue(publisherOf(test, recovered, zone.publicFolder))
  const twinFolder = join(test.folder, 'twin')
  await publishDue(publisherOf(test, twin, twinFolder))
  const { rows } = await twin.key.db.query<{ key: string }>(
    sql`select encode(key_data, 'hex') as key from diagnosis_key`,
  )
  const keysBefore = new Set(rows.map(({ key }) => key))
  for (const [index, name] of names.entries()) {
    const [often, seldom, late] = phones[index] as [Phone, Phone, Phone]
    for (const phone of [often, seldom, late]) await phone.read(zone.publicFolder)
    assert.deepEqual(seldom.keys, often.keys, `${name}: phones differ`)
    assert.deepEqual(late.keys, often.keys, `${name}: the new phone differs`)
    const alone = new Phone(name)
    await alone.read(twinFolder)
    comparePhones(name, late, alone, keysBefore)
  }
  await assertClean(recovered.key)
  const digests = await digestFolder(zone.publicFolder)
  await rm(join(zone.publicFolder, 'exports'), { recursive: true })
  await publishDue(publisherOf(test, recovered, zone.publicFolder))
  assert.deepEqual(await digestFolder(zone.publicFolder), digests)
}

databaseTestOnce(
  'whatever came behind the point, all phones end with what was so at the point',
  async (database, t) => {
    await playHistories(
      fc.tuple(steps, fc.double({ min: 0, max: 0.99, noNaN: true })),
      12,
      ([history, where]) => checkHistory(database, t, history, where),
    )
  },
)

databaseTestOnce(
  'a point is told by a time, and how far back the archive reaches',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const { zone, clock, folder } = test
    await test.addStream('us')
    await test.upload()
    clock.advance(HOUR)
    await publishDue(zone.publisher)
    const { nextSeq: hour } = await readHead(zone.db)
    const noon = clock.now()
    await test.upload()
    clock.advance(HOUR)
    await publishDue(zone.publisher)
    const { nextSeq: end } = await readHead(zone.db)
    const { identity } = await makeIdentity(folder)
    const [only = ''] = await writeSegments(zone.db, folder, 'key', identity, end)
    const archive = openArchive(join(folder, 'key'))
    const find = async (until: Parameters<typeof findPoint>[1]) =>
      findPoint(await openSource(archive, [identity], 'key'), until)
    // What was accepted in the grain that the time lies in is left out.
    const { rows } = await zone.db.query<{ seq: number }>(
      sql`select min(seq) as seq from report where grain >= ${noon.getTime() / 1000}`,
    )
    assert.equal(rows[0]?.seq, hour)
    const grainBefore = await find({ time: noon })
    const within = await find({ time: new Date(noon.getTime() + 899_000) })
    const { rows: same } = await zone.db.query<{ n: number }>(
      sql`select count(*) as n from release where number = 1`,
    )
    assert.equal(same[0]?.n, 1)
    // The release that was made at that very moment is among what is left out.
    assert.equal(grainBefore?.point.untilSeq, hour - 1)
    assert.equal(within?.point.untilSeq, hour - 1)
    assert.equal(
      (await find({ time: new Date(noon.getTime() + 900_000) }))?.point.untilSeq,
      hour + 1,
    )
    assert.equal(await find({ time: new Date(clock.now().getTime() + DAY * 1000) }), undefined)
    assert.equal(await find({ seq: end }), undefined)
    await assert.rejects(find({ seq: end + 1 }), { code: 'recovery_point_invalid' })
    await assert.rejects(find({ seq: 0 }), { code: 'recovery_point_invalid' })

    // A snapshot lacks what was erased before it was made: it does not serve for a point before it.
    await rm(join(folder, 'key', only))
    const previous = only.slice(-77, -13)
    const snapshot = { kind: 'snapshot', first: 0, end: hour, previous } as const
    await writeObject(zone.db, folder, 'key', identity, snapshot)
    await writeObject(zone.db, folder, 'key', identity, { first: hour, end, previous })
    assert.equal((await find({ seq: hour }))?.point.untilSeq, hour)
    await assert.rejects(find({ seq: hour - 1 }), {
      code: 'recovery_point_unreachable',
      message: new RegExp(`reaches back to event ${hour}, .*2026-03-10T09:00:00Z`),
    })

    // The new log is archived apart.
    await using empty = await openEmpty(database, folder)
    const until = { seq: hour }
    const options = { now: clock.now(), archiveTo: archive }
    await assert.rejects(recoverUntilFrom(empty.key, folder, 'key', identity, until, options), {
      code: 'recovery_archive_occupied',
    })
    const elsewhere = { now: clock.now(), archiveTo: openArchive(join(folder, 'new', 'key')) }
    const done = await recoverUntilFrom(empty.key, folder, 'key', identity, until, elsewhere)
    const again = await recoverUntilFrom(empty.key, folder, 'key', identity, until, elsewhere)
    assert.equal(again.alreadyThere, done.events)
    assert.equal(again.logId, done.logId)
    await assert.rejects(
      recoverUntilFrom(empty.key, folder, 'key', identity, { seq: hour + 1 }, elsewhere),
      { code: 'recovery_not_empty' },
    )
  },
)

historyTest(
  'the authority zone comes back as it was at the point',
  async ({ zone: { zone, folder, ownerUrl }, clock }) => {
    const { identity } = await makeIdentity(folder)
    const { nextSeq } = await readHead(zone.db)
    const point = Math.floor(nextSeq / 2)
    await writeSegments(zone.db, folder, 'authority', identity, 10)
    await using recovered = await openEmpty({ url: ownerUrl }, folder)
    await recoverUntilFrom(
      recovered.authority,
      folder,
      'authority',
      identity,
      { seq: point },
      { now: clock.now() },
    )
    await assertClean(recovered.authority)
    assert.equal((await readHead(recovered.authority.db)).nextSeq, point + 1)
    const stopped = join(folder, 'stopped')
    const span = { first: 0, end: point, previous: null }
    await writeObject(zone.db, stopped, 'authority', identity, span)
    await using twin = await openEmpty({ url: ownerUrl }, folder)
    await recoverFrom(twin.authority, stopped, 'authority', identity)
    const tables = differingTables(
      await digestTables(twin.authority.db),
      await digestTables(recovered.authority.db),
    )
    assert.deepEqual(tables.sort(), ['event', 'log_head'])
  },
)

databaseTestOnce('the command says what is left out, and what it did', async (database, t) => {
  const folder = await temporaryFolder(t)
  const env = { TOCSIN_DATABASE_URL: database.url, TOCSIN_DATA: folder }
  const addRealm = async (name: string) => {
    const issuer = `https://${name}.example/`
    const added = await tocsin(
      ['realm', 'add', name, '--issuer', issuer, '--audience', 'keys'],
      env,
    )
    assert.equal(added.status, 0, added.err)
  }
  await addRealm('first')
  assert.equal((await tocsin(['archive', 'now'], env)).status, 0)
  await using owner = await openOwner(database.url)
  const { rows } = await owner.query('select next_seq::integer as seq from authority_zone.log_head')
  const point = (rows[0] as { seq: number }).seq
  await addRealm('second')
  assert.equal((await tocsin(['archive', 'now'], env)).status, 0)

  await using empty = await createDatabase(database.url)
  const other = { TOCSIN_DATABASE_URL: empty.url, TOCSIN_DATA: await temporaryFolder(t) }
  const from = ['--from', join(folder, 'archive')]
  const command = ['recover', ...from, '--identity', join(folder, 'archive-identity.txt')]
  const unclear = await tocsin([...command, '--until', String(point)], other)
  assert.equal(unclear.status, 2)
  assert.match(unclear.err, /numbers of its own/)
  const wrong = await tocsin([...command, '--until', 'yesterday'], other)
  assert.match(wrong.err, /must be the number of an event, or a time/)
  const whole = await tocsin([...command, '--until', '2999-01-01T00:00Z', '--dry-run'], other)
  assert.match(whole.out, /key zone: nothing was accepted behind the point/)

  const until = [...command, '--zone', 'authority', '--until', String(point)]
  const { status, out, err } = await tocsin(until, other)
  assert.equal(status, 0, err)
  assert.match(
    out,
    new RegExp(`ends before event ${point}; \\d+ events? behind it, up to .* not count`),
  )
  assert.match(out, /that were issued behind the point are gone/)
  assert.match(out, /The new log's id is [0-9a-f]{32}/)
  const realms = await tocsin(['realm', 'list'], other)
  assert.match(realms.out, /first/)
  assert.doesNotMatch(realms.out, /second/)
  assert.match((await tocsin(until, other)).out, /was recovered before/)
})
