// Test: the configuration: what is understood, that all problems come at once, and that no secret shows.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { VARIABLES } from './config-variables.ts'
import { ConfigError, parseConfig } from './config.ts'
import { ERRORS, TocsinError } from './errors.ts'
import { parseDuration } from './operate/duration.ts'

test('without any variable there are defaults', () => {
  const config = parseConfig({ PATH: '/bin', HOME: '/root' })
  assert.equal(config.host, '127.0.0.1')
  assert.equal(config.port, 8080)
  assert.equal(config.dataFolder, resolve('data'))
  assert.equal(config.publicFolder, resolve('data/public'))
  assert.equal(config.databaseUrl, undefined)
})

test('every problem is reported at once, with name, shape and what is expected', () => {
  const error = problemsOf({
    TOCSIN_PORT: 'eighty',
    TOCSIN_HOST: '',
    TOCSIN_DATABASE_URL: 'mysql://root:hunter2@db/x',
    TOCSIN_DEMO: 'yes',
    TOCSIN_TIME_GRAIN: '7m',
    TOCSIN_PROT: '1',
    TOCSIN_POOL_SIZE: '0',
    TOCSIN_LOG_LEVEL: 'loud',
  })
  assert.deepEqual(error.problems.map(({ name }) => name).sort(), [
    'TOCSIN_DATABASE_URL',
    'TOCSIN_DEMO',
    'TOCSIN_HOST',
    'TOCSIN_LOG_LEVEL',
    'TOCSIN_POOL_SIZE',
    'TOCSIN_PORT',
    'TOCSIN_PROT',
    'TOCSIN_TIME_GRAIN',
  ])
  for (const { name, given, expected } of error.problems)
    assert.ok(error.message.includes(`${name}: got ${given}; expected ${expected}`), name)
  assert.ok(!error.message.includes('hunter2'), 'a value is never shown')
  assert.equal(error.code, 'configuration_invalid')
})

test('the archive lies outside of what is served, and is encrypted to recipients that are some', () => {
  const recipient = 'age15yenrgk3grzw3zjt6arg0tnqe48u5ahjmz622nutjcw9vcll6a0q0fygp0'
  const good = parseConfig({
    TOCSIN_DATA: '/d',
    TOCSIN_ARCHIVE_RECIPIENTS: `${recipient}, ${recipient}`,
  })
  assert.deepEqual(good.archiveRecipients, [recipient, recipient])
  assert.deepEqual([good.archiveFolder, good.archiveAge], ['/d/archive', 30])
  const wrong = [
    { TOCSIN_ARCHIVE_RECIPIENTS: `${recipient},${recipient.slice(0, -1)}q` },
    { TOCSIN_ARCHIVE_RECIPIENTS: '' },
    { TOCSIN_ARCHIVE: '/d/public', TOCSIN_DATA: '/d' },
    { TOCSIN_ARCHIVE: '/d/public/archive', TOCSIN_DATA: '/d' },
    { TOCSIN_ARCHIVE_AGE: '0s' },
  ]
  for (const env of wrong)
    assert.deepEqual(
      problemsOf(env).problems.map(({ name }) => name),
      [Object.keys(env)[0]],
    )
  assert.equal(
    parseConfig({ TOCSIN_DATA: '/d', TOCSIN_ARCHIVE: '/d/public-not' }).archiveFolder,
    '/d/public-not',
  )
})

test('an address of a database that nobody can take apart is a problem, and is not shown', () => {
  for (const url of [
    'postgres://owner:hunter2@db:99999/tocsin',
    'postgres://owner:hunter2:5432/tocsin',
    'postgres://owner:hunter2@db/%E0%A4%A',
    'postgres://owner:hunter2@[::1/tocsin',
  ]) {
    const error = problemsOf({ TOCSIN_DATABASE_URL: url })
    assert.deepEqual(
      error.problems.map(({ name }) => name),
      ['TOCSIN_DATABASE_URL'],
      url,
    )
    assert.ok(!error.message.includes('hunter2'))
  }
  for (const url of [
    'postgres://owner:hunter2@db/tocsin',
    'postgresql://owner@/tocsin?host=/run/postgresql',
    'postgres://%2Frun%2Fpostgresql/tocsin',
    'socket:/run/postgresql?db=tocsin',
  ])
    assert.equal(parseConfig({ TOCSIN_DATABASE_URL: url }).databaseUrl?.reveal(), url)
})

