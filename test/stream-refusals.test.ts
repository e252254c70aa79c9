// Test: what the commands for streams refuse: each with a code and a sentence that says what to mend, and nothing changes.

import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { databaseTestOnce } from './database.ts'
import { KEY, openDesk, soon } from './stream-desk.ts'

databaseTestOnce('what can not be is refused with a code, and nothing changes', async (db, t) => {
  const { file, run, fail, list } = await openDesk(db, t)
  await run(`stream add us --region US --period 2h ${KEY}`)
  await writeFile(file('text.pem'), 'no key', { mode: 0o600 })
  await writeFile(file('shared.pem'), await readFile(file('a.pem')), { mode: 0o644 })
  const before = await list()
  const us = 'stream add x --region US --period 2h'
  const refused: [string, RegExp][] = [
    ['stream add', /^usage: Name the stream/],
    ['stream add us --period 2h', /^usage: --region is needed/],
    ['stream add us --region US', /^usage: --period is needed/],
    [us, /^usage: --key is needed/],
    [`${us} --key a.pem --key-version v1`, /^usage: --key-id is needed/],
    [`${us} --key a.pem --key-id 310`, /^usage: --key-version is needed/],
    [`${us} --key ${file('none')} --key-id 1 --key-version 1`, /^signing_key_invalid: /],
    [`${us} --key ${file('text.pem')} --key-id 1 --key-version 1`, /^signing_key_invalid: /],
    [`${us} --key ${file('shared.pem')} --key-id 1 --key-version 1`, /^file_mode_unsafe: /],
    [`stream add us --region US --period 2h ${KEY}`, /^stream_exists: /],
    [`stream add X --region US --period 2h ${KEY}`, /^stream_invalid: A name has/],
    [`stream add x --region US --period 7h ${KEY}`, /^stream_invalid: .*divide 24 hours/],
    [`${us} ${KEY} --travelers some`, /^usage: --travelers must be regional, include or/],
    [`${us} ${KEY} --report-types negative`, /^usage: --report-types must be confirmed, /],
    [`${us} ${KEY} --report-types confirmed,all`, /^usage: --report-types must be/],
    [`${us} ${KEY} --hold many`, /^usage: --hold must be a whole number/],
    [`${us} ${KEY} --hold -1`, /^usage: /],
    [`${us} ${KEY} --hold 1001`, /^stream_invalid: The hold must be 0 to 1,000/],
    [`${us} ${KEY} --minimum 1e3`, /^usage: --minimum must be a whole number/],
    [`${us} ${KEY} --maximum 0`, /^stream_invalid: The maximum/],
    [`${us} ${KEY} --retention 1h`, /^stream_invalid: .*at least one period/],
    [`${us} ${KEY} --window-age soon`, /^usage: --window-age must be a duration/],
    [`${us} ${KEY} --input-region US,,CA`, /^stream_invalid: A region has/],
    [`${us} ${KEY} --exclude-region us`, /^stream_invalid: The region US can not be published/],
    [`${us} ${KEY} --from tomorrow`, /^usage: --from must be a time such as/],
    [`${us} ${KEY} --from 2026-03-10`, /^usage: --from must be a time .*with its zone/],
    [`${us} ${KEY} --from 2026-02-30T00:00Z`, /^usage: --from must be a time/],
    [`${us} ${KEY} --from none`, /^usage: --from must be a time/],
    [`${us} ${KEY} --from ${soon(1) + 60}`, /^stream_invalid: .*900 s: 20.*:00Z or 20.*:15:00Z/],
    [`${us} ${KEY} --from 2020-01-01T00:00Z`, /^stream_invalid: .*18 days ago at the earliest/],
    [`${us} ${KEY} --through 2020-01-01T00:00Z`, /^stream_invalid: .*end before it begins/],
    [`${us} ${KEY} --key-through 5 --key-from 5`, /^stream_invalid: .*end before it begins/],
    ['stream update', /^usage: Say which/],
    ['stream update us', /^usage: Say what changes/],
    ['stream update eu --hold 1', /^stream_unknown: There is no stream "eu"/],
    ['stream update us --maximum 10', /^stream_invalid: .*twice the minimum/],
    ['stream update us --key-id 310', /^usage: --key-id belongs to --key, --add-key or/],
    ['stream update us --key-through none', /^usage: --key-through belongs to/],
    [`stream update us ${KEY} --remove-key 310/v1`, /^usage: --key and --remove-key: one change/],
    [
      'stream update us --key b.pem --key-id 310 --key-version v1',
      /^stream_invalid: .*another public half/,
    ],
    [
      'stream update us --key b.pem --key-id 310 --key-version v2',
      /^stream_invalid: .*no signing key 310\/v2; it has 310\/v1/,
    ],
    [
      'stream update us --add-key b.pem --key-id 310 --key-version v1',
      /^stream_invalid: .*310\/v1 already/,
    ],
    ['stream update us --add-key b.pem --key-id 310', /^usage: --key-version is needed/],
    ['stream update us --end-key 310/v1', /^usage: --key-through is needed/],
    ['stream update us --end-key 310 --key-through 99', /^usage: --end-key names a key as ID/],
    ['stream update us --end-key 310/v9 --key-through 99', /^stream_invalid: .*no signing key/],
    ['stream update us --end-key 310/v1 --key-through 99 --key-from 1', /^usage: --key-from does/],
    ['stream update us --remove-key 310/v1', /^stream_invalid: .*only signing key/],
    ['stream update us --remove-key 310/v1 --key-through 9', /^usage: --key-through does not/],
    ['stream retire', /^usage: Say which/],
    ['stream retire eu', /^stream_unknown: /],
    ['stream retire us --at none', /^usage: --at must be a time/],
    ['stream retire us --at 2020-01-01T00:00Z', /^stream_invalid: .*end before it begins/],
    [`stream retire us --at ${soon(1) + 1}`, /^stream_invalid: .*whole multiple/],
  ]
  // Two at a time: each is a process of its own.
  const rest = [...refused]
  const work = async () => {
    for (let next = rest.shift(); next !== undefined; next = rest.shift()) {
      assert.match(await fail(next[0]), next[1], next[0])
    }
  }
  await Promise.all([work(), work()])
  assert.deepEqual(await list(), before)
  assert.equal((await run('log verify'))['valid'], true)
})
