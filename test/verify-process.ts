// Test helper: commands that check files, as processes, and a published stream to call it on; promises an end to every call.

import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { EXPORT_START, exportKey, makeExport, makeSigner } from './export-files.ts'
import { temporaryFolder } from './temporary-folder.ts'

const TOCSIN = join(import.meta.dirname, '../bin/tocsin')
export const signer = makeSigner()

export interface Outcome {
  readonly status: number
  readonly out: string
  readonly err: string
  /** The last line of standard output. */
  readonly document: Record<string, unknown>
}

/** `tocsin verify` */
export async function verify(...args: string[]): Promise<Outcome> {
  return await call('verify', ...args)
}

/** Calls a command. A folder that is not there stands for the data: verifying needs none. */
export async function call(...args: string[]): Promise<Outcome> {
  const env = { PATH: process.env['PATH'], TOCSIN_DATA: '/nowhere/data' }
  const [status, out, err] = await new Promise<[number, string, string]>((resolve) =>
    execFile(
      process.execPath,
      [TOCSIN, ...args],
      { env, timeout: 20_000, killSignal: 'SIGKILL' },
      (error, stdout, stderr) =>
        resolve([
          typeof error?.code === 'number' ? error.code : error === null ? 0 : -1,
          stdout,
          stderr,
        ]),
    ),
  )
  const last = out.trimEnd().split('\n').at(-1) ?? ''
  const document = last.startsWith('{') ? (JSON.parse(last) as Record<string, unknown>) : {}
  return { status, out, err, document }
}

/** A stream's folder with three hours, an index, and the public key beside it. */
export async function publishHours(t: TestContext) {
  const root = await temporaryFolder(t)
  const stream = join(root, 'exports/us')
  await mkdir(stream, { recursive: true })
  const names = [1, 2, 3].map((hour) => hourName(hour))
  for (const [index, name] of names.entries())
    await writeFile(join(stream, name), hourBytes(index + 1))
  await writeFile(join(stream, 'index.txt'), names.map((name) => `us/${name}`).join('\n'))
  const key = join(root, 'key.pem')
  await writeFile(key, signer.publicKey)
  return { root, stream, names, key, first: join(stream, names[0] ?? '') }
}

function hourName(hour: number): string {
  const start = EXPORT_START + hour * 3_600
  return `${start}-${start + 3_600}-00001.zip`
}

export function hourBytes(hour: number): Uint8Array {
  const startTimestamp = EXPORT_START + hour * 3_600
  return makeExport({
    signers: [signer],
    keys: [exportKey(hour), exportKey(10 + hour)],
    revisedKeys: hour === 3 ? [exportKey(1, { reportType: 5 })] : [],
    header: { startTimestamp, endTimestamp: startTimestamp + 3_600 },
  })
}
