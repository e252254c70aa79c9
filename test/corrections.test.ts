// Test: withdrawing, reinstating and amending: what is found, what is marked, what a preview says, and that the same thing is done once.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { sql } from '../src/db/sql.ts'
import { amend, previewAmendment } from '../src/correct/amend.ts'
import { listCorrections, requireCorrection } from '../src/correct/corrections-list.ts'
import { previewReinstatement, reinstate } from '../src/correct/reinstate.ts'
import type { Selection } from '../src/correct/selection.ts'
import { previewWithdrawal } from '../src/correct/withdraw.ts'
import { publishDue } from '../src/publish/publish-due.ts'
import { heldKeys, heldReports, send, withdrawNow } from './correcting-zone.ts'
import { databaseTest, databaseTestOnce } from './database.ts'
import { makeKeys } from './key-zone.ts'
import { assertLogIsClean, openPublishingZone, type PublishingZone } from './publishing-zone.ts'

const HANDLE = Buffer.alloc(16, 7).toString('base64url')
const OTHER = Buffer.alloc(16, 8).toString('base64url')
const HOUR = 3600

const note = { reason: 'a test', by: 'command' }
const secondsOf = ({ clock }: PublishingZone) => Math.floor(clock.now().getTime() / 1000)

databaseTest('each condition finds its reports, and all hold together', async (db, t) => {
  await using town = await openPublishingZone(db, t)
  const { zone, clock } = town
  const canada = await town.addAuthority('org.example.canada', ['CA'])
  const start = secondsOf(town)
  const first = await send(town, { handle: HANDLE })
  clock.advance(HOUR)
  const second = await send(town, { handle: OTHER, authority: canada })
  clock.advance(HOUR)
  const third = await send(town)
  const find = async (selection: Selection) => {
    const preview = await previewWithdrawal(zone, selection, 'retroactive')
    const { id } = await withdrawNow(town, { selection, previewId: preview.id })
    const found = await heldReports(zone.db)
    assert.equal(preview.reports, found.length)
    assert.equal(preview.keys, 3 * found.length)
    await reinstate(zone, { withdrawal: id, ...note }, clock.now())
    assert.deepEqual(await heldReports(zone.db), [])
    return found
  }
  const [one, two, three] = [first.seq, second.seq, third.seq]
  assert.deepEqual(await find({ trackingIds: [first.trackingId, third.trackingId] }), [one, three])
  assert.deepEqual(await find({ issuerHandles: [HANDLE] }), [one])
  assert.deepEqual(await find({ issuerHandles: [HANDLE, OTHER] }), [one, two])
  assert.deepEqual(await find({ healthAuthority: 'org.example.health' }), [one, three])
  assert.deepEqual(await find({ healthAuthority: ['org.example.health', 'org.example.canada'] }), [
    one,
    two,
    three,
  ])
  assert.deepEqual(await find({ regions: ['CA', 'FR'] }), [two])
  assert.deepEqual(await find({ source: 'publish-v1' }), [one, two, three])
  assert.deepEqual(await find({ source: 'publish-v1alpha1' }), [])
  assert.deepEqual(await find({ acceptedFrom: start + HOUR }), [two, three])
  assert.deepEqual(await find({ acceptedFrom: start + HOUR + 1 }), [three])
  assert.deepEqual(await find({ acceptedBefore: start + HOUR }), [one])
  assert.deepEqual(await find({ acceptedFrom: start, acceptedBefore: start + 2 * HOUR }), [
    one,
    two,
  ])
  assert.deepEqual(await find({ healthAuthority: 'org.example.health', regions: ['CA'] }), [])
  assert.deepEqual(await find({ healthAuthority: 'org.example.health', acceptedFrom: start + 1 }), [
    three,
  ])
  await assertLogIsClean(town)
})

