// Test: `tocsin explain`, as an operator calls it: a key in each form, a tracking id, and what is neither.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { explainReport, type KnownKey } from '../src/publish/explain-key.ts'
import { databaseTestOnce } from './database.ts'
import { makeKeys } from './key-zone.ts'
import { openPublishingZone } from './publishing-zone.ts'
import { tocsin } from './run-command.ts'
import { sendReport } from './send-report.ts'

databaseTestOnce(
  'the command takes a key in each form and a tracking id, and an unknown one is an answer',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    await test.addStream('us')
    const authority = await test.addAuthority('org.example.clinic', ['US'])
    const keys = makeKeys(test.clock.now(), 2)
    const reply = await sendReport(test, authority, keys)
    const env = {
      TOCSIN_DATABASE_URL: database.url,
      TOCSIN_MASTER_KEY_FILE: join(test.folder, 'master.key'),
      TOCSIN_DATA: test.folder,
    }
    const key = keys[0]?.key ?? ''
    const bytes = Buffer.from(key, 'base64')
    const forms = ['base64', 'base64url', 'hex'].map((form) => bytes.toString(form as 'hex'))
    const runs = await Promise.all(
      [...forms, forms[0]?.slice(0, 22) ?? '', forms[2]?.toUpperCase() ?? ''].map(async (form) => {
        const { status, out, err } = await tocsin(['explain', '--json', '--', form], env)
        assert.deepEqual([status, err], [0, ''], form)
        return JSON.parse(out) as { known: boolean; report: unknown; key: KnownKey }
      }),
    )
    for (const { known, report, key: told } of runs)
      assert.deepEqual([known, report, told.key, told.streams.length], [true, null, key, 1])

    const { trackingId } = reply as unknown as { trackingId: string }
    const told = await tocsin(['explain', trackingId], env)
    assert.equal(told.status, 0)
    assert.match(told.out, new RegExp(`^report ${trackingId}, accepted .*: 2 accepted\n`))
    for (const { key } of keys) assert.ok(told.out.includes(`key ${key}, valid `))
    const report = await explainReport(test.zone.db, Buffer.from(trackingId, 'hex'), 0)
    assert.deepEqual(report?.outcomes, { accepted: 2 })

    const nobodys = randomBytes(16).toString('hex')
    const unknown = await tocsin(['explain', nobodys], env)
    assert.equal(unknown.status, 0)
    assert.match(unknown.out, /not known\..*Nothing is kept of a refused report/)
    assert.match(unknown.out, /as its tracking id, either/)
    for (const wrong of [[], ['abc'], [`${nobodys}0`], [bytes.subarray(1).toString('base64')]]) {
      const { status, out, err } = await tocsin(['explain', ...wrong], env)
      assert.deepEqual([status, out], [2, ''])
      assert.match(err, /^tocsin: usage: [^\n]+\n$/)
    }
  },
)
