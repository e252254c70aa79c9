// Submit: fetches the public keys of health authorities from their addresses, for as long as the process runs; promises one process at a time, and that a failure changes nothing and is told once.

import type { Address, Database } from '../db/database.ts'
import { takeSessionLock, type SessionLock } from '../db/session-lock.ts'
import { sql } from '../db/sql.ts'
import { TocsinError } from '../errors.ts'
import { truncateToGrain, type LogWriter } from '../log/append-event.ts'
import { fetchBounded, type FetchProblem } from '../operate/fetch-bounded.ts'
import type { Logger } from '../operate/logger.ts'
import { lockJwksUrl } from './health-authorities.ts'
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

/** The last time that a health authority's keys were fetched, or tried to be. */
interface LastTry {
  readonly url: string
  /** On the clock that never goes back, milliseconds. */
  readonly at: number
  /** What went wrong, and was told. */
  problem: RefreshProblem | undefined
}

/** @param mode `timer` refreshes as it comes due, `manual` when {@link RunningKeyRefresh.refreshDue} is called */
export function runKeyRefresh(
  context: KeyRefreshContext,
  mode: 'timer' | 'manual',
): RunningKeyRefresh {
  const { logger } = context
  const stop = new AbortController()
  const right = createRefreshRight(context.address)
  const tries = new Map<string, LastTry>()
  let isAway = false
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined

  const refreshOne = async ({ app, url }: KnownAddress) => {
    const last = tries.get(app)
    // Of another address nothing is known.
    const before = last?.url === url ? last.problem : undefined
    const current: LastTry = { url, at: context.monotonicMs(), problem: before }
    tries.set(app, current)
    const result = await refresh(context, app, url, stop.signal)
    if (stop.signal.aborted || result === 'address_changed') return
    current.problem = result === 'fetched' ? undefined : result
    tellChange(logger, app, before, current.problem)
    context.onRefresh?.({ app, ok: result === 'fetched' })
  }
  const refreshAll = async () => {
    const addresses = await listAddresses(context.db)
    for (const app of tries.keys())
      if (!addresses.some((address) => address.app === app)) tries.delete(app)
    // Whoever has nothing to fetch needs no lock.
    if (addresses.length === 0 || !(await right.hold())) return
    const now = context.monotonicMs()
    const due = addresses.filter(({ app, url }) => {
      const last = tries.get(app)
      return last?.url !== url || now - last.at >= REFRESH_INTERVAL_MS
    })
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
      await right[Symbol.asyncDispose]()
    },
  }
}

/** Fetches the keys of one health authority and takes them over. @returns `fetched`, or what went wrong */
async function refresh(
  context: KeyRefreshContext,
  app: string,
  url: string,
  signal: AbortSignal,
): Promise<RefreshProblem | 'fetched' | 'address_changed'> {
  const { db, writer, logger } = context
  try {
    const timeoutMs = context.fetchTimeoutMs ?? FETCH_TIMEOUT_MS
    const body = await fetchBounded(url, { timeoutMs, maxBytes: MAX_BYTES, signal })
    const offered = typeof body === 'string' ? body : parseKeySet(body)
    if (typeof offered === 'string') return { reason: offered }
    const now = context.now()
    const validFrom = truncateToGrain(now, writer.timeGrain)
    const changed = await db.transaction(async (tx) =>
      // A command may have changed it meanwhile, perhaps since it can't be trusted any more.
      (await lockJwksUrl(tx, app, url))
        ? refreshAuthorityKeys(
            tx,
            writer,
            app,
            (known) => planKeySet(known, offered, validFrom),
            now,
          )
        : undefined,
    )
    if (changed === undefined) return 'address_changed'
    if (changed) logger.info('the keys of a health authority changed', { app })
    return 'fetched'
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

/** The right to refresh: kept once this process has it, tried for again when it has not. */
interface RefreshRight extends AsyncDisposable {
  /** Whether this process has it, asked in the lock's own session; takes it when nobody has. */
  hold(): Promise<boolean>
}

function createRefreshRight(address: Address): RefreshRight {
  let lock: SessionLock | undefined
  return {
    async hold() {
      if ((await lock?.isHeld()) !== true)
        lock = await takeSessionLock(address, REFRESH_LOCK, false)
      return lock !== undefined
    },
    [Symbol.asyncDispose]: async () => await lock?.[Symbol.asyncDispose](),
  }
}
