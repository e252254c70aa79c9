// Publish: families of streams, which share their padding; promises that no key can be in two streams of different families.

import type { Queryable } from '../db/database.ts'
import { sql } from '../db/sql.ts'
import type { Stream } from './streams.ts'

/** What decides whether a report's keys are a stream's. */
export type Filter = Pick<Stream, 'inputRegions' | 'excludedRegions' | 'travelers' | 'reportTypes'>

/** What of a report decides it. */
export interface FilteredReport {
  readonly regions: readonly string[]
  readonly traveler: boolean
  /** As in export files. */
  readonly reportType: number
}

/**
 * Groups streams that can share a key, directly or by way of others.
 *
 * Streams are of one family unless it is certain that no report is published by both. What a report can be:
 *
 * - Its regions are some of one health authority's, or the one default region of the deployment, which is not known here: so any
 *   single region is possible, and any combination within a list of `regionLists`. Without those lists any combination is.
 *   Knowing them is what keeps the fifty streams of fifty regions apart; in one family the rarest of them would have all
 *   others padded fiftyfold. Lists are only ever added (a disabled authority keeps its own), so that a new health authority can
 *   join families, never part them: what was padded apart until then was the keys of reports that no other stream published.
 * - Anybody can be a traveler.
 * - Its type is one for all its keys. A revision can bring a key from one type's stream into another's, which shows that it is
 *   real; but padding is never revised, and one family for both would not hide that.
 *
 * @param regionLists the health authorities' regions, see {@link readRegionLists}
 */
export function familiesOf<Member extends Filter>(
  streams: readonly Member[],
  regionLists?: readonly (readonly string[])[],
): Member[][] {
  const families: Member[][] = []
  for (const stream of streams) {
    const joined = families.filter((family) =>
      family.some((other) => canShareKey(stream, other, regionLists)),
    )
    const rest = families.filter((family) => !joined.includes(family))
    families.splice(0, Infinity, ...rest, [...joined.flat(), stream])
  }
  return families
}

/** The health authorities' regions, each list once, those of disabled ones among them: their reports are still there. */
export async function readRegionLists(db: Queryable): Promise<string[][]> {
  const { rows } = await db.query<{ regions: string[] }>(
    sql`select distinct regions from health_authority order by regions`,
  )
  return rows.map((row) => row.regions)
}

/** Whether a stream publishes a report's keys: the same as `matchReport` and `matchType` say in SQL. */
export function publishes(
  stream: Filter,
  { regions, traveler, reportType }: FilteredReport,
): boolean {
  const isAmong = (list: readonly string[]) => regions.some((region) => list.includes(region))
  if (stream.reportTypes.length > 0 && !stream.reportTypes.includes(reportType)) return false
  if (traveler && stream.travelers === 'exclude') return false
  if (isAmong(stream.excludedRegions)) return false
  return isAmong(stream.inputRegions) || (traveler && stream.travelers === 'include')
}

function canShareKey(
  a: Filter,
  b: Filter,
  regionLists: readonly (readonly string[])[] | undefined,
): boolean {
  if (!sharesType(a, b)) return false
  // No report has a region that either of them excludes.
  const isPossible = (region: string) =>
    !a.excludedRegions.includes(region) && !b.excludedRegions.includes(region)
  const ofA = a.inputRegions.filter(isPossible)
  const ofB = b.inputRegions.filter(isPossible)
  const includes = [a, b].filter((each) => each.travelers === 'include')
  const noTraveler = [a, b].some((each) => each.travelers === 'exclude')
  // Any region will do for a stream that takes every traveler's keys.
  if (includes.length === 2) return true
  if (includes.length === 1 && !noTraveler) return (includes[0] === a ? ofB : ofA).length > 0
  if (ofA.some((region) => ofB.includes(region))) return true
  if (regionLists === undefined) return ofA.length > 0 && ofB.length > 0
  return regionLists.some((list) =>
    [ofA, ofB].every((regions) => regions.some((region) => list.includes(region))),
  )
}

function sharesType({ reportTypes: a }: Filter, { reportTypes: b }: Filter): boolean {
  return a.length === 0 || b.length === 0 || a.some((type) => b.includes(type))
}
