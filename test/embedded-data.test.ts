// Test: the data folder of the embedded PostgreSQL: closed, copied, damaged or of another version, and who can read it; each on real processes.

import assert from 'node:assert/strict'
import { readdirSync, statSync } from 'node:fs'
import { chmod, cp, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { connectOnce, parseAddress } from '../src/db/database.ts'
import { startEmbedded } from '../src/db/embedded.ts'
import { forkEmbedded } from './embedded-process.ts'
import {
  databasePids,
  disposable,
  emptyFolder,
  endWatch,
  isRoot,
  query,
  sharedFolder,
} from './embedded-folder.ts'

const folder = await sharedFolder()

test('a data folder with a long path works', async (t) => {
  const folder = join(await emptyFolder(t), 'a'.repeat(100), 'with space', 'b'.repeat(200))
  await using embedded = await startEmbedded(folder).then(disposable)
  assert.deepEqual(await query(embedded.url, 'select 1 as one'), [{ one: 1 }])
})

test(
  "started by root, a data folder that only root can reach works, also after a kill, and PostgreSQL is not root's",
  { skip: !isRoot && 'only root can start it for another user' },
  async (t) => {
    const closed = await emptyFolder(t)
    await chmod(closed, 0o700)
    const folder = join(closed, 'checkout', 'data')
    await using server = forkEmbedded('server', folder)
    const open = await server.opened
    assert.equal(open.kind, 'open')
    await query(open.url, 'create table kept as select 7 as value')
    await endWatch(folder)
    await server.kill()
    const left = await databasePids(folder)
    assert.ok(left.length > 0)
    for (const pid of left) assert.notEqual(statSync(`/proc/${pid}`).uid, 0)
    await using again = await startEmbedded(folder).then(disposable)
    assert.deepEqual(await query(again.url, 'select value from kept'), [{ value: 7 }])
    assert.equal((await stat(closed)).mode & 0o777, 0o700, 'no mode above was opened')
  },
)

test('nobody can read or list what lies in the data folder and at the socket', async (t) => {
  const folder = join(await emptyFolder(t), 'data')
  await using embedded = await startEmbedded(folder).then(disposable)
  assert.equal((await stat(folder)).mode & 0o066, 0)
  for (const name of readdirSync(folder)) {
    // A copy of the programs, where the checkout is closed to PostgreSQL's user: no secret, and not to be changed by others.
    const closed = name.startsWith('tocsin-postgresql-') ? 0o022 : 0o077
    assert.equal(statSync(join(folder, name)).mode & closed, 0, name)
  }
  for (const name of readdirSync(embedded.directory))
    assert.equal(statSync(join(embedded.directory, name)).mode & 0o077, 0, name)
  const socketFolder = parseAddress(embedded.url).host ?? ''
  assert.equal((await stat(socketFolder)).mode & 0o077, 0)
})

test('the socket alone makes nobody the owner: a password is asked of every login', async () => {
  await using embedded = await startEmbedded(folder).then(disposable)
  const address = parseAddress(embedded.url)
  for (const user of ['tocsin', 'postgres', 'root'])
    await assert.rejects(connectOnce({ ...address, user, password: 'guessed' }), { code: '28P01' })
  const [settings] = await query(
    embedded.url,
    `select current_setting('listen_addresses') as addresses, current_setting('fsync') as fsync,
       current_setting('data_checksums') as checksums, current_setting('server_encoding') as encoding`,
  )
  assert.deepEqual(settings, { addresses: '', fsync: 'on', checksums: 'on', encoding: 'UTF8' })
})

test("the database's log says that it started, and no value of a statement", async () => {
  await using embedded = await startEmbedded(folder).then(disposable)
  const client = await connectOnce(parseAddress(embedded.url))
  await client.query('create table code (digits text primary key)')
  for (let times = 0; times < 2; times++)
    await client.query('insert into code values ($1)', ['secret-41']).catch(() => undefined)
  await client.query(`select 'secret-42'::integer`).catch(() => undefined)
  await client.query(`do $$ begin raise exception 'secret-43'; end $$`).catch(() => undefined)
  await client.query(`do $$ begin raise warning 'secret-44'; end $$`)
  await client.end()
  await embedded.close()
  const log = await readFile(join(folder, 'postgresql.log'), 'utf8')
  assert.match(log, /ready to accept connections/)
  assert.doesNotMatch(log, /secret/)
})

test('a database of another major version is left alone, and the sentence says what to do', async () => {
  const file = join(folder, 'postgresql', 'PG_VERSION')
  await writeFile(file, '17\n')
  await assert.rejects(startEmbedded(folder), {
    code: 'data_folder_unusable',
    message: /made by PostgreSQL 17, this Tocsin brings PostgreSQL 18/,
  })
  assert.equal(await readFile(file, 'utf8'), '17\n')
  await writeFile(file, '18\n')
  await (await startEmbedded(folder)).close()
})

test('a folder with something else in it is left alone', async (t) => {
  const folder = await emptyFolder(t)
  await mkdir(join(folder, 'postgresql'))
  await writeFile(join(folder, 'postgresql', 'holiday.jpg'), 'picture')
  await assert.rejects(startEmbedded(folder), { code: 'data_folder_unusable' })
  assert.deepEqual(readdirSync(join(folder, 'postgresql')), ['holiday.jpg'])
  const file = join(folder, 'file')
  await writeFile(file, 'no folder')
  await assert.rejects(startEmbedded(file), { code: 'data_folder_unusable' })
})

test(
  'a database that root copied, and that everybody can read therefore, is private again after a start',
  { skip: !isRoot && 'only root can start it for another user' },
  async (t) => {
    const copy = await emptyFolder(t)
    const directory = join(copy, 'postgresql')
    await cp(join(folder, 'postgresql'), directory, { recursive: true })
    await chmod(directory, 0o755)
    await using embedded = await startEmbedded(copy).then(disposable)
    assert.deepEqual(await query(embedded.url, 'select 1 as one'), [{ one: 1 }])
    assert.equal((await stat(directory)).mode & 0o777, 0o700)
  },
)

test('a damaged database gives the reason of PostgreSQL, and frees the folder', async () => {
  const control = join(folder, 'postgresql', 'global', 'pg_control')
  const good = await readFile(control)
  await writeFile(control, good.subarray(0, 100))
  await assert.rejects(startEmbedded(folder), {
    code: 'embedded_database_failed',
    message: /did not start: .*pg_control/,
  })
  await writeFile(control, good)
  await (await startEmbedded(folder)).close()
})
