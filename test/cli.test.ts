// Test: the command line: help, errors and documents, as scripts rely on them; a deployment set up by commands alone.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { COMMANDS } from '../src/cli/commands.ts'
import { databaseTestOnce } from './database.ts'
import { temporaryFolder } from './temporary-folder.ts'
import { tocsin, tocsinHere } from './run-command.ts'

const ROOT = join(import.meta.dirname, '..')

test('every command has help that names its options', async () => {
  const help = await tocsin(['--help'])
  assert.equal(help.status, 0)
  for (const name of Object.keys(COMMANDS)) assert.match(help.out, new RegExp(`^  ${name} `, 'm'))
  await Promise.all(
    Object.entries(COMMANDS).map(async ([name, { load }]) => {
      const { status, out, err } = await tocsin([...name.split(' '), '--help'])
      assert.deepEqual({ status, err }, { status: 0, err: '' }, name)
      for (const option of Object.keys((await load()).options))
        assert.ok(out.includes(`--${option}`), `${name} tells of --${option}`)
      assert.match(out, /--json/)
    }),
  )
})

const AUTHORITY = ['--app', 'a', '--issuer', 'i', '--audience', 'k', '--regions', 'US'].concat([
  '--kid',
  'v1',
  '--public-key',
  join(ROOT, 'README.md'),
])

test('wrong usage ends with 2 and one line that says so', async () => {
  for (const args of [
    ['unheard-of'],
    ['help', 'unheard-of'],
    ['help', 'constructor'],
    ['help', 'stream', 'unheard-of'],
    ['help', 'start', 'now'],
    ['constructor'],
    ['toString'],
    ['__proto__'],
    ['__proto__', 'add'],
    ['stream'],
    ['stream', 'add'],
    ['stream', 'update', 'us'],
    ['stream', 'retire'],
    ['verify'],
    ['check-config', '--nonsense'],
    ['demo', '--phones', 'many'],
    ['demo', '--days', '0'],
    ['keygen'],
    ['log', 'verify', 'extra'],
    ['realm', 'add', 'one', 'two'],
    ['authority', 'add', '--valid-from', 'tomorrow', ...AUTHORITY],
  ]) {
    const { status, out, err } = await tocsinHere(args, {})
    assert.equal(status, 2, args.join(' '))
    assert.match(err, /^tocsin: usage: [^\n]+\n$/, args.join(' '))
    assert.equal(out, '')
  }
})

test('a word that several commands begin with has help, too', async () => {
  const { status, out } = await tocsin(['authority', '--help'])
  assert.equal(status, 0)
  for (const verb of ['add', 'list', 'disable', 'enable'])
    assert.match(out, new RegExp(`authority ${verb} `))
})

test('help COMMAND is the help of that command, or of the commands that begin with it', async () => {
  for (const name of ['start', 'authority', 'authority key', 'help']) {
    const words = name.split(' ')
    const asked = await tocsin(['help', ...words])
    assert.deepEqual(asked, await tocsin(name === 'help' ? ['help'] : [...words, '--help']), name)
    assert.deepEqual([asked.status, asked.err], [0, ''], name)
  }
})

test('a database that is away: where it was looked for and what the system said, without the login', async () => {
  const said: [string, RegExp][] = [
    ['127.0.0.1:1', /127\.0\.0\.1:1\b.*ECONNREFUSED/],
    ['localhost:1', /localhost:1\b.*ECONNREFUSED/],
    ['nowhere.invalid', /nowhere\.invalid:5432\b.*(ENOTFOUND|EAI_AGAIN)/],
  ]
  for (const [host, expected] of said)
    for (const command of [['start'], ['authority', 'list', '--json']]) {
      const url = `postgres://nobody:hunter2@${host}/x`
      const { status, out, err } = await tocsin(command, { TOCSIN_DATABASE_URL: url })
      assert.deepEqual({ status, out }, { status: 1, out: '' })
      assert.match(err, /^tocsin: unavailable: [^\n]+\n$/)
      assert.match(err, expected)
      assert.doesNotMatch(err, /nobody|hunter2/)
    }
})

test('a service that does not answer is no database that is away', async (t) => {
  const file = join(await temporaryFolder(t), 'keys.json')
  const keys = { app: 'a', adminKey: 'b', deviceKey: 'c' }
  writeFileSync(file, JSON.stringify(keys), { mode: 0o600 })
  const { err } = await tocsin(['try-upload', 'http://127.0.0.1:1', '--keys', file])
  assert.match(err, /^tocsin: unavailable: Nothing answers at http:\/\/127\.0\.0\.1:1: [^\n]+\n$/)
})

test('what a command prints into a file is the document or its lines, not where the data is', async (t) => {
  const env = { TOCSIN_DATA: join(await temporaryFolder(t), 'data') }
  const realm = ['realm', 'add', 'north', '--issuer', 'north', '--audience', 'keys']
  assert.equal((await tocsin(realm, env)).status, 0)
  const { status, out, err } = await tocsin(
    'api-key add --realm north --type admin'.split(' '),
    env,
  )
  assert.equal(status, 0)
  assert.match(out, /^[\w-]{11}\.[\w-]{43}\n$/)
  assert.match(err, /^tocsin: embedded PostgreSQL in \S+\n$/)
})

test('whoever stops reading the output does no harm', async () => {
  const child = spawn(process.execPath, [join(ROOT, 'bin/tocsin'), 'check-config'], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let err = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
  child.stdout.destroy()
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve))
  assert.deepEqual({ status, err }, { status: 0, err: '' })
})

