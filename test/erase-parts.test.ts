// Test: parts erased in the log; promises that only what was meant is gone, and that the log's check still sees every other change.

import assert from 'node:assert/strict'
import { eraseParts, findParts, firstSeqSince } from '../src/log/erase-parts.ts'
import { sql } from '../src/db/sql.ts'
import { verifyLog } from '../src/log/verify-log.ts'
import { leafHashOf } from '../src/log/record.ts'
import { retentionTest, type RetentionZone } from './authority-retention-zone.ts'

/** An event with one part of each of these retentions. */
const eventOf = (...retentions: ('audit' | 'token')[]) => ({
  type: 'something',
  parts: retentions.map((retention) => ({ retention, content: { of: retention } })),
})

async function recordsOf({ zone }: RetentionZone) {
  const { rows } = await zone.db.query<{ record: Uint8Array; leaf_hash: Uint8Array }>(
    sql`select record, leaf_hash from event order by seq`,
  )
  return rows
}

retentionTest('erasing takes the parts of one retention, and no hash changes', async (zone) => {
  const seqs = await zone.append(eventOf('audit', 'token'), eventOf('token'), eventOf('audit'))
  const { root } = await verifyLog(zone.zone.db, zone.zone.writer.projections)
  const erase = () => zone.zone.db.transaction((tx) => eraseParts(tx, [3, ...seqs, 99], 'audit'))
  assert.deepEqual(await erase(), [seqs[0], seqs[2]])
  assert.deepEqual(await erase(), [], 'erasing twice is erasing once')
  const left = (await zone.events())
    .slice(1)
    .map(({ parts }) => parts.map(({ content }) => content))
  assert.deepEqual(left, [[undefined, { of: 'token' }], [{ of: 'token' }], [undefined]])
  for (const { record, leaf_hash } of await recordsOf(zone))
    assert.deepEqual(Buffer.from(leafHashOf(record)), Buffer.from(leaf_hash))
  const found = await verifyLog(zone.zone.db, zone.zone.writer.projections)
  assert.deepEqual(found.problems, [])
  assert.equal(found.root, root)
})

retentionTest('many events are erased in pages', async (zone) => {
  const seqs = await zone.append(...Array.from({ length: 450 }, () => eventOf('audit')))
  const erased = await zone.zone.db.transaction((tx) => eraseParts(tx, seqs.toReversed(), 'audit'))
  assert.deepEqual(erased, seqs)
})

retentionTest('an erased part is found no more', async (zone) => {
  await zone.append(eventOf('audit'), eventOf('token'), eventOf('audit', 'token'))
  await zone.zone.db.transaction((tx) => eraseParts(tx, [3], 'audit'))
  const find = async (from: number, until: number) =>
    (await findParts(zone.zone.db, ['audit'], from, until)).map(({ seq }) => seq)
  assert.deepEqual(await find(0, 9), [1])
  assert.deepEqual(await find(2, 9), [])
  assert.deepEqual(await find(0, 1), [])
})

retentionTest('a moment is found among events by halving', async (zone) => {
  for (let round = 0; round < 8; round++) {
    await zone.append(...Array.from({ length: 25 }, () => eventOf('audit')))
    if (round % 2 === 1) zone.clock.advance(900)
  }
  const events = await zone.events()
  let reads = 0
  const query: typeof zone.zone.db.query = (statement) => {
    reads++
    return zone.zone.db.query(statement)
  }
  for (const { grain } of [events[0], events[60], events[150]] as { grain: number }[])
    for (const moment of [grain - 1, grain, grain + 1]) {
      reads = 0
      const first = events.findIndex((event) => event.grain >= moment)
      assert.equal(await firstSeqSince({ query }, moment, events.length), first)
      assert.ok(reads <= 8)
    }
  assert.equal(await firstSeqSince({ query }, 2 ** 40, events.length), events.length)
  assert.equal(await firstSeqSince({ query }, 0, 0), 0)
})

retentionTest('an erased part of configuration is no erasure but a change', async (zone) => {
  const [seq = 0] = await zone.append({
    type: 'something',
    parts: [{ retention: 'configuration', content: { is: 'needed' } }],
  })
  const record = (await recordsOf(zone))[seq]?.record
  await zone.zone.db.transaction((tx) => eraseParts(tx, [seq], 'configuration'))
  const { problems } = await verifyLog(zone.zone.db, zone.zone.writer.projections)
  assert.deepEqual(problems, [`event ${seq} lacks a part that is kept as long as the log`])
  await zone.zone.db.query(sql`update event set record = ${record} where seq = ${seq}`)
})

retentionTest(
  'who has the login can erase, and do nothing else to the log unseen',
  async (zone) => {
    const [seq = 0] = await zone.append(eventOf('audit'))
    for (const change of ['type = type', 'seq = seq + 1', 'leaf_hash = leaf_hash'])
      await assert.rejects(
        zone.zone.db.query({ text: `update event set ${change}`, values: [] }),
        /permission denied/,
      )
    await assert.rejects(zone.zone.db.query(sql`delete from event`), /permission denied/)
    const record = (await recordsOf(zone))[seq]?.record as Buffer
    const changed = Buffer.from(record)
    changed.writeUInt8(changed.readUInt8(changed.length - 1) ^ 1, changed.length - 1)
    await zone.zone.db.query(sql`update event set record = ${changed} where seq = ${seq}`)
    const { problems } = await verifyLog(zone.zone.db, zone.zone.writer.projections)
    assert.ok(problems.includes(`event ${seq} was changed`))
    await zone.zone.db.query(sql`update event set record = ${record} where seq = ${seq}`)
  },
)
