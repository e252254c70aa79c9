// Cli: tells the operator which database can't be reached, and why; promises one line that holds no login.

import { parseConfig } from '../config.ts'
import { parseAddress } from '../db/database.ts'
import { ERRORS, TocsinError } from '../errors.ts'

/** The same error, with the place of the database and what the system said of it: whoever runs a command can mend it. */
export function describeUnavailable(
  error: TocsinError,
  env: Readonly<Record<string, string | undefined>>,
): TocsinError {
  // One with a sentence of its own is of something else, such as the service that a phone calls.
  const isDatabase = error.code === 'unavailable' && error.message === ERRORS.unavailable.sentence
  if (!isDatabase || !(error.cause instanceof Error)) return error
  const said = whatWasSaid(error.cause).replaceAll(/\s+/g, ' ')
  return new TocsinError(
    'unavailable',
    `The database${place(error.cause, env)} is away or busy (${said}): try again later, or mend TOCSIN_DATABASE_URL.`,
    { cause: error },
  )
}

/** What node:net tells of a connection that failed. */
interface ConnectionProblem extends NodeJS.ErrnoException {
  readonly address?: string
  readonly port?: number
}

/** A name with several addresses fails with an error for each, and no message of its own. */
function problemsOf(cause: Error): readonly ConnectionProblem[] {
  return cause instanceof AggregateError ? (cause.errors as ConnectionProblem[]) : [cause]
}

function whatWasSaid(cause: Error): string {
  return problemsOf(cause)
    .map(({ code, message, syscall }) =>
      // A message of the system is its code with the address; PostgreSQL's own, and those of the driver, say more than a code.
      syscall === undefined || code === undefined ? message : code,
    )
    .filter((each, index, all) => all.indexOf(each) === index)
    .join(', ')
}

/** ` at HOST:PORT`: as the configuration names it, or as the connection does when it names none. */
function place(cause: Error, env: Readonly<Record<string, string | undefined>>): string {
  const [problem] = problemsOf(cause)
  const url = databaseUrl(env)
  if (url !== undefined) {
    const { host = 'localhost', port = 5432 } = parseAddress(url)
    return host.startsWith('/') ? ` in ${host} (port ${port})` : ` at ${host}:${port}`
  }
  return problem?.address === undefined ? '' : ` at ${problem.address}`
}

function databaseUrl(env: Readonly<Record<string, string | undefined>>): string | undefined {
  try {
    return parseConfig(env).databaseUrl?.reveal()
  } catch {
    // What is wrong with it was told before anything was opened.
    return undefined
  }
}