test('a wrong configuration is an error of every command, and check-config lists it', async () => {
  const env = { TOCSIN_PORT: 'x', TOCSIN_DEMO: 'maybe' }
  for (const command of ['start', 'check-config', 'publish']) {
    const { status, err } = await tocsin([command], env)
    assert.equal(status, 1)
    assert.match(err, /^tocsin: configuration_invalid: .*2 problem/)
  }
  const { status, out } = await tocsin(['check-config', '--json'], env)
  assert.equal(status, 1)
  const { problems } = JSON.parse(out) as { problems: { name: string }[] }
  assert.deepEqual(problems.map(({ name }) => name).sort(), ['TOCSIN_DEMO', 'TOCSIN_PORT'])
  const good = await tocsin(['check-config'], { TOCSIN_DATABASE_URL: 'postgres://a:hunter2@b/c' })
  assert.equal(good.status, 0)
  assert.ok(!good.out.includes('hunter2'))
})

test('keygen makes a private file and never overwrites one', async (t) => {
  const file = join(await temporaryFolder(t), 'key.pem')
  const made = await tocsin(['keygen', '--out', file])
  assert.equal(made.status, 0)
  assert.match(made.out, /^-----BEGIN PUBLIC KEY-----/)
  assert.equal(statSync(file).mode & 0o777, 0o600)
  const before = readFileSync(file, 'utf8')
  const again = await tocsin(['keygen', '--out', file])
  assert.equal(again.status, 1)
  assert.match(again.err, /^tocsin: signing_key_invalid: /)
  const nowhere = await tocsin(['keygen', '--out', join(file, 'key.pem')])
  assert.equal(nowhere.status, 1)
  assert.match(nowhere.err, /^tocsin: signing_key_invalid: .*key\.pem can't be written\.\n$/)
  assert.equal(readFileSync(file, 'utf8'), before)
})

databaseTestOnce('a deployment is set up by commands alone', async (database, t) => {
  const folder = await temporaryFolder(t)
  const env = { TOCSIN_DATABASE_URL: database.url, TOCSIN_DATA: join(folder, 'data') }
  const run = async (...args: string[]) => {
    const { status, out, err } = await tocsin([...args, '--json'], env)
    assert.deepEqual({ status, err }, { status: 0, err: '' }, args.join(' '))
    return JSON.parse(out.trimEnd().split('\n').at(-1) ?? '') as Record<string, unknown>
  }
  const realm = await run('realm', 'add', 'north', '--issuer', 'north', '--audience', 'keys')
  assert.equal(realm['kid'], 'north-v1')
  const publicKey = join(folder, 'realm.pem')
  const { writeFile } = await import('node:fs/promises')
  await writeFile(publicKey, String(realm['publicKey']))
  const authority = ['--issuer', 'north', '--audience', 'keys', '--regions', 'US,CA']
  const validity = [
    '--valid-from',
    '2026-01-01T00:00Z',
    '--valid-through',
    '2030-01-01T00:00+01:00',
  ]
  const keyOptions = ['--kid', 'north-v1', '--public-key', publicKey, ...validity]
  await run('authority', 'add', '--app', 'Org.North', ...authority, ...keyOptions)
  const twice = await tocsin(
    ['authority', 'add', '--app', 'org.north', ...authority, ...keyOptions],
    env,
  )
  assert.equal(twice.status, 1)
  assert.match(twice.err, /^tocsin: authority_exists: /)
  const signingKey = join(folder, 'signing.pem')
  await run('keygen', '--out', signingKey)
  const stream = ['--region', 'US', '--period', '2h', '--key', signingKey]
  await run('stream', 'add', 'us', ...stream, '--key-id', '310', '--key-version', 'v1')
  const bad = await tocsin(
    [
      'stream',
      'add',
      'x',
      '--region',
      'US',
      '--period',
      '7h',
      '--key',
      signingKey,
      '--key-id',
      'a',
      '--key-version',
      'b',
    ],
    env,
  )
  assert.match(bad.err, /^tocsin: stream_invalid: The period must divide 24 hours\.\n$/)
  const us = ['stream', 'add', 'x', ...stream, '--key-id', 'a', '--key-version', 'b']
  const tooLong = await tocsin([...us, '--window-age', '9999999d'], env)
  assert.equal(tooLong.status, 2)
  assert.match(tooLong.err, /^tocsin: usage: --window-age must be a duration [^\n]*\n$/)
  const streams = (await run('stream', 'list')) as unknown as { name: string; period: number }[]
  assert.deepEqual(
    streams.map(({ name, period }) => ({ name, period })),
    [{ name: 'us', period: 7200 }],
  )
  assert.deepEqual(await run('publish', '--once'), {
    releases: 0,
    files: 0,
    keys: 0,
    revisedKeys: 0,
    leader: true,
  })
  await run('authority', 'disable', 'org.north')
  const [listed] = (await run('authority', 'list')) as unknown as {
    disabled: boolean
    keys: { validFrom: number; validThrough: number }[]
  }[]
  assert.equal(listed?.disabled, true)
  assert.equal(listed.keys[0]?.validFrom, Date.UTC(2026, 0, 1) / 1000)
  assert.equal(listed.keys[0]?.validThrough, Date.UTC(2029, 11, 31, 23) / 1000)
  const key = await run('api-key', 'add', '--realm', 'north', '--type', 'admin')
  assert.match(JSON.stringify(key), /[A-Za-z0-9_-]{11}\.[A-Za-z0-9_-]{43}/)
  const { valid } = await run('log', 'verify')
  assert.equal(valid, true)
})
