// Test helper: whoever looks at published files and would like to know which keys are padding: what can be seen of a key, and boosted trees over it.

/** A key as it is published. */
export interface SeenKey {
  readonly name: string
  readonly start: number
  readonly period: number
  readonly risk: number
  readonly type: number
  readonly onset: number
}

/** A file, its keys in order. Times are unix seconds. */
export interface SeenFile {
  readonly stream: string
  readonly start: number
  readonly end: number
  readonly keys: readonly SeenKey[]
}

/** What is known of a key, as numbers. */
export type Features = Float32Array

const DAY = 86_400

/** What can be seen of each key of each file, in the order of the files and their keys. Files of one stream are in order of time. */
export function describeFiles(files: readonly SeenFile[]): Features[][] {
  const streamsOf = new Map<string, Set<string>>()
  for (const { stream, keys } of files)
    for (const { name } of keys) streamsOf.set(name, (streamsOf.get(name) ?? new Set()).add(stream))
  const streams = [...new Set(files.map(({ stream }) => stream))]
  const described = new Map<SeenFile, Features[]>()
  for (const stream of streams) {
    const own = files.filter((file) => file.stream === stream)
    const history = new Map<string, number>()
    let seen = 0
    own.forEach((file, index) => {
      const near = (from: number, to: number) =>
        own.filter(
          (each, n) => n !== index && each.end > file.end + from && each.end <= file.end + to,
        )
      const context = {
        own: countOf(file.keys, chainOf),
        before: countOf(
          near(-1.1 * DAY, 0).flatMap(({ keys }) => keys),
          chainOf,
        ),
        after: countOf(
          near(0, 1.1 * DAY).flatMap(({ keys }) => keys),
          chainOf,
        ),
        combinations: COMBINATIONS.map((nameOf) => countOf(file.keys, (key) => nameOf(key, file))),
        history,
        seen,
        streamsOf,
      }
      described.set(
        file,
        file.keys.map((_, place) => describe(file, place, context)),
      )
      for (const key of file.keys)
        for (const nameOf of COMBINATIONS) add(history, nameOf(key, file))
      seen += file.keys.length
    })
  }
  return files.map((file) => described.get(file) ?? [])
}

interface Context {
  readonly own: ReadonlyMap<string, number>
  readonly before: ReadonlyMap<string, number>
  readonly after: ReadonlyMap<string, number>
  readonly combinations: readonly ReadonlyMap<string, number>[]
  readonly history: ReadonlyMap<string, number>
  readonly seen: number
  readonly streamsOf: ReadonlyMap<string, ReadonlySet<string>>
}

/** Keys that may be one device's have these in common. */
const chainOf = (key: SeenKey, days = 0) =>
  `${Math.floor(key.start / 144) - key.onset} ${key.type} ${Math.floor(key.start / 144) + days}`

const ageOf = (key: SeenKey, file: SeenFile) =>
  Math.floor((file.end - 1) / DAY) - Math.floor(key.start / 144)

const COMBINATIONS: readonly ((key: SeenKey, file: SeenFile) => string)[] = [
  (key, file) =>
    `all ${key.type} ${key.risk} ${key.onset} ${ageOf(key, file)} ${key.start % 144} ${key.period}`,
  (key, file) => `age ${key.type} ${key.onset} ${ageOf(key, file)}`,
  (key) => `risk ${key.type} ${key.onset} ${key.risk}`,
  (key) => `times ${key.start % 144} ${key.period}`,
]

function describe(file: SeenFile, place: number, context: Context): Features {
  const key = file.keys[place] as SeenKey
  const size = file.keys.length
  const number = (index: number) =>
    Number.parseInt(file.keys[index]?.name.slice(0, 8) ?? 'ffffffff', 16)
  const counts = context.combinations.map(
    (combination, index) => combination.get(COMBINATIONS[index]?.(key, file) ?? '') ?? 0,
  )
  const usual = COMBINATIONS.map(
    (nameOf) => ((context.history.get(nameOf(key, file)) ?? 0) * size) / Math.max(1, context.seen),
  )
  const [all = 0, ages = 0] = counts
  const chained = [context.own, context.before, context.after].flatMap((chains) =>
    [-1, 0, 1].map((days) => chains.get(chainOf(key, days)) ?? 0),
  )
  const ownChain = chained[1] ?? 1
  return Float32Array.from([
    // Its metadata.
    key.type,
    key.risk,
    key.onset,
    ageOf(key, file),
    key.period,
    key.start % 144,
    file.end / 600 - key.start - key.period,
    // Its file.
    (file.end % DAY) / 3600,
    (file.end - file.start) / 3600,
    size,
    // Its place in the order.
    place / size,
    ((number(place + 1) - number(place)) * size) / 2 ** 32,
    // How many of the file are like it, and how many of earlier files were.
    ...counts,
    all % 2,
    all % 3,
    ages % 2,
    ...counts.map((count, index) => Math.log((count + 0.5) / ((usual[index] ?? 0) + 0.5))),
    ...usual,
    // Whether a device could go on backwards and forwards, here and in the files around.
    ...chained,
    (chained[0] ?? 0) / ownChain,
    (chained[2] ?? 0) / ownChain,
    (chained[5] ?? 0) / ownChain,
    (chained[8] ?? 0) / ownChain,
    // Whether the other stream has it.
    context.streamsOf.get(key.name)?.size ?? 0,
  ])
}