test('what does not go together is a problem, too', () => {
  const url = 'postgres://owner@db/tocsin'
  const names = (env: Record<string, string>) => problemsOf(env).problems.map(({ name }) => name)
  assert.deepEqual(names({ TOCSIN_DEMO: 'true', TOCSIN_DATABASE_URL: url }), ['TOCSIN_DEMO'])
  assert.deepEqual(names({ TOCSIN_KEY_DATABASE_URL: url }), ['TOCSIN_KEY_DATABASE_URL'])
  const zones = 'TOCSIN_KEY_DATABASE_URL, TOCSIN_AUTHORITY_DATABASE_URL'
  const key = 'postgres://key:a@db/tocsin'
  const sameLogin = 'postgres://key:b@db/tocsin?x=1'
  for (const [one, other] of [
    [key, sameLogin],
    [key, url],
  ] as const)
    assert.deepEqual(
      names({
        TOCSIN_DATABASE_URL: url,
        TOCSIN_KEY_DATABASE_URL: one,
        TOCSIN_AUTHORITY_DATABASE_URL: other,
      }),
      [zones],
    )
  parseConfig({
    TOCSIN_DATABASE_URL: url,
    TOCSIN_KEY_DATABASE_URL: key,
    TOCSIN_AUTHORITY_DATABASE_URL: 'postgres://authority:a@db/tocsin',
  })
})

test('a secret does not show, however it is printed', () => {
  const config = parseConfig({ TOCSIN_DATABASE_URL: 'postgres://owner:hunter2@db/tocsin' })
  for (const shown of [
    JSON.stringify(config),
    inspect(config, { depth: 9, showHidden: true }),
    String(config.databaseUrl),
    `${config.databaseUrl}`,
  ])
    assert.ok(!shown.includes('hunter2'), shown)
  assert.equal(config.databaseUrl?.reveal(), 'postgres://owner:hunter2@db/tocsin')
})

test('a file gives what the environment does not', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tocsin-config-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'tocsin.json')
  writeFileSync(file, JSON.stringify({ TOCSIN_PORT: 9000, TOCSIN_HOST: '0.0.0.0' }))
  const config = parseConfig({ TOCSIN_CONFIG: file, TOCSIN_HOST: '::1' })
  assert.equal(config.port, 9000)
  assert.equal(config.host, '::1')
  writeFileSync(file, JSON.stringify({ TOSCIN_PORT: 1, databaseUrl: 'x', constructor: 'y' }))
  assert.deepEqual(
    problemsOf({ TOCSIN_CONFIG: file }).problems.map(({ name }) => name),
    ['TOSCIN_PORT', 'databaseUrl', 'constructor'],
  )
  for (const [text, given] of [
    ['[1]', /other JSON/],
    ['{', /not JSON/],
  ] as const) {
    writeFileSync(file, text)
    assert.match(problemsOf({ TOCSIN_CONFIG: file }).message, given)
  }
  assert.match(problemsOf({ TOCSIN_CONFIG: join(folder, 'none') }).message, /can't be read/)
})

test('durations have units', () => {
  assert.equal(parseDuration('15m'), 900)
  assert.equal(parseDuration('2h'), 7200)
  assert.equal(parseDuration('1d'), 86_400)
  assert.equal(parseDuration('30'), 30)
  assert.equal(parseDuration('24855d'), 24_855 * 86_400)
  for (const wrong of ['', '1w', '-1s', '1.5h', ' 1h', '99999999s', '24856d'])
    assert.equal(parseDuration(wrong), undefined, wrong)
})

test('the operator has a port of its own', () => {
  const clash = { TOCSIN_PORT: '9090', TOCSIN_OPERATOR_PORT: '9090' }
  assert.deepEqual(
    [clash, { TOCSIN_OPERATOR_PORT: '8080' }].map((env) =>
      problemsOf(env).problems.map(({ name }) => name),
    ),
    [['TOCSIN_OPERATOR_PORT'], ['TOCSIN_OPERATOR_PORT']],
  )
  // The system gives each one that is free.
  assert.equal(parseConfig({ TOCSIN_PORT: '0', TOCSIN_OPERATOR_PORT: '0' }).operatorPort, 0)
})

test('orders go to a key server that nobody on the way can read', () => {
  const read = (TOCSIN_KEY_SERVER_URL: string) =>
    parseConfig({ TOCSIN_KEY_SERVER_URL }).keyServerUrl
  for (const url of ['https://keys.example', 'https://keys.example:8443/tocsin/', 'http://[::1]:1'])
    assert.equal(read(url), url)
  for (const url of [
    '',
    'keys.example',
    'http://keys.example',
    'ftp://keys.example',
    'https://user:password@keys.example',
    'https://keys.example/?a=b',
    'https://keys.example/#a',
  ])
    assert.throws(() => read(url), ConfigError, url)
})

test('every variable has help and says what it expects', () => {
  for (const [name, { help, expected }] of Object.entries(VARIABLES)) {
    assert.match(name, /^TOCSIN_[A-Z0-9_]+$/)
    assert.ok(help.length > 10 && expected.length > 5, name)
  }
})

test('every error has a status and a sentence', () => {
  for (const [code, { status, sentence }] of Object.entries(ERRORS)) {
    assert.match(code, /^[a-z]+(_[a-z]+)*$/)
    assert.ok(status >= 200 && status < 600, code)
    assert.match(sentence, /^[A-Za-z].*\.$/, code)
    assert.equal(new TocsinError(code as keyof typeof ERRORS).message, sentence)
  }
})

function problemsOf(env: Record<string, string>): ConfigError {
  try {
    parseConfig(env)
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    return error
  }
  return assert.fail('the configuration was accepted')
}
