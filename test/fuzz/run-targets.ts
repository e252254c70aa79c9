// Fuzzing: runs targets in a thread and watches it; promises an end and a report also when an input never comes to its end or takes all memory.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import * as fc from 'fast-check'
import { loadTargets, showInput, type TargetResult, type WorkerOrder } from './worker.ts'

/** What is to be run. */
export interface FuzzOptions extends Pick<
  WorkerOrder,
  'module' | 'only' | 'seed' | 'path' | 'seconds'
> {
  /** After how many milliseconds of the processor's an input counts as endless; ten times as many of the clock's. */
  readonly patienceMs?: number
}

const HEAP_MEGABYTES = 512

/** Runs the targets of a module. @param tell gets each result as it comes */
export async function runTargets(
  options: FuzzOptions,
  tell: (result: TargetResult) => void,
): Promise<readonly TargetResult[]> {
  const results: TargetResult[] = []
  const take = (result: TargetResult) => {
    results.push(result)
    tell(result)
  }
  for (;;) {
    const problem = await runFrom(options, results.length, take)
    if (problem === undefined) return results
    take(await describeProblem(options, results.length, problem))
  }
}

/** Why a thread ended before all was done, and how many inputs its last target was given. */
interface Problem {
  readonly error: string
  readonly inputs: number
}

/** The thread is gone, but what it was given last can be drawn again. */
async function describeProblem(
  { module, only, seed, path }: FuzzOptions,
  place: number,
  { error, inputs }: Problem,
): Promise<TargetResult> {
  const target = (await loadTargets(module, only))[place]
  if (target === undefined) throw new Error(error)
  const last = path === '' ? String(Math.max(inputs - 1, 0)) : path
  const [input] = fc.sample(target.inputs, { seed, path: last, numRuns: 1 })
  return { name: target.name, inputs, failure: { input: showInput(input), error, path: last } }
}

/** Runs targets in a thread. @returns what kept it from running all of them */
async function runFrom(
  { patienceMs = 10_000, ...options }: FuzzOptions,
  first: number,
  take: (result: TargetResult) => void,
): Promise<Problem | undefined> {
  const order: WorkerOrder = { ...options, first, progress: new SharedArrayBuffer(8) }
  const progress = new Int32Array(order.progress)
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: order,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MEGABYTES },
  })
  let error = 'the thread ended'
  let isDone = false
  worker.on('message', (message: TargetResult | 'done') => {
    if (message === 'done') isDone = true
    else take(message)
  })
  worker.on('error', (thrown) => (error = `it ends the thread: ${String(thrown)}`))
  let last = ''
  let since = spent()
  const watch = setInterval(() => {
    const now = progress.join()
    if (now !== last) since = spent()
    last = now
    const taken = spent()
    const isEndless = taken.cpuMs - since.cpuMs > patienceMs
    // One that waits for what never comes takes no time of the processor, but others may take all of it for long.
    const isStuck = taken.wallMs - since.wallMs > 10 * patienceMs
    if (!isEndless && !isStuck) return
    error = `it comes to no end within ${patienceMs / 1000} s`
    void worker.terminate()
  }, patienceMs / 10)
  await once(worker, 'exit')
  clearInterval(watch)
  return isDone ? undefined : { error, inputs: Atomics.load(progress, 1) }
}

/** Time that went by, and time of the processor that this process took. */
function spent(): { readonly wallMs: number; readonly cpuMs: number } {
  const { user, system } = process.cpuUsage()
  return { wallMs: performance.now(), cpuMs: (user + system) / 1000 }
}
