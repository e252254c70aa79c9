// Test: decoys can't be told from real requests by their replies, are limited as they are, and leave nothing behind.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openDatabase, parseAddress } from '../src/db/database.ts'
import { sql } from '../src/db/sql.ts'
import { createDecoys } from '../src/http/decoys.ts'
import { rememberReplies, type ObservedReply } from '../src/operate/chaff.ts'
import { databaseTestOnce, type TestDatabase } from './database.ts'
import { CHAFF, openPhone, type Answer, type HttpPhone } from './http-phone.ts'
import { startService } from './running-service.ts'
import { asOwner, nameOf } from './submitting-zone.ts'
import { temporaryFolder } from './temporary-folder.ts'

databaseTestOnce(
  'a decoy of each address looks like the success of a real request, from the first one on',
  async (database, t) => {
    await using service = await startService(database.url, await temporaryFolder(t))
    const phone = await openPhone(service)
    const body = { padding: 'A'.repeat(1_500) }
    const early = await inTurn(PATHS, (path) => phone.post(path, body, CHAFF))
    const before = await countRows(database)
    const real = await goAllTheWay(phone)
    assert.notDeepEqual(await countRows(database), before)
    const after = await countRows(database)
    const late = await inTurn(PATHS, (path) => phone.post(path, body, CHAFF))
    assert.deepEqual(await countRows(database), after, 'decoys write nothing')
    for (const [index, path] of PATHS.entries()) {
      const success = real[index] as Answer
      assert.equal(success.status, 200, path)
      for (const decoy of [early[index], late[index]] as Answer[]) {
        assert.equal(decoy.status, 200, path)
        assert.deepEqual([...decoy.headers.keys()], [...success.headers.keys()], path)
        for (const name of ['content-type', 'x-api-version'])
          assert.equal(decoy.headers.get(name), success.headers.get(name), path)
        assert.ok(Math.abs(decoy.unpadded - success.unpadded) <= success.unpadded * 0.1, path)
        const padding = String(decoy.body['padding']).length
        // Of an upload the padding is as long as chance wants, of the others the whole.
        if (path === PATHS[0]) assert.ok(padding >= 1_368 && padding <= 2_732, path)
        else assert.ok(padding + decoy.unpadded >= 2_400 && padding + decoy.unpadded < 4_800, path)
      }
      assert.equal(late[index]?.unpadded, success.unpadded, path)
    }
    const [publish] = late as [Answer]
    assert.deepEqual(Object.keys(publish.body).sort(), [
      'insertedExposures',
      'padding',
      'revisionToken',
    ])
    assert.match(publish.headers.get('tocsin-tracking-id') ?? '', /^[0-9a-f]{32}$/)
    assert.notEqual(
      publish.headers.get('tocsin-tracking-id'),
      early[0]?.headers.get('tocsin-tracking-id'),
    )
    const { revisionToken } = publish.body
    const difference = String(revisionToken).length - String(real[0]?.body['revisionToken']).length
    assert.ok(Math.abs(difference) <= 1, 'but for a digit of insertedExposures')
  },
)

databaseTestOnce('a decoy is refused where a real request is', async (database, t) => {
  await using service = await startService(database.url, await temporaryFolder(t))
  const phone = await openPhone(service)
  for (const path of PATHS)
    for (const [body, headers] of [
      ['x'.repeat(70_000), {}],
      ['{}', { 'content-type': 'text/plain' }],
    ] as const) {
      const real = await phone.post(path, body, headers)
      const decoy = await phone.post(path, body, { ...headers, ...CHAFF })
      assert.ok(real.status >= 400)
      assert.equal(decoy.status, real.status)
      assert.equal(decoy.unpadded, real.unpadded)
      assert.deepEqual([...decoy.headers.keys()], [...real.headers.keys()])
      const { padding: _, ...fields } = decoy.body
      const { padding: __, ...expected } = real.body
      assert.deepEqual(fields, expected)
    }
  // An empty header is none, and other addresses know nothing of it.
  const empty = await phone.post('/v1/publish', await phone.makeUpload(), { 'x-chaff': '' })
  assert.equal(empty.body['insertedExposures'], 3)
  const health = await fetch(`${service.url}/health`, { headers: CHAFF })
  assert.deepEqual(await health.json(), { status: 'ok' })
})

databaseTestOnce(
  'a decoy waits as long as real requests of its address did, and others do not wait for it',
  async (database, t) => {
    await using service = await startService(database.url, await temporaryFolder(t))
    const phone = await openPhone(service)
    await inTurn(Array(3).fill(0), async () => {
      const slow = await slowUpload(database, phone, 700)
      assert.ok(slow.milliseconds >= 700)
    })
    let pending = 20
    const decoys = Array.from({ length: pending }, () =>
      phone.post('/v1/publish', '{}', CHAFF).finally(() => pending--),
    )
    await phone.post('/api/verify', '{}', CHAFF)
    assert.equal(pending, 20, 'its own address is quick, and nothing is busy')
    for (const { milliseconds } of await Promise.all(decoys))
      assert.ok(milliseconds >= 699, `${milliseconds} ms`)
  },
)