databaseTest('what two withdrawals hold is withdrawn until both are taken back', async (db, t) => {
  await using town = await openPublishingZone(db, t)
  const { zone, clock } = town
  const [a, b] = [await send(town, { handle: HANDLE }), await send(town, { handle: HANDLE })]
  const all = await withdrawNow(town, { selection: { issuerHandles: [HANDLE] } })
  const preview = await previewWithdrawal(zone, { trackingIds: [a.trackingId] }, 'retroactive')
  assert.equal(preview.alreadyWithdrawn, 1)
  const one = await withdrawNow(town, { selection: { trackingIds: [a.trackingId] } })
  const back = await previewReinstatement(zone, { withdrawal: all.id })
  assert.equal(back.staysWithdrawn, 1)
  assert.equal(back.reports, 2)
  const done = await reinstate(
    zone,
    { withdrawal: all.id, previewId: back.id, ...note },
    clock.now(),
  )
  assert.equal(done.kind, 'reinstatement')
  assert.equal(done.reports, 2)
  assert.deepEqual(await heldReports(zone.db), [a.seq])
  // Once more: there is nothing left of it.
  const empty = await reinstate(zone, { withdrawal: all.id, ...note }, clock.now())
  assert.equal(empty.reports, 0)
  assert.deepEqual(await heldReports(zone.db), [a.seq])
  await reinstate(zone, { withdrawal: one.id, ...note }, clock.now())
  assert.deepEqual(await heldReports(zone.db), [])
  // Everything that a selection finds, whoever holds it.
  await withdrawNow(town, { selection: { issuerHandles: [HANDLE] } })
  await withdrawNow(town, { selection: { trackingIds: [b.trackingId] } })
  await reinstate(zone, { selection: { trackingIds: [b.trackingId] }, ...note }, clock.now())
  assert.deepEqual(await heldReports(zone.db), [a.seq])
  await assertLogIsClean(town)
})

databaseTest('a withdrawal is taken back in part', async (db, t) => {
  await using town = await openPublishingZone(db, t)
  const { zone, clock } = town
  const [a, b] = [await send(town), await send(town)]
  const first = await withdrawNow(town, { selection: { source: 'publish-v1' } })
  await withdrawNow(town, { selection: { trackingIds: [a.trackingId] } })
  const part = { withdrawal: first.id, selection: { trackingIds: [a.trackingId, b.trackingId] } }
  const preview = await previewReinstatement(zone, part)
  assert.deepEqual([preview.reports, preview.staysWithdrawn, preview.endsRule], [2, 1, false])
  await reinstate(zone, { ...part, previewId: preview.id, ...note }, clock.now())
  assert.deepEqual(await heldReports(zone.db), [a.seq])
  await assert.rejects(reinstate(zone, { withdrawal: 'ab'.repeat(16), ...note }, clock.now()), {
    code: 'correction_unknown',
  })
  await assertLogIsClean(town)
})

databaseTest(
  'from now on: what comes later is withdrawn, until the withdrawal ends',
  async (db, t) => {
    await using town = await openPublishingZone(db, t)
    const { zone, clock } = town
    const before = await send(town, { handle: HANDLE })
    const later = { selection: { issuerHandles: [HANDLE] }, scope: 'from-now-on' } as const
    const preview = await previewWithdrawal(zone, later.selection, later.scope)
    assert.equal(preview.reports, 0)
    const rule = await withdrawNow(town, { ...later, previewId: preview.id })
    assert.deepEqual([rule.scope, rule.reports], ['from-now-on', 0])
    const held = await send(town, { handle: HANDLE })
    const free = await send(town, { handle: OTHER })
    assert.deepEqual(await heldReports(zone.db), [held.seq])
    const back = await previewReinstatement(zone, { withdrawal: rule.id })
    assert.deepEqual([back.reports, back.endsRule], [1, true])
    // A part leaves the rule.
    await reinstate(zone, { selection: { trackingIds: [held.trackingId] }, ...note }, clock.now())
    assert.deepEqual(await heldReports(zone.db), [])
    const next = await send(town, { handle: HANDLE })
    assert.deepEqual(await heldReports(zone.db), [next.seq])
    await reinstate(zone, { withdrawal: rule.id, ...note }, clock.now())
    await send(town, { handle: HANDLE })
    assert.deepEqual(await heldReports(zone.db), [])
    // Both: before and later.
    const both = await withdrawNow(town, {
      selection: { healthAuthority: 'org.example.health', acceptedFrom: 0, regions: ['US'] },
      scope: 'both',
    })
    assert.equal(both.reports, 5)
    const last = await send(town)
    assert.ok((await heldReports(zone.db)).includes(last.seq))
    assert.ok((await heldReports(zone.db)).includes(before.seq))
    assert.ok((await heldReports(zone.db)).includes(free.seq))
    await assertLogIsClean(town)
  },
)

