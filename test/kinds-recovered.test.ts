// Test: streams of every kind after a recovery from the archive; promises the same files, made anew from the recovered log, and that a withdrawal goes on.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { openDirectoryStore } from '../src/distribute/directory-store.ts'
import { archiveThrough } from '../src/log/archiver.ts'
import { makeSnapshot } from '../src/log/archive-snapshot.ts'
import { verifyLog } from '../src/log/verify-log.ts'
import { CEN_STREAM_DEFAULTS } from '../src/publish/cen-settings.ts'
import { publishDue } from '../src/publish/publish-due.ts'
import { digestTables, differingTables } from '../src/recover/compare-tables.ts'
import { archiveOf } from './archiving-zone.ts'
import { readNumbers, reinstateReports, storeNumbers, withdrawReports } from './cen-zone.ts'
import { databaseTestOnce } from './database.ts'
import { makeKeys } from './key-zone.ts'
import { digestFolder } from './published-files.ts'
import { openPublishingZone } from './publishing-zone.ts'
import { openEmpty, recoverFrom } from './recovered-zone.ts'

const HOUR = 3600

databaseTestOnce('every kind of stream comes back from the archive to the byte', async (db, t) => {
  await using town = await openPublishingZone(db, t)
  const { zone, clock, folder } = town
  await town.addStream('us')
  await town.addStream('records', { kind: 'ctdiag' })
  const publicKey = await town.addStream('numbers', {
    kind: 'cen',
    ...CEN_STREAM_DEFAULTS,
    hold: 2,
    settings: { cells: 1, cellReports: 2 },
  })
  const archived = await archiveOf(zone, 'key', folder, clock.now)
  const hour = async () => {
    clock.advance(HOUR)
    await publishDue(zone.publisher)
  }
  await town.upload(makeKeys(clock.now(), 3))
  const first = await storeNumbers(town, 6, 50, (index) => ({ cell: index % 2 === 0 ? 'u' : null }))
  await hour()
  const some = first.slice(0, 3).map(({ seq }) => seq)
  const withdrawal = await withdrawReports(town, some)
  await makeSnapshot(archived.context)
  await storeNumbers(town, 4, 50)
  await town.upload(makeKeys(clock.now(), 2))
  await hour()
  // Into the next day, when all that counts is published anew.
  for (let hours = 0; hours < 16; hours++) await hour()
  await archiveThrough(archived.context, Infinity)

  await using empty = await openEmpty(db, folder)
  await recoverFrom(empty.key, archived.folder, 'key', archived.identity)
  assert.deepEqual(
    differingTables(await digestTables(zone.db), await digestTables(empty.key.db)),
    [],
  )
  assert.deepEqual((await verifyLog(empty.key.db, empty.key.writer.projections)).problems, [])
  const publicFolder = join(folder, 'recovered')
  const goesOn = {
    ...zone.publisher,
    db: empty.key.db,
    copyDb: empty.key.copyDb,
    writer: empty.key.writer,
    store: openDirectoryStore(publicFolder),
  }
  await publishDue(goesOn)
  assert.deepEqual(await digestFolder(publicFolder), await digestFolder(zone.publicFolder))
  const kinds = new Set(
    (await readNumbers(publicFolder, 'numbers', publicKey)).map(({ kind }) => kind),
  )
  assert.deepEqual([...kinds].sort(), ['release', 'removed', 'whole'])

  // What was withdrawn before the loss comes back by what is said after it.
  await reinstateReports({ ...town, zone: { ...zone, ...empty.key } }, some, withdrawal)
  clock.advance(HOUR)
  await publishDue(goesOn)
  const last = (await readNumbers(publicFolder, 'numbers', publicKey)).at(-1)
  const back = first.slice(0, 3).flatMap(({ numbers }) => numbers)
  assert.ok(back.some((number) => last?.numbers.includes(number)))
})
