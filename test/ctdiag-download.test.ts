// Test: downloads as ct-diag-server's apps make them: headers, ranges, conditions, going on behind the last key, and never an empty success for a key that is gone.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { rm, utimes, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { ConfigError, parseConfig } from '../src/config.ts'
import { listPaths } from '../src/distribute/ctdiag-paths.ts'
import { openDirectoryStore } from '../src/distribute/directory-store.ts'
import { toDayRecords } from '../src/format/ctdiag.ts'
import { buildApp } from '../src/http/app.ts'
import { ctdiagDownloadRoutes } from '../src/http/ctdiag-download-routes.ts'
import { operateRoutes } from '../src/http/operate-routes.ts'
import type { RouteContext } from '../src/http/routes.ts'
import { askAt, MODIFIED } from './served-files.ts'
import { temporaryFolder } from './temporary-folder.ts'

const PATHS = listPaths('ctdiag')
const LIST = '/diagnosis-keys'

/** Runs of sorted records, with keys that begin with the same four bytes in each of them. */
function makeList(counts: readonly number[]): Buffer {
  const twins = Buffer.from('80000000', 'hex')
  const runs = counts.map((count) => {
    const keys = Array.from({ length: count }, (_, index) =>
      index % 4 === 0 ? Buffer.concat([twins, randomBytes(12)]) : randomBytes(16),
    ).sort(Buffer.compare)
    return keys.map((key) => Buffer.concat([key, Buffer.from('0028716003', 'hex')]))
  })
  return Buffer.concat(runs.flat())
}

const keyAt = (list: Buffer, index: number) => list.toString('hex', index * 21, index * 21 + 16)

/** Publishes lists as the publisher does, all modified at the same time. */
async function put(root: string, list: Buffer, corrected: readonly string[] = []): Promise<void> {
  const store = openDirectoryStore(root)
  for (const [path, bytes] of [
    [PATHS.corrected, Buffer.from(corrected.join(''), 'hex')],
    [PATHS.dayRecords, toDayRecords(list)],
    [PATHS.records, list],
  ] as const) {
    await store.putMutable(path, bytes)
    await utimes(join(root, path), MODIFIED, MODIFIED)
  }
}

async function serve(t: TestContext, root: string, variables: Record<string, unknown> = {}) {
  const context = { publicFolder: root, ofKinds: new Map(Object.entries(variables)) }
  const unexpected: unknown[] = []
  const logger = { info: () => undefined, error: (_: string, e: unknown) => unexpected.push(e) }
  const health = {
    missingDatabases: async () => missing,
    missingParts: async () => missing,
  }
  const missing: 'key zone database'[] = []
  const routes = [
    ...ctdiagDownloadRoutes(context as unknown as RouteContext),
    ...operateRoutes(health, {} as never),
  ]
  const app = await buildApp(routes, 'test', logger)
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.after(async () => {
    await app.close()
    assert.deepEqual(unexpected, [])
  })
  return { ask: askAt((app.server.address() as AddressInfo).port), missing }
}

