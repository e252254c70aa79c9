// Test: the archive of both zones' logs: what it holds is what the log says, one chain whoever writes it, and whatever is wrong with it is found and named.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { generateX25519Identity } from 'age-encryption'
import { addRealm } from '../src/authorize/realms.ts'
import { TocsinError } from '../src/errors.ts'
import { nameOfObject, type ArchiveObject } from '../src/log/archive-format.ts'
import { listArchived, readArchiveEnd } from '../src/log/archive-rows.ts'
import { makeSnapshot } from '../src/log/archive-snapshot.ts'
import { archiveThrough } from '../src/log/archiver.ts'
import { readArchiveObject } from '../src/log/read-archive.ts'
import { verifyArchive } from '../src/recover/verify-archive.ts'
import type { ArchivingOrder } from './archiving-process.ts'
import { archiveOf, readSegments, readTable, type TestArchive } from './archiving-zone.ts'
import { databaseTest, databaseTestOnce, type TestDatabase } from './database.ts'
import { openAuthorityData, testRealm } from './open-authority-data.ts'
import { asOwner, openSubmittingZone, START } from './submitting-zone.ts'
import { temporaryFolder } from './temporary-folder.ts'
import { watchDisk } from './watched-disk.ts'

/** A key zone with an archive. */
async function openArchivedZone(database: TestDatabase, t: TestContext) {
  const town = await openSubmittingZone(database, t)
  const test = await archiveOf(town.zone, 'key', town.folder, town.clock.now)
  const report = async () => assert.equal((await town.submit(await town.body())).status, 200)
  return { town, test, report, [Symbol.asyncDispose]: () => town[Symbol.asyncDispose]() }
}

databaseTest(
  'what is archived of the key zone is the log, byte for byte, in one chain',
  async (db, t) => {
    await using opened = await openArchivedZone(db, t)
    const { test, report } = opened
    const { archive } = test.context
    for (let round = 0; round < 3; round++) {
      await report()
      await report()
      await archiveThrough(test.context, Infinity)
      await archiveThrough(test.context, Infinity)
    }
    const table = await readTable(test)
    assert.ok(table.length >= 8)
    assert.deepEqual((await readSegments(test)).map(comparable), table.map(comparable))
    const objects = await archive.list()
    assert.equal(objects.length, 3)
    for (const { name, digest, size } of objects) {
      const stored = readFileSync(join(archive.folder, name))
      assert.equal(createHash('sha256').update(stored).digest('hex'), digest)
      assert.equal(stored.length, size)
      assert.equal(statSync(join(archive.folder, name)).mode & 0o777, 0o600)
      assert.ok(stored.subarray(0, 21).equals(Buffer.from('age-encryption.org/v1')))
    }
    assert.equal(statSync(archive.folder).mode & 0o777, 0o700)
    assert.deepEqual((await verifyArchive(archive, 'key', [test.identity])).problems, [])
    // To an event in the middle, nothing is to do; to the newest, one more segment.
    await report()
    await archiveThrough(test.context, 3)
    assert.equal((await archive.list()).length, 3)
    await archiveThrough(test.context, table.length)
    assert.equal((await archive.list()).length, 4)
  },
)

databaseTest(
  'what is archived of the authority zone is its log, with what was erased since erased',
  async (db, t) => {
    const folder = await temporaryFolder(t)
    const now = () => new Date(START)
    await using data = await openAuthorityData(db.url, folder, now)
    const { zone } = data
    const { name: realm } = await addRealm(zone, testRealm(), 'command', now())
    assert.match(realm, /^realm-/)
    const test = await archiveOf(zone, 'authority', folder, now)
    await archiveThrough(test.context, Infinity)
    assert.deepEqual(
      (await readSegments(test)).map(comparable),
      (await readTable(test)).map(comparable),
    )
    const found = await verifyArchive(test.context.archive, 'authority', [test.identity])
    assert.deepEqual(found.problems, [])
    const asKey = await verifyArchive(test.context.archive, 'key', [test.identity])
    assert.match(asKey.problems.join(), /is of the authority zone/)
  },
)

databaseTest(
  'a segment is closed when it is long enough, and a backlog becomes several',
  async (db, t) => {
    await using opened = await openArchivedZone(db, t)
    const { test, report } = opened
    for (let index = 0; index < 6; index++) await report()
    await archiveThrough(test.context, Infinity, 1_500)
    const objects = await test.context.archive.list()
    assert.ok(objects.length >= 3, `${objects.length} segments`)
    assert.equal(objects.at(-1)?.end, (await readTable(test)).length)
    const { problems, apart } = await verifyArchive(test.context.archive, 'key', [test.identity])
    assert.deepEqual([problems, apart], [[], []])
  },
)

