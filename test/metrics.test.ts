// Test: what the operator's port shows, and that nobody else sees it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CommandContext } from '../src/cli/command.ts'
import type { RunningServer } from '../src/cli/deployment.ts'
import { startCommand } from '../src/cli/start.ts'
import { buildOperatorApp } from '../src/http/operator-app.ts'
import { createLogger } from '../src/operate/logger.ts'
import { createMetrics } from '../src/operate/metrics.ts'
import { databaseTestOnce } from './database.ts'
import { CHAFF, openPhone } from './http-phone.ts'
import { startService, type RunningService } from './running-service.ts'
import { temporaryFolder } from './temporary-folder.ts'

const OPERATOR = { TOCSIN_OPERATOR_PORT: '0' }

databaseTestOnce(
  'submissions, keys and requests are counted, decoys are not',
  async (database, t) => {
    await using service = await startService(database.url, await temporaryFolder(t), OPERATOR)
    const phone = await openPhone(service)
    for (const days of [2, 5]) await phone.post('/v1/publish', await phone.makeUpload(days))
    await phone.post('/v1/publish', 'nonsense')
    await phone.post('/v1/publish', 'x'.repeat(70_000))
    await phone.post('/v1/publish', { ...(await phone.makeUpload()), healthAuthorityID: 'x' })
    for (let count = 0; count < 3; count++) await phone.post('/v1/publish', '{}', CHAFF)
    await phone.post('/v1/publish', 'x'.repeat(70_000), CHAFF)
    await phone.post('/api/verify', {})
    await fetch(`${service.url}/exports/demo/1-2-00001.zip`)
    const lines = await readMetrics(service)
    assert.equal(lines.get('tocsin_submissions_total{outcome="accepted"}'), 2)
    assert.equal(lines.get('tocsin_submissions_total{outcome="bad_request"}'), 2)
    assert.equal(lines.get('tocsin_submissions_total{outcome="unknown_health_authority_id"}'), 1)
    assert.equal(lines.get('tocsin_keys_total{outcome="inserted"}'), 7)
    assert.equal(lines.get('tocsin_requests_total{route="/v1/publish",status="2xx"}'), 2)
    assert.equal(lines.get('tocsin_requests_total{route="/v1/publish",status="4xx"}'), 3)
    assert.equal(lines.get('tocsin_requests_total{route="/api/verify",status="4xx"}'), 1)
    assert.equal(lines.get('tocsin_requests_total{route="/exports/:stream/:file",status="4xx"}'), 1)
  },
)

databaseTestOnce(
  'nothing that somebody sent, and no exact time, is among the metrics',
  async (database, t) => {
    await using service = await startService(database.url, await temporaryFolder(t), OPERATOR)
    const phone = await openPhone(service)
    const upload = await phone.makeUpload()
    const { headers } = await phone.post('/v1/publish', upload, { 'user-agent': 'somebody/1.0' })
    for (const path of ['/unheard-of', '/exports/somebody/else.zip', '/%zz', '/health?somebody'])
      await fetch(`${service.url}${path}`, { headers: { 'x-somebody': 'somebody' } })
    await fetch(`${service.url}/v1/publish`, { method: 'DELETE' })
    service.clock.advance(7_777)
    await service.publishDue()
    const text = await (await fetch(`${service.operatorUrl}/metrics`)).text()
    assert.doesNotMatch(text, /somebody|unheard|127\.0\.0\.1/)
    assert.ok(!text.includes(headers.get('tocsin-tracking-id') ?? 'none'))
    assert.ok(!text.includes(String(upload['healthAuthorityID'])))
    const labels = [...text.matchAll(/^tocsin_\w+\{(.*)\} /gm)].map(([, label = '']) => label)
    for (const label of labels)
      assert.match(
        label,
        /^(route="[a-z0-9:/.]+",status="\dxx"|outcome="[a-z_]+"|result="(ok|failed)"|zone="(key|authority)")$/,
      )
    const published = (await readMetrics(service)).get(
      'tocsin_publisher_last_success_timestamp_seconds',
    )
    const now = service.clock.now().getTime() / 1000
    assert.equal(published, Math.floor(now / 900) * 900)
    assert.notEqual(published, now)
  },
)

