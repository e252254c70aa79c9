// Test helper: a process of its own that opens the embedded database of a folder, so that it can be killed; promises to report every commit only after it was acknowledged.

import { fork, type ChildProcess } from 'node:child_process'
import { connectOnce, parseAddress } from '../src/db/database.ts'
import { openEmbedded, startEmbedded } from '../src/db/embedded.ts'

/** What the process tells its parent. */
export type Report =
  | { readonly kind: 'open'; readonly url: string; readonly milliseconds: number }
  | { readonly kind: 'refused'; readonly code: string; readonly sentence: string }
  | { readonly kind: 'committed'; readonly value: number }

/** A process that was forked. */
export interface EmbeddedProcess extends AsyncDisposable {
  readonly pid: number
  /** Whether it has the database open, or was refused. */
  readonly opened: Promise<Report>
  /** The values whose commit was acknowledged so far. */
  readonly committed: readonly number[]
  /** Closes the database and waits for the end. */
  close(): Promise<void>
  /** kill -9 of this process alone; resolves when it is gone. */
  kill(): Promise<void>
}

/**
 * Forks a process that opens a data folder.
 *
 * @param how `server` owns it, `command` joins or owns it, `writer` owns it and commits the values from `first` on
 */
export function forkEmbedded(
  how: 'server' | 'command' | 'writer',
  dataFolder: string,
  first = 0,
): EmbeddedProcess {
  const child = fork(import.meta.filename, [how, dataFolder, String(first)], { stdio: 'inherit' })
  const committed: number[] = []
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const kill = async () => {
    child.kill('SIGKILL')
    await ended
  }
  const opened = new Promise<Report>((resolve, reject) => {
    child.on('message', (report: Report) =>
      report.kind === 'committed' ? committed.push(report.value) : resolve(report),
    )
    child.once('exit', (code) => reject(new Error(`the process ended early with ${code}`)))
  })
  // A test that kills it early does not wait for this.
  opened.catch(() => undefined)
  return {
    pid: child.pid ?? 0,
    opened,
    committed,
    async close() {
      if (child.connected) child.send('close')
      await ended
    },
    kill,
    [Symbol.asyncDispose]: kill,
  }
}

async function run(how: string, dataFolder: string, first: number): Promise<void> {
  const started = performance.now()
  try {
    const embedded = await (how === 'command' ? openEmbedded : startEmbedded)(dataFolder)
    process.once('message', () => {
      void embedded.close().then(() => process.disconnect())
    })
    const { url } = embedded
    report({ kind: 'open', url, milliseconds: performance.now() - started })
    if (how === 'writer')
      await Promise.all([0, 1, 2, 3].map((lane) => writeForEver(url, first + lane)))
  } catch (error) {
    const { code, message } = error as ChildError
    report({ kind: 'refused', code: code ?? 'none', sentence: message })
    process.disconnect()
  }
}

interface ChildError extends Error {
  readonly code?: string
}

async function writeForEver(url: string, first: number): Promise<void> {
  const client = await connectOnce(parseAddress(url))
  for (let value = first; ; value += 4) {
    await client.query('insert into kept (value) values ($1)', [value])
    report({ kind: 'committed', value })
  }
}

function report(message: Report): void {
  ;(process as unknown as ChildProcess).send?.(message)
}

if (import.meta.main)
  await run(process.argv[2] ?? '', process.argv[3] ?? '', Number(process.argv[4]))
