// Fuzzing: the thread that runs targets; promises a result for each, bounded time and memory for every input, and to say where it stands.

import { inspect } from 'node:util'
import { parentPort, workerData, type MessagePort } from 'node:worker_threads'
import * as fc from 'fast-check'
import type { Target } from './target.ts'

/** What the thread is told. */
export interface WorkerOrder {
  /** Address of the module that exports `targets`. */
  readonly module: string
  /** Part of the names of the targets to run; all when it is empty. */
  readonly only: string
  /** Place of the first target to run. */
  readonly first: number
  readonly seed: number
  /** The path to one input, to run it again; empty for all. */
  readonly path: string
  /** Seconds for all targets. */
  readonly seconds: number
  /** Two numbers of 32 bits: the place of the target, and how many inputs it was given. */
  readonly progress: SharedArrayBuffer
}

/** What came of a target. */
export interface TargetResult {
  readonly name: string
  readonly inputs: number
  readonly failure?: Failure
}

/** An input that something else came of than it may. */
export interface Failure {
  readonly input: string
  readonly error: string
  /** How to come to the input again. */
  readonly path: string
}

/** What one input may cost: seconds of the processor, and megabytes that the process grows by. */
const MAX_SECONDS = 1
const MAX_MEGABYTES = 256

/** How long a failing input may be made smaller, in milliseconds. */
const SHRINK_MS = 5_000

/** The targets of a module whose names have this part. */
export async function loadTargets(module: string, only: string): Promise<readonly Target[]> {
  const { targets } = (await import(module)) as { targets: readonly Target[] }
  return targets.filter(({ name }) => name.includes(only))
}

/** An input as it is shown. */
export function showInput(input: unknown): string {
  if (input instanceof Uint8Array) {
    const text = Buffer.from(input).toString('latin1')
    const bytes = Buffer.from(input).toString('hex')
    return /^[\t\n\r -~]*$/.test(text) ? `bytes ${JSON.stringify(text)}` : `bytes 0x${bytes}`
  }
  if (Array.isArray(input)) return `[${input.map(showInput).join(', ')}]`
  return fc.stringify(input)
}

async function runAll(order: WorkerOrder, port: MessagePort): Promise<void> {
  const targets = await loadTargets(order.module, order.only)
  const progress = new Int32Array(order.progress)
  const share = (order.seconds * 1000) / targets.length
  for (const [place, target] of targets.entries()) {
    if (place < order.first) continue
    Atomics.store(progress, 0, place)
    Atomics.store(progress, 1, 0)
    port.postMessage(await runTarget(target, order, share, progress))
  }
  port.postMessage('done')
}

async function runTarget(
  target: Target,
  { seed, path }: WorkerOrder,
  share: number,
  progress: Int32Array,
): Promise<TargetResult> {
  const { name } = target
  const run = runsOf(target, seed, progress)
  const first = await run(path, share)
  const inputs = Atomics.load(progress, 1)
  if (first === undefined) return { name, inputs }
  // What was left of the share may have been too little to make it small.
  const last = (await run(first.path, SHRINK_MS)) ?? first
  return { name, inputs, failure: last }
}

/** Gives inputs to a target, from a path on, until the time is over or one fails; that one is made smaller as long as there is time. */
function runsOf(target: Target, seed: number, progress: Int32Array) {
  return async (path: string, timeMs: number): Promise<Failure | undefined> => {
    let runs = 0
    let thrown: Failure | undefined
    let running: Promise<void> = Promise.resolve()
    const property = fc.asyncProperty(target.inputs, (input) => {
      Atomics.add(progress, 1, 1)
      const at = path === '' ? String(runs++) : path
      running = checkWithinBounds(target, input).catch((error: unknown) => {
        thrown ??= failureOf(input, error, at)
        throw error
      })
      return running
    })
    const limits = { numRuns: 0x7fffffff, interruptAfterTimeLimit: timeMs }
    const found = await fc.check(property, { seed, path, ...limits })
    const { counterexample, errorInstance, counterexamplePath } = found
    if (counterexample !== null)
      return failureOf(counterexample[0], errorInstance, counterexamplePath)
    // The time may have been over in the midst of the last one.
    await running.catch(() => undefined)
    return thrown
  }
}

function failureOf(input: unknown, error: unknown, path: string | null): Failure {
  return { input: showInput(input), error: describe(error), path: path ?? '' }
}

/** The error and where it was thrown; what the runner itself does is no help. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return inspect(error, { depth: 3 })
  const lines = (error.stack ?? String(error)).split('\n')
  return lines.filter((line) => !/fast-check|test.fuzz.worker|node:internal/.test(line)).join('\n')
}

async function checkWithinBounds(target: Target, input: unknown): Promise<void> {
  const { seconds, megabytes } = await costOf(target, input)
  if (megabytes > MAX_MEGABYTES) throw new Error(`it takes ${Math.round(megabytes)} MB`)
  if (seconds <= MAX_SECONDS) return
  // The first time may have been that of the garbage of others.
  const again = Math.min(seconds, (await costOf(target, input)).seconds)
  if (again > MAX_SECONDS) throw new Error(`it takes ${again.toFixed(1)} s`)
}

async function costOf(
  target: Target,
  input: unknown,
): Promise<{ readonly seconds: number; readonly megabytes: number }> {
  const before = process.resourceUsage()
  await target.check(input)
  const after = process.resourceUsage()
  const microseconds =
    after.userCPUTime - before.userCPUTime + after.systemCPUTime - before.systemCPUTime
  return { seconds: microseconds / 1e6, megabytes: (after.maxRSS - before.maxRSS) / 1024 }
}

if (parentPort !== null) await runAll(workerData as WorkerOrder, parentPort)