for (const [name, counts] of [
  ['small, in memory', [20, 1, 3, 40]],
  ['large, on disk', [4_000, 1, 900, 2_500]],
] as const)
  test(`a list is downloaded whole, in parts, and behind any key: ${name}`, async (t) => {
    const root = await temporaryFolder(t)
    const list = makeList(counts)
    await put(root, list)
    const { ask } = await serve(t, root)
    const whole = await ask(LIST)
    assert.equal(whole.status, 200)
    assert.ok(whole.body.equals(list))
    const { etag = '' } = whole.headers
    for (const [header, value] of Object.entries({
      'content-type': 'application/octet-stream',
      'cache-control': 'public, max-age=0, s-maxage=600',
      'x-content-type-options': 'nosniff',
      'accept-ranges': 'bytes',
      'last-modified': MODIFIED.toUTCString(),
      'content-length': String(list.length),
    }))
      assert.equal(whole.headers[header], value, header)
    assert.match(etag, /^"[0-9a-f]{32}"$/)
    const head = await ask(LIST, {}, 'HEAD')
    const without = (headers: object) => ({ ...headers, date: '' })
    assert.deepEqual(without(head.headers), without(whole.headers))
    assert.equal(head.body.length, 0)

    const total = list.length / 21
    const places = [0, 1, counts[0] - 1, counts[0], counts[0] + 1, total - 2]
    for (const place of [...places, ...Array.from({ length: 30 }, (_, n) => (n * 7) % total)]) {
      const tail = list.subarray((place + 1) * 21)
      const reply = await ask(`${LIST}?after=${keyAt(list, place)}`)
      assert.equal(reply.status, 200)
      assert.ok(reply.body.equals(tail), `behind record ${place}`)
      if (place % 2 === 0 || place + 1 === total) continue
      // Ranges, tags and times are those of what was asked for.
      const { etag: tag = '' } = reply.headers
      assert.notEqual(tag, etag)
      const range = { range: 'bytes=5-99', 'if-range': tag }
      const part = await ask(`${LIST}?after=${keyAt(list, place)}`, range)
      assert.equal(part.status, tail.length > 5 ? 206 : 416)
      assert.ok(part.body.equals(tail.subarray(5, 100)))
      assert.equal(
        part.headers['content-range'],
        `bytes 5-${Math.min(99, tail.length - 1)}/${tail.length}`,
      )
      const other = { range: 'bytes=5-99', 'if-range': etag }
      assert.ok((await ask(`${LIST}?after=${keyAt(list, place)}`, other)).body.equals(tail))
      const several = await ask(`${LIST}?after=${keyAt(list, place)}`, { range: 'bytes=0-1,9-9' })
      assert.ok(several.status === 200 || several.body.includes(tail.subarray(9, 10)))
      const known = { 'if-none-match': tag }
      assert.equal((await ask(`${LIST}?after=${keyAt(list, place)}`, known)).status, 304)
    }
    const last = await ask(`${LIST}?after=${keyAt(list, total - 1)}`)
    assert.deepEqual([last.status, last.headers['content-length']], [200, '0'])

    const resumed = await ask(LIST, { range: `bytes=100-` })
    assert.equal(resumed.status, 206)
    assert.ok(resumed.body.equals(list.subarray(100)))
    assert.equal((await ask(LIST, { range: `bytes=${list.length}-` })).status, 416)
    for (const [header, value] of [
      ['if-none-match', etag],
      ['if-modified-since', MODIFIED.toUTCString()],
    ] as const)
      for (const method of ['GET', 'HEAD']) {
        const fresh = await ask(LIST, { [header]: value }, method)
        assert.deepEqual([fresh.status, fresh.body.length], [304, 0])
      }
    const before = new Date(MODIFIED.getTime() - 1_000).toUTCString()
    assert.equal((await ask(LIST, { 'if-modified-since': before })).status, 200)

    const days = await ask('/v0/diagnosis-keys?after=ffffffffffffffffffffffffffffffff')
    assert.ok(days.body.equals(toDayRecords(list)), 'the earlier form knows no cursor')
    assert.equal(days.headers['cache-control'], 'public, max-age=0, s-maxage=600')
    assert.equal((await ask('/v0/diagnosis-keys', { range: 'bytes=0-17' })).body.length, 18)
  })

test('a key that is not in the list is refused with where to begin again, or gets everything', async (t) => {
  const root = await temporaryFolder(t)
  const unknown = randomBytes(16).toString('hex')
  const { ask } = await serve(t, root)
  const lenient = await serve(t, root, { TOCSIN_CTDIAG_RESYNC: true })
  const isGone = async (after: string) => {
    for (const method of ['GET', 'HEAD']) {
      const reply = await ask(`${LIST}?after=${after}`, {}, method)
      assert.equal(reply.status, 410)
      assert.equal(reply.headers['location'], LIST)
      assert.equal(reply.headers['cache-control'], 'no-store')
      if (method === 'HEAD') continue
      const { error, ...rest } = JSON.parse(reply.body.toString()) as Record<string, string>
      assert.deepEqual(rest, { code: 'cursor_gone', restart: LIST })
      assert.match(error ?? '', /without after/)
    }
  }
  // Before the first release.
  const nothing = await ask(LIST)
  assert.deepEqual([nothing.status, nothing.headers['content-length']], [200, '0'])
  assert.equal(nothing.headers['cache-control'], 'no-store')
  await isGone(unknown)

  const list = makeList([300, 200])
  const moved = keyAt(list, 310)
  await put(root, list, [unknown, moved])
  await isGone(unknown)
  const all = await lenient.ask(`${LIST}?after=${unknown}`)
  assert.ok(all.status === 200 && all.body.equals(list))
  // Where the client has this key from can't be told: it may lack what came in between.
  assert.ok((await ask(`${LIST}?after=${moved}`)).body.equals(list))

  const first = keyAt(list, 0)
  await put(root, list.subarray(21 * 300))
  await isGone(first)
  await put(root, Buffer.alloc(0))
  assert.deepEqual([(await ask(LIST)).status, (await ask(LIST)).body.length], [200, 0])
  await isGone(moved)
  await rm(join(root, PATHS.records))
  await isGone(moved)
})

test('a replaced list is served at once, with the same tag from every replica', async (t) => {
  const [root, replica] = [await temporaryFolder(t), await temporaryFolder(t)]
  const { ask } = await serve(t, root)
  const other = await serve(t, replica)
  let list = makeList([7_000])
  for (let release = 0; release < 3; release++) {
    await put(root, list)
    await put(replica, list)
    const after = `${LIST}?after=${keyAt(list, 6_999)}`
    for (const url of [LIST, after, '/v0/diagnosis-keys']) {
      const [reply, copy] = [await ask(url), await other.ask(url)]
      assert.ok(reply.body.equals(copy.body))
      assert.equal(reply.headers.etag, copy.headers.etag)
    }
    assert.equal((await ask(after)).body.length, list.length - 7_000 * 21)
    list = Buffer.concat([list, makeList([50])])
  }
})

