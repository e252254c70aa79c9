// Test: an operator sets up a realm and its API keys on the command line, and hands out what others need.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { openAuthorize } from '../src/authorize/context.ts'
import { issueOne } from '../src/authorize/issue-api.ts'
import { REALM_DEFAULTS } from '../src/authorize/realm-settings.ts'
import { verifyCode } from '../src/authorize/verify-code.ts'
import {
  asRequest,
  authorizeOptions,
  codeRequest,
  dumpZone,
  openAuthorityData,
  outcomeOf,
} from './authority-zone.ts'
import { databaseTestOnce, type TestDatabase } from './database.ts'
import { temporaryFolder } from './temporary-folder.ts'

const NOW = new Date('2026-11-25T10:07:30Z')
const API_KEY = /^[\w-]{11}\.[\w-]{43}$/

interface Finished {
  readonly status: number
  readonly lines: readonly string[]
  readonly error: string
}

/** The command line on a database of its own. */
async function commandLine(database: TestDatabase, t: TestContext) {
  const folder = await temporaryFolder(t)
  const env = { ...process.env, TOCSIN_DATABASE_URL: database.url, TOCSIN_DATA: folder }
  const tocsin = (...args: string[]) =>
    new Promise<Finished>((resolve) => {
      const file = join(import.meta.dirname, '../bin/tocsin')
      execFile(process.execPath, [file, ...args], { env }, (error, stdout, stderr) =>
        resolve({
          status: error === null ? 0 : Number(error.code),
          lines: stdout.trimEnd().split('\n'),
          error: stderr.trimEnd(),
        }),
      )
    })
  return { folder, tocsin }
}

const REALM = ['--issuer', 'https://health.example/', '--audience', 'key-server']

databaseTestOnce('a realm is added, listed and made known to a key server', async (database, t) => {
  const { folder, tocsin } = await commandLine(database, t)
  assert.deepEqual((await tocsin('realm', 'list')).lines, ['None yet: tocsin realm add makes one.'])
  const added = await tocsin('realm', 'add', 'north', ...REALM)
  assert.equal(added.status, 0, added.error)
  const said = added.lines.join('\n')
  for (const part of [
    'issuer    https://health.example/',
    'audience  key-server',
    'kid       north-v1',
  ])
    assert.ok(said.includes(part), part)
  const [pem = ''] = /-----BEGIN PUBLIC KEY-----[^]*-----END PUBLIC KEY-----/.exec(said) ?? []
  assert.doesNotMatch(said, /PRIVATE/)

  const listed = await tocsin('realm', 'list', '--json')
  const realm = {
    name: 'north',
    issuer: 'https://health.example/',
    audience: 'key-server',
    number: 1,
    settings: REALM_DEFAULTS,
  }
  assert.deepEqual(JSON.parse(listed.lines.at(-1) ?? ''), [realm])

  const file = join(folder, 'north.pem')
  await writeFile(file, pem)
  const authority = ['authority', 'add', '--app', 'org.example.app', '--regions', 'US', ...REALM]
  const known = await tocsin(...authority, '--kid', 'north-v1', '--public-key', file)
  assert.equal(known.status, 0, known.error)
})

databaseTestOnce(
  'API keys are shown once, or put into a new file, and open what they are for',
  async (database, t) => {
    const { folder, tocsin } = await commandLine(database, t)
    await tocsin('realm', 'add', 'north', ...REALM)
    const add = (type: string, ...more: string[]) =>
      tocsin('api-key', 'add', '--realm', 'north', '--type', type, ...more)
    const [adminKey = ''] = (await add('admin')).lines
    assert.match(adminKey, API_KEY)
    const { lines } = await add('admin', '--json')
    const { apiKey, ...document } = JSON.parse(lines.at(-1) ?? '') as Record<string, string>
    assert.deepEqual(document, { realm: 'north', type: 'admin' })
    assert.match(apiKey ?? '', API_KEY)
    assert.notEqual(apiKey, adminKey)

    const file = join(folder, 'device.key')
    const written = await add('device', '--out', file)
    assert.equal(written.status, 0, written.error)
    assert.equal(((await stat(file)).mode & 0o777).toString(8), '600')
    const deviceKey = (await readFile(file, 'utf8')).trimEnd()
    assert.match(deviceKey, API_KEY)
    assert.ok(!written.lines.join().includes(deviceKey))

    await using data = await openAuthorityData(database.url, folder, () => NOW)
    const context = await openAuthorize(
      data.zone,
      authorizeOptions(() => NOW),
    )
    const issue = (key: string | undefined) => issueOne(context, asRequest(key, codeRequest(NOW)))
    for (const key of [adminKey, apiKey]) assert.equal(outcomeOf(await issue(key)), 'done')
    const { code } = (await issue(adminKey)).body
    assert.equal(outcomeOf(await verifyCode(context, asRequest(deviceKey, { code }))), 'done')
  },
)

databaseTestOnce('mistakes get a code and a sentence, and change nothing', async (database, t) => {
  const { folder, tocsin } = await commandLine(database, t)
  await tocsin('realm', 'add', 'north', ...REALM)
  const taken = join(folder, 'taken')
  await writeFile(taken, 'mine', { mode: 0o644 })
  await chmod(taken, 0o644)
  const key = ['api-key', 'add', '--realm', 'north', '--type', 'admin']
  const dump = async () => {
    await using data = await openAuthorityData(database.url, folder, () => NOW)
    return await dumpZone(data.zone)
  }
  // The first key comes with what it is recognised by.
  await tocsin(...key)
  const before = await dump()
  for (const [status, error, ...args] of [
    [2, /^tocsin: usage: Name the realm/, 'realm', 'add', ...REALM],
    [2, /^tocsin: usage: --audience is needed/, 'realm', 'add', 'south', '--issuer', 'i'],
    [1, /^tocsin: realm_exists: .*"north"/, 'realm', 'add', 'north', ...REALM],
    [1, /^tocsin: realm_invalid: The name/, 'realm', 'add', 'North Shore', ...REALM],
    [2, /^tocsin: usage: --realm is needed/, 'api-key', 'add', '--type', 'admin'],
    [2, /^tocsin: usage: --type must be device, admin or stats/, ...key.slice(0, 4), '--type', 'x'],
    [
      1,
      /^tocsin: realm_unknown: .*"south"/,
      'api-key',
      'add',
      '--realm',
      'south',
      '--type',
      'admin',
    ],
    [1, /^tocsin: file_not_written: .*taken exists already/, ...key, '--out', taken],
    [1, /^tocsin: file_not_written: .*can't be written/, ...key, '--out', join(folder, 'no/key')],
    [
      1,
      /^tocsin: realm_unknown/,
      'api-key',
      'add',
      '--realm',
      'south',
      '--type',
      'admin',
      '--out',
      join(folder, 'new'),
    ],
  ] as [number, RegExp, ...string[]][]) {
    const finished = await tocsin(...args)
    assert.match(finished.error, error)
    assert.equal(finished.status, status)
    assert.deepEqual(finished.lines, [''])
  }
  assert.equal(await readFile(taken, 'utf8'), 'mine')
  assert.equal(((await stat(taken)).mode & 0o777).toString(8), '644')
  await assert.rejects(stat(join(folder, 'new')), { code: 'ENOENT' })
  assert.equal(await dump(), before)
})