databaseTest('single keys are withdrawn alone, and in advance', async (db, t) => {
  await using town = await openPublishingZone(db, t)
  const { zone, clock } = town
  const sent = await send(town)
  const coming = makeKeys(clock.now(), 2)
  const hex = coming.map(({ key }) => Buffer.from(key, 'base64').toString('hex'))
  const [known = ''] = sent.keys
  const keys = [known, ...hex].sort()
  const only = await previewWithdrawal(zone, { keys }, 'retroactive')
  assert.deepEqual([only.reports, only.keys, only.revisedByOthers], [0, 1, 0])
  assert.match(only.warnings.join(), /Of the keys 2 never came/)
  const done = await withdrawNow(town, { selection: { keys }, scope: 'both' })
  assert.deepEqual([done.reports, done.keys], [0, 3])
  assert.deepEqual(await heldKeys(zone.db), keys)
  assert.deepEqual(await heldReports(zone.db), [])
  await send(town, { keys: coming })
  const advance = await withdrawNow(town, { selection: { keys }, scope: 'from-now-on' })
  assert.equal(advance.keys, 0, 'all of them have come')
  await reinstate(zone, { selection: { keys: hex }, ...note }, clock.now())
  assert.deepEqual(await heldKeys(zone.db), [known])
  await reinstate(zone, { withdrawal: done.id, ...note }, clock.now())
  assert.deepEqual(await heldKeys(zone.db), [])
  // Other conditions hold for the reports that brought them.
  const none = await previewWithdrawal(zone, { keys, regions: ['CA'] }, 'retroactive')
  assert.equal(none.keys, 0)
  await assertLogIsClean(town)
})

databaseTest('a preview that is outdated is refused, and says what has changed', async (db, t) => {
  await using town = await openPublishingZone(db, t)
  const { zone } = town
  await send(town, { handle: HANDLE })
  const selection = { issuerHandles: [HANDLE] }
  const { id: previewId } = await previewWithdrawal(zone, selection, 'retroactive')
  assert.match(previewId, /^r1-k3-[0-9a-f]{16}$/)
  assert.equal((await previewWithdrawal(zone, selection, 'retroactive')).id, previewId)
  await send(town, { handle: HANDLE })
  const outdated = (message: RegExp) => ({ code: 'preview_outdated', message })
  await assert.rejects(
    withdrawNow(town, { selection, previewId }),
    outdated(/1 report more and 3 keys more/),
  )
  const now = await previewWithdrawal(zone, selection, 'retroactive')
  await assert.rejects(
    withdrawNow(town, { selection, scope: 'both', previewId: now.id }),
    outdated(/though it is as much/),
  )
  await assert.rejects(withdrawNow(town, { selection, previewId: 'r2' }), {
    code: 'correction_invalid',
  })
  assert.deepEqual(await listCorrections(zone.db), [])
  await withdrawNow(town, { selection, previewId: now.id })
  await assertLogIsClean(town)
})

databaseTest('the same id again gets the first answer and changes nothing', async (db, t) => {
  await using town = await openPublishingZone(db, t)
  const { zone, clock } = town
  await send(town, { handle: HANDLE })
  const id = randomBytes(16).toString('hex')
  const selection = { issuerHandles: [HANDLE] }
  const first = await withdrawNow(town, { selection, id, reason: '  why  ' })
  assert.deepEqual(first, {
    id,
    kind: 'withdrawal',
    scope: 'retroactive',
    reason: 'why',
    reports: 1,
    keys: 3,
    published: 0,
    padding: 0,
    by: 'command',
    acceptedAt: secondsOf(town),
  })
  clock.advance(HOUR)
  await send(town, { handle: HANDLE })
  const again = { selection, id: id.toUpperCase(), reason: 'why' }
  assert.deepEqual(await withdrawNow(town, again), first)
  // Another one under the same id must not look as if it had been done.
  await assert.rejects(withdrawNow(town, { ...again, reason: 'x' }), {
    code: 'correction_id_taken',
  })
  assert.equal((await heldReports(zone.db)).length, 1)
  await assert.rejects(reinstate(zone, { withdrawal: id, id, ...note }, clock.now()), {
    code: 'correction_id_taken',
  })
  assert.deepEqual(await listCorrections(zone.db), [first])
  assert.deepEqual(await requireCorrection(zone.db, id), first)
  await assert.rejects(requireCorrection(zone.db, '00'.repeat(16)), { code: 'correction_unknown' })
  await assertLogIsClean(town)
})

