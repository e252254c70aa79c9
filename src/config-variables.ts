// Config-variables: every environment variable, what it is for and what it may hold; promises that no text is taken for a value that it is not.

import { parse as parseConnectionString } from 'pg-connection-string'
import { isAgeRecipient } from './operate/age-recipient.ts'
import { parseDuration } from './operate/duration.ts'
import { Secret } from './operate/secret.ts'

/** An environment variable. */
export interface Variable<Value> {
  /** What it is for, as the manual and `check-config` say it. */
  readonly help: string
  /** What is expected, as a problem says it. */
  readonly expected: string
  readonly secret?: true
  /** What is wrong with a text that is no value, to follow "got"; without it only its shape is said. */
  readonly problemOf?: (text: string) => string | undefined
  /** The value, or undefined when the text is none. */
  parse(text: string): Value | undefined
}

/** One thing that is wrong with the configuration. */
export interface ConfigProblem {
  readonly name: string
  /** The shape of what was given, never the value itself. */
  readonly given: string
  readonly expected: string
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
  parse: (given) =>
    /^(postgres|postgresql|socket):/.test(given) && isAddress(given)
      ? new Secret(given)
      : undefined,
})

/** Whether the text can be taken apart. That a file which it names can't be read is for whoever connects to say. */
function isAddress(url: string): boolean {
  try {
    parseConnectionString(url)
    return true
  } catch (error) {
    return !(error instanceof TypeError || error instanceof URIError)
  }
}

const region = (help: string): Variable<string> => ({
  help,
  expected: '1 to 10 letters, digits or hyphens',
  parse: (given) => (/^[A-Za-z0-9-]{1,10}$/.test(given) ? given.toUpperCase() : undefined),
})

const serverUrl = (help: string): Variable<string> => ({
  help,
  expected: "a URL such as https://keys.example; http:// for this machine's own addresses alone",
  parse: (given) => (isServerUrl(given) ? given : undefined),
})

/** Whether orders may be sent there: nobody on the way may read which reports they name. */
function isServerUrl(given: string): boolean {
  if (!/^[\x21-\x7e]{1,2000}$/.test(given) || !URL.canParse(given)) return false
  const { protocol, hostname, username, password, search, hash } = new URL(given)
  const isLocal = ['127.0.0.1', '[::1]', 'localhost'].includes(hostname)
  const isSafe = protocol === 'https:' || (protocol === 'http:' && isLocal)
  return isSafe && username === '' && password === '' && search === '' && hash === ''
}

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
  TOCSIN_ARCHIVE: text('folder of the archive of both logs; default <data>/archive'),
  TOCSIN_ARCHIVE_RECIPIENTS: {
    help: 'to whom the archive is encrypted: recipients of age, with commas between; without them an identity is made in <data>/archive-identity.txt',
    expected: 'recipients as age-keygen prints them, age1..., with commas between',
    parse: (given: string) => {
      const recipients = given.split(',').map((each) => each.trim())
      return recipients.every(isAgeRecipient) ? recipients : undefined
    },
  },
  TOCSIN_ARCHIVE_AGE: duration('for how long an event waits to be archived; default 30s', 1, 3600),
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
  TOCSIN_MAINTENANCE: boolean('whether the APIs are closed for now (429); default false'),
  TOCSIN_V1ALPHA1: boolean('whether the earlier publish API is served at /; default false'),
  TOCSIN_DEFAULT_REGION: region('region of a health authority that has none'),
  TOCSIN_PARTIAL_REVISIONS: boolean(
    'whether known keys that a revision token does not cover are dropped, instead of refusing the request; default false',
  ),
  TOCSIN_STATS_AUDIENCE: text('audience of tokens that ask for statistics; default keyserver'),
  TOCSIN_KEY_SERVER_URL: serverUrl(
    "key server that gets the orders to withdraw reports; this server's own key zone by default",
  ),
  TOCSIN_OPERATOR_PORT: wholeNumber(
    'port for metrics and what else is for you alone, 0 for any that is free; none by default',
    0,
    65_535,
  ),
  TOCSIN_TRUSTED_PROXIES: wholeNumber(
    'proxies of yours that each request passes: so many entries of X-Forwarded-For are believed; default 0',
    0,
    10,
  ),
  TOCSIN_LOG_LEVEL: {
    help: 'silent, error, warn, info or debug; default info',
    expected: 'one of silent, error, warn, info, debug',
    parse: (given: string) => LEVELS.find((level) => level === given),
  },
} as const
