// Test helper: a folder of published files behind the real web server; promises requests that reach it exactly as they are written.

import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { utimes, writeFile } from 'node:fs/promises'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import { openDirectoryStore } from '../src/distribute/directory-store.ts'
import { createFileServer } from '../src/distribute/serve-files.ts'
import { buildApp } from '../src/http/app.ts'
import { publicRoutes } from '../src/http/public-routes.ts'
import { temporaryFolder } from './temporary-folder.ts'

export const SMALL = 'exports/us/1773129600-1773133200-00001.zip'
export const LARGE = 'exports/us/1773133200-1773136800-00001.zip'
export const INDEX = 'exports/us/index.txt'
export const KEY = 'exports/us/key.pem'
/** When the zips say that they were made. */
export const MODIFIED = new Date('2026-03-10T09:00:00Z')

/** A reply, whole. */
export interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** Asks for a path exactly as it is written. */
export type Ask = (
  path: string,
  headers?: Record<string, string>,
  method?: string,
) => Promise<Reply>

/** Asks a server on this machine. */
export function askAt(port: number): Ask {
  return (path, headers = {}, method = 'GET') =>
    new Promise((resolve, reject) => {
      const request = httpRequest({ port, path, headers, method, agent: false }, (response) => {
        buffer(response).then(
          (body) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
          reject,
        )
      })
      request.once('error', reject).end()
    })
}

/** Serves a folder with the real routes; an error that reaches the log fails the test. */
export async function serve(t: TestContext, root: string): Promise<{ ask: Ask; port: number }> {
  const unexpected: unknown[] = []
  const logger = { info: () => undefined, error: (_: string, e: unknown) => unexpected.push(e) }
  const app = await buildApp(publicRoutes(createFileServer(root)), 'test', logger)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  t.after(async () => {
    await app.close()
    assert.deepEqual(unexpected, [], 'the server wrote no error to its log')
  })
  return { ask: askAt(port), port }
}

/** Publishes a file as the publisher does. */
export async function put(root: string, path: string, bytes: Uint8Array): Promise<void> {
  const store = openDirectoryStore(root)
  const staged = await store.stagingPath('a build')
  await writeFile(staged, bytes)
  await store.putImmutable(path, staged, createHash('sha256').update(bytes).digest())
  await utimes(join(root, path), MODIFIED, MODIFIED)
}

/** A served folder with files small enough for memory and too large for it. */
export async function publish(t: TestContext) {
  const folder = await temporaryFolder(t)
  const root = join(folder, 'public')
  const files = new Map<string, Buffer>([
    [SMALL, randomBytes(2_000)],
    [LARGE, randomBytes(3 << 20)],
    [INDEX, Buffer.from([SMALL, LARGE].map((path) => path.slice(8)).join('\n'))],
    [KEY, Buffer.from('-----BEGIN PUBLIC KEY-----\n')],
  ])
  const store = openDirectoryStore(root)
  for (const [path, bytes] of files)
    await (path.endsWith('.zip') ? put(root, path, bytes) : store.putMutable(path, bytes))
  return { folder, root, files, store, ...(await serve(t, root)) }
}