databaseTest(
  'an amendment marks whole reports, and counts the keys that it leaves out',
  async (db, t) => {
    await using town = await openPublishingZone(db, t)
    const { zone, clock } = town
    await town.addStream('us')
    const sent = await send(town, { keys: makeKeys(clock.now(), 5), reportType: 'likely' })
    const selection = { trackingIds: [sent.trackingId] }
    // The keys are of March 5 to 9: more than 14 days behind the first two only.
    const changes = { reportType: 'confirmed', onset: '2026-02-20' } as const
    const preview = await previewAmendment(zone, selection, changes)
    assert.deepEqual(
      [
        preview.reports,
        preview.keys,
        preview.tooFar,
        preview.alreadyAmended,
        preview.publishedKeys,
      ],
      [1, 5, 3, 0, 0],
    )
    const done = await amend(
      zone,
      { selection, ...changes, previewId: preview.id, ...note },
      clock.now(),
    )
    assert.deepEqual([done.kind, done.scope, done.reports], ['amendment', null, 1])
    const { rows } = await zone.db.query(
      sql`select report, report_type, onset_day from report_amendment`,
    )
    assert.deepEqual(rows, [{ report: sent.seq, report_type: 1, onset_day: 20504 }])
    clock.advance(HOUR)
    await publishDue(zone.publisher)
    const again = await previewAmendment(zone, selection, { onset: '2026-03-08' })
    assert.deepEqual([again.alreadyAmended, again.tooFar], [1, 0])
    assert.match(again.warnings.join(), /these keys belong together/)
    await assertLogIsClean(town)
  },
)

databaseTest(
  'what other reports changed is counted, and a revision belongs to its report',
  async (db, t) => {
    await using town = await openPublishingZone(db, t)
    const { zone, clock } = town
    const keys = makeKeys(clock.now(), 3)
    const first = await send(town, { keys, reportType: 'likely' })
    clock.advance(HOUR)
    const second = await send(town, {
      keys,
      reportType: 'confirmed',
      fields: { revisionToken: first.revisionToken },
    })
    const preview = (report: { trackingId: string }) =>
      previewWithdrawal(zone, { trackingIds: [report.trackingId] }, 'retroactive')
    assert.deepEqual([(await preview(first)).keys, (await preview(first)).revisedByOthers], [3, 3])
    assert.deepEqual(
      [(await preview(second)).keys, (await preview(second)).revisedByOthers],
      [3, 0],
    )
    const amended = await previewAmendment(
      zone,
      { trackingIds: [first.trackingId] },
      { reportType: 'likely' },
    )
    assert.deepEqual([amended.reports, amended.keys], [1, 0])
  },
)