databaseTestOnce(
  'a flipped bit anywhere is found and named; under a digest that fits, too',
  async (db, t) => {
    await using opened = await openArchivedZone(db, t)
    const { test, report } = opened
    const { archive } = test.context
    await report()
    await archiveThrough(test.context, Infinity)
    const [object] = (await archive.list()) as [ArchiveObject]
    const file = join(archive.folder, object.name)
    const stored = readFileSync(file)
    for (let bit = 0; bit < stored.length * 8; bit += 13) {
      const broken = flipped(stored, bit)
      writeFileSync(file, broken)
      await assert.rejects(readWhole(test, object), (error: TocsinError) =>
        assertNames(error, object.name, ['archive_damaged']),
      )
    }
    // Whoever changes an object can change its name, but can't encrypt what fits: of the stanza for the identity any bit hides it.
    for (let bit = 3; bit < stored.length * 8; bit += 127) {
      const broken = flipped(stored, bit)
      const digest = createHash('sha256').update(broken).digest('hex')
      const renamed = { ...object, digest, name: nameOfObject({ ...object, digest }) }
      writeFileSync(join(archive.folder, renamed.name), broken)
      await assert.rejects(readWhole(test, renamed), (error: TocsinError) =>
        assertNames(error, renamed.name, ['archive_damaged', 'archive_identity_wrong']),
      )
    }
    for (const length of [0, 1, 100, stored.length - 1]) {
      writeFileSync(file, stored.subarray(0, length))
      await assert.rejects(readWhole(test, object), { code: 'archive_damaged' })
    }
    writeFileSync(file, stored)
    await readWhole(test, object)
  },
)

databaseTest('another identity, and what is none, are told; neither is shown', async (db, t) => {
  await using opened = await openArchivedZone(db, t)
  const { test } = opened
  await archiveThrough(test.context, Infinity)
  const [object] = (await test.context.archive.list()) as [ArchiveObject]
  const other = await generateX25519Identity()
  for (const identities of [[other], [], [other.slice(0, -1)], ['hunter2']])
    await assert.rejects(
      readArchiveObject(test.context.archive, object, identities),
      (error: TocsinError) => {
        assert.equal(error.code, 'archive_identity_wrong')
        for (const each of identities)
          assert.ok(!JSON.stringify([error.message, error.cause]).includes(each))
        return true
      },
    )
  await readWhole({ ...test, identity: test.identity }, object)
})

databaseTest(
  'an object under the name of another, a lost one and one too many are found',
  async (db, t) => {
    await using opened = await openArchivedZone(db, t)
    const { test, report } = opened
    const { archive } = test.context
    for (let index = 0; index < 3; index++) {
      await report()
      await report()
      await archiveThrough(test.context, Infinity)
    }
    const [first, second] = (await archive.list()) as [ArchiveObject, ArchiveObject]
    const path = (name: string) => join(archive.folder, name)
    const wrong = nameOfObject({ ...second, first: second.first + 1 })
    renameSync(path(second.name), path(wrong))
    const renamed = await verifyArchive(archive, 'key', [test.identity])
    assert.match(renamed.problems.join(), /its header is not that of its name/)
    renameSync(path(wrong), path(second.name))
    renameSync(path(second.name), join(archive.folder, 'away'))
    const lost = await verifyArchive(archive, 'key', [test.identity])
    assert.match(
      lost.problems.join(),
      new RegExp(`events ${second.first} to ${second.end - 1} is missing`),
    )
    assert.equal(lost.events, first.end)
    renameSync(join(archive.folder, 'away'), path(second.name))
    assert.deepEqual((await verifyArchive(archive, 'key', [test.identity])).problems, [])
  },
)

databaseTest(
  'an event that was changed in the database is not archived, and is named',
  async (db, t) => {
    await using opened = await openArchivedZone(db, t)
    const { test, report } = opened
    await report()
    await archiveThrough(test.context, Infinity)
    await report()
    const last = (await readTable(test)).length - 1
    await asOwner(db, [
      `update key_zone.event set record = (select record from key_zone.event where seq = ${last - 1}) where seq = ${last}`,
    ])
    await assert.rejects(archiveThrough(test.context, Infinity), (error: TocsinError) => {
      assert.match(error.message, new RegExp(`event ${last}\\b`, 'i'))
      return true
    })
    assert.equal((await readArchiveEnd(test.context.db)).frontier.size, last)
    assert.deepEqual(leftovers(test), [])
  },
)

databaseTest(
  'on a full disk nothing is archived and nothing is left; with room again it goes on',
  async (db, t) => {
    await using opened = await openArchivedZone(db, t)
    const { test, report } = opened
    await report()
    await archiveThrough(test.context, Infinity)
    await report()
    for (const failing of ['handle.writeFile', 'handle.sync', 'rename', 'open']) {
      using _ = watchDisk(test.folder, ({ name, when }) => {
        if (name === failing && when === 'before')
          throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC', syscall: 'write' })
      })
      await assert.rejects(archiveThrough(test.context, Infinity), {
        code: 'archive_failed',
        message: /ENOSPC/,
      })
    }
    assert.equal((await test.context.archive.list()).length, 1)
    assert.deepEqual(leftovers(test), [])
    await archiveThrough(test.context, Infinity)
    assert.deepEqual(
      (await readSegments(test)).map(comparable),
      (await readTable(test)).map(comparable),
    )
  },
)

