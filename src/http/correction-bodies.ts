// Http: the bodies of the corrections API; promises to refuse, with a sentence, whatever does not belong to the kind of correction.

import { bodyOf, oneOf, text, type Field } from '../authorize/admin-body.ts'
import { amend, previewAmendment } from '../correct/amend.ts'
import type { CorrectionResult } from '../correct/corrections-list.ts'
import { previewReinstatement, reinstate } from '../correct/reinstate.ts'
import { parseSelection, type Selection } from '../correct/selection.ts'
import { previewWithdrawal, withdraw } from '../correct/withdraw.ts'
import type { CorrectedZone } from '../correct/zone.ts'
import { TocsinError } from '../errors.ts'
import type { WithdrawalScope } from '../submit/corrections.ts'
import { SELECTION } from './correction-schemas.ts'

const KIND = oneOf(['withdrawal', 'reinstatement', 'amendment'], 'What is to be done')

/** Read by whoever takes it. */
const SELECTED: Field<unknown> = { schema: SELECTION, nullable: false, read: (value) => value }

const WHAT = {
  selection: SELECTED,
  withdrawal: text('Of a reinstatement: the id of the withdrawal that ends, 32 hex digits'),
  scope: oneOf(
    ['retroactive', 'from-now-on', 'both'],
    'Of a withdrawal; left out: retroactive, what was accepted before',
  ),
  reportType: oneOf(['confirmed', 'likely', 'user-report'], 'Of an amendment'),
  onset: text('Of an amendment: the day on which symptoms began, YYYY-MM-DD'),
}

/** The body of POST /api/v1/corrections/preview. */
export const PREVIEW_BODY = bodyOf({ kind: KIND }, WHAT)

/** The body of POST /api/v1/corrections. */
export const CORRECTION_BODY = bodyOf(
  {
    kind: KIND,
    reason: text('Why: 1 to 500 characters, and nothing about a person'),
    previewId: text('The id of the preview'),
  },
  {
    ...WHAT,
    id: text('32 hex digits, random: sent again, it gets the first answer; left out: one is made'),
  },
)

/** What a body asks for. */
export type Wanted =
  | { readonly kind: 'withdrawal'; readonly selection: Selection; readonly scope: WithdrawalScope }
  | { readonly kind: 'reinstatement'; readonly withdrawal?: string; readonly selection?: Selection }
  | {
      readonly kind: 'amendment'
      readonly selection: Selection
      readonly reportType?: 'confirmed' | 'likely' | 'user-report'
      readonly onset?: string
    }

/** What is kept of a correction, and what makes it repeatable. */
interface Note {
  readonly reason: string
  readonly by: string
  readonly previewId: string
  readonly id?: string
}

/** Which fields belong to a kind. */
const FIELDS = {
  withdrawal: ['selection', 'scope'],
  reinstatement: ['selection', 'withdrawal'],
  amendment: ['selection', 'reportType', 'onset'],
} as const satisfies Record<Wanted['kind'], readonly (keyof typeof WHAT)[]>

/** @throws TocsinError `bad_request`, `selection_invalid` */
export function readWanted(body: ReturnType<typeof PREVIEW_BODY.read>): Wanted {
  const { kind, withdrawal, scope = 'retroactive', reportType, onset } = body
  const allowed: readonly string[] = ['kind', ...FIELDS[kind]]
  for (const name of Object.keys(body))
    if (!allowed.includes(name))
      throw new TocsinError('bad_request', `${name} is nothing of a ${kind}: leave it out.`)
  const selection = body.selection === undefined ? undefined : parseSelection(body.selection)
  if (kind === 'reinstatement') {
    if (withdrawal === undefined && selection === undefined)
      throw new TocsinError('bad_request', 'withdrawal or selection is needed.')
    if (withdrawal !== undefined && !/^[0-9a-f]{32}$/i.test(withdrawal))
      throw new TocsinError('bad_request', 'withdrawal must be 32 hex digits.')
    return {
      kind,
      ...(withdrawal === undefined ? {} : { withdrawal: withdrawal.toLowerCase() }),
      ...(selection === undefined ? {} : { selection }),
    }
  }
  if (selection === undefined) throw new TocsinError('bad_request', 'selection is needed.')
  if (kind === 'withdrawal') return { kind, selection, scope }
  if (reportType === undefined && onset === undefined)
    throw new TocsinError('bad_request', 'reportType or onset is needed.')
  return {
    kind,
    selection,
    ...(reportType === undefined ? {} : { reportType }),
    ...(onset === undefined ? {} : { onset }),
  }
}

/** What it would do. */
export function previewAs(zone: CorrectedZone, wanted: Wanted): Promise<unknown> {
  if (wanted.kind === 'withdrawal') return previewWithdrawal(zone, wanted.selection, wanted.scope)
  if (wanted.kind === 'reinstatement') return previewReinstatement(zone, wanted)
  return previewAmendment(zone, wanted.selection, wanted)
}

/** Does it. @throws TocsinError `preview_outdated` and whatever refuses it */
export function correctAs(
  zone: CorrectedZone,
  wanted: Wanted,
  note: Note,
  now: Date,
): Promise<CorrectionResult> {
  if (wanted.kind === 'withdrawal') return withdraw(zone, { ...wanted, ...note }, now)
  if (wanted.kind === 'reinstatement') return reinstate(zone, { ...wanted, ...note }, now)
  return amend(zone, { ...wanted, ...note }, now)
}
