// Config: environment variables and an optional file as one typed value; promises every problem at once, and that no secret can be printed.

import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { TocsinError } from './errors.ts'
import { parseDuration } from './operate/duration.ts'
import { Secret } from './operate/secret.ts'

/** The configuration. Durations are in seconds. */
export interface Config {
  readonly host: string
  readonly port: number
  /** Everything that lies on disk: the embedded database, published files, the master key. */
  readonly dataFolder: string
  /** The served root of published files. */
  readonly publicFolder: string
  readonly masterKeyFile: string
  /** The owner's login on a server; the embedded database when there is none. */
  readonly databaseUrl?: Secret
  /** The zones' logins, when the operator makes them. */
  readonly keyDatabaseUrl?: Secret
  readonly authorityDatabaseUrl?: Secret
  /** Whether a new embedded database starts as a demo; undefined when nothing was said. */
  readonly demo?: boolean
  /** To which times are truncated; the demo has its own. */
  readonly timeGrain?: number
  /** How far the clock of a health authority may differ. */
  readonly clockLeeway: number
  /** Database connections of each zone. */
  readonly poolSize: number
  /** Submissions that may wait for their commit. */
  readonly maxWaiting: number
  /** `iss` and `aud` of the tokens between verify and certificate. */
  readonly tokenIssuer: string
  readonly logLevel: 'silent' | 'error' | 'warn' | 'info' | 'debug'
}

interface Variable<Value> {
  /** What it is for, as the manual and `check-config` say it. */
  readonly help: string
  /** What is expected, as a problem says it. */
  readonly expected: string
  readonly secret?: true
  /** The value, or undefined when the text is none. */
  parse(text: string): Value | undefined
}

const text = (help: string): Variable<string> => ({
  help,
  expected: 'a text that is not empty',
  parse: (given) => (given === '' ? undefined : given),
})

const wholeNumber = (help: string, least: number, most: number): Variable<number> => ({
  help,
  expected: `a whole number from ${least} to ${most}`,
  parse: (given) =>
    /^\d{1,9}$/.test(given) && Number(given) >= least && Number(given) <= most
      ? Number(given)
      : undefined,
})

const boolean = (help: string): Variable<boolean> => ({
  help,
  expected: 'true or false',
  parse: (given) => (given === 'true' ? true : given === 'false' ? false : undefined),
})

const duration = (help: string, least: number, most: number): Variable<number> => ({
  help,
  expected: `a duration such as 15m, 1h or 30s, from ${least} s to ${most} s`,
  parse: (given) => {
    const seconds = parseDuration(given)
    return seconds !== undefined && seconds >= least && seconds <= most ? seconds : undefined
  },
})

const databaseUrl = (help: string): Variable<Secret> => ({
  help,
  expected: 'a URL such as postgres://user:password@host:5432/database',
  secret: true,
  parse: (given) => (/^(postgres|postgresql|socket):/.test(given) ? new Secret(given) : undefined),
})

const LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const

