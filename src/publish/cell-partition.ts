// Publish: into which cells the reports of a file are split; promises that no cell singles a report out, the same cells for the same reports in any order, and a place for every place.

/** What a partition must keep to. */
export interface PartitionRules {
  /** Characters of a cell at the most; 0 for no split. */
  readonly longest: number
  /** Reports that a cell must have at least. */
  readonly least: number
}

/** Where the numbers of reports go. */
export interface CellPartition {
  /**
   * Geohash cells, sorted; the first is the empty one, the whole world. A cell is the part of its area that no longer one of these has, so that
   * they cover the world once: the cell of a place is the longest one that its geohash begins with.
   */
  readonly cells: readonly string[]
  /**
   * In which of them a report lies.
   *
   * @param cell what it named; null or empty for none
   * @returns one of `cells`; null when it belongs to all of them
   */
  cellOf(cell: string | null): string | null
}

/**
 * The finest partition in which each cell has at least so many reports of its own, found by making cells from the smallest areas on, the fullest
 * first: a cell is made when it has enough and leaves its surroundings enough, or nothing. No further one could be made at the end. Where too
 * few lie in an area, they are those of the smallest larger one in which there are enough.
 *
 * A report that named an area which has been split, or none, may have been anywhere in it, and belongs to all cells. It would be
 * given away by being in each file: so there are none of these, or at least as many as a cell needs: as long as there are fewer, the reports of the
 * smallest cell join them, and its area falls to the one around it.
 *
 * @param counts how many reports named which cell; the key is empty for those that named none. Longer cells count as their first characters
 */
export function partitionCells(
  counts: ReadonlyMap<string, number>,
  { longest, least }: PartitionRules,
): CellPartition {
  const tree = plant(counts, longest)
  const cells = new Set([''])
  const fullest = [...tree.values()]
    .filter(({ name, open }) => name !== '' && open >= least)
    .sort((a, b) => b.name.length - a.name.length || b.open - a.open || (a.name < b.name ? -1 : 1))
  for (let isDone = false; !isDone;) {
    isDone = true
    for (const area of fullest)
      if (!cells.has(area.name) && area.open >= least && makeCell(tree, cells, area, least))
        isDone = false
  }
  const sharing = hideShared(tree, cells, least)
  const sorted = [...cells].sort()
  return {
    cells: sorted,
    cellOf(cell) {
      const named = (cell ?? '').slice(0, longest)
      const area = tree.get(named)
      if (area?.isShared === true) return null
      const nearest = nearestCell(sharing.cells, named)
      return sharing.joined.has(nearest) ? null : nearest
    },
  }
}

/** An area in which reports lie. */
interface Area {
  readonly name: string
  /** Reports that named it and nothing finer. */
  readonly exact: number
  /** Reports in it that are in no cell within it, and belong to one place. When it is a cell itself: those of the cell. */
  open: number
  /** Whether those that named it belong to all cells. */
  isShared: boolean
}

function plant(counts: ReadonlyMap<string, number>, longest: number): Map<string, Area> {
  const exact = new Map<string, number>()
  const open = new Map<string, number>([['', 0]])
  for (const [cell, count] of counts) {
    const name = cell.slice(0, longest)
    exact.set(name, (exact.get(name) ?? 0) + count)
    for (let length = 0; length <= name.length; length++) {
      const prefix = name.slice(0, length)
      open.set(prefix, (open.get(prefix) ?? 0) + count)
    }
  }
  return new Map(
    [...open].map(([name, count]) => [
      name,
      { name, exact: exact.get(name) ?? 0, open: count, isShared: false },
    ]),
  )
}

/** Makes a cell of an area, if what is around it is left with enough, or nothing. @returns whether it did */
function makeCell(
  tree: ReadonlyMap<string, Area>,
  cells: Set<string>,
  area: Area,
  least: number,
): boolean {
  const around = areasAround(tree, cells, area)
  // Those that named an area around it may have been in it.
  const shared = around.filter(({ isShared }) => !isShared)
  const moved = shared.reduce((sum, { exact }) => sum + exact, area.open)
  const surrounding = around.at(-1) as Area
  const left = surrounding.open - moved
  if (left !== 0 && left < least) return false
  cells.add(area.name)
  let taken = area.open
  for (const each of around) {
    if (!each.isShared) taken += each.exact
    each.isShared = true
    each.open -= taken
  }
  if (left === 0 && surrounding.name !== '') cells.delete(surrounding.name)
  return true
}

/** The areas around one, from the smallest to the cell that it lies in. */
function areasAround(
  tree: ReadonlyMap<string, Area>,
  cells: ReadonlySet<string>,
  { name }: Area,
): Area[] {
  const around: Area[] = []
  for (let length = name.length - 1; length >= 0; length--) {
    const each = tree.get(name.slice(0, length)) as Area
    around.push(each)
    if (cells.has(each.name)) break
  }
  return around
}

/** Gives reports that belong to all cells company, or leaves no cells to be compared. */
function hideShared(
  tree: ReadonlyMap<string, Area>,
  cells: Set<string>,
  least: number,
): { readonly cells: ReadonlySet<string>; readonly joined: ReadonlySet<string> } {
  const before = new Set(cells)
  const joined = new Set<string>()
  let shared = 0
  for (const area of tree.values()) if (area.isShared) shared += area.exact
  const smallest = [...cells]
    .filter((name) => name !== '')
    .map((name) => tree.get(name) as Area)
    .sort((a, b) => a.open - b.open || (a.name < b.name ? -1 : 1))
  for (const { name, open } of smallest) {
    if (shared === 0 || shared >= least) break
    shared += open
    joined.add(name)
    cells.delete(name)
  }
  return { cells: before, joined }
}

/** The longest of some cells that a geohash begins with. */
export function nearestCell(cells: ReadonlySet<string>, geohash: string): string {
  for (let length = geohash.length; length > 0; length--) {
    const prefix = geohash.slice(0, length)
    if (cells.has(prefix)) return prefix
  }
  return ''
}
