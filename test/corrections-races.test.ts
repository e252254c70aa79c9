// Test: corrections while much else happens: submissions go on and none slips through, and the same correction many times at once is made once.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { sql } from '../src/db/sql.ts'
import { schemaOf } from '../src/db/zones.ts'
import { listCorrections } from '../src/correct/corrections-list.ts'
import { previewReinstatement, reinstate } from '../src/correct/reinstate.ts'
import { previewWithdrawal } from '../src/correct/withdraw.ts'
import { heldReports, send, withdrawNow } from './correcting-zone.ts'
import { databaseTest, databaseTestOnce, type TestDatabase } from './database.ts'
import { makeKeys } from './key-zone.ts'
import {
  assertLogIsClean,
  openOwner,
  openPublishingZone,
  type PublishingZone,
} from './publishing-zone.ts'

const HANDLE = Buffer.alloc(16, 7).toString('base64url')
const selection = { issuerHandles: [HANDLE] }
const note = { reason: 'a test', by: 'command' }

/** Runs a correction and stops it behind its search, while something else happens. */
async function whileItWaits<Result>(
  database: TestDatabase,
  { zone }: PublishingZone,
  start: () => Promise<Result>,
  meanwhile: () => Promise<unknown>,
): Promise<Result> {
  await using owner = await openOwner(database.url)
  await owner.query('begin')
  // Single keys are looked up behind the reports, and by nobody who submits.
  await owner.query(`lock table ${schemaOf('key')}.key_mark in access exclusive mode`)
  const running = start()
  const isWaiting = async () => {
    const { rows } = await zone.db.query<{ n: number }>(
      sql`select count(*) as n from pg_locks where not granted and relation = 'key_mark'::regclass`,
    )
    return (rows[0]?.n ?? 0) > 0
  }
  while (!(await isWaiting())) await wait(10)
  await meanwhile()
  await owner.query('commit')
  return running
}

databaseTest(
  'a report between the search and the rule for later ones is withdrawn, too',
  async (db, t) => {
    await using town = await openPublishingZone(db, t)
    const { zone } = town
    const early = await send(town, { handle: HANDLE })
    const late: number[] = []
    const done = await whileItWaits(
      db,
      town,
      () => withdrawNow(town, { selection, scope: 'both' }),
      async () => {
        // Accepted while it searches: submissions do not wait for it.
        late.push((await send(town, { handle: HANDLE })).seq)
        await send(town)
      },
    )
    const after = await send(town, { handle: HANDLE })
    assert.deepEqual(await heldReports(zone.db), [early.seq, ...late, after.seq])
    assert.deepEqual([done.reports, done.keys], [2, 6])
    await assertLogIsClean(town)
  },
)

databaseTest(
  'a retroactive withdrawal holds what was found, and nothing that came meanwhile',
  async (db, t) => {
    await using town = await openPublishingZone(db, t)
    const early = await send(town, { handle: HANDLE })
    await whileItWaits(
      db,
      town,
      () => withdrawNow(town, { selection }),
      () => send(town, { handle: HANDLE }),
    )
    assert.deepEqual(await heldReports(town.zone.db), [early.seq])
    await assertLogIsClean(town)
  },
)

databaseTest(
  'a report that the rule held while its withdrawal was taken back comes back as well',
  async (db, t) => {
    await using town = await openPublishingZone(db, t)
    const { zone, clock } = town
    const rule = await withdrawNow(town, { selection, scope: 'both' })
    await send(town, { handle: HANDLE })
    const done = await whileItWaits(
      db,
      town,
      () => reinstate(zone, { withdrawal: rule.id, ...note }, clock.now()),
      () => send(town, { handle: HANDLE }),
    )
    assert.deepEqual(await heldReports(zone.db), [])
    assert.equal(done.reports, 2)
    await assertLogIsClean(town)
  },
)

databaseTest('the same correction many times at once is made once', async (db, t) => {
  await using town = await openPublishingZone(db, t)
  const { zone, clock } = town
  await send(town, { handle: HANDLE })
  const id = randomBytes(16).toString('hex')
  const times = (work: () => Promise<unknown>) => Promise.all(Array.from({ length: 12 }, work))
  const answers = await times(() => withdrawNow(town, { selection, id }))
  assert.equal(new Set(answers.map((answer) => JSON.stringify(answer))).size, 1)
  assert.equal((await listCorrections(zone.db)).length, 1)
  // Under ids of their own, each takes back what is held when its turn comes.
  const backs = await times(() => reinstate(zone, { withdrawal: id, ...note }, clock.now()))
  assert.equal(backs.filter((back) => (back as { reports: number }).reports > 0).length, 1)
  const { rows } = await zone.db.query(
    sql`select report, sum(change)::integer as sum from report_mark group by report`,
  )
  assert.deepEqual(
    rows.map((row) => row['sum']),
    [0],
  )
  // By what a preview showed: one does it, the others see that it is done.
  await withdrawNow(town, { selection })
  const { id: previewId } = await previewReinstatement(zone, { selection })
  const results = await Promise.allSettled(
    Array.from({ length: 6 }, () =>
      reinstate(zone, { selection, previewId, ...note }, clock.now()),
    ),
  )
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
  for (const result of results)
    if (result.status === 'rejected')
      assert.equal((result.reason as { code: string }).code, 'preview_outdated')
  await assertLogIsClean(town)
})

databaseTestOnce(
  'while hundreds submit, corrections come and go, and the marks are what the log says',
  async (db, t) => {
    await using town = await openPublishingZone(db, t)
    const { zone, clock } = town
    const submit = async (count: number) => {
      for (let sent = 0; sent < count; sent++) {
        const reply = await town.send(makeKeys(clock.now(), 2), {
          claims: { issuerHandle: HANDLE },
        })
        assert.equal(reply.status, 200)
      }
    }
    const correct = async () => {
      const ids: string[] = []
      for (let turn = 0; turn < 6; turn++) {
        ids.push((await withdrawNow(town, { selection, scope: 'both' })).id)
        if (turn % 2 === 1)
          await reinstate(zone, { withdrawal: ids.shift() ?? '', ...note }, clock.now())
      }
      return ids
    }
    const [standing] = await Promise.all([
      correct(),
      ...Array.from({ length: 8 }, () => submit(25)),
    ])
    // Three stand: each holds all that there is.
    assert.equal(standing.length, 3)
    const { rows } = await zone.db.query<{ report: number; held: number }>(
      sql`select p.seq as report, (select sum(change) from report_mark m where m.report = p.seq)::integer as held from report p`,
    )
    assert.equal(rows.length, 200)
    assert.deepEqual(
      rows.filter(({ held }) => held !== 3),
      [],
    )
    const preview = await previewWithdrawal(zone, selection, 'retroactive')
    assert.deepEqual([preview.reports, preview.alreadyWithdrawn], [200, 200])
    await assertLogIsClean(town)
  },
)