/** Every variable that is understood. */
export const VARIABLES = {
  TOCSIN_HOST: text('address to listen on; default 127.0.0.1'),
  TOCSIN_PORT: wholeNumber('port to listen on, 0 for any that is free; default 8080', 0, 65_535),
  TOCSIN_DATA: text('data folder; default ./data'),
  TOCSIN_PUBLIC: text('served root of published files; default <data>/public'),
  TOCSIN_MASTER_KEY_FILE: text(
    'file of the key that wraps all other secrets; default <data>/master.key',
  ),
  TOCSIN_DATABASE_URL: databaseUrl(
    "PostgreSQL server, the owner's login; without it an embedded one in the data folder",
  ),
  TOCSIN_KEY_DATABASE_URL: databaseUrl("the key zone's login, when you make it yourself"),
  TOCSIN_AUTHORITY_DATABASE_URL: databaseUrl(
    "the authority zone's login, when you make it yourself",
  ),
  TOCSIN_DEMO: boolean(
    'whether a new embedded database starts as a demo; default true; never with a server',
  ),
  TOCSIN_TIME_GRAIN: duration(
    'to which stored times are truncated; default 15m, in the demo 10s',
    1,
    3600,
  ),
  TOCSIN_CLOCK_LEEWAY: duration(
    "how far a health authority's clock may differ; default 5s",
    0,
    300,
  ),
  TOCSIN_POOL_SIZE: wholeNumber('database connections of each zone; default 8', 2, 100),
  TOCSIN_MAX_WAITING: wholeNumber(
    'submissions that may wait for their commit; default 2000',
    1,
    100_000,
  ),
  TOCSIN_TOKEN_ISSUER: text('issuer of the tokens between verify and certificate; default tocsin'),
  TOCSIN_LOG_LEVEL: {
    help: 'silent, error, warn, info or debug; default info',
    expected: 'one of silent, error, warn, info, debug',
    parse: (given: string) => LEVELS.find((level) => level === given),
  },
} as const

/** Variables that other parts of Tocsin read: its tests and this file's own. */
const OTHERS = new Set(['TOCSIN_CONFIG', 'TOCSIN_TEST_DATABASE_URL', 'TOCSIN_TEST_EMBEDDED_URL'])

/** One thing that is wrong with the configuration. */
export interface ConfigProblem {
  readonly name: string
  /** The shape of what was given, never the value itself. */
  readonly given: string
  readonly expected: string
}

/** Thrown with all problems at once. */
export class ConfigError extends TocsinError {
  readonly problems: readonly ConfigProblem[]

  constructor(problems: readonly ConfigProblem[]) {
    const lines = problems.map(
      ({ name, given, expected }) => `\n  ${name}: got ${given}; expected ${expected}`,
    )
    super(
      'configuration_invalid',
      `The configuration has ${problems.length} problem(s):${lines.join('')}`,
    )
    this.problems = problems
  }
}

type Values = {
  readonly [Name in keyof typeof VARIABLES]?: ReturnType<(typeof VARIABLES)[Name]['parse']>
}

/**
 * Reads the configuration: `env`, and beneath it the JSON file that `TOCSIN_CONFIG` names, an object of the same names.
 *
 * @throws ConfigError with every problem
 */
export function parseConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const problems: ConfigProblem[] = []
  const file = readFile(env['TOCSIN_CONFIG'], problems)
  const given = { ...file, ...withoutEmpty(env) }
  const values: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(given)) {
    if (OTHERS.has(name) || (!name.startsWith('TOCSIN_') && !(name in file))) continue
    const variable: Variable<unknown> | undefined = Object.hasOwn(VARIABLES, name)
      ? VARIABLES[name as keyof typeof VARIABLES]
      : undefined
    const parsed = variable?.parse(value)
    if (variable === undefined)
      problems.push({
        name,
        given: 'a name that means nothing',
        expected: 'one of the names that `tocsin check-config --help` lists',
      })
    else if (parsed === undefined)
      problems.push({
        name,
        given: shapeOf(value, variable.secret === true),
        expected: variable.expected,
      })
    else values[name] = parsed
  }
  const config = toConfig(values)
  problems.push(...crossChecks(config))
  if (problems.length > 0) throw new ConfigError(problems)
  return config
}

