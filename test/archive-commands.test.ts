// Test: the archive on the command line, and what a server and a first start make of it.

import assert from 'node:assert/strict'
import { readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { databaseTestOnce } from './database.ts'
import { tocsin, type Run } from './run-command.ts'
import { temporaryFolder } from './temporary-folder.ts'

interface Found {
  readonly valid: boolean
  readonly key: { readonly events: number; readonly problems: readonly string[] }
  readonly authority: { readonly events: number }
}

databaseTestOnce(
  'a log is archived, looked at and verified by hand; the identity may be gone meanwhile',
  async (database, t) => {
    const folder = await temporaryFolder(t)
    const env = {
      TOCSIN_DATABASE_URL: database.url,
      TOCSIN_DATA: folder,
      TOCSIN_LOG_LEVEL: 'silent',
    }
    const run = (...args: string[]) => tocsin([...args, '--json'], env)
    const archive = join(folder, 'archive')
    const identity = join(folder, 'archive-identity.txt')

    const done = await run('archive', 'now')
    assert.deepEqual(
      [done.status, documentOf(done)],
      [0, { key: { archived: 1 }, authority: { archived: 1 } }],
    )
    assert.equal(statSync(identity).mode & 0o777, 0o600)
    const kept = join(folder, 'kept.txt')
    renameSync(identity, kept)
    const more = await run(
      'authority',
      'add',
      '--app',
      'a.b',
      '--issuer',
      'https://i.example/',
      '--audience',
      'a',
      '--regions',
      'US',
      '--jwks',
      'https://i.example/jwks',
    )
    assert.equal(more.status, 0, more.err)
    const snapshot = await run('archive', 'snapshot', '--zone', 'key')
    assert.equal(snapshot.status, 0, snapshot.err)
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.includes('identity')),
      [],
    )

    const good = await tocsin(['log', 'verify', '--from', archive, '--identity', kept, '--json'])
    assert.equal(good.status, 0, good.err)
    const found = documentOf(good) as Found
    assert.deepEqual([found.valid, found.key.events, found.authority.events], [true, 2, 1])

    const name =
      readdirSync(join(archive, 'key')).find((each) => each.startsWith('segment-000000000001')) ??
      ''
    const file = join(archive, 'key', name)
    const bytes = readFileSync(file)
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
    writeFileSync(file, bytes)
    const bad = await tocsin([
      'log',
      'verify',
      '--from',
      archive,
      '--identity',
      kept,
      '--zone',
      'key',
      '--json',
    ])
    assert.equal(bad.status, 1)
    assert.ok((documentOf(bad) as Found).key.problems.join().includes(name), bad.out)
    rmSync(file)
    const status = await run('archive', 'status')
    assert.equal(status.status, 1)
    assert.deepEqual((documentOf(status) as { key: { missing: string[] } }).key.missing, [name])

    const none = await tocsin(['log', 'verify', '--from', archive])
    assert.deepEqual([none.status, none.err.includes('--identity')], [2, true])
  },
)

function documentOf({ out, err }: Run): unknown {
  const line = out.trimEnd().split('\n').at(-1) ?? ''
  assert.ok(line !== '', err)
  return JSON.parse(line)
}
