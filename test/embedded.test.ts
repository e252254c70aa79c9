// Test: the embedded PostgreSQL under what happens to its processes in the field: kill -9, second starts, commands beside a server; each on real processes.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { chown, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { connectOnce, parseAddress } from '../src/db/database.ts'
import { openEmbedded, startEmbedded } from '../src/db/embedded.ts'
import { chooseUser } from '../src/db/embedded-user.ts'
import { forkEmbedded } from './embedded-process.ts'
import {
  databasePids,
  disposable,
  emptyFolder,
  endWatch,
  killAll,
  query,
  sharedFolder,
  socketFolders,
  standStill,
  until,
} from './embedded-folder.ts'

const folder = await sharedFolder()

test('after kill -9 of everything during writes, every acknowledged commit is there', async () => {
  await using first = await startEmbedded(folder).then(disposable)
  await query(first.url, 'create table kept (value integer primary key)')
  await first.close()
  const acknowledged: number[] = []
  for (const round of [1, 2, 3]) {
    await using writer = forkEmbedded('writer', folder, round * 1_000_000)
    assert.equal((await writer.opened).kind, 'open')
    await until('200 commits', async () => writer.committed.length >= 200)
    killAll([...(await databasePids(folder)), writer.pid])
    await writer.kill()
    acknowledged.push(...writer.committed)
  }
  await using again = await startEmbedded(folder).then(disposable)
  const rows = await query(again.url, 'select value from kept')
  const kept = new Set(rows.map((row) => row['value']))
  assert.ok(acknowledged.length >= 600)
  assert.deepEqual(
    acknowledged.filter((value) => !kept.has(value)),
    [],
  )
})

test('a second start on a data folder is refused, names the process that has it and harms nothing', async () => {
  await using server = forkEmbedded('server', folder)
  const open = await server.opened
  assert.equal(open.kind, 'open')
  await using second = forkEmbedded('server', folder)
  const refused = await second.opened
  assert.equal(refused.kind, 'refused')
  assert.equal(refused.code, 'data_folder_in_use')
  assert.match(refused.sentence, new RegExp(`server with process number ${server.pid}`))
  assert.ok(refused.sentence.includes(folder))
  assert.deepEqual(await query(open.url, 'select 1 as one'), [{ one: 1 }])
})

test('within one process, too, a second start is refused, and the first keeps its database', async () => {
  await using embedded = await startEmbedded(folder).then(disposable)
  await assert.rejects(startEmbedded(folder), { code: 'data_folder_in_use' })
  await using other = forkEmbedded('server', folder)
  assert.equal((await other.opened).kind, 'refused')
  assert.deepEqual(await query(embedded.url, 'select 1 as one'), [{ one: 1 }])
})

test('of two starts at the same instant, on a folder without a database, exactly one wins', async (t) => {
  const folder = await emptyFolder(t)
  await using one = forkEmbedded('server', folder)
  await using two = forkEmbedded('server', folder)
  const kinds = (await Promise.all([one.opened, two.opened])).map((report) => report.kind)
  assert.deepEqual(kinds.sort(), ['open', 'refused'])
})

test('a start waits for an owner that is just closing', async () => {
  await using first = forkEmbedded('server', folder)
  const open = await first.opened
  assert.equal(open.kind, 'open')
  const goOn = await standStill(open.url)
  const closed = first.close()
  await until('the owner tells that it stops', async () => {
    return (await readFile(join(folder, 'postgresql.owner.json'), 'utf8')).includes('stopping')
  })
  const second = startEmbedded(folder).then(disposable)
  assert.equal(await Promise.race([second, delay(300, 'waits')]), 'waits')
  goOn()
  await using embedded = await second
  assert.deepEqual(await query(embedded.url, 'select 1 as one'), [{ one: 1 }])
  await closed
})

test('when its owner alone is killed, the database stops by itself', async () => {
  await using server = forkEmbedded('server', folder)
  await server.opened
  await server.kill()
  await until('no process left', async () => (await databasePids(folder)).length === 0)
})

test('a database that was left running is stopped by the next start, and nothing is lost', async () => {
  await using server = forkEmbedded('server', folder)
  const open = await server.opened
  assert.equal(open.kind, 'open')
  await endWatch(folder)
  await query(open.url, 'create table left_over as select 7 as value')
  await server.kill()
  const before = await databasePids(folder)
  assert.ok(before.length > 0, 'the database runs on without its owner')
  await using again = await startEmbedded(folder).then(disposable)
  assert.deepEqual(await query(again.url, 'select value from left_over'), [{ value: 7 }])
  const now = await databasePids(folder)
  assert.deepEqual(
    before.filter((pid) => now.includes(pid)),
    [],
  )
  assert.deepEqual(await socketFolders(open.url), [], 'the old socket is gone')
})

