// Recover: an event of a dropped part as the new log has it; promises that what was published can be made again from it, and that nothing else of it counts.

import { LOG_RECOVERED } from '../log/recovered-event.ts'
import type { NewEvent, Part, StoredEvent } from '../log/record.ts'
import type { Checkpoint } from '../log/checkpoint.ts'
import { releaseContent, STREAM_ADDED } from '../publish/earlier-events.ts'
import { FILES_REMOVED, FILES_UNLISTED, RELEASE, releaseEvent } from '../publish/releases.ts'
import { CONFIGURED } from '../publish/streams.ts'
import { AMENDMENT, REINSTATEMENT, WITHDRAWAL } from '../submit/corrections.ts'
import { packSeqs, unpackKeys, unpackSeqs, type MarkedPairs } from '../submit/marks.ts'
import { PADDING } from '../submit/padding-report.ts'
import { isReport } from '../submit/report-types.ts'
import type { StandingAtPoint, UndoneCorrections } from '../submit/undone-corrections.ts'
import type { Numbering } from './numbering.ts'

/** Which events of a dropped part are carried, by their old numbers. */
export interface CarryLimits {
  /** Reports, padding and corrections below it: no release was read from later ones. */
  readonly reportsUntil: number
  /** Configurations of streams below it: no release was made by later ones. */
  readonly streamsUntil: number
}

/** What padding, and what became of reports, are told by. */
const OF_REPORTS = [PADDING, WITHDRAWAL, REINSTATEMENT, AMENDMENT, LOG_RECOVERED]

/** Whether an event of a dropped part is carried, by its type and number. */
export function isCarried(
  { seq, type }: Pick<StoredEvent, 'seq' | 'type'>,
  { reportsUntil, streamsUntil }: CarryLimits,
): boolean {
  if (isReport(type) || OF_REPORTS.includes(type)) return seq < reportsUntil
  if (type === CONFIGURED || type === STREAM_ADDED) return seq < streamsUntil
  return type === RELEASE || type === FILES_UNLISTED || type === FILES_REMOVED
}

/**
 * The event as the new log has it, its references to events renumbered. Counts for statistics, and who corrected what, are left out.
 *
 * @param checkpoint the tree of the new log, for releases
 * @returns undefined when all of it was erased
 */
export function carriedEvent(
  event: StoredEvent,
  numbering: Numbering,
  checkpoint: Checkpoint,
): NewEvent | undefined {
  const { type } = event
  if (type === RELEASE) {
    const content = releaseContent(event)
    return releaseEvent({
      ...content,
      readSeq: numbering.below(content.readSeq),
      configurationSeq: numbering.of(content.configurationSeq) as number,
      checkpoint,
    })
  }
  const parts = event.parts
    .filter(({ retention, content }) => content !== undefined && !DROPPED.includes(retention))
    // What is kept apart names no event.
    .map((part) =>
      part.detached === true ? part : { ...part, content: renumbered(type, part, numbering) },
    )
  return parts.length === 0 ? undefined : { type, parts }
}

/** Retentions of parts that are not carried. */
const DROPPED: readonly Part['retention'][] = ['statistics', 'audit']

function renumbered(type: string, { retention, content }: Part, numbering: Numbering): unknown {
  const isRule = retention === 'configuration'
  if (type === WITHDRAWAL && !isRule) {
    const { reports, padding, ...withdrawal } = content as {
      readonly reports: Uint8Array
      readonly padding: Uint8Array
    }
    return { ...withdrawal, reports: seqsOf(reports), padding: seqsOf(padding) }
  }
  if (type === REINSTATEMENT) {
    if (!isRule) return pairsOf(content as MarkedPairs)
    const { ended } = content as { readonly ended: readonly number[] }
    return { ended: ended.flatMap((seq) => numbering.of(seq) ?? []) }
  }
  if (type === AMENDMENT) return amended(content as { readonly reports: Uint8Array })
  if (type === LOG_RECOVERED) {
    if (isRule) {
      const { standing, ...recovered } = content as StandingAtPoint
      const rules = standing.flatMap((rule) => {
        const seq = numbering.of(rule.seq)
        return seq === undefined ? [] : [{ ...rule, seq }]
      })
      return { ...recovered, standing: rules }
    }
    const undone = content as UndoneCorrections
    return {
      held: pairsOf(undone.held),
      released: pairsOf(undone.released),
      amended: undone.amended.map(amended),
    }
  }
  return content

  function seqsOf(packed: Uint8Array): Uint8Array {
    return packSeqs(unpackSeqs(packed).flatMap((seq) => numbering.of(seq) ?? []))
  }

  function amended<Content extends { readonly reports: Uint8Array }>(each: Content): Content {
    return { ...each, reports: seqsOf(each.reports) }
  }

  /** A pair of which one was erased is left out. */
  function pairsOf<Pairs extends MarkedPairs>(pairs: Pairs): Pairs {
    const withdrawals = unpackSeqs(pairs.reportWithdrawals).map((seq) => numbering.of(seq))
    const reports = unpackSeqs(pairs.reports).map((seq) => numbering.of(seq))
    const isWhole = (index: number) =>
      reports[index] !== undefined && withdrawals[index] !== undefined
    const keyWithdrawals = unpackSeqs(pairs.keyWithdrawals).map((seq) => numbering.of(seq))
    const keys = unpackKeys(pairs.keys).filter((_, index) => keyWithdrawals[index] !== undefined)
    return {
      ...pairs,
      reports: packSeqs(reports.filter((_, index) => isWhole(index)) as number[]),
      reportWithdrawals: packSeqs(withdrawals.filter((_, index) => isWhole(index)) as number[]),
      keys: Buffer.concat(keys),
      keyWithdrawals: packSeqs(keyWithdrawals.flatMap((seq) => seq ?? [])),
    }
  }
}
