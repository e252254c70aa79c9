// Test: the commands for streams, as an operator types them: options, warnings, the change of a signing key, the end.

import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { databaseTestOnce } from './database.ts'
import { tocsin } from './run-command.ts'
import { KEY, openDesk, soon } from './stream-desk.ts'

databaseTestOnce(
  'every option of a stream is stored, listed, and changed by itself',
  async (db, t) => {
    const { env, file, publicKeys, run, show } = await openDesk(db, t)
    const added = await run(
      `stream add all --region eu --input-region us,de --input-region ca --exclude-region mx --travelers exclude --report-types user-report,confirmed --period 4h --window-age 30m --hold 5 --minimum 500 --maximum 20000 --retention 7d --from ${soon(1)} --through 2100-01-01T00:00+01:00 ${KEY} --key-from 1000 --key-through 2099-01-01T00:00:30Z`,
    )
    assert.equal(added['added'], true)
    assert.deepEqual(
      added.warnings.map(({ code }) => code),
      ['signing_key_ends', 'retention_short', 'region_of_no_authority'],
    )
    assert.deepEqual((added['padding'] as { keysADay: number }).keysADay, 3_000)
    const key = {
      keyId: '310',
      keyVersion: 'v1',
      publicKey: publicKeys[0],
      keyFile: file('a.pem'),
      from: 1000,
      through: Date.UTC(2099, 0, 1) / 1000 + 30,
      state: 'signing',
    }
    const { configurationSeq: _, ...listed } = await show('all')
    const expected = {
      name: 'all',
      kind: 'gaen',
      settings: {},
      diagnosisKeys: true,
      region: 'EU',
      inputRegions: ['CA', 'DE', 'US'],
      excludedRegions: ['MX'],
      travelers: 'exclude',
      reportTypes: [1, 3],
      period: 4 * 3600,
      windowAge: 1800,
      hold: 5,
      minimum: 500,
      maximum: 20_000,
      retention: 7 * 86_400,
      start: soon(1),
      through: Date.UTC(2099, 11, 31, 23) / 1000,
      keys: [key],
      state: 'waiting',
      release: 0,
      nextDue: listed['nextDue'],
      padding: added['padding'],
      warnings: added.warnings,
    }
    assert.deepEqual(listed, expected)

    const changes: [string, Record<string, unknown>][] = [
      ['--region us', { region: 'US' }],
      ['--input-region us,ca', { inputRegions: ['CA', 'US'] }],
      ['--exclude-region none', { excludedRegions: [] }],
      ['--travelers include', { travelers: 'include' }],
      ['--report-types likely --report-types confirmed', { reportTypes: [1, 2] }],
      ['--report-types all', { reportTypes: [] }],
      ['--period 2h --hold 0', { period: 7200, hold: 0 }],
      ['--window-age 0s --minimum 0', { windowAge: 0, minimum: 0 }],
      ['--maximum 30000 --retention 14d', { maximum: 30_000, retention: 14 * 86_400 }],
      [`--from ${soon(2)} --through none`, { start: soon(2), through: null }],
      ['--input-region us', { inputRegions: ['US'] }],
      // It published the keys of its region; it goes on doing so.
      ['--region ca', { region: 'CA', inputRegions: ['CA'] }],
    ]
    let before: Record<string, unknown> = expected
    for (const [options, change] of changes) {
      const { stream } = await run(`stream update all ${options}`)
      const { configurationSeq: _, ...after } = stream as Record<string, unknown>
      const {
        state: _1,
        release: _2,
        nextDue: _3,
        padding: _4,
        warnings: _5,
        keys: _6,
        ...rest
      } = before
      assert.deepEqual(after, { ...rest, keys: after['keys'], ...change }, options)
      before = after
    }
    const { status, out } = await tocsin(['stream', 'list'], env)
    assert.equal(status, 0)
    assert.match(out, /^all {2}waiting, release 0, next due \d{4}-/)
    assert.match(out, /warning: hold_zero: /)
    assert.match(out, /signing key 310\/v1, from 1970-01-01T00:16:40Z through 2099-/)
  },
)

