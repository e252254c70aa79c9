// Correct: takes withdrawals back, whole or in part; promises that what two withdrawals hold stays withdrawn until both are taken back, and that nothing is taken back twice.

import { bigintArray, byteaArray } from '../db/binary-array.ts'
import type { Queryable, Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import type { LockedHead } from '../log/append-event.ts'
import { readHead } from '../log/read-events.ts'
import type { NewEvent } from '../log/record.ts'
import { SECURE_RANDOM } from '../publish/padding-random.ts'
import { packSeqs, REINSTATEMENT, reinstatementEvent } from '../submit/corrections.ts'
import { carryOut, invalid, previewIdOf, type CorrectionRequest, type Plan } from './carry-out.ts'
import { requireWithdrawal, type CorrectionResult } from './corrections-list.ts'
import {
  countEffects,
  countKeys,
  findKeyReports,
  keysAmong,
  keysByReport,
  streamsOf,
  type Published,
} from './count-effects.ts'
import { findSelected } from './find-selected.ts'
import {
  findHeldKeys,
  findHeldReports,
  findHolders,
  type HeldKey,
  type HeldReport,
} from './held.ts'
import { areFewPublished, chooseBack } from './padding-beside.ts'
import { bytesOf, parseSelection, type Selection } from './selection.ts'
import type { CorrectedZone } from './zone.ts'

/** What to reinstate: a withdrawal, what a selection finds of one, or all that is withdrawn of what a selection finds. */
export interface ReinstatementTarget {
  /** Of a withdrawal, 32 hex digits. */
  readonly withdrawal?: string
  readonly selection?: Selection
}

/** What a reinstatement would do. */
export interface ReinstatementPreview extends Published {
  /** What to hand to {@link reinstate}. */
  readonly id: string
  /** Reports that are withdrawn and were found, padding not among them. */
  readonly reports: number
  readonly keys: number
  /** How many reports and single keys other withdrawals go on holding. */
  readonly staysWithdrawn: number
  /** How many padding devices come back along with them. */
  readonly padding: number
  /** Whether a rule for what comes from now on ends. */
  readonly endsRule: boolean
  readonly warnings: readonly string[]
}

/** What to reinstate, and why. */
export interface ReinstatementRequest extends CorrectionRequest, ReinstatementTarget {}

/**
 * Says what a reinstatement would do, and changes nothing.
 *
 * @throws TocsinError `selection_invalid`, `correction_unknown`, `correction_invalid` when neither is named
 */
export async function previewReinstatement(
  zone: CorrectedZone,
  target: ReinstatementTarget,
): Promise<ReinstatementPreview> {
  const { nextSeq } = await readHead(zone.db)
  return (await examine(zone.db, zone, readTarget(target), nextSeq)).preview
}

/**
 * Reinstates. A withdrawal as a whole ends with its rule for later reports, and gives back what that held; a part of it leaves the
 * rule as it is. Without keys in the selection, keys that were withdrawn one by one stay so.
 *
 * @throws TocsinError as the preview; `correction_id_taken`, `preview_outdated`; `unavailable`
 */
export async function reinstate(
  zone: CorrectedZone,
  { withdrawal, selection, ...request }: ReinstatementRequest,
  now: Date,
): Promise<CorrectionResult> {
  const target = readTarget({
    ...(withdrawal === undefined ? {} : { withdrawal }),
    ...(selection === undefined ? {} : { selection }),
  })
  return await carryOut(zone, REINSTATEMENT, request, now, async (tx, until): Promise<Plan> => {
    const examined = await examine(tx, zone, target, until)
    return {
      previewId: examined.preview.id,
      configures: examined.preview.endsRule,
      event: (behind, id, head) =>
        makeEvent(behind, id, head, { target, until, ...request }, examined),
    }
  })
}

/** What is known of a reinstatement before the head is locked. */
interface Examined {
  readonly preview: ReinstatementPreview
  /** Which report, or padding, is held by which withdrawal no longer. */
  readonly reports: readonly HeldReport[]
  readonly keys: readonly HeldKey[]
  /** The number of the withdrawal whose rule ends; undefined for none. */
  readonly ended: number | undefined
}

async function examine(
  db: Queryable,
  kinds: Pick<CorrectedZone, 'encoders'>,
  { withdrawal: id, selection }: ReinstatementTarget,
  until: number,
): Promise<Examined> {
  const withdrawal = id === undefined ? undefined : await requireWithdrawal(db, id)
  const found = selection === undefined ? undefined : await findSelected(db, selection, until)
  const held = (await findHeldReports(db, { withdrawal, reports: found?.reports }, until)).filter(
    ({ isPadding }) => !isPadding || found === undefined,
  )
  const singleKeys = found && [...found.keys.map(({ keyData }) => keyData), ...found.unknownKeys]
  const keys = await findHeldKeys(db, { withdrawal, keys: singleKeys })
  const padding =
    found === undefined ? [] : chooseBack(await findHolders(db, held, keys), SECURE_RANDOM)
  const reports = [...held, ...padding].sort(byReport)
  const ended = selection === undefined ? await ruleOf(db, withdrawal) : undefined
  return describe(db, kinds, { withdrawal: id, selection }, { reports, keys, ended })
}

async function describe(
  db: Queryable,
  kinds: Pick<CorrectedZone, 'encoders'>,
  asked: { withdrawal: string | undefined; selection: Selection | undefined },
  found: Omit<Examined, 'preview'>,
): Promise<Examined> {
  const { reports, keys, ended } = found
  const concerned = {
    reports: [
      ...new Set(reports.filter(({ isPadding }) => !isPadding).map(({ report }) => report)),
    ],
    keys: keysOnce(keys),
  }
  const { keys: keyCount, published } = await countEffects(db, kinds, concerned)
  const padding = new Set(reports.filter(({ isPadding }) => isPadding).map(({ report }) => report))
  const devices = [
    ...[...concerned.reports, ...padding].map((report) => ({ reports: [report], keys: [] })),
    ...keysByReport(await findKeyReports(db, concerned.keys)),
  ]
  const counted = {
    reports: concerned.reports.length,
    keys: keyCount,
    staysWithdrawn: await countStaying(db, reports, keys),
    ...published,
    padding: padding.size,
    endsRule: ended !== undefined,
  }
  const isShort = await areFewPublished(db, devices, streamsOf(published))
  // Which padding comes back is drawn anew each time: only what was withdrawn itself is compared.
  const id = previewIdOf(
    [
      REINSTATEMENT,
      asked,
      reports.flatMap(({ isPadding, withdrawal }) => (isPadding ? [] : [withdrawal])),
    ],
    concerned,
    keyCount,
  )
  return { preview: { id, ...counted, warnings: [...warningsOf(counted, isShort)] }, ...found }
}

function* warningsOf(
  {
    reports,
    keys,
    published,
    staysWithdrawn,
    endsRule,
  }: Omit<ReinstatementPreview, 'id' | 'warnings'>,
  isShort: boolean,
): Generator<string> {
  if (reports + keys === 0)
    yield endsRule
      ? 'Nothing that came is withdrawn by it: only its rule for later reports ends.'
      : 'Nothing is withdrawn of what is selected: there is nothing to reinstate.'
  if (staysWithdrawn > 0)
    yield `Another withdrawal holds ${staysWithdrawn} of them as well: withdrawn until that is taken back, too.`
  if (isShort) yield 'The keys are few: the release will show that these keys belong together.'
  if (keysAmong(published).length > 0)
    yield 'Phones that were told REVOKED need not take a key back: by the matching code that Google published, no report type follows REVOKED; phones that had not matched it match it as a new one.'
}

/** Reports and keys that a withdrawal which is not taken back holds as well. */
async function countStaying(
  db: Queryable,
  reports: readonly HeldReport[],
  keys: readonly HeldKey[],
): Promise<number> {
  const real = reports.filter(({ isPadding }) => !isPadding)
  const { rows } = await db.query<{ n: number }>(
    sql`select (select count(*) from (
          select t.report from (select report, count(*) as ending from unnest(${bigintArray(real.map(({ report }) => report))}::bigint[]) as report group by report) t
            where (select sum(m.change) from report_mark m where m.report = t.report) > t.ending) as r)
        + (select count(*) from (
          select t.key_data from (select key_data, count(*) as ending from unnest(${byteaArray(keys.map(({ keyData }) => keyData))}::bytea[]) as key_data group by key_data) t
            where (select sum(m.change) from key_mark m where m.key_data = t.key_data) > t.ending) as k) as n`,
  )
  return rows[0]?.n ?? 0
}

/** The withdrawal itself when its rule still stands. */
async function ruleOf(db: Queryable, withdrawal: number | undefined): Promise<number | undefined> {
  if (withdrawal === undefined) return undefined
  const { rows } = await db.query<{ seq: number }>(
    sql`select seq from standing_withdrawal where seq = ${withdrawal}`,
  )
  return rows[0]?.seq
}

/** Makes the event behind the locked head: what the rule has held since the search is few. */
async function makeEvent(
  tx: Transaction,
  id: Uint8Array,
  head: LockedHead,
  request: CorrectionRequest & { readonly target: ReinstatementTarget; readonly until: number },
  { reports, keys, ended, preview }: Examined,
): Promise<NewEvent> {
  const { target, until, by, reason } = request
  const late =
    ended === undefined
      ? []
      : await findHeldReports(tx, { withdrawal: ended, reports: undefined }, head.firstSeq, until)
  const lateKeys = await countKeys(tx, { reports: late.map(({ report }) => report), keys: [] })
  const all = [...reports, ...late]
  const { withdrawal, selection } = target
  return reinstatementEvent(
    {
      id,
      selection: {
        ...(withdrawal === undefined ? {} : { withdrawal: bytesOf(withdrawal) }),
        ...selection,
      },
      reports: packSeqs(all.map(({ report }) => report)),
      reportWithdrawals: packSeqs(all.map((each) => each.withdrawal)),
      keys: Buffer.concat(keys.map(({ keyData }) => keyData)),
      keyWithdrawals: packSeqs(keys.map((each) => each.withdrawal)),
    },
    {
      id,
      by,
      reason: reason.trim(),
      scope: null,
      reports: preview.reports + late.length,
      keys: preview.keys + lateKeys,
      published: preview.publishedKeys,
      padding: preview.padding,
    },
    ended === undefined ? [] : [ended],
  )
}

/** @throws TocsinError `selection_invalid`, `correction_invalid` */
function readTarget({ withdrawal, selection }: ReinstatementTarget): ReinstatementTarget {
  if (withdrawal === undefined && selection === undefined)
    throw invalid('name a withdrawal by its id, or a selection, or both')
  if (withdrawal !== undefined && !/^[0-9a-f]{32}$/i.test(withdrawal))
    throw invalid('the id of a withdrawal is 32 hex digits')
  return {
    ...(withdrawal === undefined ? {} : { withdrawal: withdrawal.toLowerCase() }),
    ...(selection === undefined ? {} : { selection: parseSelection(selection) }),
  }
}

function byReport(a: HeldReport, b: HeldReport): number {
  return a.report - b.report || a.withdrawal - b.withdrawal
}

function keysOnce(keys: readonly HeldKey[]): Uint8Array[] {
  return [
    ...new Map(keys.map(({ keyData }) => [Buffer.from(keyData).toString('hex'), keyData])).values(),
  ]
}