test('what is no key is refused, and what means nothing is ignored', async (t) => {
  const root = await temporaryFolder(t)
  const list = makeList([10])
  await put(root, list)
  const { ask } = await serve(t, root)
  const key = keyAt(list, 3)
  for (const query of [
    'after=0',
    `after=${key}0`,
    `after=${key.slice(2)}`,
    `after=${'g'.repeat(32)}`,
    `after=%20${key}`,
    `after=${key}&after=${key}`,
    `after=&after=${key}`,
  ]) {
    const reply = await ask(`${LIST}?${query}`)
    assert.equal(reply.status, 400, query)
    assert.equal((JSON.parse(reply.body.toString()) as { code: string }).code, 'bad_request')
    assert.equal(reply.headers['cache-control'], 'no-store')
  }
  for (const query of ['', 'after', 'after=', `after=${'0'.repeat(32)}`, 'since=1', 'after[]=x'])
    assert.ok((await ask(`${LIST}?${query}`)).body.equals(list), query)
  for (const query of [`after=${key.toUpperCase()}`, `x=1&after=${key}&x=2`])
    assert.ok((await ask(`${LIST}?${query}`)).body.equals(list.subarray(84)), query)
  for (const [path, method] of [
    [LIST, 'PUT'],
    [LIST, 'DELETE'],
    ['/v0/diagnosis-keys', 'POST'],
    ['/exposure-config', 'POST'],
  ] as const) {
    const reply = await ask(path, {}, method)
    assert.equal(reply.status, 405)
    assert.equal(reply.headers['allow'], 'GET, HEAD')
  }
  assert.equal((await ask(`${LIST}/`)).status, 404)
})

test('the exposure configuration is the default or what a file says, and a wrong file is a problem that says what', async (t) => {
  const folder = await temporaryFolder(t)
  const file = join(folder, 'exposure.json')
  const standard = JSON.parse(
    (await (await serve(t, folder)).ask('/exposure-config')).body.toString(),
  ) as Record<string, unknown>
  assert.deepEqual(Object.keys(standard).sort(), [
    'attenuationLevelValues',
    'attenuationWeight',
    'daysSinceLastExposureLevelValues',
    'daysSinceLastExposureWeight',
    'durationLevelValues',
    'durationWeight',
    'minimumRiskScore',
    'transmissionRiskLevelValues',
    'transmissionRiskWeight',
  ])
  const read = async (config: unknown) => {
    await writeFile(file, typeof config === 'string' ? config : JSON.stringify(config))
    return parseConfig({ TOCSIN_CTDIAG_EXPOSURE_CONFIG: file })
  }
  const mine = { ...standard, minimumRiskScore: 4, attenuationDurationThresholds: [50, 70] }
  const { ofKinds } = await read(mine)
  const { ask } = await serve(t, folder, Object.fromEntries(ofKinds))
  const reply = await ask('/exposure-config')
  assert.match(reply.headers['content-type'] ?? '', /^application\/json/)
  assert.deepEqual(JSON.parse(reply.body.toString()), mine)
  for (const [config, problem] of [
    ['{', 'not JSON'],
    ['[]', 'an object'],
    [{ ...mine, minimumRiskScore: 256 }, 'minimumRiskScore'],
    [{ ...mine, durationWeight: '50' }, 'durationWeight'],
    [{ ...mine, attenuationLevelValues: [1, 2, 3] }, 'attenuationLevelValues'],
    [
      { ...mine, transmissionRiskLevelValues: [9, 1, 1, 1, 1, 1, 1, 1] },
      'transmissionRiskLevelValues',
    ],
  ] as const)
    await assert.rejects(
      read(config),
      (error) => error instanceof ConfigError && error.message.includes(problem),
      problem,
    )
  await rm(file)
  assert.throws(() => parseConfig({ TOCSIN_CTDIAG_EXPOSURE_CONFIG: file }), /can't be read/)
})

test('/health answers OK to who asks for text, and JSON to everybody else', async (t) => {
  const { ask, missing } = await serve(t, await temporaryFolder(t))
  const of = async (accept?: string) => {
    const { status, body } = await ask('/health', accept === undefined ? {} : { accept })
    return `${status} ${body.toString()}`
  }
  for (const accept of ['text/plain', 'text/*, application/json;q=0.5', 'TEXT/PLAIN;q=1'])
    assert.equal(await of(accept), '200 OK', accept)
  for (const accept of [undefined, '*/*', 'text/plain;q=0', 'application/json, text/plain;q=0.9'])
    assert.equal(await of(accept), '200 {"status":"ok"}', accept)
  missing.push('key zone database')
  assert.equal(await of('text/plain'), '500 unavailable: key zone database')
})
