// Authorize: the types of test, and which of them an app accepts; promises that a type that an app does not know never reaches it.

import { TocsinError } from '../errors.ts'
import { isReportType, type ReportType } from '../format/report-type.ts'

// An app that can deal with a weaker result can deal with the stronger ones.
const ACCEPTED_WITH: Readonly<Record<ReportType, readonly ReportType[]>> = {
  confirmed: ['confirmed'],
  likely: ['confirmed', 'likely'],
  negative: ['confirmed', 'likely', 'negative'],
  'user-report': ['confirmed', 'user-report'],
}

/**
 * The types that an app accepts, from the list that it sends; every type when it sends none.
 *
 * @throws TocsinError `invalid_test_type`
 */
export function acceptedTypes(accept: readonly string[]): ReadonlySet<ReportType> {
  const named = accept.length === 0 ? Object.keys(ACCEPTED_WITH) : accept
  return new Set(named.flatMap((name) => ACCEPTED_WITH[parseTestType(name)]))
}

/** A type of test, in any letter case. @throws TocsinError `invalid_test_type` */
export function parseTestType(text: string): ReportType {
  const type = text.toLowerCase()
  if (!isReportType(type)) throw new TocsinError('invalid_test_type')
  return type
}
