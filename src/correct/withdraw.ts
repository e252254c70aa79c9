// Correct: withdraws reports or single keys; promises one transaction, that a preview shows what is done, and no report between those that were found and those that a rule for later ones holds.

import type { Queryable, Transaction } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import type { LockedHead } from '../log/append-event.ts'
import { readHead } from '../log/read-events.ts'
import type { NewEvent } from '../log/record.ts'
import { SECURE_RANDOM } from '../publish/padding-random.ts'
import {
  packSeqs,
  withdrawalEvent,
  WITHDRAWAL,
  type StandingRule,
  type WithdrawalScope,
} from '../submit/corrections.ts'
import { carryOut, invalid, previewIdOf, type CorrectionRequest, type Plan } from './carry-out.ts'
import type { CorrectionResult } from './corrections-list.ts'
import {
  countEffects,
  countKeys,
  keysAmong,
  keysByReport,
  streamsOf,
  withdrawnAmong,
  type Concerned,
  type Published,
} from './count-effects.ts'
import { findSelected, findSelectedAmong } from './find-selected.ts'
import { choosePadding, type PaddingBeside } from './padding-beside.ts'
import { appsOf, parseSelection, type Selection } from './selection.ts'
import type { CorrectedZone } from './zone.ts'

/** What a withdrawal would do. */
export interface WithdrawalPreview extends Published {
  /** What to hand to {@link withdraw}, so that it does this and nothing else. */
  readonly id: string
  /** Reports that were found, padding not among them. */
  readonly reports: number
  /** Keys: of these reports, brought or revised; or single ones. */
  readonly keys: number
  /** How many of the reports (of single keys, how many) another withdrawal holds already. */
  readonly alreadyWithdrawn: number
  /** How many of the keys other reports have changed since: they are withdrawn all the same. */
  readonly revisedByOthers: number
  /** How many padding devices go along. */
  readonly padding: number
  readonly warnings: readonly string[]
}

/** What to withdraw, and why. */
export interface WithdrawalRequest extends CorrectionRequest {
  readonly selection: Selection
  readonly scope: WithdrawalScope
}

/**
 * Says what a withdrawal would do, and changes nothing.
 *
 * @throws TocsinError `selection_invalid`, `correction_invalid` for a scope that does not go with the selection
 */
export async function previewWithdrawal(
  zone: CorrectedZone,
  selection: Selection,
  scope: WithdrawalScope,
): Promise<WithdrawalPreview> {
  const { nextSeq } = await readHead(zone.db)
  return (await examine(zone.db, zone, parseSelection(selection), scope, nextSeq)).preview
}

/**
 * Withdraws. `retroactive` holds the reports that were found; `from-now-on` those that come later, by a rule that stands until the
 * withdrawal is reinstated; `both` both.
 *
 * @throws TocsinError `selection_invalid`, `correction_invalid`, `correction_id_taken`, `preview_outdated`; `unavailable`
 */
export async function withdraw(
  zone: CorrectedZone,
  { selection: given, scope, ...request }: WithdrawalRequest,
  now: Date,
): Promise<CorrectionResult> {
  const selection = parseSelection(given)
  return await carryOut(zone, WITHDRAWAL, request, now, async (tx, until): Promise<Plan> => {
    const examined = await examine(tx, zone, selection, scope, until)
    return {
      previewId: examined.preview.id,
      configures: examined.standing !== undefined,
      event: (behind, id, head) =>
        makeEvent(behind, id, head, { selection, scope, until, ...request }, examined),
    }
  })
}

/** What is known of a withdrawal before the head is locked. */
interface Examined {
  readonly preview: WithdrawalPreview
  readonly concerned: Concerned
  readonly padding: readonly number[]
  /** What holds for later reports; undefined for none. */
  readonly standing: StandingRule | undefined
}

