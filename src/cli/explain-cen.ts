// Cli: where contact event numbers are, for `tocsin explain`; promises to say nothing of whose a number is.

import { encodeHex } from '../format/bytes.ts'
import { explainNumbers, type ExplainedNumbers } from '../publish/cen-explain.ts'
import { countNumbers, findNumber } from '../publish/cen-find.ts'
import type { KindExplanation } from './kind-explanation.ts'
import { startProgress } from './progress.ts'

/** Reports of numbers share one fate; a number is looked for by reading all that are stored. */
export const CEN_EXPLANATION: KindExplanation = {
  inReport: 'numbers',
  alone: 'number',
  async explainReport(db, trackingId, seconds) {
    const value = await explainNumbers(db, trackingId, seconds)
    return value === undefined ? undefined : { value, lines: [...numbersLines(value)] }
  },
  async explainIdentifier(context, db, identifier, seconds) {
    const { reports, numbers } = await countNumbers(db)
    if (reports === 0) return undefined
    const bar = startProgress(context, 'looked through', reports, 'reports')
    let read = 0
    try {
      const onReports = (count: number) => bar.update((read += count))
      const found = await findNumber(db, identifier, seconds, onReports)
      const value = { number: encodeHex(identifier), reports, numbers, found }
      return { value, lines: [...numberLines(value)], isKnown: found.length > 0 }
    } finally {
      bar.stop()
    }
  },
}

/** What came of looking for a number. */
interface SoughtNumber {
  /** Hex. */
  readonly number: string
  /** What was read for it. */
  readonly reports: number
  readonly numbers: number
  /** One for each report that brought it. */
  readonly found: readonly ExplainedNumbers[]
}

function* numberLines({ number, reports, numbers, found }: SoughtNumber): Generator<string> {
  if (found.length === 0)
    yield `contact event number ${number}: not among the ${numbers} numbers of ${reports} reports that are stored`
  for (const each of found) {
    yield `contact event number ${number}, accepted ${each.accepted}${each.withdrawn ? ', withdrawn' : ''}`
    yield* numbersLines(each)
  }
}

function* numbersLines({ trust, cell, through, streams }: ExplainedNumbers): Generator<string> {
  yield `  ${trust}, ${cell === null ? 'of no cell' : `of cell ${cell}`}; counts until ${through}`
  if (streams.length === 0) yield '  there is no stream of numbers yet: tocsin stream add makes one'
  for (const { stream, verdict, says } of streams) yield `  ${stream}: ${verdict}: ${says}`
}
