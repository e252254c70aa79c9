// Test: what the authority zone erases, and when, on the moved clock; promises that each time is kept to the second or grain.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { batchCodes } from '../src/authorize/batch-events.ts'
import { codeActivated, codeCertified, codeExpired, codeFailed } from '../src/authorize/codes.ts'
import { forgetPhone } from '../src/authorize/retention-codes.ts'
import { countTextError } from '../src/authorize/stat-counts.ts'
import { sql } from '../src/db/sql.ts'
import {
  countToday,
  DAY,
  dayAt,
  hex,
  HOUR,
  retentionTest,
  type RetentionZone,
} from './authority-retention-zone.ts'

/** Whether a dump shows some bytes, in a column of their own or inside a record. */
function shows(dump: string, bytes: Uint8Array | undefined): boolean {
  return dump.includes(hex(bytes))
}

/** The row of a code. */
async function rowOf({ zone }: RetentionZone, seq: number) {
  const { rows } = await zone.db.query<Record<string, unknown>>(
    sql`select * from verification_code where seq = ${seq}`,
  )
  return rows[0]
}

/** The retentions of the parts of an event that are there. */
async function partsOf(zone: RetentionZone, seq: number): Promise<string[]> {
  const event = (await zone.events())[seq]
  return (event?.parts ?? []).flatMap((part) =>
    part.content === undefined ? [] : [part.retention],
  )
}

retentionTest(
  'HMACs of a code are blanked 48 hours after both its forms expired, to the second',
  async (zone) => {
    const code = await zone.issue({ needsNonce: true })
    zone.clock.set(new Date((code.longExpiresAt + 48 * HOUR - 1) * 1000))
    assert.equal((await zone.erase())['code-secret'], 0)
    const before = await zone.dump()
    for (const mac of [...code.macs, code.nonceMac]) assert.ok(shows(before, mac))
    zone.clock.advance(1)
    assert.equal((await zone.erase())['code-secret'], 1)
    const after = await zone.dump()
    for (const mac of [...code.macs, code.nonceMac]) assert.ok(!shows(after, mac))
    assert.deepEqual((await rowOf(zone, code.seq))?.['test_type'], 'confirmed')
    assert.deepEqual(await partsOf(zone, code.seq), ['code', 'statistics'])
  },
)

retentionTest('a code that was ended early keeps its HMACs no longer for it', async (zone) => {
  const code = await zone.issue()
  await zone.append(codeExpired(code, zone.seconds(), 'key:abcdefgh'))
  zone.clock.advance(48 * HOUR - 1)
  assert.equal((await zone.erase())['code-secret'], 0)
  zone.clock.advance(1)
  assert.equal((await zone.erase())['code-secret'], 1)
})

retentionTest('the codes of an event lose their HMACs when all are due', async (zone) => {
  const macs = [randomBytes(32), randomBytes(32)]
  const expiresAt = zone.seconds() + 20 * DAY
  const [seq = 0] = await zone.append(
    batchCodes(
      {
        id: 'AB12',
        realm: 'north',
        provider: 'lab',
        label: '',
        language: 'en',
        size: 2,
        testType: 'confirmed',
        needsActivation: true,
        expiresAt,
        handle: null,
      },
      1,
      macs,
      [countToday(zone.seconds(), 'codes_issued', 2)],
    ),
  )
  await zone.append(codeExpired({ seq, place: 0 }, zone.seconds(), 'command'))
  zone.clock.advance(16 * DAY)
  assert.equal((await zone.erase())['code-secret'], 0)
  zone.clock.set(new Date((expiresAt + 48 * HOUR) * 1000))
  assert.equal((await zone.erase())['code-secret'], 1)
  for (const mac of macs) assert.ok(!shows(await zone.dump(), mac))
  zone.clock.set(new Date((expiresAt + 14 * DAY - 1) * 1000))
  assert.equal((await zone.erase()).code, 0)
  zone.clock.advance(1)
  assert.equal((await zone.erase()).code, 1)
  assert.equal(await rowOf(zone, seq), undefined)
})

