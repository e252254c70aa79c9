// Cli: how far long work is, with the time that is left; promises a terminal only, and silence in a pipe.

import { SingleBar } from 'cli-progress'
import type { CommandContext } from './command.ts'

/** A bar that was started. */
export interface Progress {
  update(value: number): void
  stop(): void
}

/** Starts a bar on standard error. @param unit what is counted: `events` */
export function startProgress(
  context: CommandContext,
  title: string,
  total: number,
  unit: string,
): Progress {
  if (context.json || !process.stderr.isTTY)
    return { update: () => undefined, stop: () => undefined }
  const bar = new SingleBar({
    format: `  ${title} [{bar}] {percentage}% of {total} ${unit}, {eta_formatted} left`,
    clearOnComplete: true,
    hideCursor: true,
    stream: process.stderr,
    etaBuffer: 50,
  })
  bar.start(total, 0)
  return { update: (value) => bar.update(value), stop: () => bar.stop() }
}
