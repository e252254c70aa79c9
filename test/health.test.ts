// Test: health says which part is away, asks the databases seldom, and comes back by itself.

import assert from 'node:assert/strict'
import { rename } from 'node:fs/promises'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import type { Queryable } from '../src/db/database.ts'
import { watchHealth } from '../src/operate/health.ts'
import { listStreams } from '../src/publish/streams.ts'
import { databaseTestOnce } from './database.ts'
import { openPhone } from './http-phone.ts'
import { startService, type RunningService } from './running-service.ts'
import { asOwner } from './submitting-zone.ts'
import { temporaryFolder } from './temporary-folder.ts'

databaseTestOnce("a zone's database that is away is named, and only that", async (database, t) => {
  await using service = await startService(database.url, await temporaryFolder(t))
  for (const zone of ['key', 'authority'] as const) {
    const { user = '' } = service.zones[zone].address
    const close = [
      `alter role "${user}" nologin`,
      `select pg_terminate_backend(pid) from pg_stat_activity where usename = '${user}'`,
    ]
    await asOwner(database, close)
    try {
      await setTimeout(1_100)
      const unavailable = { status: 'unavailable', reasons: [`${zone} zone database`] }
      assert.deepEqual(await ask(service, '/readyz'), [503, unavailable])
      assert.deepEqual(await ask(service, '/health'), [500, unavailable])
      assert.deepEqual(await ask(service, '/livez'), [200, { status: 'ok' }])
    } finally {
      await asOwner(database, [`alter role "${user}" login`])
    }
    await setTimeout(1_100)
    for (const path of ['/readyz', '/health'])
      assert.deepEqual(await ask(service, path), [200, { status: 'ok' }], path)
  }
})

databaseTestOnce(
  'a stream that can not be signed is told by /readyz until it can, and /health stays well',
  async (database, t) => {
    await using service = await startService(database.url, await temporaryFolder(t))
    const [stream] = await listStreams(service.zones.key.db)
    const file = stream?.keys[0]?.keyFile ?? ''
    const unwell = [200, { status: 'ok', reasons: ['publishing'] }]
    const well = [200, { status: 'ok' }]
    await rename(file, `${file}.away`)
    // Nothing is due yet; a leader looks at its streams' keys when it begins.
    await service.publishDue()
    assert.deepEqual(await ask(service, '/readyz'), unwell)
    await rename(`${file}.away`, file)
    await service.publishDue()
    assert.deepEqual(await ask(service, '/readyz'), well)

    const phone = await openPhone(service)
    assert.equal((await phone.post('/v1/publish', await phone.makeUpload())).status, 200)
    service.clock.advance(7_200)
    await rename(file, `${file}.away`)
    for (let round = 0; round < 2; round++) {
      await assert.rejects(service.publishDue(), { code: 'signing_key_invalid' })
      assert.deepEqual(await ask(service, '/readyz'), unwell)
      assert.deepEqual(await ask(service, '/health'), well)
    }
    await rename(`${file}.away`, file)
    assert.equal((await service.publishDue()).files, 1)
    assert.deepEqual(await ask(service, '/readyz'), well)
  },
)

test('databases are asked once a second, however many want to know', async () => {
  const { db, answers } = heldDatabase()
  let time = 0
  const health = watchHealth([{ part: 'key zone database', db }], [], () => time)
  const asked = Array.from({ length: 50 }, () => health.missingParts())
  await setTimeout(1)
  assert.equal(answers.length, 1, 'one question is open')
  answers[0]?.(true)
  assert.deepEqual((await Promise.all(asked)).flat(), [])
  time = 999
  assert.deepEqual(await health.missingParts(), [])
  assert.equal(answers.length, 1)
  time = 1_001
  const later = health.missingParts()
  await setTimeout(1)
  answers[1]?.(false)
  assert.deepEqual(await later, ['key zone database'])
})

test('a database that does not answer is away, and is not asked again meanwhile', async () => {
  const { db, answers } = heldDatabase()
  let time = 0
  const health = watchHealth([{ part: 'authority zone database', db }], [], () => time)
  for (let round = 0; round < 2; round++) {
    assert.deepEqual(await health.missingDatabases(), ['authority zone database'])
    time += 5_000
  }
  assert.equal(answers.length, 1)
  answers[0]?.(true)
  await setTimeout(1)
  const answered = health.missingDatabases()
  await setTimeout(1)
  answers[1]?.(true)
  assert.deepEqual(await answered, [])
})

/** A database whose answers the test gives. */
function heldDatabase(): { db: Queryable; answers: ((isThere: boolean) => void)[] } {
  const answers: ((isThere: boolean) => void)[] = []
  const query = () =>
    new Promise((resolve, reject) =>
      answers.push((isThere) =>
        isThere ? resolve({ rows: [] }) : reject(new Error('nobody there')),
      ),
    )
  return { db: { query } as unknown as Queryable, answers }
}

async function ask({ url }: RunningService, path: string): Promise<unknown[]> {
  const response = await fetch(`${url}${path}`)
  return [response.status, await response.json()]
}
