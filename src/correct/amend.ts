// Correct: changes the report type or the onset of whole reports; promises that what they said first stays in the log, and that a preview counts the keys that the new onset leaves out.

import { bigintArray } from '../db/binary-array.ts'
import type { Queryable } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import { INTERVALS_PER_DAY } from '../format/intervals.ts'
import type { ReportType } from '../format/report-type.ts'
import { readHead } from '../log/read-events.ts'
import { AMENDMENT, amendmentEvent, packSeqs } from '../submit/corrections.ts'
import { LIMITS } from '../submit/validate-keys.ts'
import { carryOut, invalid, previewIdOf, type CorrectionRequest, type Plan } from './carry-out.ts'
import type { CorrectionResult } from './corrections-list.ts'
import { streamsOf, tellPublished, withdrawnAmong, type Published } from './count-effects.ts'
import { findSelected } from './find-selected.ts'
import { areFewPublished } from './padding-beside.ts'
import { parseSelection, type Selection } from './selection.ts'
import type { KeyZone } from './zone.ts'

/** What reports say from now on; what is left out stays as it was. */
export interface AmendmentChanges {
  readonly reportType?: Exclude<ReportType, 'negative'>
  /** The day on which symptoms began, YYYY-MM-DD, UTC. */
  readonly onset?: string
}

/** What an amendment would do. */
export interface AmendmentPreview extends Published {
  /** What to hand to {@link amend}. */
  readonly id: string
  readonly reports: number
  /** Keys of which these reports have the last word. */
  readonly keys: number
  /** How many of these lie too far from the new onset: they count as withdrawn while the amendment holds. */
  readonly tooFar: number
  /** How many of the reports were amended before: the newest amendment counts. */
  readonly alreadyAmended: number
  /** How many of the reports are withdrawn: that they stay. */
  readonly withdrawn: number
  readonly warnings: readonly string[]
}

/** What to amend, and why. */
export interface AmendmentRequest extends CorrectionRequest, AmendmentChanges {
  readonly selection: Selection
}

/**
 * Says what an amendment would do, and changes nothing.
 *
 * @throws TocsinError `selection_invalid`, `correction_invalid`
 */
export async function previewAmendment(
  { db }: KeyZone,
  selection: Selection,
  changes: AmendmentChanges,
): Promise<AmendmentPreview> {
  const asked = readAsked(selection, changes)
  const { nextSeq } = await readHead(db)
  return (await examine(db, asked, nextSeq)).preview
}

/**
 * Amends. The newest amendment of a report counts, with all that it says and leaves out; the transmission risk stays as it was.
 *
 * @throws TocsinError `selection_invalid`, `correction_invalid`, `correction_id_taken`, `preview_outdated`; `unavailable`
 */
export async function amend(
  zone: KeyZone,
  { selection, reportType, onset, ...request }: AmendmentRequest,
  now: Date,
): Promise<CorrectionResult> {
  const asked = readAsked(selection, {
    ...(reportType === undefined ? {} : { reportType }),
    ...(onset === undefined ? {} : { onset }),
  })
  return await carryOut(zone, AMENDMENT, request, now, async (tx, until): Promise<Plan> => {
    const { preview, reports } = await examine(tx, asked, until)
    return {
      previewId: preview.id,
      configures: false,
      event: (_, id) =>
        amendmentEvent(
          {
            id,
            selection: { ...asked.selection },
            reports: packSeqs(reports),
            reportType: asked.reportType,
            onsetDay: asked.onsetDay,
          },
          {
            id,
            by: request.by,
            reason: request.reason.trim(),
            scope: null,
            reports: preview.reports,
            keys: preview.keys,
            published: preview.publishedKeys,
            padding: 0,
          },
        ),
    }
  })
}

/** What is asked for, read. */
interface Asked {
  readonly selection: Selection
  readonly reportType: Exclude<ReportType, 'negative'> | null
  /** Days since the epoch. */
  readonly onsetDay: number | null
}

