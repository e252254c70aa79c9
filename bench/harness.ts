// Bench: what a benchmark is; promises a figure with its floor from the same run, alternating, so that a slow machine slows both.

/** The outcome of a benchmark. */
export interface BenchResult {
  readonly value: number
  /** Null where the goal is absolute. */
  readonly floor: number | null
  readonly ratio: number | null
  /** Whether the goal was reached. */
  readonly holds: boolean
  /** What else is worth knowing. */
  readonly extra?: Readonly<Record<string, number | string>>
}

/** A benchmark. */
export interface Benchmark {
  readonly summary: string
  readonly unit: string
  readonly goal: string
  /** @param report prints how it goes */
  run(report: (line: string) => void): Promise<BenchResult>
}

/** The middle value. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? NaN
}

/** What came of sides that were measured in turn: medians, and the median of the ratios round by round. */
export interface Alternated {
  readonly value: number
  readonly floor: number
  readonly ratio: number
}

/** Runs two sides in turn. @param report prints each round */
export function alternate(
  rounds: number,
  ours: () => Promise<number> | number,
  floor: () => Promise<number> | number,
  report?: (line: string) => void,
): Promise<Alternated> {
  return alternateWithBest(rounds, ours, [floor], report)
}

/**
 * Runs ours and several floors in turn. Which of them is the best changes from one round to the next by chance alone: the floor is
 * the one whose median is.
 *
 * @param report prints each round
 * @returns with `best`, the floor's place among the floors
 */
export async function alternateWithBest(
  rounds: number,
  ours: () => Promise<number> | number,
  floors: readonly (() => Promise<number> | number)[],
  report?: (line: string) => void,
): Promise<Alternated & { readonly best: number }> {
  const values: number[] = []
  const rates: number[][] = floors.map(() => [])
  for (let round = 1; round <= rounds; round++) {
    const value = await ours()
    values.push(value)
    const shown: string[] = []
    for (const [index, floor] of floors.entries()) {
      const rate = await floor()
      rates[index]?.push(rate)
      shown.push(`${rate.toFixed(0)} (ratio ${(value / rate).toFixed(2)})`)
    }
    report?.(`round ${round}: ${value.toFixed(0)} against ${shown.join(', ')}`)
  }
  const medians = rates.map(median)
  const best = medians.indexOf(Math.max(...medians))
  return {
    value: median(values),
    floor: medians[best] ?? NaN,
    ratio: median(values.map((value, index) => value / (rates[best]?.[index] ?? NaN))),
    best,
  }
}
