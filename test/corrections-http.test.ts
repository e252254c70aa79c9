// Test: the corrections API over HTTP: who may do what, what it refuses, that a preview holds, and that nothing secret shows.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import type { TestContext } from 'node:test'
import { addOperator, createAdmitOperator, revokeOperator } from '../src/correct/operators.ts'
import { withdraw } from '../src/correct/withdraw.ts'
import { sql } from '../src/db/sql.ts'
import { buildApp } from '../src/http/app.ts'
import { correctionRoutes } from '../src/http/correction-routes.ts'
import { decodeEvent } from '../src/log/record.ts'
import { databaseTestOnce, type TestDatabase } from './database.ts'
import { makeKeys, type TestKey } from './key-zone.ts'
import { openPublishingZone } from './publishing-zone.ts'
import { sendReport } from './send-report.ts'

interface Sent {
  readonly body?: unknown
  readonly key?: string | undefined
  readonly type?: string
}

/** The API on a port, with an operator of each role and a report. */
async function openDesk(database: TestDatabase, t: TestContext) {
  const test = await openPublishingZone(database, t)
  const { zone, clock } = test
  const now = clock.now
  const add = (name: string, role: 'look' | 'correct') =>
    addOperator(zone, { name, role }, 'command', now())
  const [looker, corrector] = [await add('bob', 'look'), await add('ann', 'correct')]
  const admit = createAdmitOperator(zone, () => performance.now())
  const logged: string[] = []
  const app = await buildApp(correctionRoutes({ zone, admit, now }), 'test', {
    info: (event, counts) => logged.push(JSON.stringify([event, counts])),
    error: (event, error) => logged.push(`${event} ${String(error)}`),
  })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const authority = await test.addAuthority('org.example.clinic', ['US'])
  const keys = makeKeys(now(), 3)
  const { trackingId } = await sendReport(test, authority, keys)
  const call = async (
    method: string,
    path: string,
    { body, key = corrector, type = 'application/json' }: Sent = {},
  ) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    const response = await fetch(`${url}/api/v1/${path}`, {
      method,
      headers: { 'x-api-key': key, ...(body === undefined ? {} : { 'content-type': type }) },
      ...(body === undefined ? {} : { body: text }),
    })
    const json = (await response.json()) as Readonly<Record<string, unknown>>
    return { status: response.status, headers: response.headers, json }
  }
  return {
    ...test,
    authority,
    keys,
    trackingId,
    looker,
    corrector,
    logged,
    call,
    report: (more: readonly TestKey[]) => sendReport(test, authority, more),
    async preview(body: object, key = corrector) {
      const { status, json } = await call('POST', 'corrections/preview', { body, key })
      assert.equal(status, 200, JSON.stringify(json))
      return json
    },
    /** What stands in the log since an event: types, and who looked at what. */
    async events(from = 0) {
      const { rows } = await zone.db.query<{ seq: number; type: string; record: Uint8Array }>(
        sql`select seq, type, record from event where seq >= ${from}::bigint order by seq`,
      )
      return rows.map(({ seq, type, record }) => ({
        seq,
        type,
        content: decodeEvent(record).parts[0]?.content as Readonly<Record<string, unknown>>,
      }))
    },
    async [Symbol.asyncDispose]() {
      await app.close()
      await test[Symbol.asyncDispose]()
    },
  }
}

const REASON = 'laboratory mixed up two samples'