retentionTest('a code keeps its pepper as long as a token of it counts', async (zone) => {
  const code = await zone.issue()
  // Ended by somebody whose clock is three days behind.
  await zone.append(codeExpired(code, zone.seconds() - 3 * DAY, 'command'))
  const token = await zone.claim(code)
  zone.clock.advance(24 * HOUR - 1)
  assert.equal((await zone.erase())['code-secret'], 0)
  assert.ok(shows(await zone.dump(), token))
  zone.clock.advance(1)
  assert.equal((await zone.erase())['code-secret'], 1)
})

retentionTest(
  'a token and its certificate leave 24 hours after it expired, to the grain',
  async (zone) => {
    const code = await zone.issue()
    const nonceMac = randomBytes(32)
    const replaced = await zone.claim(code)
    const token = await zone.claim(code, nonceMac)
    zone.clock.advance(23 * HOUR)
    const keysMac = randomBytes(32)
    const counts = [countToday(zone.seconds(), 'tokens_claimed')]
    const [certified = 0] = await zone.append(codeCertified(code, keysMac, 'h'.repeat(22), counts))
    zone.clock.set('2026-11-27T09:59:59Z')
    assert.equal((await zone.erase()).token, 0)
    for (const kept of [replaced, token, keysMac, nonceMac])
      assert.ok(shows(await zone.dump(), kept))
    zone.clock.set('2026-11-27T10:00:00Z')
    assert.equal((await zone.erase()).token, 3)
    for (const gone of [replaced, token, keysMac, nonceMac])
      assert.ok(!shows(await zone.dump(), gone))
    assert.deepEqual(await partsOf(zone, certified), ['code', 'statistics'])
    assert.equal((await rowOf(zone, code.seq))?.['handle'], 'h'.repeat(22))
    assert.equal((await zone.erase()).token, 0)
  },
)

retentionTest(
  "a claim's end leaves a self-report its own nonce, until its HMACs go",
  async (zone) => {
    const code = await zone.issue({ needsNonce: true, longExpiresAt: zone.seconds() + 20 * DAY })
    await zone.claim(code, code.nonceMac)
    zone.clock.advance(3 * DAY)
    assert.equal((await zone.erase()).token, 1)
    assert.equal(
      hex((await rowOf(zone, code.seq))?.['nonce_mac'] as Uint8Array),
      hex(code.nonceMac),
    )
    zone.clock.advance(20 * DAY)
    assert.equal((await zone.erase())['code-secret'], 1)
    assert.equal((await rowOf(zone, code.seq))?.['nonce_mac'], null)
  },
)

retentionTest(
  'what became of a code leaves 14 days after it expired, with what was said of it',
  async (zone) => {
    const code = await zone.issue()
    const result = { symptomDate: '2026-11-19', testDate: '2026-11-21', by: 'command' as const }
    const [activated = 0] = await zone.append(codeActivated({ seq: code.seq, place: 0, ...result }))
    zone.clock.set(new Date((code.longExpiresAt + 14 * DAY - 1) * 1000))
    const older = await zone.issue()
    assert.equal((await zone.erase()).code, 0)
    assert.deepEqual(await partsOf(zone, activated), ['code'])
    zone.clock.advance(1)
    assert.equal((await zone.erase()).code, 2)
    assert.deepEqual(await partsOf(zone, code.seq), ['statistics'])
    assert.deepEqual(await partsOf(zone, activated), [])
    assert.equal(await rowOf(zone, code.seq), undefined)
    assert.ok(await rowOf(zone, older.seq))
  },
)

retentionTest(
  'what was said of codes leaves with the last code that it may be about',
  async (zone) => {
    const paper = await zone.issue({ longExpiresAt: zone.seconds() + 60 * DAY })
    const short = await zone.issue({ provider: 'lab' })
    const said = await zone.append(
      codeExpired(short, zone.seconds(), 'command'),
      codeCertified(short, randomBytes(32), 'h'.repeat(22), [
        countToday(zone.seconds(), 'tokens_claimed'),
      ]),
    )
    zone.clock.set(new Date((paper.longExpiresAt + 14 * DAY - 1) * 1000))
    assert.equal((await zone.erase())['code-remains'], 0)
    for (const seq of said) assert.ok((await partsOf(zone, seq)).includes('code'))
    zone.clock.advance(1)
    assert.equal((await zone.erase())['code-remains'], 2)
    assert.ok(zone.clock.now().getTime() - Date.parse('2026-11-25T10:07:30Z') < 75 * DAY * 1000)
    for (const seq of said) assert.ok(!(await partsOf(zone, seq)).includes('code'))
  },
)