test('a database that was killed alone is started again, at the same address and with everything in it', async () => {
  await using server = await startEmbedded(folder).then(disposable)
  await query(server.url, 'create table killed_alone as select 9 as value')
  for (let round = 0; round < 2; round++) {
    const [first = 0] = await databasePids(folder)
    process.kill(first, 'SIGKILL')
    await until('it answers again', () =>
      query(server.url, 'select value from killed_alone').then(
        (rows) => rows.length === 1,
        () => false,
      ),
    )
    assert.ok(!(await databasePids(folder)).includes(first), 'it is another process')
  }
  await server[Symbol.asyncDispose]()
  assert.deepEqual(await databasePids(folder), [])
})

test('a connection that computes on after its server was killed does not hinder the next start', async () => {
  await using server = forkEmbedded('server', folder)
  const open = await server.opened
  assert.equal(open.kind, 'open')
  const busy = await connectOnce(parseAddress(open.url))
  const computing = busy.query('select count(*) from generate_series(1, 10000000000)')
  computing.catch(() => undefined)
  await delay(100)
  await endWatch(folder)
  killAll([...(await databasePids(folder)).slice(0, 1), server.pid])
  await server.kill()
  assert.ok((await databasePids(folder)).length > 0, 'the connection computes on')
  await using again = await startEmbedded(folder).then(disposable)
  assert.deepEqual(await query(again.url, 'select 1 as one'), [{ one: 1 }])
  await assert.rejects(computing)
})

test('a postmaster.pid whose number belongs to another program by now is no hindrance, and the program lives', async (t) => {
  const user = await chooseUser(folder, join(folder, 'postgresql'))
  const ids = user.dropped ? { uid: user.uid, gid: user.gid } : {}
  const foreign = spawn('sleep', ['60'], { ...ids, stdio: 'ignore' })
  t.after(() => foreign.kill('SIGKILL'))
  const file = join(folder, 'postgresql', 'postmaster.pid')
  await writeFile(file, `${foreign.pid}\n${join(folder, 'postgresql')}\n1\n5432\n\n\n\n\n`)
  if (user.dropped) await chown(file, user.uid, user.gid)
  await using embedded = await startEmbedded(folder).then(disposable)
  assert.deepEqual(await query(embedded.url, 'select 1 as one'), [{ one: 1 }])
  assert.equal(foreign.exitCode ?? foreign.signalCode, null)
})

test('two commands at once, without a server, both work on the same data', async (t) => {
  const folder = await emptyFolder(t)
  await using one = forkEmbedded('command', folder)
  await using two = forkEmbedded('command', folder)
  const [first, report] = await Promise.race(
    [one, two].map(async (each) => [each, await each.opened] as const),
  )
  assert.equal(report.kind, 'open')
  await query(report.url, 'create table kept as select 7 as value')
  await first.close()
  const second = await (first === one ? two : one).opened
  assert.equal(second.kind, 'open')
  assert.deepEqual(await query(second.url, 'select value from kept'), [{ value: 7 }])
})

test('a command joins the database of a running server at once, and leaves it running', async () => {
  await using server = forkEmbedded('server', folder)
  const open = await server.opened
  assert.equal(open.kind, 'open')
  const started = performance.now()
  const joined = await openEmbedded(folder)
  assert.ok(performance.now() - started < 10_000, 'it did not wait for the server to go')
  assert.equal(joined.url, open.url)
  await joined.close()
  assert.deepEqual(await query(open.url, 'select 1 as one'), [{ one: 1 }])
})

test('a command after a killed server starts the database itself', async () => {
  await using server = forkEmbedded('server', folder)
  await server.opened
  await endWatch(folder)
  await server.kill()
  await using command = await openEmbedded(folder).then(disposable)
  assert.deepEqual(await query(command.url, 'select 1 as one'), [{ one: 1 }])
})

test('a kill -9 while the database is being made leaves nothing that the next start trips over', async (t) => {
  const folder = await emptyFolder(t)
  await using server = forkEmbedded('server', folder)
  await until('initdb is at work', async () =>
    readdirSync(folder).some(
      (name) => name.startsWith('postgresql.new-') && readdirSync(join(folder, name)).length > 5,
    ),
  )
  await server.kill()
  await using again = await startEmbedded(folder).then(disposable)
  assert.deepEqual(await query(again.url, 'select 1 as one'), [{ one: 1 }])
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.includes('.new')),
    [],
  )
})

test('closing stops every process, frees the folder and removes the socket; closing twice is harmless', async () => {
  const embedded = await startEmbedded(folder)
  assert.equal(embedded.directory, join(folder, 'postgresql'))
  assert.notEqual((await databasePids(folder)).length, 0)
  const goOn = await standStill(embedded.url)
  const closed = Promise.all([embedded.close(), embedded.close()])
  assert.equal(await Promise.race([closed, delay(300, 'waits')]), 'waits')
  goOn()
  await closed
  assert.deepEqual(await databasePids(folder), [])
  assert.deepEqual(await socketFolders(embedded.url), [])
  await (await startEmbedded(folder)).close()
})