databaseTestOnce('withdraw, reinstate and amend, each as its preview said', async (database, t) => {
  await using desk = await openDesk(database, t)
  const { call, preview, trackingId } = desk
  const selection = { trackingIds: [trackingId] }
  const wishes = [
    { kind: 'withdrawal', selection },
    { kind: 'reinstatement', selection },
    { kind: 'amendment', selection, reportType: 'likely', onset: '2026-03-07' },
    { kind: 'withdrawal', scope: 'both', selection: { healthAuthority: 'org.example.clinic' } },
  ]
  const ids: unknown[] = []
  for (const wish of wishes) {
    const seen = await preview(wish)
    assert.deepEqual([seen['reports'], seen['keys']], [1, 3], JSON.stringify(seen))
    const body = { ...wish, reason: REASON, previewId: seen['id'] }
    const { status, json, headers } = await call('POST', 'corrections', { body })
    assert.equal(status, 200, JSON.stringify(json))
    assert.equal(headers.get('cache-control'), 'no-store')
    assert.deepEqual(
      [json['kind'], json['by'], json['reason'], json['reports']],
      [wish.kind, 'ann', REASON, 1],
    )
    ids.unshift(json['id'])
    assert.deepEqual((await call('GET', `corrections/${String(json['id'])}`)).json, json)
  }
  const list = (await call('GET', 'corrections')).json
  const listed = list['corrections'] as { id: string }[]
  assert.deepEqual(
    listed.map(({ id }) => id),
    ids,
  )
  const whole = { kind: 'reinstatement', withdrawal: ids[0] }
  const body = { ...whole, reason: REASON, previewId: (await preview(whole))['id'] }
  assert.equal((await call('POST', 'corrections', { body })).status, 200)
  const life = (await call('GET', `reports/${trackingId}`)).json
  const corrections = life['corrections'] as { kind: string; by: string }[]
  assert.deepEqual(
    corrections.map(({ kind }) => kind),
    ['withdrawal', 'reinstatement', 'amendment', 'withdrawal', 'reinstatement'],
  )
  assert.ok(corrections.every(({ by }) => by === 'ann'))
  assert.equal(life['withdrawn'], false)
})

databaseTestOnce('roles, and keys that are none', async (database, t) => {
  await using desk = await openDesk(database, t)
  const { zone, clock, call, preview, looker, trackingId } = desk
  const wish = { kind: 'withdrawal', selection: { trackingIds: [trackingId] } }
  const seen = await preview(wish, looker)
  const body = { ...wish, reason: REASON, previewId: seen['id'] }
  const addresses = [
    ['GET', 'corrections'],
    ['GET', `corrections/${'0'.repeat(32)}`],
    ['GET', `reports/${trackingId}`],
    ['POST', 'corrections/preview', wish],
    ['POST', 'corrections', body],
  ] as const
  for (const [method, path, sent] of addresses) {
    const told = `${method} ${path}`
    const given = sent === undefined ? {} : { body: sent }
    const { status } = await call(method, path, { ...given, key: looker })
    assert.equal(
      status,
      path === 'corrections' && method === 'POST' ? 401 : path.includes('0000') ? 404 : 200,
      told,
    )
  }
  const before = await desk.events()
  for (const key of ['', 'x', `${looker}A`, looker.slice(0, 11), 'A'.repeat(11) + looker.slice(11)])
    for (const [method, path, sent] of addresses)
      for (const given of sent === undefined ? [{}] : [{ body: sent }, { body: '{' }]) {
        const { status, json, headers } = await call(method, path, { ...given, key })
        assert.deepEqual([status, json['code']], [401, 'unauthorized'], `${method} ${path} ${key}`)
        assert.equal(headers.get('cache-control'), 'no-store')
      }
  assert.deepEqual(await desk.events(), before, 'nothing is noted of whoever is nobody')
  await revokeOperator(zone, 'bob', 'command', clock.now())
  await setTimeout(1000)
  assert.equal((await call('GET', 'corrections', { key: looker })).status, 401)
})

