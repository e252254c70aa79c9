// Test helper: everything that an authority zone's log can say; promises that each line of it comes from a request or a command as people send them.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { checkCodeStatus, expireCode } from '../src/authorize/code-status.ts'
import { deliverOrder, remoteKeyServer } from '../src/authorize/deliver-orders.ts'
import { eraseDue } from '../src/authorize/retention.ts'
import { reportYourself } from '../src/authorize/user-report.ts'
import { listOpenOrders } from '../src/authorize/withdrawal-orders.ts'
import { authorityStatsRoutes } from '../src/http/authority-stats-routes.ts'
import { adminTest, aSecond, furnish, setByOperator, type AdminDesk } from './admin-zone.ts'
import { asRequest, codeRequest, getToken, someKeysHmac } from './authority-zone.ts'
import { startJwksServer } from './jwks-server.ts'
import { tocsin } from './run-command.ts'

/** A test in a zone in which all of it has happened but the erasing, which it does itself. */
export function historyTest(
  name: string,
  body: (desk: AdminDesk, erase: () => Promise<void>) => Promise<void>,
): void {
  adminTest(name, async (desk) => {
    await makeHistory(desk)
    await body(desk, async () => {
      const { failures } = await eraseDue(desk.zone.zone, desk.clock.now())
      assert.deepEqual([...failures], [])
    })
  })
}

async function makeHistory(desk: AdminDesk): Promise<void> {
  const { zone, clock, call, done } = desk
  const day = 86_400
  const env = { TOCSIN_DATABASE_URL: zone.ownerUrl, TOCSIN_DATA: zone.folder }
  const made = await tocsin(['realm', 'gateway-secret', zone.realm.name], env)
  assert.deepEqual({ status: made.status, err: made.err }, { status: 0, err: '' })
  const token = ['realm', 'stats-token', zone.realm.name, '--audience', 'keyserver']
  assert.equal((await tocsin(token, env)).status, 0)
  await setByOperator(desk, { gatewayUrl: 'https://127.0.0.1:1/' })
  await done(200, 'PATCH', 'realm', {
    dailyQuota: 1e3,
    country: 'US',
    textSender: 'gateway',
    testTypes: ['confirmed', 'likely', 'negative', 'user-report'],
  })
  await aSecond()
  await useCodes(desk)

  for (const [method, path, body] of await furnish(desk)) {
    const { status } = await call(method, path, { body })
    // A key that signs is not destroyed.
    assert.ok(status < 300 || path.startsWith('signing-keys/'), `${method} ${path}: ${status}`)
  }
  // Whoever has reports of a provider withdrawn orders it.
  await done(201, 'POST', 'batches', {
    provider: 'lab',
    label: 'Ward 8',
    testType: 'confirmed',
    size: 10,
  })
  await done(200, 'POST', 'providers/lab/invalidate-codes', { preview: true })
  await done(200, 'POST', 'providers/lab/invalidate-codes', { retroactive: true })
  await deliverOrders(desk)
  await lookAtStatistics(desk)

  clock.advance(20 * day)
  await done(204, 'DELETE', `signing-keys/${zone.realm.name}-v1`)
}

/** Hands in each order: refused at first, then taken. */
async function deliverOrders({ zone: { zone }, clock }: AdminDesk): Promise<void> {
  const orders = await listOpenOrders(zone.db)
  assert.ok(orders.length > 0)
  await using server = await startJwksServer()
  const keyServer = remoteKeyServer(new URL(server.url).origin)
  const { signal } = new AbortController()
  for (const order of orders)
    for (const [status, answer] of [
      [401, { code: 'order_unauthorized' }],
      [200, { jti: order.id }],
    ] as const) {
      server.answer((response) => response.writeHead(status).end(JSON.stringify(answer)))
      await deliverOrder(zone, keyServer, order, 'schedule', clock.now, signal)
    }
  assert.deepEqual(await listOpenOrders(zone.db), [])
}

/** What health systems and phones do. */
async function useCodes({ zone, clock }: AdminDesk): Promise<void> {
  const { context } = zone
  const { token } = await getToken(zone, { externalIssuerID: 'ward 7' })
  assert.equal((await zone.certify({ token, ekeyhmac: someKeysHmac() })).status, 200)
  // A phone that asks a second time gets another token, and nothing is counted.
  const { code } = await getToken(zone)
  assert.equal((await zone.verify({ code })).status, 200)
  assert.equal((await zone.verify({ code: '00000000' })).status, 400)

  const { uuid } = (await zone.issue(codeRequest(clock.now()))).body
  for (const handle of [checkCodeStatus, expireCode])
    assert.equal((await handle(context, asRequest(zone.adminKey, { uuid }))).status, 200)

  // The gateway does not answer: the code is taken back, behind the reply.
  const report = {
    phone: '+1 202 555 0123',
    nonce: randomBytes(256).toString('base64'),
    symptomDate: codeRequest(clock.now()).symptomDate,
  }
  const sent = await reportYourself(context, asRequest(zone.deviceKey, report))
  assert.equal(sent.status, 200)
  await context.background.idle()
  // Hands over what was counted meanwhile.
  await context.failures[Symbol.asyncDispose]()
}

async function lookAtStatistics({ zone, url, done }: AdminDesk): Promise<void> {
  const { apiKey } = await done(201, 'POST', 'api-keys', { type: 'stats' })
  await aSecond()
  const routes = authorityStatsRoutes({} as never)
  for (const path of routes.map((route) => route.url.replace(':file', 'somebody.json'))) {
    const reply = await fetch(`${url}${path}`, { headers: { 'x-api-key': String(apiKey) } })
    assert.ok(reply.status === 200 || reply.status === 404, `${path}: ${reply.status}`)
  }
  assert.ok(routes.length > 8, zone.realm.name)
}
