// Test helper: an operator's desk: commands for streams on a fresh database, with two signing keys and a health authority.

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { makeSigningKey } from '../src/publish/signer.ts'
import type { TestDatabase } from './database.ts'
import { makeOfferedKey } from './jwks-server.ts'
import { tocsin } from './run-command.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** The signing key of a stream, as options. */
export const KEY = '--key a.pem --key-id 310 --key-version v1'

/** A multiple of four hours, some days from now. */
export function soon(days: number): number {
  return (Math.floor(Date.now() / 1000 / 14_400) + 6 * days) * 14_400
}

/** What `stream list --json` says of a stream, as far as it is looked at. */
export interface Listed {
  readonly [name: string]: unknown
  readonly keys: { keyId: string; keyVersion: string; from: number; through: number | null }[]
  readonly warnings: { code: string; sentence: string }[]
}

/** Commands on a fresh database, with signing keys `a.pem` and `b.pem` and a health authority for US and CA. */
export async function openDesk(database: TestDatabase, t: TestContext) {
  const folder = await temporaryFolder(t)
  const env = { TOCSIN_DATABASE_URL: database.url, TOCSIN_DATA: join(folder, 'data') }
  const file = (name: string) => join(folder, name)
  const publicKeys = await Promise.all(['a.pem', 'b.pem'].map((name) => makeSigningKey(file(name))))
  const wordsOf = (line: string) =>
    line.split(' ').map((word) => (/^[ab]\.pem$/.test(word) ? file(word) : word))
  /** A command that works. @returns its document */
  const run = async (line: string) => {
    const { status, out, err } = await tocsin([...wordsOf(line), '--json'], env)
    assert.deepEqual({ status, err }, { status: 0, err: '' }, line)
    return JSON.parse(out.trimEnd().split('\n').at(-1) ?? '') as Listed
  }
  /** A command that is refused. @returns its code and sentence */
  const fail = async (line: string) => {
    const { status, out, err } = await tocsin(wordsOf(line), env)
    assert.equal(out, '', line)
    assert.match(err, /^tocsin: [a-z_]+: [^\n]+\n$/, line)
    assert.equal(status, err.startsWith('tocsin: usage: ') ? 2 : 1, line)
    return err.slice('tocsin: '.length)
  }
  const list = async () => (await run('stream list')) as unknown as Listed[]
  const show = async (name: string) =>
    (await list()).find((stream) => stream['name'] === name) ?? assert.fail()
  await writeFile(file('authority.pem'), makeOfferedKey('v1').pem)
  await run(
    `authority add --app org.north --issuer north --audience keys --regions US,CA --kid v1 --public-key ${file('authority.pem')}`,
  )
  return { env, file, publicKeys, run, fail, list, show }
}