databaseTestOnce(
  'every field of a wrong type, or where it is nothing, is refused by name',
  async (database, t) => {
    await using desk = await openDesk(database, t)
    const { call, trackingId } = desk
    const selection = { trackingIds: [trackingId] }
    const good = {
      kind: 'withdrawal',
      selection,
      reason: REASON,
      previewId: 'r1-k3-0123456789abcdef',
    }
    const before = await desk.events()
    const refused = async (path: string, body: unknown, code: RegExp, sentence: RegExp) => {
      const { status, json } = await call('POST', path, { body })
      const told = `${JSON.stringify(body)}: ${status} ${JSON.stringify(json)}`
      assert.equal(status, 400, told)
      assert.match(String(json['code']), code, told)
      assert.match(String(json['error']), sentence, told)
    }
    const values = [7, 7.5, true, [], [[]], {}, { a: 1 }]
    for (const field of ['kind', 'reason', 'previewId', 'id', 'scope'])
      for (const value of values)
        await refused(
          'corrections',
          { ...good, [field]: value },
          /^bad_request$/,
          new RegExp(`^${field} must be`),
        )
    for (const value of ['x', ...values])
      await refused(
        'corrections',
        { ...good, selection: value },
        /^selection_invalid$/,
        /condition/,
      )
    for (const [field, value] of [
      ['kind', 'x'],
      ['scope', 'x'],
      ['previewId', 'x'],
      ['id', 'x'],
    ])
      await refused(
        'corrections',
        { ...good, [String(field)]: value },
        /^(bad_request|correction_invalid)$/,
        field === 'previewId' ? /preview/ : new RegExp(String(field)),
      )
    for (const field of [
      'trackingIds',
      'keys',
      'issuerHandles',
      'healthAuthority',
      'source',
      'regions',
      'acceptedFrom',
      'acceptedBefore',
    ])
      for (const value of [7.5, true, [], [[]], {}, -1, ['\0']])
        await refused(
          'corrections/preview',
          { kind: 'withdrawal', selection: { [field]: value } },
          /^selection_invalid$/,
          new RegExp(field),
        )
    for (const field of ['kind', 'reason', 'previewId'])
      for (const value of [undefined, null])
        await refused(
          'corrections',
          { ...good, [field]: value },
          /^bad_request$/,
          new RegExp(`${field} is needed`),
        )
    const amendment = { kind: 'amendment', selection }
    for (const [body, sentence] of [
      [{ kind: 'withdrawal' }, /selection is needed/],
      [{ kind: 'withdrawal', selection, onset: '2026-03-07' }, /onset is nothing of a withdrawal/],
      [{ kind: 'withdrawal', selection, withdrawal: '0'.repeat(32) }, /withdrawal is nothing/],
      [{ kind: 'withdrawal', selection: { ...selection, unheardOf: 1 } }, /unheardOf/],
      [{ kind: 'withdrawal', selection, scope: 'from-now-on' }, /tracking id/],
      [{ kind: 'reinstatement' }, /withdrawal or selection is needed/],
      [{ kind: 'reinstatement', withdrawal: 'x' }, /withdrawal must be 32 hex digits/],
      [{ kind: 'reinstatement', selection, scope: 'both' }, /scope is nothing/],
      [amendment, /reportType or onset is needed/],
      [{ ...amendment, reportType: 'negative' }, /reportType must be one of/],
      [{ ...amendment, onset: '2026-02-30' }, /onset|day/],
      [{ ...amendment, onset: 20_000 }, /onset must be a string/],
      [{ ...amendment, onset: '2026-03-07', reason: REASON }, /unknown field "reason"/],
    ] as const)
      await refused('corrections/preview', body, /_invalid$|^bad_request$/, sentence)
    for (const reason of ['', ' ', 'x'.repeat(501)])
      await refused('corrections', { ...good, reason }, /^correction_invalid$/, /reason/)
    for (const body of ['', '{', '[]', '{}{}', `{"kind":"withdrawal","kind":"amendment"}`])
      await refused('corrections/preview', body, /^bad_request$/, /./)
    const form = await call('POST', 'corrections', { body: 'a=b', type: 'text/plain' })
    assert.equal(form.status, 415)
    const huge = await call('POST', 'corrections', { body: `"${'x'.repeat(1_000_001)}"` })
    assert.equal(huge.status, 413)
    const unknown = { kind: 'reinstatement', withdrawal: '0'.repeat(32) }
    assert.equal(
      (await call('POST', 'corrections/preview', { body: unknown })).json['code'],
      'correction_unknown',
    )
    const after = (await desk.events(before.length)).filter(({ type }) => type !== 'looked-up')
    assert.deepEqual(after, [], 'nothing was changed')
  },
)