async function examine(
  db: Queryable,
  kinds: Pick<CorrectedZone, 'encoders'>,
  selection: Selection,
  scope: WithdrawalScope,
  until: number,
): Promise<Examined> {
  const standing = scope === 'retroactive' ? undefined : ruleOf(selection)
  // From now on nothing that came before counts, but for a look at which keys did.
  const found =
    scope === 'from-now-on' && selection.keys === undefined
      ? { reports: [], keys: [], unknownKeys: [] }
      : await findSelected(db, selection, until)
  const known = scope === 'from-now-on' ? [] : found.keys
  const unknown = scope === 'retroactive' ? [] : found.unknownKeys
  const concerned: Concerned = {
    reports: found.reports,
    keys: [...known.map(({ keyData }) => keyData), ...unknown].sort(Buffer.compare),
  }
  const held = await withdrawnAmong(db, concerned)
  const { keys, revisedByOthers, published } = await countEffects(db, kinds, concerned)
  const beside = await choosePadding(
    db,
    // What is withdrawn already will not show again.
    [
      ...concerned.reports
        .filter((seq) => !held.reports.has(seq))
        .map((seq) => ({ reports: [seq], keys: [] })),
      ...keysByReport(
        known.filter(({ keyData }) => !held.keys.has(Buffer.from(keyData).toString('hex'))),
      ),
    ],
    streamsOf(published),
    SECURE_RANDOM,
  )
  const standsAlready = standing === undefined ? 0 : await countStanding(db)
  const counted = {
    reports: concerned.reports.length,
    keys,
    alreadyWithdrawn: held.reports.size + held.keys.size,
    revisedByOthers,
    ...published,
    padding: beside.padding.length,
  }
  return {
    preview: {
      // With what holds it already: the same correction sent twice is seen to be the second.
      id: previewIdOf(
        [WITHDRAWAL, scope, selection, standsAlready, counted.alreadyWithdrawn],
        concerned,
        keys,
      ),
      ...counted,
      warnings: [...warningsOf(counted, beside, scope, selection, found.unknownKeys.length)],
    },
    concerned,
    padding: beside.padding,
    standing,
  }
}

/** How many rules for later reports stand. */
async function countStanding(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ n: number }>(sql`select count(*) as n from standing_withdrawal`)
  return rows[0]?.n ?? 0
}

/** The rule for what comes later; undefined for keys, which are marked one by one. @throws TocsinError `correction_invalid` */
function ruleOf(selection: Selection): StandingRule | undefined {
  const { trackingIds, keys, issuerHandles, source, regions, acceptedFrom, acceptedBefore } =
    selection
  if (trackingIds !== undefined)
    throw invalid('a report that has a tracking id has come already: withdraw it retroactively')
  if (keys !== undefined) {
    if (Object.keys(selection).length > 1)
      throw invalid(
        'of a key that nobody uploaded yet nothing else is known: leave the other conditions out',
      )
    return undefined
  }
  const apps = appsOf(selection)
  return {
    ...(apps === undefined ? {} : { apps }),
    ...(source === undefined ? {} : { source }),
    ...(regions === undefined ? {} : { regions }),
    ...(issuerHandles === undefined
      ? {}
      : { issuerHandles: issuerHandles.map((handle) => Buffer.from(handle, 'base64url')) }),
    ...(acceptedFrom === undefined ? {} : { acceptedFrom }),
    ...(acceptedBefore === undefined ? {} : { acceptedBefore }),
  }
}

function* warningsOf(
  counted: Omit<WithdrawalPreview, 'id' | 'warnings'>,
  { isShort }: PaddingBeside,
  scope: WithdrawalScope,
  { keys }: Selection,
  unknownKeys: number,
): Generator<string> {
  const { reports, published, revisedByOthers } = counted
  if (scope !== 'from-now-on' && reports + counted.keys === 0)
    yield 'Nothing that is stored is selected: check the conditions.'
  if (keys !== undefined && unknownKeys > 0)
    yield scope === 'retroactive'
      ? `Of the keys ${unknownKeys} never came: scope both holds them, too, should they come.`
      : `Of the keys ${unknownKeys} never came: withdrawn in advance.`
  if (isShort)
    yield 'There is too little published padding to go along: the release will show that these keys belong together.'
  if (revisedByOthers > 0)
    yield `Of the keys other reports have changed ${revisedByOthers} since: withdrawn all the same.`
  if (keysAmong(published).length > 0)
    yield 'Phones that matched a key of a confirmed test before may keep the match: Android takes REVOKED only in place of a self-report or a clinical diagnosis.'
}

/** Makes the event behind the locked head: what came since the search is few. */
async function makeEvent(
  tx: Transaction,
  id: Uint8Array,
  head: LockedHead,
  request: WithdrawalRequest & { readonly until: number },
  { concerned, padding, standing, preview }: Examined,
): Promise<NewEvent> {
  const { selection, scope, by, reason, until } = request
  // Between the search and the rule nothing may slip through.
  const late =
    scope === 'both' && standing !== undefined
      ? await findSelectedAmong(tx, selection, until, head.firstSeq)
      : []
  const lateKeys = late.length === 0 ? 0 : await countKeys(tx, { reports: late, keys: [] })
  return withdrawalEvent(
    {
      id,
      selection: { ...selection },
      reports: packSeqs([...concerned.reports, ...late]),
      padding: packSeqs(padding),
      keys: Buffer.concat(concerned.keys),
    },
    {
      id,
      by,
      reason: reason.trim(),
      scope,
      reports: preview.reports + late.length,
      keys: preview.keys + lateKeys,
      published: preview.publishedKeys,
      padding: padding.length,
    },
    standing,
  )
}
