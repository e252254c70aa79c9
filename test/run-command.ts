// Test helper: the command line in a process of its own; promises what a person would see of it.

import { spawn } from 'node:child_process'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..')

/** What came of a command. */
export interface Run {
  readonly status: number | null
  readonly out: string
  readonly err: string
}

/** Runs `bin/tocsin` in a process of its own, as a person would. */
export async function tocsin(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Run> {
  const { PATH = '', HOME = '' } = process.env
  const child = spawn(process.execPath, [join(ROOT, 'bin/tocsin'), ...args], {
    cwd: ROOT,
    env: { PATH, HOME, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { status, out, err }
}
