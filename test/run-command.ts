// Test helper: the command line; promises what a person would see of it.

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Deployment } from '../src/cli/deployment.ts'
import { runCommandLine } from '../src/cli/run-command-line.ts'

const ROOT = join(import.meta.dirname, '..')

/** What came of a command. */
export interface Run {
  readonly status: number | null
  readonly out: string
  readonly err: string
}

/**
 * Runs a command. On a server's database it runs in this process, which takes a tenth of the time: what a process adds is tested where
 * processes are (test/cli.test.ts). The embedded one is started and stopped by a process of its own.
 *
 * @param input its standard input: with one, it has a process of its own
 */
export async function tocsin(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
  input = '',
): Promise<Run> {
  const needsProcess =
    input !== '' ||
    // Those that go on for long, or read standard input.
    ['start', 'code'].includes(args[0] ?? '') ||
    (env['TOCSIN_DATABASE_URL'] === undefined && args[0] !== 'help' && !args.includes('--help'))
  return needsProcess
    ? runProcess(process.execPath, [join(ROOT, 'bin/tocsin'), ...args], env, input)
    : tocsinHere(args, env)
}

/** Runs a command in this process: one that opens no data, or that of a server. */
export async function tocsinHere(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<Run> {
  const { openData, startServer, publisherContext } = await import('../src/main.ts')
  const deployment: Deployment = { openData, startServer, publisherContext }
  let out = ''
  let err = ''
  const output = {
    out: (line: string) => void (out += `${line}\n`),
    err: (line: string) => void (err += `${line}\n`),
  }
  const status = await runCommandLine(args, env, deployment, output, new AbortController().signal)
  return { status, out, err }
}

/** Runs a program. @param input its standard input */
export async function runProcess(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
  input = '',
): Promise<Run> {
  const { PATH = '', HOME = '' } = process.env
  const child = spawn(command, args, { cwd: ROOT, env: { PATH, HOME, ...env } })
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
  // One that needs no input may be over before it is written.
  child.stdin.on('error', () => undefined).end(input)
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { status, out, err }
}
