// Test: an API key that is revoked opens nothing a second later, in every process that has known it.

import assert from 'node:assert/strict'
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { addApiKey, revokeApiKey } from '../src/authorize/api-keys.ts'
import type { DoomedServer } from './authorize-server.ts'
import { codeRequest, zoneTest, type TestAuthorityZone } from './authority-zone.ts'

/** What a process may remember: milliseconds. */
const A_SECOND = 1_000

/** A server of its own, which runs until it is ended. */
async function startServer({ ownerUrl, folder, context }: TestAuthorityZone) {
  const doom: DoomedServer = {
    ownerUrl,
    folder,
    now: context.now().toISOString(),
    event: '',
    moment: 'after',
  }
  const child = fork(join(import.meta.dirname, 'authorize-server.ts'), [JSON.stringify(doom)])
  const ended = once(child, 'exit').then(() => assert.fail('the server ended early'))
  const [url] = (await Promise.race([once(child, 'message'), ended])) as [string]
  ended.catch(() => undefined)
  return { child, url }
}

async function end(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

zoneTest(
  'a revoked API key is refused within a second in every process, and the others go on',
  async (zone, clock) => {
    const { realm, context } = zone
    const type = 'admin' as const
    const key = await addApiKey(zone.zone, { realm: realm.name, type }, 'command', clock.now())
    const stopped = new AbortController()
    const servers = await Promise.all([startServer(zone), startServer(zone)])
    try {
      assert.equal(new Set([process.pid, ...servers.map(({ child }) => child.pid)]).size, 3)
      const ask = async (url: string, apiKey: string) => {
        const headers = { 'content-type': 'application/json', 'x-api-key': apiKey }
        const body = JSON.stringify(codeRequest(clock.now()))
        return (await fetch(`${url}/api/issue`, { method: 'POST', headers, body })).status
      }
      const askBoth = (apiKey: string) => Promise.all(servers.map(({ url }) => ask(url, apiKey)))
      assert.deepEqual(await askBoth(key), [200, 200])
      // Others keep them busy: a process that was idle would look anew in any case.
      const busy = (async () => {
        while (!stopped.signal.aborted) await Promise.all([askBoth(zone.adminKey), wait(20)])
      })()
      busy.catch(() => undefined)
      await wait(A_SECOND / 2)
      await revokeApiKey(context, realm.name, key.slice(0, 11), 'command', clock.now())
      await wait(A_SECOND)
      for (let tries = 0; tries < 5; tries++) assert.deepEqual(await askBoth(key), [401, 401])
      assert.deepEqual(await askBoth(zone.adminKey), [200, 200])
      stopped.abort()
      await busy
    } finally {
      stopped.abort()
      await Promise.all(servers.map(({ child }) => end(child)))
    }
  },
)
