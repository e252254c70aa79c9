// Test helper: starts a publisher's process and talks with it; promises that it ends with the test.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import type { PublisherNews, PublisherOrder, PublisherZone } from './publisher-process.ts'
import type { PublishingZone } from './publishing-zone.ts'

/** A publisher in another process. */
export interface PublisherProcess {
  tell(order: PublisherOrder): void
  /** What it says next; `killed` when it was, by itself or by {@link PublisherProcess.kill}. */
  hear(): Promise<PublisherNews | 'killed'>
  /** Everything that it has said so far. */
  readonly heard: readonly PublisherNews[]
  /** With SIGKILL. */
  kill(): Promise<void>
}

/** Starts one and waits until its data is open. */
export async function startPublisher(
  t: TestContext,
  { zone: { address }, folder }: PublishingZone,
  nodeOptions: readonly string[] = [],
): Promise<PublisherProcess> {
  const where: PublisherZone = { address, folder }
  const file = join(import.meta.dirname, 'publisher-process.ts')
  const child = spawn(process.execPath, [...nodeOptions, file], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, TOCSIN_TEST_ZONE: JSON.stringify(where) },
  })
  t.after(() => child.kill('SIGKILL'))
  // An order to a process that has just died is lost, as it should be.
  child.stdin.on('error', () => undefined)
  const exited = once(child, 'exit')
  const heard: PublisherNews[] = []
  const lines = createInterface(child.stdout)
  lines.on('line', (line) => heard.push(JSON.parse(line) as PublisherNews))
  let next = 0
  const hear = async (): Promise<PublisherNews | 'killed'> => {
    while (heard.length <= next) {
      const waiting = new AbortController()
      await Promise.race([once(lines, 'line', waiting), exited])
      waiting.abort()
      if (heard.length > next || (child.exitCode === null && child.signalCode === null)) continue
      assert.equal(child.signalCode, 'SIGKILL', `the publisher ended with ${child.exitCode}`)
      return 'killed'
    }
    return heard[next++] as PublisherNews
  }
  assert.deepEqual(await hear(), { news: 'ready' })
  return {
    tell: (order) => void child.stdin.write(`${JSON.stringify(order)}\n`),
    hear,
    heard,
    kill: async () => {
      child.kill('SIGKILL')
      await exited
    },
  }
}