function countOf(
  keys: readonly SeenKey[],
  nameOf: (key: SeenKey) => string,
): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const key of keys) add(counts, nameOf(key))
  return counts
}

function add(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}

/** Something to learn from, or to be judged. */
export interface Example {
  readonly features: Features
  readonly isPadding: boolean
}

/** How well a score tells padding: 0.5 for a guess, 1 for certainty. */
export function areaUnderCurve(scored: readonly { score: number; isPadding: boolean }[]): number {
  const sorted = scored.toSorted((a, b) => a.score - b.score)
  let ranks = 0
  for (let from = 0; from < sorted.length;) {
    let until = from
    while (until < sorted.length && sorted[until]?.score === sorted[from]?.score) until++
    // Equals share their ranks.
    for (let n = from; n < until; n++) if (sorted[n]?.isPadding) ranks += (from + until + 1) / 2
    from = until
  }
  const padding = sorted.filter(({ isPadding }) => isPadding).length
  return (ranks - (padding * (padding + 1)) / 2) / (padding * (sorted.length - padding))
}

const ROUNDS = 60
const DEPTH = 4
const RATE = 0.15
const BINS = 32
const FEWEST = 40

/** Learns to tell padding: gradient-boosted trees over binned features. @returns the score of a key */
export function learn(examples: readonly Example[]): (features: Features) => number {
  const bins = makeBins(examples)
  const rows = examples.map(({ features }) => bins(features))
  const wanted = examples.map(({ isPadding }) => (isPadding ? 1 : 0))
  const scores = new Float64Array(examples.length)
  const trees: Tree[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const gradient = scores.map((score, n) => (wanted[n] ?? 0) - 1 / (1 + Math.exp(-score)))
    const curvature = gradient.map((slope, n) => {
      const chance = (wanted[n] ?? 0) - slope
      return chance * (1 - chance)
    })
    const all = Int32Array.from(examples.keys())
    const tree = grow(rows, gradient, curvature, all, DEPTH)
    trees.push(tree)
    rows.forEach((row, n) => (scores[n] = (scores[n] ?? 0) + leafOf(tree, row)))
  }
  return (features) => {
    const row = bins(features)
    return trees.reduce<number>((sum, tree) => sum + leafOf(tree, row), 0)
  }
}

type Tree =
  | number
  | { readonly feature: number; readonly bin: number; readonly left: Tree; readonly right: Tree }

function leafOf(tree: Tree, row: Uint8Array): number {
  if (typeof tree === 'number') return tree
  return leafOf((row[tree.feature] ?? 0) <= tree.bin ? tree.left : tree.right, row)
}

function grow(
  rows: readonly Uint8Array[],
  gradient: Float64Array,
  curvature: Float64Array,
  members: Int32Array,
  depth: number,
): Tree {
  const width = rows[0]?.length ?? 0
  const slopes = new Float64Array(width * BINS)
  const bends = new Float64Array(width * BINS)
  let slope = 0
  let bend = 0
  for (const member of members) {
    const row = rows[member] as Uint8Array
    const g = gradient[member] ?? 0
    const h = curvature[member] ?? 0
    slope += g
    bend += h
    for (let feature = 0; feature < width; feature++) {
      const cell = feature * BINS + (row[feature] ?? 0)
      slopes[cell] = (slopes[cell] ?? 0) + g
      bends[cell] = (bends[cell] ?? 0) + h
    }
  }
  const leaf = (RATE * slope) / (bend + 1)
  if (depth === 0 || members.length < 2 * FEWEST) return leaf
  let best = { gain: 1e-6, feature: -1, bin: 0 }
  for (let feature = 0; feature < width; feature++) {
    let g = 0
    let h = 0
    for (let bin = 0; bin < BINS - 1; bin++) {
      g += slopes[feature * BINS + bin] ?? 0
      h += bends[feature * BINS + bin] ?? 0
      if (h < 5 || bend - h < 5) continue
      const gain = g ** 2 / (h + 1) + (slope - g) ** 2 / (bend - h + 1) - slope ** 2 / (bend + 1)
      if (gain > best.gain) best = { gain, feature, bin }
    }
  }
  if (best.feature < 0) return leaf
  const isLeft = (member: number) => (rows[member]?.[best.feature] ?? 0) <= best.bin
  const left = members.filter(isLeft)
  const right = members.filter((member) => !isLeft(member))
  return {
    feature: best.feature,
    bin: best.bin,
    left: grow(rows, gradient, curvature, left, depth - 1),
    right: grow(rows, gradient, curvature, right, depth - 1),
  }
}

/** Cuts each feature into bins that hold equally many examples. */
function makeBins(examples: readonly Example[]): (features: Features) => Uint8Array {
  const width = examples[0]?.features.length ?? 0
  const edges = Array.from({ length: width }, (_, feature) => {
    const values = Float32Array.from(examples, (example) => example.features[feature] ?? 0).sort()
    const cuts = Array.from(
      { length: BINS - 1 },
      (__, n) => values[Math.floor(((n + 1) * values.length) / BINS)] ?? 0,
    )
    return [...new Set(cuts)]
  })
  return (features) =>
    Uint8Array.from(features, (value, feature) => {
      const own = edges[feature] ?? []
      let bin = 0
      while (bin < own.length && value > (own[bin] ?? 0)) bin++
      return bin
    })
}
