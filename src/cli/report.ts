// Cli: the life of one report; promises that whoever looks leaves a line in the log, and that keys are named only when asked for.

import { noteLookUp } from '../correct/look-ups.ts'
import type { LifeCorrection } from '../correct/report-corrections.ts'
import {
  readReportLife,
  readTrackingId,
  type RelatedReport,
  type ReportLife,
} from '../correct/report-life.ts'
import { TocsinError } from '../errors.ts'
import { printable } from '../format/printable.ts'
import type { Command } from './command.ts'
import { counted } from './counted.ts'
import { isGiven, requiredArgument } from './with-authority.ts'
import { withData } from './with-data.ts'

/** `tocsin report` */
export const reportCommand: Command = {
  summary:
    'Tells the life of an accepted report by its tracking id (32 hex digits): where it came from, what became of its keys, in which releases they are, which later reports changed them, who withdrew, reinstated or amended it. Why a key is not out yet says tocsin explain.',
  usage: 'report TRACKING-ID [--keys]',
  positionals: 1,
  options: { keys: { type: 'boolean', help: 'names the keys, too' } },
  async run(context) {
    const trackingId = requiredArgument(context, 'TRACKING-ID', 'report')
    if (readTrackingId(trackingId) === undefined)
      throw new TocsinError('usage', 'TRACKING-ID is 32 hex digits.')
    return withData(context, async ({ zones, now }) => {
      await noteLookUp(zones.key, 'report', 'command', now())
      const document = await readReportLife(
        zones.key.db,
        trackingId,
        isGiven(context, 'keys'),
        Math.floor(now().getTime() / 1000),
      )
      for (const line of lines(document)) context.print(printable(line))
      return { document }
    })
  },
}

function* lines(life: ReportLife): Generator<string> {
  const { source, issuer, regions, embargoedUntil, withdrawnKeys, keys } = life
  const origin = life.padding
    ? 'padding, made here'
    : `by ${source ?? 'an API that is not known'} of ${life.app} (${issuer ?? ''})`
  yield `report ${life.trackingId}, accepted ${life.accepted}, ${origin}`
  yield `  ${life.reportType}, of ${regions.join(', ')}${life.traveler ? ', a traveler' : ''}`
  const outcomes = Object.entries(life.outcomes).map(
    ([name, count]) => `${count} ${name.replaceAll('_', ' ')}`,
  )
  if (outcomes.length > 0) yield `  keys: ${outcomes.join(', ')}`
  if (embargoedUntil !== null) yield `  a key was still valid: not before ${embargoedUntil}`
  if (life.published.length === 0) yield '  in no release: tocsin explain says why'
  for (const { stream, release, file, list, state, keys: count } of life.published) {
    const what = list === 'keys' ? counted(count, 'key') : `${counted(count, 'key')} changed`
    yield `  ${stream}: release ${release}, ${what}, in ${file} (${state})`
  }
  for (const related of life.revises) yield `  changed ${relatedLine(related)}`
  for (const related of life.revisedBy) yield `  was changed: ${relatedLine(related)}`
  for (const correction of life.corrections) yield `  ${correctionLine(correction)}`
  if (life.withdrawn) yield '  is withdrawn now'
  if (withdrawnKeys > 0) yield `  ${counted(withdrawnKeys, 'single key')} withdrawn now`
  for (const { key } of keys ?? []) yield `  key ${key}`
}

function relatedLine({ trackingId, accepted, keys }: RelatedReport): string {
  const which = trackingId === null ? 'a report that was erased' : `report ${trackingId}`
  return `${counted(keys, 'key')}, ${which}${accepted === null ? '' : `, accepted ${accepted}`}`
}

const VERBS = { withdrawal: 'withdrawn', reinstatement: 'reinstated', amendment: 'amended' }

function correctionLine(correction: LifeCorrection): string {
  const { kind, id, at, by, reason, keys, withdrawal = null } = correction
  const { reportType = null, onset = null, fromNowOn = false } = correction
  const parts = [
    `${VERBS[kind]} ${at}${keys === undefined ? '' : `: ${counted(keys, 'single key')}`}`,
    ...(reportType === null ? [] : [`to ${reportType}`]),
    ...(onset === null ? [] : [`to the onset ${onset}`]),
    ...(fromNowOn ? ['as it came'] : []),
    ...(withdrawal === null ? [] : [`of withdrawal ${withdrawal}`]),
    ...(id === null ? [] : [`${kind} ${id}`]),
    by === null ? 'who and why were erased' : `by ${by}: ${reason ?? ''}`,
  ]
  return parts.join(', ')
}