async function examine(
  db: Queryable,
  { selection, reportType, onsetDay }: Asked,
  until: number,
): Promise<{ readonly preview: AmendmentPreview; readonly reports: readonly number[] }> {
  const reports = await ofKeys(db, (await findSelected(db, selection, until)).reports)
  const concerned = { reports, keys: [] }
  const { keys, tooFar } = await countSaid(db, reports, onsetDay)
  if (keys > 0 && tooFar === keys)
    throw invalid(
      `every key lies more than ${LIMITS.maxDaysSinceOnset} days from that onset: check the day, or withdraw the reports`,
    )
  const published = await tellPublished(db, concerned)
  const counted = {
    reports: reports.length,
    keys,
    tooFar,
    alreadyAmended: await countAmended(db, reports),
    withdrawn: (await withdrawnAmong(db, concerned)).reports.size,
    ...published,
  }
  const areFew = await areFewPublished(
    db,
    reports.map((report) => ({ reports: [report], keys: [] })),
    streamsOf(published),
  )
  return {
    preview: {
      id: previewIdOf(
        [AMENDMENT, selection, reportType, onsetDay, counted.alreadyAmended],
        concerned,
        keys,
      ),
      ...counted,
      warnings: [...warningsOf(counted, areFew, reportType !== null)],
    },
    reports,
  }
}

function* warningsOf(
  { reports, tooFar, publishedKeys, withdrawn }: Omit<AmendmentPreview, 'id' | 'warnings'>,
  areFew: boolean,
  changesType: boolean,
): Generator<string> {
  if (reports === 0) yield 'Nothing that is stored is selected: check the conditions.'
  if (tooFar > 0)
    yield `${tooFar} of the keys lie more than ${LIMITS.maxDaysSinceOnset} days from the new onset, and count as withdrawn.`
  if (withdrawn > 0) yield `${withdrawn} of the reports are withdrawn, and stay so.`
  // Padding is never amended: it would have to look like somebody's second thought.
  if (areFew)
    yield 'The keys are few, and no padding goes along: the release will show that these keys belong together.'
  if (changesType && publishedKeys > 0)
    yield 'Phones that matched a key before take a self-report as likely or confirmed and a likely one as confirmed, once; no other change of the type.'
}

/** The keys of which reports have the last word: those that they brought and nobody else revised, and those that they revised. */
async function countSaid(
  db: Queryable,
  reports: readonly number[],
  onsetDay: number | null,
): Promise<{ readonly keys: number; readonly tooFar: number }> {
  const seqs = bigintArray(reports)
  const { rows } = await db.query<{ keys: number; tooFar: number }>(
    sql`select count(*) as keys, count(*) filter (
            where abs(k.rolling_start / ${INTERVALS_PER_DAY}::integer - ${onsetDay}::integer) > ${LIMITS.maxDaysSinceOnset}::integer) as "tooFar"
        from (select key_data from diagnosis_key where seq = any(${seqs}::bigint[])
              union select key_data from key_revision where seq = any(${seqs}::bigint[])) as concerned
          join diagnosis_key k using (key_data) left join key_revision r using (key_data)
        where coalesce(r.seq, k.seq) = any(${seqs}::bigint[])`,
  )
  return rows[0] ?? { keys: 0, tooFar: 0 }
}

/** Those that brought diagnosis keys: of what others brought, neither type nor onset is told to anybody. */
async function ofKeys(db: Queryable, reports: readonly number[]): Promise<number[]> {
  const { rows } = await db.query<{ seq: number }>(
    sql`select seq from report where seq = any(${bigintArray(reports)}::bigint[]) and identifiers is null order by seq`,
  )
  return rows.map(({ seq }) => seq)
}

async function countAmended(db: Queryable, reports: readonly number[]): Promise<number> {
  const { rows } = await db.query<{ n: number }>(
    sql`select count(distinct report) as n from report_amendment where report = any(${bigintArray(reports)}::bigint[])`,
  )
  return rows[0]?.n ?? 0
}

/** @throws TocsinError `selection_invalid`, `correction_invalid` */
function readAsked(given: Selection, { reportType, onset }: AmendmentChanges): Asked {
  const selection = parseSelection(given)
  if (selection.keys !== undefined)
    throw invalid('whole reports are amended: select them by something else than keys')
  if (reportType === undefined && onset === undefined)
    throw invalid('name a report type, an onset, or both')
  if (reportType !== undefined && !AMENDED_TYPES.has(reportType))
    throw invalid('the report type must be confirmed, likely or user-report')
  return {
    selection,
    reportType: reportType ?? null,
    onsetDay: onset === undefined ? null : readDay(onset),
  }
}

const AMENDED_TYPES: ReadonlySet<string> = new Set(['confirmed', 'likely', 'user-report'])

/** Days since the epoch. @throws TocsinError `correction_invalid` */
function readDay(text: string): number {
  const time = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : NaN
  // A day that there is not, such as February 30, is read as another one.
  if (Number.isNaN(time) || time < 0 || new Date(time).toISOString().slice(0, 10) !== text)
    throw invalid('the onset must be a day such as 2027-01-31')
  return time / DAY_MS
}

const DAY_MS = 86_400_000
