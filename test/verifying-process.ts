// Test helper: a process that reads a feed as a phone, or as the command does; promises to tell by how much its memory grew at the most.

import { once } from 'node:events'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { verifyTarget } from '../src/cli/verify-target.ts'
import { analyzeExport } from '../src/verify/analyze-export.ts'
import { download } from '../src/verify/feed-source.ts'
import { followFeed } from '../src/verify/follow-feed.ts'
import { DEFAULT_LIMITS } from '../src/verify/limits.ts'
import { loadTrustedKeys, type TrustedKey } from '../src/verify/trusted-keys.ts'
import { VerificationError } from '../src/verify/verification-error.ts'

/** Who reads. */
export type Reader = 'phone' | 'command' | 'analyze'

/** What the process is told. */
interface Task {
  readonly reader: Reader
  readonly trustedKeys: readonly TrustedKey[]
  /** An ordinary feed, read first: what is loaded for that belongs to the baseline. */
  readonly ordinary: string
  readonly target: string
  readonly timeoutMs: number
}

/** What came of it. */
export interface Reading {
  /** Codes of refused files and of what ended the reading, each once. */
  readonly codes: readonly string[]
  readonly keys: number
  readonly findings: readonly string[]
  /** Bytes of resident memory at the peak, over the peak before. */
  readonly grown: number
}

/** Reads in a process of its own. */
export async function readApart(task: Task): Promise<Reading> {
  const child = spawn(process.execPath, [import.meta.filename, JSON.stringify(task)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exit = once(child, 'exit')
  const output = await text(child.stdout)
  await exit
  return JSON.parse(output) as Reading
}

async function read(task: Task, target: string) {
  const codes = new Set<string>()
  const findings = new Set<string>()
  const count = { keys: 0 }
  const limits = { ...DEFAULT_LIMITS, timeoutMs: task.timeoutMs }
  try {
    await READERS[task.reader](task, target, limits, count, codes, findings)
  } catch (error) {
    if (error instanceof VerificationError) codes.add(error.code)
    else throw error
  }
  return { codes: [...codes], findings: [...findings].sort(), keys: count.keys }
}

const READERS: Readonly<
  Record<
    Reader,
    (
      task: Task,
      target: string,
      limits: typeof DEFAULT_LIMITS,
      count: { keys: number },
      codes: Set<string>,
      findings: Set<string>,
    ) => Promise<void>
  >
> = {
  async phone({ trustedKeys }, index, limits, count, codes, findings) {
    for await (const event of followFeed({ trustedKeys, index, limits })) {
      if (event.type === 'key') count.keys++
      if (event.type === 'refused') codes.add(event.error.code)
      if (event.type === 'file') for (const { code } of event.export.findings) findings.add(code)
    }
  },
  async command({ trustedKeys }, index, limits, count, codes, findings) {
    const keys = await loadTrustedKeys(trustedKeys)
    for await (const event of verifyTarget(index, keys, limits, {})) {
      if (event.type === 'refused') codes.add(event.error.code)
      else {
        count.keys += event.export.keys
        for (const { code } of event.export.findings) findings.add(code)
      }
    }
  },
  async analyze(_task, index, limits, count, _codes, findings) {
    const address = index.replace('index.txt', '1-2-00001.zip')
    const bytes = await download(address, limits.maxFileBytes, 'file_too_large', limits, {})
    const { keys, conclusions } = analyzeExport(bytes, limits, 10)
    count.keys = keys
    for (const { code } of conclusions) findings.add(code)
  },
}

/** The peak of resident memory, in bytes. Linux lets a process inherit the maxRSS of the one that started it, so not that. */
function peakMemory(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024
  const status = readFileSync('/proc/self/status', 'utf8')
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
}

const [, script, task] = process.argv
if (script === import.meta.filename && task !== undefined) {
  const given = JSON.parse(task) as Task
  await read(given, given.ordinary)
  const before = peakMemory()
  const found = await read(given, given.target)
  const grown = peakMemory() - before
  console.log(JSON.stringify({ ...found, grown }))
  process.exit()
}