databaseTestOnce(
  'a signing key is replaced step by step, while files carry both',
  async (db, t) => {
    const { file, run, show } = await openDesk(db, t)
    await run(`stream add us --region US --period 2h ${KEY}`)
    const names = async () =>
      (await show('us')).keys.map(({ keyId, keyVersion, from, through }) => [
        `${keyId}/${keyVersion}`,
        from,
        through,
      ])
    await run('stream update us --add-key b.pem --key-id 310 --key-version v2 --key-from 5')
    assert.deepEqual(await names(), [
      ['310/v2', 5, null],
      ['310/v1', 0, null],
    ])
    const ended = await run(`stream update us --end-key 310/v1 --key-through ${soon(30)}`)
    assert.deepEqual(ended.warnings, [])
    assert.deepEqual((await names())[1], ['310/v1', 0, soon(30)])
    // The file of a key moves; its time stays, or is changed with it.
    await writeFile(file('moved.pem'), await readFile(file('a.pem')), { mode: 0o600 })
    const moved = `--key ${file('moved.pem')} --key-id 310 --key-version v1`
    await run(`stream update us ${moved}`)
    assert.deepEqual((await names())[1], ['310/v1', 0, soon(30)])
    await run(`stream update us ${moved} --key-through none`)
    assert.deepEqual((await names())[1], ['310/v1', 0, null])
    assert.deepEqual(
      (await show('us')).keys.map((key) => (key as unknown as { keyFile: string }).keyFile),
      [file('b.pem'), file('moved.pem')],
    )
    await run('stream update us --remove-key 310/v1')
    assert.deepEqual(await names(), [['310/v2', 5, null]])
  },
)

databaseTestOnce('what a kind has of its own is told to its streams alone', async (db, t) => {
  const { env, run, show } = await openDesk(db, t)
  const added = await run(
    `stream add town --kind cen --region us --period 2h --trust located,verified --cells 3 ${KEY}`,
  )
  assert.deepEqual(
    added.warnings.map(({ code }) => code),
    ['list_empty'],
    'nothing about padding, or what phones read of exports',
  )
  const settings = async () => (await show('town'))['settings']
  assert.deepEqual(await settings(), { trust: ['located', 'verified'], cells: 3 })
  await run('stream update town --cell-reports 30')
  assert.deepEqual(await settings(), { trust: ['located', 'verified'], cells: 3, cellReports: 30 })
  const { minimum, retention, diagnosisKeys } = await show('town')
  assert.deepEqual([minimum, retention, diagnosisKeys], [0, 21 * 86_400, false])
  await run(`stream add keys --region us --period 2h ${KEY}`)
  for (const [options, sentence] of [
    ['keys --cells 2', '--cells is nothing that a stream of the kind gaen has.'],
    ['town --cells 5', '--cells must be a number from 0 to 4.'],
    ['town --trust verified,anybody', '--trust must be one or several of'],
    ['town --cell-reports 1', '--cell-reports must be a number from 2 to 1000.'],
  ] as const) {
    const refused = await tocsin(['stream', 'update', ...options.split(' ')], env)
    assert.equal(refused.status, 2, options)
    assert.ok(refused.err.includes(sentence), refused.err)
  }
})