databaseTestOnce(
  'a preview that is outdated does nothing, and a repeated id does it once',
  async (database, t) => {
    await using desk = await openDesk(database, t)
    const { zone, clock, call, preview, report } = desk
    const wish = { kind: 'withdrawal', selection: { healthAuthority: 'org.example.clinic' } }
    const seen = await preview(wish)
    await report(makeKeys(clock.now(), 2))
    const id = randomBytes(16).toString('hex')
    const outdated = { ...wish, reason: REASON, previewId: seen['id'], id }
    const before = await desk.events()
    const refusal = await call('POST', 'corrections', { body: outdated })
    assert.deepEqual([refusal.status, refusal.json['code']], [409, 'preview_outdated'])
    assert.match(String(refusal.json['error']), /1 report more and 2 keys more/)
    assert.deepEqual(await desk.events(), before)
    const body = { ...outdated, previewId: (await preview(wish))['id'] }
    // All at once, as an impatient client would.
    const replies = await Promise.all(
      Array.from({ length: 6 }, () => call('POST', 'corrections', { body })),
    )
    for (const { status, json } of replies)
      assert.deepEqual([status, json], [200, replies[0]?.json], JSON.stringify(json))
    await report(makeKeys(clock.now(), 1))
    const again = await call('POST', 'corrections', { body: { ...body, id: id.toUpperCase() } })
    assert.deepEqual([again.status, again.json], [200, replies[0]?.json], 'also when more has come')
    const made = (await desk.events()).filter(({ type }) => type === 'withdrawal')
    assert.equal(made.length, 1)
    const other = { kind: 'amendment', selection: wish.selection, reportType: 'likely' }
    const taken = await call('POST', 'corrections', {
      body: { ...other, reason: REASON, previewId: (await preview(other))['id'], id },
    })
    assert.deepEqual([taken.status, taken.json['code']], [409, 'correction_id_taken'])
    await assert.rejects(
      withdraw(
        zone,
        { selection: {}, scope: 'retroactive', reason: REASON, by: 'ann' },
        clock.now(),
      ),
      { code: 'selection_invalid' },
    )
  },
)

databaseTestOnce('each look is in the log, and nothing secret is anywhere', async (database, t) => {
  await using desk = await openDesk(database, t)
  const { call, preview, keys, trackingId, looker, corrector } = desk
  const wish = { kind: 'withdrawal', selection: { trackingIds: [trackingId] } }
  const from = (await desk.events()).length
  const seen = await preview(wish, looker)
  const body = { ...wish, reason: REASON, previewId: seen['id'] }
  const { json } = await call('POST', 'corrections', { body })
  await call('GET', 'corrections', { key: looker })
  await call('GET', `corrections/${String(json['id'])}`, { key: looker })
  const life = await call('GET', `reports/${trackingId}`, { key: looker })
  const none = await call('GET', `reports/${'0'.repeat(32)}`, { key: looker })
  assert.deepEqual([life.status, none.status, none.json['code']], [200, 404, 'report_unknown'])
  const events = await desk.events(from)
  assert.deepEqual(
    events.map(({ type, content }) => [type, content['what'], content['by']]),
    [
      ['looked-up', 'preview', 'bob'],
      ['withdrawal', undefined, undefined],
      ['looked-up', 'corrections', 'bob'],
      ['looked-up', 'correction', 'bob'],
      ['looked-up', 'report', 'bob'],
      ['looked-up', 'report', 'bob'],
    ],
  )
  for (const { content } of events.filter(({ type }) => type === 'looked-up'))
    assert.deepEqual(Object.keys(content).sort(), ['by', 'what'], 'never which')
  for (const { key } of keys) assert.ok(!JSON.stringify(life.json).includes(key), 'no key')
  const lines = desk.logged.join('\n')
  for (const secret of [looker.slice(12), corrector.slice(12), trackingId, keys[0]?.key ?? ''])
    assert.ok(!lines.includes(secret), 'in the log of the process')
})
