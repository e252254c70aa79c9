// Test: orders on their way from the outbox to a key server, over HTTP; promises key servers that are away, lose answers or refuse, and that an order takes effect once.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { authorityMetrics } from '../src/authorize/authority-metrics.ts'
import { deliverOrder, remoteKeyServer } from '../src/authorize/deliver-orders.ts'
import {
  FIRST_PAUSE_MS,
  LONGEST_PAUSE_MS,
  runDelivery,
  type RunningDelivery,
} from '../src/authorize/run-delivery.ts'
import { listSigningKeys } from '../src/authorize/signing-keys.ts'
import {
  listWithdrawalOrders,
  loadOrderKey,
  makeWithdrawalOrder,
  requireWithdrawalOrder,
} from '../src/authorize/withdrawal-orders.ts'
import { parseAddress } from '../src/db/database.ts'
import { sql } from '../src/db/sql.ts'
import { buildApp } from '../src/http/app.ts'
import { withdrawalRoutes } from '../src/http/withdrawal-routes.ts'
import { appendEvents } from '../src/log/append-event.ts'
import { decodeEvent } from '../src/log/record.ts'
import { createLogger, type Logger } from '../src/operate/logger.ts'
import { addHealthAuthority } from '../src/submit/health-authorities.ts'
import { openAuthorityZone, type TestAuthorityZone } from './authority-zone.ts'
import { databaseTestOnce } from './database.ts'
import { openSubmittingZone, type SubmittingZone } from './submitting-zone.ts'

/** Both zones, with nothing between them yet. */
interface Desk {
  readonly keys: SubmittingZone
  readonly authority: TestAuthorityZone
  /** What the log of the process was told, in order. */
  readonly told: string[]
  /** Puts an order into the outbox. @returns its id */
  order(): Promise<string>
  /** Delivers to an address, on a clock of its own that never goes back. */
  deliver(url: string): RunningDelivery & { later(ms: number): Promise<void> }
  /** A key server that listens. @param port 0 for any */
  listen(port?: number): Promise<AsyncDisposable & { readonly url: string; readonly port: number }>
  /** What the authority zone's log says of deliveries. */
  events(): Promise<Record<string, unknown>[]>
  /** How many withdrawals the key zone has carried out. */
  withdrawals(): Promise<number>
  /** The value of a metric of the realm. */
  metric(name: string): number | undefined
}

function deliveryTest(name: string, body: (desk: Desk) => Promise<void>): void {
  databaseTestOnce(name, async (db, t) => {
    await using keys = await openSubmittingZone(db, t)
    const { clock } = keys
    await using authority = await openAuthorityZone(db.url, keys.folder, clock.now)
    const { zone, realm } = authority
    const told: string[] = []
    const logger: Logger = {
      info: (event) => void told.push(event),
      error: (event, _error, counts) => void told.push(`${event} ${JSON.stringify(counts ?? {})}`),
    }
    const metrics = authorityMetrics({ brakes: () => [] })
    const now = clock.now
    await body({
      keys,
      authority,
      told,
      async order() {
        const key = await loadOrderKey(zone, realm.name, now())
        const today = Math.floor(now().getTime() / 86_400_000)
        const handles = [randomBytes(16).toString('base64url')]
        const withdrawal = { handles, fromDay: today, throughDay: today }
        const { order, event } = makeWithdrawalOrder(key, realm, withdrawal, 'command', now())
        await zone.db.transaction((tx) => appendEvents(tx, zone.writer, [event], now()))
        return order.id
      },
      deliver(url) {
        let ms = 0
        const delivery = runDelivery(
          {
            zone,
            address: parseAddress(db.url),
            server: remoteKeyServer(url),
            now,
            monotonicMs: () => ms,
            logger,
            onLook: metrics.noteOrders,
          },
          'manual',
        )
        return {
          ...delivery,
          later: (more) => ((ms += more), delivery.deliverDue()),
        }
      },
      async listen(port = 0) {
        const context = { zone: keys.zone, clockLeewaySeconds: 5, now }
        const app = await buildApp(withdrawalRoutes(context), 'test', createLogger('silent'), {
          now,
        })
        const url = await app.listen({ host: '127.0.0.1', port })
        const bound = app.server.address() as AddressInfo
        return { url, port: bound.port, [Symbol.asyncDispose]: () => app.close() }
      },
      async events() {
        const { rows } = await zone.db.query<{ record: Uint8Array }>(
          sql`select record from event where type in ('withdrawal.delivered', 'withdrawal.refused') order by seq`,
        )
        return rows.map(({ record }) => {
          const { type, parts } = decodeEvent(record)
          return { type, ...(parts[0]?.content as object) }
        })
      },
      async withdrawals() {
        const { rows } = await keys.zone.db.query<{ n: number }>(
          sql`select count(*) as n from correction`,
        )
        return rows[0]?.n ?? -1
      },
      metric(gauge) {
        const values = metrics.gauges.find((each) => each.name === gauge)?.values() ?? []
        return new Map(values).get(realm.name)
      },
    })
    assert.deepEqual(await authority.problems(), [])
    assert.deepEqual(await keys.problems(), [])
  })
}