retentionTest('of a code that reached nobody nothing stays but what was counted', async (zone) => {
  await zone.issue({ longExpiresAt: zone.seconds() + 60 * DAY })
  const code = await zone.issue({ needsNonce: true }, 90)
  const place = { realm: 'north', day: dayAt(zone.seconds()) }
  const [failed = 0] = await zone.append(codeFailed(code, countTextError(place, '500')))
  assert.equal((await zone.erase())['failed-code'], 4)
  assert.deepEqual(await partsOf(zone, code.seq), ['statistics'])
  assert.deepEqual(await partsOf(zone, failed), ['statistics'])
  const dump = await zone.dump()
  for (const mac of [...code.macs, code.nonceMac, code.phoneMac]) assert.ok(!shows(dump, mac))
})

retentionTest('a phone is forgotten on the day that its realm said', async (zone) => {
  const code = await zone.issue({}, 90)
  const day = dayAt(zone.seconds()) + 90
  zone.clock.set(new Date(day * DAY * 1000 - 1000))
  assert.equal((await zone.erase()).phone, 0)
  assert.ok(shows(await zone.dump(), code.phoneMac))
  zone.clock.advance(1)
  assert.equal((await zone.erase()).phone, 1)
  assert.ok(!shows(await zone.dump(), code.phoneMac))
})

retentionTest(
  'a phone that reports itself again is known by its new report alone',
  async (zone) => {
    const code = await zone.issue({}, 90)
    await zone.zone.db.transaction((tx) => forgetPhone(tx, 'south', [code.phoneMac]))
    assert.ok(shows(await zone.dump(), code.phoneMac))
    await zone.zone.db.transaction((tx) =>
      forgetPhone(tx, 'north', [randomBytes(32), code.phoneMac]),
    )
    await zone.check()
    assert.ok(!shows(await zone.dump(), code.phoneMac))
  },
)

retentionTest(
  'counts leave 91 days after their day, with all that was counted then',
  async (zone) => {
    zone.clock.set('2026-11-25T23:59:59Z')
    const first = await zone.issue()
    await zone.claim(first)
    zone.clock.advance(1)
    const second = await zone.issue()
    zone.clock.set('2027-02-24T23:59:59Z')
    assert.equal((await zone.erase()).statistics, 0)
    zone.clock.advance(1)
    assert.equal((await zone.erase()).statistics, 2)
    const { rows } = await zone.zone.db.query<{ day: number; count: number }>(
      sql`select day, count from authority_stat`,
    )
    assert.deepEqual(rows, [{ day: Date.parse('2026-11-26') / 1000 / DAY, count: 1 }])
    assert.deepEqual(await partsOf(zone, second.seq), ['statistics'])
    zone.clock.advance(DAY)
    assert.equal((await zone.erase()).statistics, 1)
  },
)

retentionTest(
  'who did what leaves a year after its day; so does the last use of a key',
  async (zone) => {
    const used = (prefix: string) => {
      const content = { prefix, day: dayAt(zone.seconds()) }
      return { type: 'api-key.used', parts: [{ retention: 'audit', content } as const] }
    }
    for (const prefix of ['rarely', 'often'])
      await zone.append({
        type: 'api-key.added',
        parts: [
          {
            retention: 'configuration',
            content: { prefix, realm: 'north', type: 'admin', mac: randomBytes(32) },
          },
        ],
      })
    const seqs = await zone.append(used('rarely'), used('often'))
    zone.clock.advance(DAY)
    const [last = 0] = await zone.append(used('often'))
    zone.clock.set('2027-11-25T23:59:59Z')
    assert.equal((await zone.erase()).audit, 0)
    zone.clock.advance(1)
    assert.equal((await zone.erase()).audit, 2)
    for (const seq of seqs) assert.deepEqual(await partsOf(zone, seq), [])
    assert.deepEqual(await partsOf(zone, last), ['audit'])
    const { rows } = await zone.zone.db.query<{ day: number | null }>(
      sql`select last_used_day as day from api_key order by prefix`,
    )
    assert.deepEqual(rows, [{ day: Date.parse('2026-11-26') / 1000 / DAY }, { day: null }])
  },
)