databaseTestOnce('few published reports take padding along, and bring it back', async (db, t) => {
  await using town = await openPublishingZone(db, t)
  const { zone, clock } = town
  await town.addStream('us', { minimum: 800 })
  const reports = []
  for (let count = 0; count < 25; count++) reports.push(await send(town))
  clock.advance(HOUR)
  await publishDue(zone.publisher)
  const [one, ...others] = reports
  const selection = { trackingIds: [one?.trackingId ?? ''] }
  const preview = await previewWithdrawal(zone, selection, 'retroactive')
  assert.deepEqual([preview.reports, preview.publishedKeys, preview.padding], [1, 3, 19])
  assert.deepEqual(preview.published, [{ stream: 'us', release: 1, keys: 3 }])
  assert.doesNotMatch(preview.warnings.join(), /belong together/)
  const done = await withdrawNow(town, { selection, previewId: preview.id })
  assert.deepEqual([done.published, done.padding], [3, 19])
  const taken = await heldReports(zone.db)
  assert.equal(taken.length, 20)
  // What is withdrawn already hides nothing, and is not taken again.
  const pair = others.slice(0, 2).map(({ trackingId }) => trackingId)
  const overlap = { trackingIds: [...selection.trackingIds, ...pair.slice(0, 1)] }
  const both = await previewWithdrawal(zone, overlap, 'retroactive')
  assert.deepEqual([both.alreadyWithdrawn, both.padding], [1, 19])
  const next = await withdrawNow(town, { selection: { trackingIds: pair } })
  assert.equal(next.padding, 18)
  assert.equal((await heldReports(zone.db)).length, 40)
  const many = others.slice(2, 22).map(({ trackingId }) => trackingId)
  const enough = await previewWithdrawal(zone, { trackingIds: many }, 'retroactive')
  assert.equal(enough.padding, 0)
  // A part takes as much padding back as hides it; what is left then takes the rest.
  const half = { selection: { trackingIds: pair.slice(0, 1) }, withdrawal: next.id }
  assert.equal((await previewReinstatement(zone, half)).padding, 18)
  await reinstate(zone, { ...half, ...note }, clock.now())
  const whole = await reinstate(zone, { withdrawal: done.id, ...note }, clock.now())
  assert.equal(whole.padding, 19)
  assert.deepEqual(
    await heldReports(zone.db),
    others.slice(1, 2).map(({ seq }) => seq),
  )
  // Padding is nobody's, and selected by nothing.
  const { rows } = await zone.db.query<{ tracking: string; key: string }>(
    sql`select encode(p.tracking_id, 'hex') as tracking, encode(k.key_data, 'hex') as key
        from report p join diagnosis_key k using (seq) where k.padding limit 1`,
  )
  for (const each of [{ trackingIds: [rows[0]?.tracking ?? ''] }, { keys: [rows[0]?.key ?? ''] }]) {
    const found = await previewWithdrawal(zone, each, 'retroactive')
    assert.deepEqual([found.reports, found.keys], [0, 0])
  }
  await assertLogIsClean(town)
})

databaseTest('too little padding is a warning', async (db, t) => {
  await using town = await openPublishingZone(db, t)
  await town.addStream('us')
  const sent = await send(town)
  town.clock.advance(HOUR)
  await publishDue(town.zone.publisher)
  const preview = await previewWithdrawal(town.zone, { keys: sent.keys.slice(0, 2) }, 'retroactive')
  assert.deepEqual([preview.padding, preview.publishedKeys], [0, 2])
  assert.match(preview.warnings.join(), /these keys belong together/)
})

databaseTest('what can not be done is refused, and changes nothing', async (db, t) => {
  await using town = await openPublishingZone(db, t)
  const { zone, clock } = town
  const sent = await send(town)
  const selection = { trackingIds: [sent.trackingId] }
  const refused = (message: RegExp) => ({ code: 'correction_invalid', message })
  for (const reason of ['', '   ', 'x'.repeat(501)])
    await assert.rejects(withdrawNow(town, { selection, reason }), refused(/1 to 500 characters/))
  await assert.rejects(withdrawNow(town, { selection, id: 'abc' }), refused(/32 hex digits/))
  await assert.rejects(withdrawNow(town, { selection, scope: 'both' }), refused(/retroactively/))
  await assert.rejects(
    previewWithdrawal(zone, { keys: sent.keys, source: 'publish-v1' }, 'both'),
    refused(/leave the other conditions out/),
  )
  await assert.rejects(reinstate(zone, note, clock.now()), refused(/name a withdrawal/))
  await assert.rejects(previewReinstatement(zone, { withdrawal: 'x' }), refused(/32 hex digits/))
  await assert.rejects(withdrawNow(town, { selection: {} }), { code: 'selection_invalid' })
  const amending = { selection, ...note }
  await assert.rejects(amend(zone, amending, clock.now()), refused(/report type, an onset/))
  for (const onset of ['2026-02-30', '31.1.2026', '1969-12-31', '2026-1-1'])
    await assert.rejects(amend(zone, { ...amending, onset }, clock.now()), refused(/a day such as/))
  await assert.rejects(
    amend(zone, { ...amending, reportType: 'negative' as 'likely' }, clock.now()),
    refused(/confirmed, likely or user-report/),
  )
  await assert.rejects(
    amend(zone, { ...note, selection: { keys: sent.keys }, onset: '2026-03-01' }, clock.now()),
    refused(/whole reports/),
  )
  assert.deepEqual(await listCorrections(zone.db), [])
  assert.deepEqual(await heldReports(zone.db), [])
})