databaseTestOnce(
  'sizes and times of decoys are distributed as those of real requests, refused ones among them',
  async (database, t) => {
    await using service = await startService(database.url, await temporaryFolder(t))
    const phone = await openPhone(service)
    const uploads = await Promise.all(
      Array.from({ length: 100 }, async (_, index) =>
        index % 4 === 0 ? { temporaryExposureKeys: [] } : await phone.makeUpload(1 + (index % 10)),
      ),
    )
    const real = await inTurn(uploads, (upload) => phone.post('/v1/publish', upload))
    const decoys = await inTurn(Array(300).fill(0), () => phone.post('/v1/publish', '{}', CHAFF))
    const refused = real.filter(({ status }) => status !== 200)
    assert.equal(refused.length, 25)
    assert.deepEqual(lengths(decoys), lengths(real))
    const [refusal = 0] = lengths(refused)
    const share = decoys.filter(({ unpadded }) => unpadded === refusal).length / decoys.length
    assert.ok(share > 0.12 && share < 0.38, `${share} look like refusals, as a quarter are`)
    for (const { length, unpadded } of decoys)
      assert.ok(length - unpadded >= 1_368 && length - unpadded <= 2_732)
    const difference = median(decoys) - median(real)
    assert.ok(Math.abs(difference) < Math.max(15, median(real)), `${difference} ms apart`)
  },
)

test('no decoy waits longer than a second', async () => {
  const decoys = createDecoys({
    typical: { latency: 60_000, length: 100, isRefusal: false },
    imitate: () => ({ status: 200 }),
  })
  const began = performance.now()
  const headers = { 'content-type': 'application/json' }
  const body = new Uint8Array()
  const address = () => '192.0.2.1'
  const request = { method: 'POST', path: '/', query: '', params: {}, headers, body, address }
  await decoys.handle(request)
  const waited = performance.now() - began
  assert.ok(waited >= 999 && waited < 1_500, `${waited} ms`)
})

test('the newest hundred replies count, and a flood of refusals half of them at the most', () => {
  const newest = rememberReplies(reply(1, false))
  assert.deepEqual(drawn(newest), new Set([1]), 'a typical one while there is none')
  for (let latency = 100; latency < 300; latency++) newest.add(reply(latency, false))
  const seen = drawn(newest)
  assert.equal(seen.size, 100)
  assert.equal(Math.min(...seen), 200)
  for (let latency = 1_000; latency < 2_000; latency++) newest.add(reply(latency, true))
  const flooded = drawn(newest)
  assert.deepEqual(
    [...flooded].sort((a, b) => a - b),
    [...range(250, 300), ...range(1_950, 2_000)],
  )
  const only = rememberReplies(reply(1, false))
  for (let latency = 1_000; latency < 2_000; latency++) only.add(reply(latency, true))
  const draws = Array.from({ length: 1_000 }, () => only.draw())
  const share = draws.filter(({ isRefusal }) => isRefusal).length / draws.length
  assert.ok(share > 0.4 && share < 0.6, `${share} where nothing was ever accepted`)
})

const PATHS = ['/v1/publish', '/api/verify', '/api/certificate'] as const

/** One real request to each of the addresses, in their order. */
async function goAllTheWay(phone: HttpPhone): Promise<Answer[]> {
  const { body } = await phone.post('/api/issue', {
    testType: 'confirmed',
    symptomDate: '2026-03-08',
  })
  const verify = await phone.post('/api/verify', { code: body['code'], accept: ['confirmed'] })
  const ekeyhmac = Buffer.alloc(32).toString('base64')
  const token = verify.body['token']
  const certificate = await phone.post('/api/certificate', { token, ekeyhmac })
  return [await phone.post('/v1/publish', await phone.makeUpload()), verify, certificate]
}

/** An upload that waits for the log's head, which somebody holds. */
async function slowUpload(
  { url }: TestDatabase,
  phone: HttpPhone,
  milliseconds: number,
): Promise<Answer> {
  await using owner = openDatabase(parseAddress(url), 'key_zone', 1, false)
  const upload = await phone.makeUpload()
  let answer: Promise<Answer> | undefined
  await owner.transaction(async (tx) => {
    await tx.query(sql`select 1 from log_head for update`)
    answer = phone.post('/v1/publish', upload)
    await tx.query({ text: `select pg_sleep(${milliseconds / 1000 + 0.02})`, values: [] })
  })
  return answer as unknown as Promise<Answer>
}

/** Rows of every table of both zones. */
async function countRows(database: TestDatabase): Promise<unknown> {
  const tables = await asOwner(database, [
    `select schemaname, relname from pg_stat_user_tables order by 1, 2`,
  ])
  assert.ok(tables.length > 10, nameOf(database))
  const counts = tables.map(
    ({ schemaname, relname }) => `(select count(*) from ${schemaname}.${relname}) as "${relname}"`,
  )
  return asOwner(database, [`select ${counts.join(', ')}`])
}

async function inTurn<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  for (const item of items) results.push(await work(item))
  return results
}

function lengths(answers: readonly Answer[]): number[] {
  return [...new Set(answers.map(({ unpadded }) => unpadded))].sort((a, b) => a - b)
}

function median(answers: readonly Answer[]): number {
  const times = answers.map(({ milliseconds }) => milliseconds).sort((a, b) => a - b)
  return times[Math.floor(times.length / 2)] ?? 0
}

function reply(latency: number, isRefusal: boolean): ObservedReply {
  return { latency, length: 100, isRefusal }
}

function drawn(newest: ReturnType<typeof rememberReplies>): Set<number> {
  return new Set(Array.from({ length: 5_000 }, () => newest.draw().latency))
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index)
}