function toConfig(values: Values): Config {
  const dataFolder = resolve(values.TOCSIN_DATA ?? 'data')
  return {
    host: values.TOCSIN_HOST ?? '127.0.0.1',
    port: values.TOCSIN_PORT ?? 8080,
    dataFolder,
    publicFolder: resolve(values.TOCSIN_PUBLIC ?? join(dataFolder, 'public')),
    masterKeyFile: resolve(values.TOCSIN_MASTER_KEY_FILE ?? join(dataFolder, 'master.key')),
    ...optional('databaseUrl', values.TOCSIN_DATABASE_URL),
    ...optional('keyDatabaseUrl', values.TOCSIN_KEY_DATABASE_URL),
    ...optional('authorityDatabaseUrl', values.TOCSIN_AUTHORITY_DATABASE_URL),
    ...optional('demo', values.TOCSIN_DEMO),
    ...optional('timeGrain', values.TOCSIN_TIME_GRAIN),
    clockLeeway: values.TOCSIN_CLOCK_LEEWAY ?? 5,
    poolSize: values.TOCSIN_POOL_SIZE ?? 8,
    maxWaiting: values.TOCSIN_MAX_WAITING ?? 2_000,
    tokenIssuer: values.TOCSIN_TOKEN_ISSUER ?? 'tocsin',
    logLevel: values.TOCSIN_LOG_LEVEL ?? 'info',
  }
}

function crossChecks(config: Config): ConfigProblem[] {
  const problems: ConfigProblem[] = []
  if (config.demo === true && config.databaseUrl !== undefined)
    problems.push({
      name: 'TOCSIN_DEMO',
      given: 'true beside TOCSIN_DATABASE_URL',
      expected: 'false: a server is never a demo',
    })
  for (const [name, url] of [
    ['TOCSIN_KEY_DATABASE_URL', config.keyDatabaseUrl],
    ['TOCSIN_AUTHORITY_DATABASE_URL', config.authorityDatabaseUrl],
  ] as const)
    if (url !== undefined && config.databaseUrl === undefined)
      problems.push({
        name,
        given: 'a login without TOCSIN_DATABASE_URL',
        expected: "TOCSIN_DATABASE_URL as well: the owner's login, for migrations",
      })
  const logins = [config.databaseUrl, config.keyDatabaseUrl, config.authorityDatabaseUrl]
    .filter((url) => url !== undefined)
    .map(loginOf)
  if (new Set(logins).size < logins.length)
    problems.push({
      name: 'TOCSIN_KEY_DATABASE_URL, TOCSIN_AUTHORITY_DATABASE_URL',
      given: 'one login twice',
      expected:
        "logins that differ from each other and from the owner's: a zone must not read the other's tables",
    })
  if (config.timeGrain !== undefined && 86_400 % config.timeGrain !== 0)
    problems.push({
      name: 'TOCSIN_TIME_GRAIN',
      given: `${config.timeGrain} s`,
      expected: 'a duration that divides 24 hours',
    })
  return problems
}

function optional<Name extends string, Value>(
  name: Name,
  value: Value | undefined,
): { [_ in Name]?: Value } {
  return value === undefined ? {} : ({ [name]: value } as { [_ in Name]?: Value })
}

function withoutEmpty(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
}

function readFile(path: string | undefined, problems: ConfigProblem[]): Record<string, string> {
  if (path === undefined) return {}
  const expected = 'a file with one JSON object of variable names and their values'
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, String(each)]))
    problems.push({
      name: 'TOCSIN_CONFIG',
      given: 'a file with other JSON than an object',
      expected,
    })
  } catch (error) {
    const given =
      error instanceof SyntaxError ? 'a file that is not JSON' : `"${path}", which can't be read`
    problems.push({ name: 'TOCSIN_CONFIG', given, expected })
  }
  return {}
}

/** What was given, without saying it: values may be secrets even where none was expected. */
function shapeOf(value: string, secret: boolean): string {
  if (value === '') return 'nothing'
  if (secret) return `a text of ${value.length} characters`
  if (/^-?\d+$/.test(value)) return `the whole number ${value}`
  if (/^-?[\d.]+$/.test(value)) return `the number ${value}`
  return `a text of ${value.length} characters`
}

/** Who connects to where, without password and options. */
function loginOf(url: Secret): string {
  return url.reveal().replace(/^[a-z]+:\/\/([^:@/]*)(:[^@/]*)?@([^?]*).*$/, '$1@$3')
}