/** A process is killed behind each third write, beginning with another one each time; with TOCSIN_TEST_EVERYWHERE behind each. */
const STEP = process.env['TOCSIN_TEST_EVERYWHERE'] === undefined ? 3 : 1

for (const work of ['segment', 'snapshot'] as const)
  databaseTestOnce(
    `a process that is killed behind any write of a ${work} leaves what the next one mends`,
    async (db, t) => {
      await using opened = await openArchivedZone(db, t)
      const { test, report } = opened
      await report()
      let kills = 0
      for (let dieBehind = randomInt(STEP); ; dieBehind += STEP) {
        await report()
        const before = await listArchived(test.context.db)
        if (!(await runProcess(test, { work, dieBehind }))) break
        kills++
        // Everything that the database believes in is there and whole.
        const names = (await test.context.archive.list()).map(({ name }) => name)
        const after = await listArchived(test.context.db)
        assert.ok(after.length >= before.length)
        for (const { name } of after) assert.ok(names.includes(name), `behind write ${dieBehind}`)
        if (work === 'snapshot') await makeSnapshot(test.context)
        else await archiveThrough(test.context, Infinity)
        const found = await verifyArchive(test.context.archive, 'key', [test.identity])
        assert.deepEqual([found.problems, found.apart], [[], []], `behind write ${dieBehind}`)
        assert.equal(found.events, (await readTable(test)).length)
        assert.deepEqual(leftovers(test), [])
        assert.equal(names.length >= after.length, true)
        assert.equal(
          (await test.context.archive.list()).length,
          (await listArchived(test.context.db)).length,
        )
      }
      assert.ok(kills * STEP > 5, `${kills} kills`)
    },
  )

databaseTestOnce('several processes at once make one chain', async (db, t) => {
  await using opened = await openArchivedZone(db, t)
  const { test, report } = opened
  for (let round = 0; round < 2; round++) {
    for (let index = 0; index < 6; index++) await report()
    const runs = await Promise.all(
      Array.from({ length: 4 }, () => runProcess(test, { work: 'segment', mostBytes: 1_500 })),
    )
    assert.deepEqual(runs, [false, false, false, false])
  }
  const objects = await test.context.archive.list()
  objects.forEach(({ first }, index) => assert.equal(first, objects[index - 1]?.end ?? 0))
  const { problems, apart } = await verifyArchive(test.context.archive, 'key', [test.identity])
  assert.deepEqual([problems, apart], [[], []])
  assert.deepEqual(
    (await readSegments(test)).map(comparable),
    (await readTable(test)).map(comparable),
  )
})

/** Archives in a process of its own. @returns whether that was killed */
async function runProcess(
  { context, folder }: TestArchive,
  order: Pick<ArchivingOrder, 'work' | 'dieBehind' | 'mostBytes'>,
): Promise<boolean> {
  const [recipient = ''] = await context.recipients()
  const { address } = context
  const full: ArchivingOrder = {
    ...order,
    address,
    folder: join(folder, 'key'),
    recipient,
    now: START,
  }
  const child = spawn(process.execPath, [join(import.meta.dirname, 'archiving-process.ts')], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, TOCSIN_TEST_ARCHIVING: JSON.stringify(full) },
  })
  const [status, signal] = (await once(child, 'exit')) as [number | null, string | null]
  if (signal === null) assert.equal(status, 0)
  return signal !== null
}

async function readWhole({ context, identity }: TestArchive, object: ArchiveObject): Promise<void> {
  const { pages } = await readArchiveObject(context.archive, object, [identity])
  for await (const _ of pages);
}

/** What was staged and is neither kept nor discarded. */
function leftovers({ context }: TestArchive): string[] {
  const { folder } = context.archive
  return readdirSync(folder)
    .filter((name) => name.startsWith('.'))
    .flatMap((name) => readdirSync(join(folder, name)))
}

function assertNames(error: TocsinError, name: string, codes: readonly string[]): true {
  assert.ok(error instanceof TocsinError, String(error))
  assert.ok(codes.includes(error.code), error.code)
  assert.ok(error.message.includes(name), error.message)
  return true
}

function flipped(bytes: Uint8Array, bit: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return copy
}

function comparable(row: { seq: number; type: string; record: Uint8Array; leafHash: Uint8Array }) {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
  return [row.seq, row.type, hex(row.record), hex(row.leafHash)].join(' ')
}
