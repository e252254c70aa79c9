// Bench: runs one benchmark by its name; promises its figures as one JSON line at the end.

import type { Benchmark } from './harness.ts'

const BENCHMARKS: Readonly<Record<string, () => Promise<Benchmark>>> = {
  submit: async () => (await import('./submit.ts')).bench,
  'submit-revise': async () => (await import('./submit-revise.ts')).bench,
  'submit-large': async () => (await import('./submit-large.ts')).bench,
  'submit-memory': async () => (await import('./submit-memory.ts')).bench,
  reject: async () => (await import('./reject.ts')).bench,
  publish: async () => (await import('./publish.ts')).bench,
  'publish-idle': async () => (await import('./publish-idle.ts')).bench,
  withdraw: async () => (await import('./withdraw.ts')).bench,
  cen: async () => (await import('./cen.ts')).bench,
  ctdiag: async () => (await import('./ctdiag.ts')).bench,
  'ctdiag-download': async () => (await import('./ctdiag-download.ts')).bench,
  serve: async () => (await import('./serve.ts')).bench,
  verify: async () => (await import('./verify.ts')).bench,
  archive: async () => (await import('./archive.ts')).bench,
  'archive-cost': async () => (await import('./archive-cost.ts')).bench,
  recover: async () => (await import('./recover.ts')).bench,
  authorize: async () => (await import('./authorize.ts')).bench,
  sheet: async () => (await import('./sheet.ts')).bench,
}

const name = process.argv[2] ?? ''
const load = BENCHMARKS[name]
if (load === undefined) {
  console.log('npm run bench -- NAME [--json]\n')
  for (const [each, loadEach] of Object.entries(BENCHMARKS)) {
    const { summary, goal } = await loadEach()
    console.log(`  ${each.padEnd(14)} ${summary}\n${' '.repeat(17)}goal: ${goal}`)
  }
  process.exitCode = name === '' || name === '--help' ? 0 : 2
} else {
  const bench = await load()
  const quiet = process.argv.includes('--json')
  const { value, floor, ratio, holds, extra } = await bench.run((line) =>
    quiet ? undefined : console.log(line),
  )
  console.log(
    JSON.stringify({
      bench: name,
      value,
      unit: bench.unit,
      floor,
      ratio,
      goal: bench.goal,
      holds,
      ...extra,
    }),
  )
}
