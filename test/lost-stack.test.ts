// Test: a stack of cards is lost and used by others: from the batch to the release that takes its keys back, in one server; promises real requests and commands.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeBatch } from '../src/authorize/batches.ts'
import { invalidateCodes } from '../src/authorize/invalidate-codes.ts'
import { addProvider } from '../src/authorize/providers.ts'
import { listWithdrawalOrders } from '../src/authorize/withdrawal-orders.ts'
import { uploadKeys, verifyCode } from '../src/cli/phone-client.ts'
import { sql } from '../src/db/sql.ts'
import { known, usualBatch } from './batch-zone.ts'
import { databaseTestOnce } from './database.ts'
import { readIndex, readPublished } from './published-files.ts'
import { tocsin } from './run-command.ts'
import { startService, type RunningService } from './running-service.ts'
import { temporaryFolder } from './temporary-folder.ts'

const REALM = 'demo'

/** A phone uploads yesterday's key with a code. @returns the key and its report's tracking id, in hex */
async function report({ phones, clock }: RunningService, code: string) {
  const keyData = randomBytes(16)
  const yesterday = Math.floor(clock.now().getTime() / 86_400_000) - 1
  const keys = [{ keyData, rollingStart: yesterday * 144, rollingPeriod: 144 }]
  const token = await verifyCode(phones, code)
  const { trackingId } = await uploadKeys(phones, token, keys)
  return { key: keyData.toString('hex'), trackingId }
}

/** What the newest file of the stream says: new keys, and revised ones with their report types. */
async function newest({ config }: RunningService) {
  const file = (await readIndex(config.publicFolder, REALM)).at(-1) ?? ''
  const { keys, revisedKeys } = await readPublished(config.publicFolder, file)
  return {
    keys: keys.map(({ key_data: key }) => key.toString('hex')).sort(),
    revised: revisedKeys
      .map(({ key_data: key, report_type: type }) => `${key.toString('hex')} ${type}`)
      .sort(),
  }
}

const REVOKED = 5

databaseTestOnce('what was reported with a lost stack is taken back', async (database, t) => {
  await using service = await startService(database.url, await temporaryFolder(t))
  const { zones, clock } = service
  const zone = { ...zones.authority, masterKey: zones.masterKey }
  const provider = { realm: REALM, name: 'lab', displayName: 'The laboratory' }
  await addProvider(zone, provider, 'command', clock.now())
  await known()
  const make = () => makeBatch(zone, usualBatch(REALM), 'command', clock.now())
  const [lost, kept] = [await make(), await make()]
  const stolen = []
  for (const code of lost.codes.slice(0, 11)) stolen.push(await report(service, code))
  const honest = await report(service, kept.codes[0] ?? '')
  clock.advance(3600)
  await service.publishDue()
  const published = [...stolen, honest].map(({ key }) => key).sort()
  assert.deepEqual(await newest(service), { keys: published, revised: [] })

  const scope = { realm: REALM, scope: 'batch', batch: lost.batch.id } as const
  const { order } = await invalidateCodes(
    zone,
    scope,
    { retroactive: true },
    'command',
    clock.now(),
  )
  const [waiting] = await listWithdrawalOrders(zone.db, REALM)
  assert.deepEqual([waiting?.id, waiting?.delivered], [order, false])
  await service.deliverOrders()
  const [delivered] = await listWithdrawalOrders(zone.db, REALM)
  assert.deepEqual([delivered?.id, delivered?.delivered], [order, true])
  const { rows } = await zones.key.db.query<{ id: string }>(
    sql`select encode(r.tracking_id, 'hex') as id from report r join report_mark m on m.report = r.seq
        group by r.seq having sum(m.change) > 0 order by id`,
  )
  assert.deepEqual(
    rows.map(({ id }) => id),
    stolen.map(({ trackingId }) => trackingId).sort(),
  )

  // The order again, by its public address, as somebody would who lost the answer.
  const response = await fetch(`${service.url}/v1/withdrawals`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ order: delivered?.jws }),
  })
  assert.equal(response.status, 200)
  assert.deepEqual(await response.json(), { jti: order, reports: 11, keys: 11 })

  clock.advance(3600)
  await service.publishDue()
  const taken = stolen.map(({ key }) => `${key} ${REVOKED}`).sort()
  assert.deepEqual(await newest(service), { keys: [], revised: taken })
})

