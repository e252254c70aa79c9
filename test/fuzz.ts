// Fuzzing: every parser against inputs that were valid once and against ones that never were; promises that a seed repeats a run, and exit status 1 when one broke.

import { parseArgs } from 'node:util'
import { runTargets } from './fuzz/run-targets.ts'

const USAGE = `npm run test:fuzz -- [--seconds N] [--seed S] [--target PART-OF-A-NAME] [--path P]

  --seconds N  for how long, shared among the targets; 60 when left out
  --seed S     what inputs are drawn from; by chance when left out
  --target T   only targets whose names have this part
  --path P     with --seed and --target: this one input, as a failure names it
`

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    target: { type: 'string', default: '' },
    path: { type: 'string', default: '' },
    module: { type: 'string', default: new URL('./fuzz/targets.ts', import.meta.url).href },
    patience: { type: 'string', default: '10' },
    help: { type: 'boolean', default: false },
  },
})
const [seconds, seed] = [Number(values.seconds), Number(values.seed)]
if (values.help || !(seconds > 0) || !Number.isSafeInteger(seed)) {
  console.log(USAGE)
  process.exit(values.help ? 0 : 2)
}

console.log(`fuzz: seed ${seed}, ${seconds} s`)
const start = performance.now()
const results = await runTargets(
  {
    module: values.module,
    only: values.target,
    seed,
    path: values.path,
    seconds,
    patienceMs: Number(values.patience) * 1000,
  },
  ({ name, inputs, failure }) => {
    console.log(`${failure === undefined ? 'ok    ' : 'FAILED'} ${name}: ${inputs} inputs`)
    if (failure === undefined) return
    const { error, input, path } = failure
    const again = `npm run test:fuzz -- --seed ${seed} --target '${name}' --path ${path}`
    console.log(`  input: ${input}\n  error: ${error.replaceAll('\n', '\n  ')}\n  again: ${again}`)
  },
)
const failed = results.filter(({ failure }) => failure !== undefined).map(({ name }) => name)
const inputs = results.reduce((sum, each) => sum + each.inputs, 0)
const taken = ((performance.now() - start) / 1000).toFixed(1)
const verdict =
  results.length === 0
    ? 'no target has such a name'
    : failed.length === 0
      ? 'nothing but values and refusals'
      : `FAILED: ${failed.join(', ')}`
console.log(
  `fuzz: ${results.length} targets, ${inputs} inputs, seed ${seed}, ${taken} s: ${verdict}`,
)
process.exitCode = results.length > 0 && failed.length === 0 ? 0 : 1
