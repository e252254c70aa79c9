// Fuzzing: settings of the operator and headers of requests for files; promises that no secret is told, and no range beyond a file.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import * as fc from 'fast-check'
import { ConfigError, parseConfig } from '../../src/config.ts'
import { VARIABLES } from '../../src/config-variables.ts'
import { parseAddress } from '../../src/db/database.ts'
import { isFresh, readRanges } from '../../src/distribute/preconditions.ts'
import { publicKind } from '../../src/distribute/public-paths.ts'
import { parseDuration } from '../../src/operate/duration.ts'
import { formatTimestamp, parseTimestamp } from '../../src/operate/timestamp.ts'
import { mutatedJson } from './json.ts'
import { mutatedText } from './mutate.ts'
import { target, valueOf } from './target.ts'

const NAMES = Object.keys(VARIABLES)
const PASSWORD = 'correct-horse'
const VALUES = [
  'true',
  'false',
  '0',
  '8080',
  '15m',
  '24h',
  'US',
  'debug',
  `postgres://user:${PASSWORD}@host:5432/database?sslmode=verify-full`,
  'socket:/run/postgresql?db=tocsin',
  './data',
]
const environment = fc.dictionary(
  fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(...NAMES) },
    { weight: 1, arbitrary: mutatedText(NAMES) },
  ),
  mutatedText(VALUES),
  { maxKeys: 6 },
)
const FILE = { TOCSIN_PORT: '8080', TOCSIN_DEMO: true, TOCSIN_DATABASE_URL: VALUES[8] }

const isConfigError = (error: unknown) => error instanceof ConfigError

/** The configuration, with the addresses of its databases taken apart, or the error. */
function outcomeOf(env: Readonly<Record<string, string>>): unknown {
  try {
    const config = parseConfig(env)
    for (const url of [config.databaseUrl, config.keyDatabaseUrl, config.authorityDatabaseUrl])
      if (url !== undefined) parseAddress(url.reveal())
    return config
  } catch (error) {
    if (isConfigError(error)) return error
    throw error
  }
}

// The file goes with the process: the thread has no other end that is sure to come.
const folder = mkdtempSync(join(tmpdir(), 'tocsin-fuzz-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
const file = join(folder, 'config.json')

const SIZE = 1_000
const MODIFIED = 'Tue, 10 Mar 2026 08:00:00 GMT'
const validators = { etag: '"abc"', modifiedMs: Date.parse(MODIFIED), size: SIZE }

export const settingTargets = [
  target('configuration', environment, (env) => {
    const given = Object.entries(env).filter(([name]) => !name.endsWith('DATABASE_URL'))
    const isElsewhere = given.some(([, value]) => value.includes(PASSWORD))
    const told = inspect(outcomeOf(env), { depth: 5 })
    assert.ok(isElsewhere || !told.includes(PASSWORD))
  }),
  target('file of the configuration', mutatedJson([FILE], NAMES), (bytes) => {
    writeFileSync(file, bytes)
    valueOf(() => parseConfig({ TOCSIN_CONFIG: file }), isConfigError)
  }),
  target(
    'timestamp',
    mutatedText(['2027-01-31T00:00Z', '2027-01-31T00:00:00.5+02:00', '9999-12-31T23:59-23:59']),
    (text) => {
      const time = parseTimestamp(text)
      if (time !== undefined) assert.match(formatTimestamp(time.getTime() / 1000), /^.*T.*Z$/)
    },
  ),
  target('duration', mutatedText(['15m', '1h', '30s', '90', '7d']), (text) => {
    const seconds = parseDuration(text)
    assert.ok(seconds === undefined || (Number.isInteger(seconds) && seconds >= 0))
    assert.ok((seconds ?? 0) < 2 ** 31)
  }),
  target(
    'headers of a request for a file',
    fc.record(
      {
        range: mutatedText(['bytes=0-499', 'bytes=500-', 'bytes=-1']),
        ifRange: fc.constantFrom(validators.etag, '"other"'),
        ifNoneMatch: mutatedText(['"abc"', 'W/"abc", "x"', '*']),
        ifModifiedSince: mutatedText([
          MODIFIED,
          'Tuesday, 10-Mar-26 08:00:00 GMT',
          'Tue Mar 10 08:00:00 2026',
        ]),
      },
      { requiredKeys: [] },
    ),
    (conditions) => {
      assert.equal(typeof isFresh(conditions, validators), 'boolean')
      const ranges = readRanges(conditions, validators)
      if (typeof ranges !== 'object') return
      for (const { start, end } of ranges) assert.ok(start >= 0 && start < end && end <= SIZE)
    },
  ),
  target(
    'path of a public file',
    mutatedText([
      'exports/us/1-2-00001.zip',
      'exports/us/0123abcd/1-2-00001.zip',
      'exports/us/index.txt',
    ]),
    (path) => {
      if (publicKind(path) !== undefined)
        assert.match(path, /^exports\/[a-z0-9-]+\/(?:[0-9a-f]{8}\/)?[a-z0-9.-]+$/)
    },
  ),
]
