// Test helper: the authority zone over HTTP, with a gateway that takes as long as the test wants; promises real phones, realms and settings, and a log that agrees with its tables at the end.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { changeRealm } from '../src/authorize/realms.ts'
import { verifyLog } from '../src/log/verify-log.ts'
import type { Address } from './authorize-corpus/row.ts'
import {
  exchange,
  openCorpus,
  outcomeOf,
  post,
  type Corpus,
  type Reply,
} from './authorize-corpus/run-row.ts'
import { dumpZone, START } from './authority-zone.ts'
import { databaseTestOnce } from './database.ts'
import { movableClock } from './key-zone.ts'
import { temporaryFolder } from './temporary-folder.ts'

export { outcomeOf, type Reply }

/** What a test has: the realm `main` with everything switched on, and who asks it. */
export interface TrapDesk {
  readonly corpus: Corpus
  readonly clock: Corpus['clock']
  /** A request with the right key, from a network of its own. */
  post(to: Address, body: unknown): Promise<Reply>
  /** The same, which must be accepted. */
  done(to: Address, body: unknown): Promise<Reply['body']>
  /** A request as it is given, the key of `main` and JSON's type left as they are unless named. */
  send(
    to: Address,
    init: { method?: string; body?: string; headers?: Readonly<Record<string, string>> },
    query?: string,
  ): Promise<Reply>
  /** Changes settings of `main`; every process knows them when this is done. */
  change(settings: Readonly<Record<string, unknown>>): Promise<void>
  /** A good request for a code. */
  wanted(fields?: Readonly<Record<string, unknown>>): Record<string, unknown>
  /** A good report of somebody who has a phone nobody had. */
  report(
    fields?: Readonly<Record<string, unknown>>,
  ): Record<string, unknown> & { phone: string; nonce: string }
  dump(): Promise<string>
}

/** A test with all of that. */
export function trapTest(name: string, body: (desk: TrapDesk) => Promise<void>): void {
  databaseTestOnce(name, async (database, t) => {
    const clock = movableClock(START)
    await using corpus = await openCorpus(database.url, await temporaryFolder(t), clock)
    await body(deskOf(corpus, clock))
    const { problems } = await verifyLog(corpus.context.db, corpus.context.writer.projections)
    assert.deepEqual(problems, [])
  })
}

function deskOf(corpus: Corpus, clock: Corpus['clock']): TrapDesk {
  const yesterday = () => new Date(clock.now().getTime() - 86_400_000).toISOString().slice(0, 10)
  return {
    corpus,
    clock,
    post: (to, body) => post(corpus, to, body),
    async done(to, body) {
      const reply = await post(corpus, to, body)
      assert.equal(reply.status, 200, `${to}: ${String(reply.body['error'])}`)
      return reply.body
    },
    send(to, { method = 'POST', body, headers }, query) {
      const kind = DEVICE.includes(to) ? 'device' : 'admin'
      const key = corpus.keys.get('main')?.[kind] ?? ''
      const sent = { 'content-type': 'application/json', 'x-api-key': key, ...headers }
      return exchange(
        corpus,
        to,
        { method, headers: sent, ...(body === undefined ? {} : { body }) },
        query,
      )
    },
    async change(settings) {
      await changeRealm(corpus.context, 'main', settings, 'command', clock.now())
      await known()
    },
    wanted: (fields) => ({ testType: 'confirmed', symptomDate: yesterday(), ...fields }),
    report: (fields) => ({
      phone: corpus.phones.newNumber(),
      nonce: randomBytes(256).toString('base64'),
      symptomDate: yesterday(),
      ...fields,
    }),
    dump: () => dumpZone(corpus.context),
  }
}

const DEVICE: readonly Address[] = ['verify', 'certificate', 'user-report']

/** What a process remembers of a realm is a second old at the most. */
export function known(): Promise<void> {
  return wait(1_000)
}

/** A gateway that takes every text, after so many milliseconds. */
export async function slowGateway(
  milliseconds: number,
): Promise<AsyncDisposable & { readonly url: string; texts(): number }> {
  let texts = 0
  const server = createServer((request, response) => {
    request.resume()
    texts++
    setTimeout(() => response.writeHead(200).end('{}'), milliseconds)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/texts`,
    texts: () => texts,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** How long a piece of work takes, with what it gives. */
export async function timed<Result>(
  work: () => Promise<Result>,
): Promise<{ readonly result: Result; readonly milliseconds: number }> {
  const began = performance.now()
  const result = await work()
  return { result, milliseconds: performance.now() - began }
}