databaseTestOnce('a stream is retired, and taken up again where it ended', async (db, t) => {
  const { env, run, show } = await openDesk(db, t)
  await run(`stream add us --region US --period 2h ${KEY} --from ${soon(-1)}`)
  const retired = await run('stream retire us')
  assert.equal(retired['changed'], true)
  const { through } = await show('us')
  assert.ok(Number(through) > Date.now() / 1000 && Number(through) <= Date.now() / 1000 + 7200)
  assert.equal((await run('stream retire us'))['changed'], false)
  const { out } = await tocsin(['stream', 'retire', 'us', '--at', String(soon(-1) + 7200)], env)
  assert.match(out, /The last window of us ends at .*\n.*without a gap/)
  assert.match(out, /warning: ended: /)
  assert.equal((await run('publish --once'))['releases'], 1)
  const ended = await show('us')
  assert.deepEqual([ended['state'], ended['release'], ended['nextDue']], ['ended', 1, null])
  const resumed = await tocsin(['stream', 'update', 'us', '--through', 'none'], env)
  assert.match(resumed.out, /goes on where it ended, at \d{4}-.*: the windows since then are due/)
  assert.equal((await run('stream update us --hold 3'))['resumed'], false)
  const due = Number(await run('publish --once').then((made) => made['releases']))
  assert.ok(due >= 11, `${due} windows of the day in between`)
  assert.equal((await show('us'))['state'], 'open')
})

databaseTestOnce('two changes by two commands at once are both kept', async (db, t) => {
  const { run, show } = await openDesk(db, t)
  await run(`stream add us --region US --period 2h ${KEY}`)
  await Promise.all([
    run('stream update us --hold 7'),
    run('stream update us --add-key b.pem --key-id 310 --key-version v2'),
  ])
  const { hold, keys } = await show('us')
  assert.deepEqual([hold, keys.length], [7, 2])
})

databaseTestOnce(
  'whoever adds a stream is told what padding costs, and what is seldom meant',
  async (db, t) => {
    const { env, file } = await openDesk(db, t)
    const words = `stream add us --region US --period 15m --key-id 310 --key-version v1 --key`
    const { status, out, err } = await tocsin([...words.split(' '), file('a.pem')], env)
    assert.deepEqual({ status, err }, { status: 0, err: '' })
    assert.match(out, /^Stream us publishes every 15m at \/exports\/us\/index\.txt\n.*96,000 keys/)
    assert.match(out, /\nwarning: more_files_than_phones_read: .*96 files a day.*\n/)
  },
)

databaseTestOnce(
  'whoever adds a stream whose phones read a list is told where it is, and by which setting',
  async (db, t) => {
    const { env, file } = await openDesk(db, t)
    const add = async (kind: string, name: string, given = {}) => {
      const words = `stream add ${name} --kind ${kind} --region US --period 15m --key-id 310 --key-version v1 --key`
      const { out, err } = await tocsin([...words.split(' '), file('a.pem')], { ...env, ...given })
      assert.equal(err, '')
      assert.doesNotMatch(out, /files_than|more_files/)
      return out
    }
    for (const [kind, address, variable] of [
      ['ctdiag', '/diagnosis-keys', 'TOCSIN_CTDIAG_STREAM'],
      ['cen', '/api/v1/cens/', 'TOCSIN_CEN_STREAM'],
    ] as const) {
      const alone = await add(kind, `${kind}-town`)
      const other = `The list at ${address} is that of the stream ${kind}: ${variable}=${kind}-`
      assert.ok(
        alone.includes(
          `\nwarning: list_empty: There is no stream ${kind} of the kind ${kind}, so that the list is empty. ${other}town,`,
        ),
        alone,
      )
      const its = `\nIts list is at ${address}.\n`
      assert.ok((await add(kind, `${kind}-set`, { [variable]: `${kind}-set` })).includes(its))
      const usual = await add(kind, kind)
      assert.ok(usual.includes(its) && !usual.includes('list_empty'), usual)
      const second = await add(kind, `${kind}-two`)
      assert.ok(second.includes(`\n${other}two,`) && !second.includes('list_empty'), second)
    }
    assert.doesNotMatch((await tocsin(['stream', 'list'], env)).out, /list_empty|more_files/)
  },
)

test('the words of the report types are told where they are asked for', async () => {
  for (const verb of ['add', 'update']) {
    const { out } = await tocsin(['stream', verb, '--help'])
    assert.match(
      out,
      /confirmed \(a laboratory test\), likely \(a clinical diagnosis\), user-report/,
    )
    assert.match(out, /regional \(their regions/)
  }
})
