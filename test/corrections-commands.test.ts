// Test: withdraw, reinstate, amend and correction list, as an operator types them.

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { heldKeys, heldReports, send } from './correcting-zone.ts'
import { databaseTestOnce } from './database.ts'
import { assertLogIsClean, openPublishingZone } from './publishing-zone.ts'
import { tocsin } from './run-command.ts'

databaseTestOnce(
  'a correction is previewed, carried out, listed and taken back',
  async (database, t) => {
    await using town = await openPublishingZone(database, t)
    const { db } = town.zone
    const env = {
      TOCSIN_DATABASE_URL: database.url,
      TOCSIN_MASTER_KEY_FILE: join(town.folder, 'master.key'),
      TOCSIN_DATA: town.folder,
    }
    const run = async (...args: string[]) => {
      const { status, out, err } = await tocsin([...args, '--json'], env)
      assert.deepEqual([status, err], [0, ''])
      return JSON.parse(out) as { id: string; reports: number; keys: number; carriedOut: boolean }
    }
    // One in 64 begins with a hyphen.
    const handle = Buffer.alloc(16, 0xfb).toString('base64url')
    assert.ok(handle.startsWith('-'))
    const [a, b] = [await send(town, { handle }), await send(town)]

    const select = ['withdraw', `--issuer-handle=${handle}`, '--from', '2026-03-01T00:00Z']
    const shown = await tocsin([...select, '--reason', 'the lab erred'], env)
    assert.equal(shown.status, 0)
    assert.match(shown.out, /^1 report, 3 keys\n/)
    const id =
      /^Nothing was changed\..* --carry-out (r1-k3-[0-9a-f]{16}) /m.exec(shown.out)?.[1] ?? ''
    assert.deepEqual(await heldReports(db), [])
    const done = await run(...select, '--reason', 'the lab erred', '--carry-out', id)
    assert.deepEqual([done.carriedOut, done.reports], [true, 1])
    assert.deepEqual(await heldReports(db), [a.seq])
    // Bound to the moment: what the preview showed is not what there is.
    await send(town, { handle })
    const late = await tocsin([...select, '--reason', 'x', '--carry-out', id], env)
    assert.equal(late.status, 1)
    assert.match(late.err, /^tocsin: preview_outdated: .*1 report more and 3 keys more/)

    const listed = await tocsin(['correction', 'list'], env)
    assert.match(
      listed.out,
      new RegExp(
        `^${done.id}  \\S+Z  withdrawal \\(retroactive\\) of 1 report, 3 keys\n  by command: the lab erred\n$`,
      ),
    )
    const back = ['reinstate', '--withdrawal', done.id]
    const preview = await run(...back)
    await run(...back, '--reason', 'it was right', '--carry-out', preview.id)
    assert.deepEqual(await heldReports(db), [])

    const amend = [
      'amend',
      '--report',
      `${a.trackingId},${b.trackingId}`,
      '--report-type',
      'likely',
      '--onset',
      '2026-03-07',
    ]
    assert.equal(
      (await run(...amend, '--reason', 'x', '--carry-out', (await run(...amend)).id)).reports,
      2,
    )

    const file = join(town.folder, 'keys.txt')
    await writeFile(file, `${b.keys[0]}\n\n${'ab'.repeat(16)}\n`)
    const keys = ['withdraw', '--keys-file', file, '--key', b.keys[1] ?? '', '--scope', 'both']
    await run(...keys, '--reason', 'x', '--carry-out', (await run(...keys)).id)
    const [first = '', second = ''] = b.keys
    assert.deepEqual(new Set(await heldKeys(db)), new Set([first, second, 'ab'.repeat(16)]))
    await assertLogIsClean(town)
  },
)

test('wrong usage is refused before any data is opened', async () => {
  for (const [args, code, message] of [
    ['withdraw', 'usage', /Say which/],
    [
      'withdraw --scope later --source x',
      'usage',
      /--scope must be retroactive, from-now-on or both/,
    ],
    ['withdraw --source x --from yesterday', 'usage', /--from must be a time/],
    ['withdraw --source x --carry-out r1-k1-0123456789abcdef', 'usage', /--reason is needed/],
    ['withdraw --report 12', 'selection_invalid', /trackingIds must be 32 hex digits/],
    ['withdraw --keys-file /nowhere', 'usage', /--keys-file can't be read \(ENOENT\)/],
    ['reinstate', 'usage', /--withdrawal, a selection/],
    ['reinstate --withdrawal 1', 'usage', /32 hex digits/],
    ['amend --source x', 'usage', /--report-type, --onset/],
    ['amend --source x --report-type negative', 'usage', /--report-type must be/],
  ] as const) {
    const { status, err } = await tocsin(args.split(' '))
    assert.match(err, new RegExp(`^tocsin: ${code}: `), args)
    assert.match(err, message)
    assert.equal(status, code === 'usage' ? 2 : 1)
  }
})