/** Registers the realm with the key zone. */
async function register({ keys, authority }: Desk): Promise<void> {
  const { name, issuer, audience } = authority.realm
  const signing = await listSigningKeys(authority.zone.db, name, 'certificate')
  const known = signing.map(({ kid, publicKey }) => ({ kid, publicKey, validFrom: 0 }))
  const given = { app: 'org.example.realm', issuer, audience, regions: ['US'], keys: known }
  const { zone, clock } = keys
  await zone.db.transaction((tx) => addHealthAuthority(tx, zone.writer, given, clock.now()))
}

/** A server that answers as it is told. */
async function startServer(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  let asked = 0
  const server = createServer((request, response) => {
    asked++
    answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: () => asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const statesOf = async ({ authority: { zone } }: Desk) =>
  (await listWithdrawalOrders(zone.db, null)).map(({ delivered, refusal }) =>
    delivered ? 'delivered' : (refusal ?? 'waiting'),
  )

deliveryTest(
  'orders wait while the key server is away, and arrive once it is back',
  async (desk) => {
    await register(desk)
    const { port } = await (async () => {
      await using server = await desk.listen()
      return server
    })()
    const url = `http://127.0.0.1:${port}`
    await using delivery = desk.deliver(url)
    await delivery.deliverDue()
    assert.equal(desk.metric('tocsin_authority_orders_waiting'), undefined)
    const ids = [await desk.order()]
    desk.keys.clock.advance(3600)
    ids.push(await desk.order())
    await delivery.deliverDue()
    await delivery.later(1000)
    assert.equal(desk.metric('tocsin_authority_orders_waiting'), 2)
    assert.equal(desk.metric('tocsin_authority_orders_oldest_seconds'), 3600)
    assert.deepEqual(await statesOf(desk), ['waiting', 'waiting'])
    assert.deepEqual(await desk.events(), [])
    const waits = 'withdrawal orders wait {"reason":"unreachable"}'
    assert.deepEqual(desk.told, [waits])
    await using server = await desk.listen(port)
    await delivery.later(FIRST_PAUSE_MS - 1001)
    assert.equal(await desk.withdrawals(), 0, 'it pauses')
    await delivery.later(1)
    await delivery.later(1000)
    assert.deepEqual(await statesOf(desk), ['delivered', 'delivered'])
    assert.equal(await desk.withdrawals(), 2)
    const delivered = {
      type: 'withdrawal.delivered',
      address: `${server.url}/v1/withdrawals`,
      status: 200,
      by: 'schedule',
    }
    assert.deepEqual(
      await desk.events(),
      ids.map((id) => ({ id, ...delivered })),
    )
    assert.equal(desk.metric('tocsin_authority_orders_waiting'), undefined)
    const arrived = 'a withdrawal order was delivered'
    assert.deepEqual(desk.told, [waits, 'withdrawal orders are delivered again', arrived, arrived])
    await delivery.later(LONGEST_PAUSE_MS)
    assert.equal((await desk.events()).length, 2)
  },
)

deliveryTest('pauses grow up to ten minutes; a busy key server is tried again', async (desk) => {
  const statuses = [500, 503, 429, 408, 425, 302, 200, 201, 502]
  let answered = 0
  await using server = await startServer((request, response) => {
    const status = statuses[answered++ % statuses.length] ?? 500
    // Somebody's web page, and a way to somewhere else.
    request.resume().on('end', () => {
      response.writeHead(status, { location: '/elsewhere' }).end('<html>')
    })
  })
  await desk.order()
  await using delivery = desk.deliver(server.url)
  const pauses: number[] = []
  for (let since = 0, asked = 0; pauses.length < 11 && since < 2e6; since += 2500) {
    await delivery.later(asked === 0 ? 0 : 2500)
    if (server.asked() === asked) continue
    asked = server.asked()
    pauses.push(since / 1000)
    since = 0
  }
  const grown = [0, 5, 10, 20, 40, 80, 160, 320, 600, 600, 600]
  assert.deepEqual(pauses, grown)
  assert.deepEqual(await statesOf(desk), ['waiting'])
  assert.deepEqual(await desk.events(), [])
})

deliveryTest(
  'an answer that is lost on the way costs a second attempt and nothing else',
  async (desk) => {
    await register(desk)
    await using server = await desk.listen()
    let isLost = true
    await using between = await startServer((request, response) => {
      void (async () => {
        const pieces: Buffer[] = []
        for await (const piece of request) pieces.push(piece as Buffer)
        const answer = await fetch(`${server.url}${request.url}`, {
          method: 'POST',
          headers: { 'content-type': request.headers['content-type'] ?? '' },
          body: Buffer.concat(pieces),
        })
        const text = await answer.text()
        if (isLost) request.socket.destroy()
        else response.writeHead(answer.status, { 'content-type': 'application/json' }).end(text)
      })()
    })
    await desk.order()
    await using delivery = desk.deliver(between.url)
    await delivery.deliverDue()
    assert.equal(await desk.withdrawals(), 1)
    assert.deepEqual(await statesOf(desk), ['waiting'])
    isLost = false
    await delivery.later(FIRST_PAUSE_MS)
    assert.deepEqual(await statesOf(desk), ['delivered'])
    assert.equal(await desk.withdrawals(), 1)
    assert.equal(between.asked(), 2)
  },
)

deliveryTest('a refusal is told, and tried again only when somebody says so', async (desk) => {
  const { authority, keys } = desk
  await using server = await desk.listen()
  const refused = await desk.order()
  await using delivery = desk.deliver(server.url)
  await delivery.deliverDue()
  await delivery.later(LONGEST_PAUSE_MS)
  assert.deepEqual(await statesOf(desk), ['order_unauthorized'])
  assert.equal(desk.metric('tocsin_authority_orders_refused'), 1)
  assert.equal(desk.metric('tocsin_authority_orders_waiting'), undefined)
  assert.equal(desk.metric('tocsin_authority_orders_oldest_seconds'), undefined)
  const alarm = { realm: authority.realm.name, order: refused, code: 'order_unauthorized' }
  assert.deepEqual(desk.told, [`a key server refused a withdrawal order ${JSON.stringify(alarm)}`])
  await register(desk)
  // One that is refused keeps no other waiting.
  await desk.order()
  await delivery.deliverDue()
  assert.deepEqual((await statesOf(desk)).sort(), ['delivered', 'order_unauthorized'])
  const { zone } = authority
  const order = await requireWithdrawalOrder(zone.db, null, refused)
  const { signal } = new AbortController()
  const remote = remoteKeyServer(server.url)
  const outcome = await deliverOrder(zone, remote, order, 'command', keys.clock.now, signal)
  assert.deepEqual(outcome, { kind: 'taken', status: 200 })
  assert.deepEqual(await statesOf(desk), ['delivered', 'delivered'])
  assert.equal(await desk.withdrawals(), 2)
  const address = remote.address
  const events = await desk.events()
  assert.deepEqual(
    [events[0], events.at(-1)],
    [
      {
        type: 'withdrawal.refused',
        id: refused,
        address,
        status: 401,
        code: 'order_unauthorized',
        by: 'schedule',
      },
      { type: 'withdrawal.delivered', id: refused, address, status: 200, by: 'command' },
    ],
  )
})

deliveryTest('an address that is no key server is told as one', async (desk) => {
  await using server = await startServer((request, response) => {
    request.resume().on('end', () => response.writeHead(404).end('{"code":"<b>"}'))
  })
  await desk.order()
  await using delivery = desk.deliver(server.url)
  await delivery.deliverDue()
  assert.deepEqual(await statesOf(desk), ['status_404'])
})

deliveryTest('two clocks that differ keep an order waiting', async (desk) => {
  await register(desk)
  await using server = await desk.listen()
  desk.keys.clock.advance(60)
  await desk.order()
  desk.keys.clock.advance(-60)
  await using delivery = desk.deliver(server.url)
  await delivery.deliverDue()
  assert.deepEqual(await statesOf(desk), ['waiting'])
  desk.keys.clock.advance(60)
  await delivery.later(FIRST_PAUSE_MS)
  assert.deepEqual(await statesOf(desk), ['delivered'])
})

deliveryTest('several processes deliver an order once, and the next takes over', async (desk) => {
  await register(desk)
  await using server = await desk.listen()
  const [first, second] = [desk.deliver(server.url), desk.deliver(server.url)]
  for (let count = 0; count < 5; count++) await desk.order()
  await Promise.all([first.deliverDue(), second.deliverDue()])
  assert.equal((await desk.events()).length, 5)
  assert.equal(desk.told.length, 5, 'one process handed them in')
  assert.equal(await desk.withdrawals(), 5)
  await first[Symbol.asyncDispose]()
  await desk.order()
  await second.deliverDue()
  assert.equal(await desk.withdrawals(), 6)
  await second[Symbol.asyncDispose]()
  // Even without the lock: whoever comes second makes no event.
  await desk.order()
  const { zone } = desk.authority
  const [order] = (await listWithdrawalOrders(zone.db, null)).filter(({ delivered }) => !delivered)
  assert.ok(order)
  const { signal } = new AbortController()
  const remote = remoteKeyServer(server.url)
  const hand = () => deliverOrder(zone, remote, order, 'command', desk.keys.clock.now, signal)
  await Promise.all([hand(), hand(), hand()])
  assert.equal((await desk.events()).length, 7)
  assert.equal(await desk.withdrawals(), 7)
})

deliveryTest('a key server that does not answer keeps nobody from stopping', async (desk) => {
  await using server = await startServer((request) => void request.resume())
  await desk.order()
  const delivery = desk.deliver(server.url)
  const going = delivery.deliverDue().catch((error: unknown) => error)
  while (server.asked() === 0) await new Promise((resolve) => setTimeout(resolve, 10))
  await delivery[Symbol.asyncDispose]()
  assert.ok((await going) instanceof Error)
  assert.deepEqual(await statesOf(desk), ['waiting'])
})
