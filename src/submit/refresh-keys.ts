// Submit: fetches the public keys of health authorities from their addresses, for as long as the process runs; promises one process at a time, and that a failure changes nothing and is told once.

import { connectOnce, type Address, type Database } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { TocsinError } from '../errors.ts'
import { truncateToGrain, type LogWriter } from '../log/append-event.ts'
import { fetchBounded, type FetchProblem } from '../operate/fetch-bounded.ts'
import type { Logger } from '../operate/logger.ts'
import { refreshAuthorityKeys } from './health-authority-keys.ts'
import { parseKeySet, planKeySet, type KeySetProblem } from './jwks.ts'

/** What refreshing needs. */
export interface KeyRefreshContext {
  readonly db: Database
  readonly writer: LogWriter
  readonly now: () => Date
  /** A clock that never goes back, in milliseconds. */
  readonly monotonicMs: () => number
  /** The key zone's login, for the lock's own connection. */
  readonly address: Address
  readonly logger: Logger
  /** Hears of each attempt: to count failures. */
  readonly onRefresh?: (attempt: RefreshAttempt) => void
  /** How long one address may take, in milliseconds; {@link FETCH_TIMEOUT_MS} when left out. */
  readonly fetchTimeoutMs?: number
}

/** One attempt to refresh the keys of a health authority. */
export interface RefreshAttempt {
  readonly app: string
  readonly ok: boolean
}

/** Refreshes that go on; disposing ends what is under way and gives the lock back. */
export interface RunningKeyRefresh extends AsyncDisposable {
  /** Refreshes the health authorities whose time has come, unless another process does it. */
  refreshDue(): Promise<void>
}

/** How often each address is asked, in milliseconds. */
export const REFRESH_INTERVAL_MS = 120_000
/** How often it looks whether one is due: a new health authority need not wait for long. */
const LOOK_INTERVAL_MS = 5_000
const FETCH_TIMEOUT_MS = 30_000
const MAX_BYTES = 1024 * 1024
/** Addresses that are asked at a time: a few slow ones keep nobody waiting. */
const AT_ONCE = 5

/** What went wrong: the reason in one word, `database` for what was fetched and could not be stored. */
interface RefreshProblem {
  readonly reason: FetchProblem | KeySetProblem | 'database'
  /** Of the database; nothing of the answer. */
  readonly cause?: unknown
}

interface KnownAddress {
  readonly app: string
  readonly url: string
}

/** @param mode `timer` refreshes as it comes due, `manual` when {@link RunningKeyRefresh.refreshDue} is called */
export function runKeyRefresh(
  context: KeyRefreshContext,
  mode: 'timer' | 'manual',
): RunningKeyRefresh {
  const { logger } = context
  const stop = new AbortController()
  const lock = createRefreshLock(context.address)
  const triedAt = new Map<string, number>()
  const problems = new Map<string, RefreshProblem>()
  let isAway = false
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined

  const refreshOne = async ({ app, url }: KnownAddress) => {
    triedAt.set(app, context.monotonicMs())
    const problem = await refresh(context, app, url, stop.signal)
    if (stop.signal.aborted) return
    tellChange(logger, app, problems.get(app), problem)
    if (problem === undefined) problems.delete(app)
    else problems.set(app, problem)
    context.onRefresh?.({ app, ok: problem === undefined })
  }
  const refreshAll = async () => {
    const addresses = await listAddresses(context.db)
    // Whoever has nothing to fetch needs no lock.
    if (addresses.length === 0 || !(await lock.hold())) return
    const now = context.monotonicMs()
    const due = addresses.filter(
      ({ app }) => now - (triedAt.get(app) ?? -Infinity) >= REFRESH_INTERVAL_MS,
    )
    const work = async () => {
      for (let next = due.shift(); next !== undefined && !stop.signal.aborted; next = due.shift())
        await refreshOne(next)
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
  }
  const refreshDue = () => (running ??= refreshAll().finally(() => (running = undefined)))
  const tick = async () => {
    await refreshDue().then(
      () => (isAway = false),
      (error: unknown) => {
        if (!isAway) logger.error('refreshing the keys of health authorities failed', error)
        isAway = true
      },
    )
    if (!stop.signal.aborted) timer = setTimeout(() => void tick(), LOOK_INTERVAL_MS)
  }
  if (mode === 'timer') void tick()
  return {
    refreshDue,
    async [Symbol.asyncDispose]() {
      stop.abort()
      clearTimeout(timer)
      await running?.catch(() => undefined)
      await lock[Symbol.asyncDispose]()
    },
  }
}

/** Fetches the keys of one health authority and takes them over. @returns what went wrong */
async function refresh(
  context: KeyRefreshContext,
  app: string,
  url: string,
  signal: AbortSignal,
): Promise<RefreshProblem | undefined> {
  const { db, writer, logger } = context
  try {
    const timeoutMs = context.fetchTimeoutMs ?? FETCH_TIMEOUT_MS
    const body = await fetchBounded(url, { timeoutMs, maxBytes: MAX_BYTES, signal })
    const offered = typeof body === 'string' ? body : parseKeySet(body)
    if (typeof offered === 'string') return { reason: offered }
    const now = context.now()
    const validFrom = truncateToGrain(now, writer.timeGrain)
    const changed = await db.transaction((tx) =>
      refreshAuthorityKeys(tx, writer, app, (known) => planKeySet(known, offered, validFrom), now),
    )
    if (changed) logger.info('the keys of a health authority changed', { app })
    return undefined
  } catch (cause) {
    return { reason: 'database', cause }
  }
}

/** Told is what is new: a failure, another reason for it, its end. */
function tellChange(
  logger: Logger,
  app: string,
  before: RefreshProblem | undefined,
  problem: RefreshProblem | undefined,
): void {
  if (problem?.reason === before?.reason) return
  if (problem === undefined)
    logger.info('the keys of a health authority are fetched again', { app })
  else
    logger.error(
      'the keys of a health authority can not be fetched',
      new TocsinError('jwks_unusable', undefined, { cause: problem.cause }),
      { app, reason: problem.reason },
    )
}

async function listAddresses(db: Database): Promise<KnownAddress[]> {
  const { rows } = await db.query<{ app: string; url: string }>(
    sql`select app, jwks_url as url from health_authority where jwks_url is not null order by app`,
  )
  return rows
}

/** "JWKSKEYS" in ASCII. */
const REFRESH_LOCK = '5356833102897699155'

/** The right to refresh, on a connection of its own and for as long as that lives. */
interface RefreshLock extends AsyncDisposable {
  /** Whether this process has it, asked in the lock's own session; takes it when nobody has. */
  hold(): Promise<boolean>
}

function createRefreshLock(address: Address): RefreshLock {
  let client: Awaited<ReturnType<typeof connectOnce>> | undefined
  const release = async () => {
    await client?.end().catch(() => undefined)
    client = undefined
  }
  return {
    async hold() {
      try {
        if (client !== undefined) {
          await client.query('select 1')
          return true
        }
      } catch {
        await release()
      }
      client = await connectOnce(address)
      try {
        const { rows } = await client.query<{ taken: boolean }>(
          'select pg_try_advisory_lock($1) as taken',
          [REFRESH_LOCK],
        )
        if (rows[0]?.taken === true) return true
      } catch (error) {
        await release()
        throw new TocsinError('unavailable', undefined, { cause: error })
      }
      await release()
      return false
    },
    [Symbol.asyncDispose]: release,
  }
}