databaseTestOnce('an order is taken in three forms, and refused in others', async (database, t) => {
  await using service = await startService(database.url, await temporaryFolder(t))
  const send = async (body: string, type: string) => {
    const response = await fetch(`${service.url}/v1/withdrawals`, {
      method: 'POST',
      headers: { 'content-type': type },
      body,
    })
    const { code, error } = (await response.json()) as { code: string; error: string }
    assert.match(error, /^[A-Z].*\.$/)
    return [response.status, code]
  }
  const order = 'a.b.c'
  for (const type of ['application/jwt', 'text/plain; charset=utf-8', 'Application/JWT'])
    assert.deepEqual(await send(` ${order}\n`, type), [400, 'order_invalid'])
  const inJson = JSON.stringify({ order })
  assert.deepEqual(await send(inJson, 'application/json'), [400, 'order_invalid'])
  assert.deepEqual(await send(order, 'application/json'), [400, 'order_invalid'])
  assert.deepEqual(await send(order, 'application/octet-stream'), [415, 'unsupported_media_type'])
  const large = (length: number) => send('x'.repeat(length), 'text/plain')
  assert.deepEqual(await large(256 * 1024), [400, 'order_invalid'])
  assert.deepEqual(await large(256 * 1024 + 1), [413, 'request_too_large'])
})

databaseTestOnce(
  'an order is refused until its realm is registered, by commands',
  async (db, t) => {
    const folder = await temporaryFolder(t)
    const env = { TOCSIN_DATABASE_URL: db.url, TOCSIN_DATA: folder }
    const run = async (...args: string[]) => {
      const { status, out, err } = await tocsin([...args, '--json'], env)
      assert.equal(status, 0, `${args.join(' ')}: ${err}`)
      return JSON.parse(out.trim().split('\n').at(-1) ?? '') as Record<string, unknown>
    }
    const names = ['--issuer', 'https://north.example/', '--audience', 'keys']
    await run('realm', 'add', 'north', ...names)
    await run('provider', 'add', 'lab', '--realm', 'north', '--display-name', 'The lab')
    const cards = ['--label', 'Ward 7', '--size', '12', '--csv', join(folder, 'cards.csv')]
    const north = ['--realm', 'north']
    const { id } = await run('batch', 'make', ...north, '--provider', 'lab', ...cards)
    const { order } = await run('batch', 'invalidate', String(id), ...north, '--retroactive')
    const deliver = () => tocsin(['withdrawal', 'deliver', '--', String(order)], env)
    const refused = await deliver()
    assert.equal(refused.status, 1)
    assert.match(refused.err, /order_unauthorized/)
    const state = async () => (await tocsin(['withdrawal', 'list'], env)).out
    assert.match(await state(), /refused \(order_unauthorized\)/)
    const keys = (await run('key', 'list', ...north)) as unknown as Record<string, string>[]
    const { kid = '', publicKey = '' } = keys.find(({ purpose }) => purpose === 'certificate') ?? {}
    const file = join(folder, 'north.pem')
    await writeFile(file, publicKey)
    const key = ['--kid', kid, '--public-key', file]
    await run('authority', 'add', '--app', 'org.example.north', '--regions', 'US', ...names, ...key)
    const delivered = await deliver()
    assert.deepEqual([delivered.status, delivered.err], [0, ''])
    assert.match(delivered.out, /own key zone has it/)
    assert.match(await state(), /, delivered$/m)
    assert.match((await deliver()).out, /already/)
  },
)