databaseTestOnce('metrics are on the port of the operator alone', async (database, t) => {
  await using service = await startService(database.url, await temporaryFolder(t), OPERATOR)
  assert.notEqual(service.operatorUrl, service.url)
  assert.equal((await fetch(`${service.url}/metrics`)).status, 404)
  const response = await fetch(`${service.operatorUrl}/metrics`)
  assert.equal(response.status, 200)
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=/)
  const text = await response.text()
  for (const name of ['nodejs_eventloop_lag_p99_seconds', 'process_resident_memory_bytes'])
    assert.match(text, new RegExp(`^${name} [\\d.e+-]+$`, 'm'))
  for (const path of ['/v1/publish', '/exports/demo/index.txt', '/'])
    assert.equal((await fetch(`${service.operatorUrl}${path}`)).status, 404, path)
})

databaseTestOnce('without the setting there is no such port', async (database, t) => {
  await using service = await startService(database.url, await temporaryFolder(t))
  assert.equal(service.operatorUrl, undefined)
})

databaseTestOnce(
  "an operator's port that is taken is told by its own name",
  async (database, t) => {
    const folder = await temporaryFolder(t)
    await using first = await startService(database.url, folder, OPERATOR)
    const { port } = new URL(first.operatorUrl ?? '')
    await assert.rejects(startService(database.url, folder, { TOCSIN_OPERATOR_PORT: port }), {
      code: 'address_unusable',
      message: new RegExp(`:${port} .*TOCSIN_OPERATOR_PORT`),
    })
  },
)

test('refreshes of public keys are counted by result, and other routes are served beside', async (t) => {
  const metrics = createMetrics()
  const row = {
    methods: ['POST'],
    url: '/other',
    operationId: 'other',
    summary: 'Another one',
    tag: 'operate',
    replies: {},
    handle: async () => ({ status: 200, json: { other: true } }),
  } as const
  const logger = createLogger('silent')
  const app = await buildOperatorApp([row], metrics, () => undefined, 'test', logger)
  t.after(() => app.close())
  for (const ok of [true, false, true]) metrics.countJwksRefresh(ok)
  const text = (await app.inject({ url: '/metrics' })).body
  assert.match(text, /^tocsin_jwks_refreshes_total\{result="ok"\} 2$/m)
  assert.match(text, /^tocsin_jwks_refreshes_total\{result="failed"\} 1$/m)
  const other = await app.inject({ method: 'POST', url: '/other' })
  assert.deepEqual(other.json(), { other: true })
})

test("starting prints the operator's address", async () => {
  const lines: string[] = []
  const server = {
    url: 'http://127.0.0.1:8080',
    operatorUrl: 'http://127.0.0.1:9090',
    where: 'somewhere',
    zones: { demo: false },
    [Symbol.asyncDispose]: async () => undefined,
  } as unknown as RunningServer
  await startCommand.run({
    env: {},
    deployment: { startServer: async () => server },
    print: (line: string) => lines.push(line),
    signal: AbortSignal.abort(),
  } as unknown as CommandContext)
  assert.ok(lines.some((line) => line.includes('http://127.0.0.1:9090/metrics')))
})

/** Each line of the metrics: its name with its labels, and its value. */
async function readMetrics({ operatorUrl }: RunningService): Promise<Map<string, number>> {
  const text = await (await fetch(`${operatorUrl}/metrics`)).text()
  return new Map(
    text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line): [string, number] => {
        const space = line.lastIndexOf(' ')
        return [line.slice(0, space), Number(line.slice(space + 1))]
      }),
  )
}
