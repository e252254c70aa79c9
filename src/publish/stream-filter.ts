// Publish: which keys belong to a stream, as SQL; promises text that holds only checked names and numbers, since COPY takes no parameters.

import type { Stream } from './streams.ts'

type Filter = Pick<Stream, 'inputRegions' | 'excludedRegions' | 'travelers' | 'reportTypes'>

/** A condition on a row of `report`: its regions and whether it is a traveler's. @param alias the row's name in the statement */
export function matchReport(
  { inputRegions, excludedRegions, travelers }: Filter,
  alias: string,
): string {
  const regions = `${alias}.regions && ${arrayOf(inputRegions)}`
  const conditions = [
    travelers === 'include' ? `(${regions} or ${alias}.traveler)` : regions,
    ...(travelers === 'exclude' ? [`not ${alias}.traveler`] : []),
    ...(excludedRegions.length === 0
      ? []
      : [`not (${alias}.regions && ${arrayOf(excludedRegions)})`]),
  ]
  return conditions.join(' and ')
}

/** A condition on a report type. @param expression of the statement, a number as in export files */
export function matchType({ reportTypes }: Filter, expression: string): string {
  return reportTypes.length === 0 ? 'true' : `${expression} in (${reportTypes.map(Number).join()})`
}

/** A text as a literal. */
export function textLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

// Regions are letters, digits and hyphens (checkStream); quoted all the same.
function arrayOf(regions: readonly string[]): string {
  return `array[${regions.map(textLiteral).join()}]::text[]`
}
