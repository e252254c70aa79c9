// Config: environment variables and an optional file as one typed value; promises every problem at once, and that no secret can be printed.

import { readFileSync } from 'node:fs'
import { isAbsolute, join, relative, resolve, sep } from 'node:path'
import { VARIABLES, type ConfigProblem, type Variable } from './config-variables.ts'
import { TocsinError } from './errors.ts'
import { KINDS } from './kinds.ts'
import type { Secret } from './operate/secret.ts'

/** The configuration. Durations are in seconds. */
export interface Config {
  readonly host: string
  readonly port: number
  /** Everything that lies on disk: the embedded database, published files, the master key. */
  readonly dataFolder: string
  /** The served root of published files. */
  readonly publicFolder: string
  readonly masterKeyFile: string
  /** The archive of both zones' logs, each in a folder below it. */
  readonly archiveFolder: string
  /** `age1...`: to whom it is encrypted; empty for the identity that is made at the first start. */
  readonly archiveRecipients: readonly string[]
  /** Where that identity is made. */
  readonly archiveIdentityFile: string
  /** For how long an event waits to be archived. */
  readonly archiveAge: number
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
  /** Whether the APIs are closed for now. */
  readonly maintenance: boolean
  /** Whether the earlier publish API is served at `/`. */
  readonly v1alpha1: boolean
  /** Upper case; the region of a health authority that has none. */
  readonly defaultRegion?: string
  /** Whether known keys that the revision token does not cover are dropped instead of refusing the request. */
  readonly partialRevisions: boolean
  /** `aud` of the tokens with which health authorities ask for their statistics. */
  readonly statsAudience: string
  /** The key server that gets withdrawal orders; the own key zone when it is left out. */
  readonly keyServerUrl?: string
  /** Where metrics and what else is the operator's own are served; nowhere when it is left out. */
  readonly operatorPort?: number
  /** Proxies of the operator's own that each request passes. */
  readonly trustedProxies: number
  /** What was given of the variables that kinds of key have of their own, by name. */
  readonly ofKinds: ReadonlyMap<string, unknown>
  readonly logLevel: 'silent' | 'error' | 'warn' | 'info' | 'debug'
}

const OF_KINDS: Readonly<Record<string, Variable<unknown>>> = Object.assign(
  {},
  ...KINDS.map(({ variables }) => variables),
)

/** Every variable that is understood, those of the kinds of key among them. */
export const ALL_VARIABLES: Readonly<Record<string, Variable<unknown>>> = {
  ...VARIABLES,
  ...OF_KINDS,
}

/** Whether other parts of Tocsin read a variable: its tests, or this file itself. */
const isOthers = (name: string) => name === 'TOCSIN_CONFIG' || name.startsWith('TOCSIN_TEST_')

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
    if (isOthers(name) || (!name.startsWith('TOCSIN_') && !(name in file))) continue
    const variable = Object.hasOwn(ALL_VARIABLES, name) ? ALL_VARIABLES[name] : undefined
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
        given: variable.problemOf?.(value) ?? shapeOf(value, variable.secret === true),
        expected: variable.expected,
      })
    else values[name] = parsed
  }
  const ofKinds = new Map(Object.entries(values).filter(([name]) => name in OF_KINDS))
  const config = { ...toConfig(values), ofKinds }
  problems.push(...crossChecks(config), ...KINDS.flatMap((kind) => kind.problems(ofKinds)))
  if (problems.length > 0) throw new ConfigError(problems)
  return config
}

function toConfig(values: Values): Omit<Config, 'ofKinds'> {
  const dataFolder = resolve(values.TOCSIN_DATA ?? 'data')
  return {
    host: values.TOCSIN_HOST ?? '127.0.0.1',
    port: values.TOCSIN_PORT ?? 8080,
    dataFolder,
    publicFolder: resolve(values.TOCSIN_PUBLIC ?? join(dataFolder, 'public')),
    masterKeyFile: resolve(values.TOCSIN_MASTER_KEY_FILE ?? join(dataFolder, 'master.key')),
    archiveFolder: resolve(values.TOCSIN_ARCHIVE ?? join(dataFolder, 'archive')),
    archiveRecipients: values.TOCSIN_ARCHIVE_RECIPIENTS ?? [],
    archiveIdentityFile: join(dataFolder, 'archive-identity.txt'),
    archiveAge: values.TOCSIN_ARCHIVE_AGE ?? 30,
    ...optional('databaseUrl', values.TOCSIN_DATABASE_URL),
    ...optional('keyDatabaseUrl', values.TOCSIN_KEY_DATABASE_URL),
    ...optional('authorityDatabaseUrl', values.TOCSIN_AUTHORITY_DATABASE_URL),
    ...optional('demo', values.TOCSIN_DEMO),
    ...optional('timeGrain', values.TOCSIN_TIME_GRAIN),
    clockLeeway: values.TOCSIN_CLOCK_LEEWAY ?? 5,
    poolSize: values.TOCSIN_POOL_SIZE ?? 8,
    maxWaiting: values.TOCSIN_MAX_WAITING ?? 2_000,
    tokenIssuer: values.TOCSIN_TOKEN_ISSUER ?? 'tocsin',
    maintenance: values.TOCSIN_MAINTENANCE ?? false,
    v1alpha1: values.TOCSIN_V1ALPHA1 ?? false,
    ...optional('defaultRegion', values.TOCSIN_DEFAULT_REGION),
    partialRevisions: values.TOCSIN_PARTIAL_REVISIONS ?? false,
    statsAudience: values.TOCSIN_STATS_AUDIENCE ?? 'keyserver',
    ...optional('keyServerUrl', values.TOCSIN_KEY_SERVER_URL),
    ...optional('operatorPort', values.TOCSIN_OPERATOR_PORT),
    trustedProxies: values.TOCSIN_TRUSTED_PROXIES ?? 0,
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
  // Port 0 is another free one each time.
  if (config.operatorPort === config.port && config.port !== 0)
    problems.push({
      name: 'TOCSIN_OPERATOR_PORT',
      given: `${config.port}, as TOCSIN_PORT`,
      expected: 'a port of its own: what is served there is for the operator alone',
    })
  if (isBelow(config.archiveFolder, config.publicFolder))
    problems.push({
      name: 'TOCSIN_ARCHIVE',
      given: 'a folder below TOCSIN_PUBLIC',
      expected: 'a folder outside of it: what lies there is served to everybody',
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

/** Whether a folder is another one or lies below it. */
function isBelow(folder: string, other: string): boolean {
  const path = relative(other, folder)
  return !isAbsolute(path) && path.split(sep)[0] !== '..'
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
