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

/**
 * Runs two sides in turn and gives, for each, the median rate, and the median of the ratios pair by pair.
 *
 * @param report prints each round
 */
export async function alternate(
  rounds: number,
  ours: () => Promise<number> | number,
  floor: () => Promise<number> | number,
  report?: (line: string) => void,
): Promise<{ value: number; floor: number; ratio: number }> {
  const values: number[] = []
  const floors: number[] = []
  for (let round = 1; round <= rounds; round++) {
    const a = await ours()
    const b = await floor()
    values.push(a)
    floors.push(b)
    report?.(`round ${round}: ${a.toFixed(0)} against ${b.toFixed(0)}, ratio ${(a / b).toFixed(2)}`)
  }
  return {
    value: median(values),
    floor: median(floors),
    ratio: median(values.map((value, index) => value / (floors[index] ?? NaN))),
  }
}
