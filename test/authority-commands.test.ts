// Test: the authority zone on the command line: a realm is set up, people, keys and cards are handed out, and nothing that was shown is in the database.

import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { openAuthorize } from '../src/authorize/context.ts'
import { issueCertificate } from '../src/authorize/issue-certificate.ts'
import { issueOne } from '../src/authorize/issue-api.ts'
import { readPaperCode } from '../src/authorize/paper-code.ts'
import { gatewaySecretName } from '../src/authorize/senders.ts'
import { verifyCode } from '../src/authorize/verify-code.ts'
import { runCommandLine } from '../src/cli/run-command-line.ts'
import { secretVersions } from '../src/db/zone-secrets.ts'
import { readEventRows, type EventRow } from '../src/log/read-events.ts'
import { decodeEvent } from '../src/log/record.ts'
import { verifyLog } from '../src/log/verify-log.ts'
import {
  asRequest,
  authorizeOptions,
  codeRequest,
  countEvents,
  dumpZone,
  openAuthorityData,
  outcomeOf,
  someKeysHmac,
} from './authority-zone.ts'
import { databaseTestOnce, type TestDatabase } from './database.ts'
import { runProcess, tocsin as run } from './run-command.ts'
import { temporaryFolder } from './temporary-folder.ts'

const BIN = join(import.meta.dirname, '../bin/tocsin')
const API_KEY = /^[\w-]{11}\.[\w-]{43}$/
const now = () => new Date()
const TODAY = now().toISOString().slice(0, 10)

/** The command line on a database of its own, with the realm north and the provider ward. */
async function commandLine(database: TestDatabase, t: TestContext) {
  const folder = await temporaryFolder(t)
  const { PATH, HOME } = process.env
  const env = { PATH, HOME, TOCSIN_DATABASE_URL: database.url, TOCSIN_DATA: folder }
  const secrets = new Set<string>()
  const tocsin = (args: readonly string[], input = '') => run(args, env, input)
  /** A command that goes well. @param words separated by spaces @returns its document */
  const done = async (words: string, more: readonly string[] = [], input = '') => {
    const finished = await tocsin([...words.split(' '), ...more, '--json'], input)
    assert.deepEqual(
      { status: finished.status, err: finished.err },
      { status: 0, err: '' },
      `${words} ${more.join(' ')}`,
    )
    const line = finished.out.trimEnd().split('\n').at(-1) ?? ''
    return JSON.parse(line) as Readonly<Record<string, unknown>>
  }
  const list = async (words: string) =>
    (await done(words)) as unknown as readonly Readonly<Record<string, unknown>>[]
  const realm = await done('realm add north --issuer https://north.example --audience keys', [
    '--set',
    'displayName=North County',
    '--set',
    'region=US-WA',
    '--set',
    'testTypes=confirmed,negative',
    '--set',
    'shortLife=20m',
  ])
  await done('provider add ward --realm north', ['--display-name', 'Ward 3'])
  return {
    folder,
    env,
    tocsin,
    done,
    list,
    realm,
    secrets,
    zone: () => openAuthorityData(database.url, folder, now),
    async [Symbol.asyncDispose]() {
      await using data = await openAuthorityData(database.url, folder, now)
      const { problems } = await verifyLog(data.zone.db, data.zone.writer.projections)
      assert.deepEqual(problems, [])
      const dump = (await dumpZone(data.zone)).toLowerCase()
      for (const secret of secrets) {
        assert.ok(!dump.includes(secret.toLowerCase()), 'a secret stands in the database')
        assert.ok(!dump.includes(Buffer.from(secret).toString('hex')), 'a secret, as bytes')
      }
    },
  }
}

databaseTestOnce(
  'a realm is set up: settings, templates, the secret of its gateway',
  async (database, t) => {
    await using line = await commandLine(database, t)
    const { folder, tocsin, done, list, secrets } = line
    const settings = line.realm['settings'] as Record<string, unknown>
    assert.deepEqual(
      [settings['displayName'], settings['testTypes'], settings['shortLife']],
      ['North County', ['confirmed', 'negative'], 1200],
    )
    assert.equal(line.realm['kid'], 'north-v1')
    const template = join(folder, 'ward.txt')
    await writeFile(template, 'Ward 3: your code is [code].\n')
    const set = ['--set', 'dailyQuota=500', '--set', 'maintenance=true', '--set', 'longLife=48h']
    const changed = await done('realm set north', [...set, '--template', `ward=${template}`])
    const after = changed['settings'] as Record<string, unknown>
    assert.deepEqual(
      [after['dailyQuota'], after['maintenance'], after['longLife'], after['displayName']],
      [500, true, 172_800, 'North County'],
    )
    assert.deepEqual(Object.keys(after['textTemplates'] as object), ['default', 'ward'])
    assert.equal(
      (after['textTemplates'] as Record<string, string>)['ward'],
      'Ward 3: your code is [code].',
    )
    await done('realm set north --remove-template ward --set dailyQuota=null')
    const shown = await done('realm show north')
    assert.deepEqual(shown['quota'], { limit: null, issued: 0, remaining: null })
    const kept = shown['settings'] as Record<string, unknown>
    assert.deepEqual(Object.keys(kept['textTemplates'] as object), ['default'])
    assert.equal(kept['dailyQuota'], null)
    assert.equal((await list('realm list')).length, 1)
    const people = await tocsin(['realm', 'show', 'north'])
    assert.match(people.out, /^ {2}displayName {10}"North County"$/m)

    const file = join(folder, 'gateway.secret')
    const first = await done(`realm gateway-secret north --out ${file}`)
    assert.deepEqual(first, { realm: 'north', version: 1, file })
    assert.equal(((await stat(file)).mode & 0o777).toString(8), '600')
    // Without a line feed: the key of signatures is the text.
    const told = await readFile(file, 'utf8')
    assert.match(told, /^[0-9a-f]{64}$/)
    const again = await tocsin(['realm', 'gateway-secret', 'north', '--out', file])
    assert.match(again.err, /^tocsin: file_not_written: .*exists already/)
    const printed = (await tocsin(['realm', 'gateway-secret', 'north'])).out.trimEnd()
    assert.match(printed, /^[0-9a-f]{64}$/)
    await using data = await line.zone()
    const versions = await secretVersions(
      data.zone.db,
      data.zone.masterKey,
      gatewaySecretName('north'),
    )
    assert.deepEqual(
      versions.map(({ version, secret }) => [version, Buffer.from(secret).toString('hex')]),
      [[2, printed]],
    )
    assert.equal(countEvents(await dumpZone(data.zone), 'gateway-secret.made'), 2)
    secrets.add(told).add(printed)
  },
)

databaseTestOnce('providers, staff, API keys and apps come, change and go', async (database, t) => {
  await using line = await commandLine(database, t)
  const { folder, tocsin, done, list, secrets } = line
  const suspended = await done('provider set ward --realm north --state suspended')
  assert.equal(suspended['state'], 'suspended')
  await done('provider set ward --realm north --state active')
  const providers = await list('provider list --realm north')
  assert.deepEqual(providers, [
    { realm: 'north', name: 'ward', displayName: 'Ward 3', state: 'active' },
  ])

  await done('staff add ada --realm north --role issue,statistics --role bulk', [
    '--display-name',
    'Ada',
    '--daily-quota',
    '40',
    '--provider',
    'ward',
  ])
  await done('staff set ada --realm north --state closed --daily-quota none --provider none')
  assert.deepEqual(await list('staff list'), [
    {
      realm: 'north',
      name: 'ada',
      displayName: 'Ada',
      email: null,
      provider: null,

      roles: ['issue', 'statistics', 'bulk'],
      state: 'closed',
      dailyQuota: null,
    },
  ])

  const options = ['--name', 'the app', '--expires', '2100-01-01T00:00Z', '--daily-quota', '7']
  const add = 'api-key add --realm north --type'
  const stats = String((await done(`${add} stats`, options))['apiKey'])
  assert.match(stats, API_KEY)
  const out = join(folder, 'device.key')
  const made = await done(`${add} device --provider ward --out ${out}`)
  const device = (await readFile(out, 'utf8')).trimEnd()
  assert.deepEqual(made, { realm: 'north', type: 'device', prefix: device.slice(0, 11), file: out })
  assert.equal(((await stat(out)).mode & 0o777).toString(8), '600')
  secrets.add(stats).add(device).add(stats.slice(12)).add(device.slice(12))
  // Either may begin with a hyphen.
  const revoked = await tocsin(['api-key', 'revoke', '--', device.slice(0, 11)])
  assert.equal(revoked.status, 0, revoked.err)
  const keys = await list('api-key list --realm north')
  assert.deepEqual(keys[1], {
    prefix: stats.slice(0, 11),
    realm: 'north',
    type: 'stats',
    name: 'the app',

    provider: null,
    dailyQuota: 7,
    expiresAt: 0xf4865700,
    revoked: false,
    lastUsed: null,
  })
  assert.deepEqual([keys[0]?.['revoked'], keys[0]?.['provider']], [true, 'ward'])
  const people = await tocsin(['api-key', 'list'])
  assert.match(
    people.out,
    /stats of north, works, ends 2100-01-01T00:00:00Z.*never used, the app$/m,
  )
  assert.match(people.out, /device of north, revoked, no end, provider ward, never used$/m)

  const app = {
    displayName: 'Care',
    platform: 'ios',
    appId: 'A1B2C3D4E5.org.example.care',

    storeUrl: '',
    fingerprints: [],
    redirects: true,
    headless: false,
  }
  const file = join(folder, 'app.json')
  await writeFile(file, JSON.stringify(app))
  assert.deepEqual(await done(`app set care --realm north --file ${file}`), {
    name: 'care',
    ...app,
  })
  assert.deepEqual(await list('app list --realm north'), [{ name: 'care', ...app }])
  await done('app remove care --realm north')
  assert.deepEqual(await list('app list --realm north'), [])
})

databaseTestOnce(
  'a batch becomes cards once: made, activated, used, previewed, withdrawn',
  async (database, t) => {
    await using line = await commandLine(database, t)
    const { folder, tocsin, done, list, secrets } = line
    const csv = join(folder, 'cards.csv')
    const make = 'batch make --realm north --provider ward --size 12 --label May'
    const batch = await done(`${make} --needs-activation --life 7d --csv ${csv}`)
    assert.deepEqual(
      [batch['size'], batch['language'], batch['testType'], batch['needsActivation']],
      [12, 'en', 'confirmed', true],
    )
    assert.equal(((await stat(csv)).mode & 0o777).toString(8), '600')
    const [, ...rows] = (await readFile(csv, 'utf8')).trimEnd().split('\r\n')
    const codes = rows.map((row) => row.split(',')[1] ?? '')
    assert.equal(new Set(codes).size, 12)
    for (const code of codes) secrets.add(code).add(readPaperCode(code) ?? '')
    const [code = '', spoilt = ''] = codes
    const [, , link = '', expires = ''] = rows[0]?.split(',') ?? []
    assert.equal(link, `ens://v?r=US-WA&c=${readPaperCode(code)}`)
    const lastDay = new Date((Number(batch['expiresAt']) - 86_400) * 1000)
    assert.equal(expires, lastDay.toISOString().slice(0, 10))

    const pdf = join(folder, 'cards.pdf')
    const second = await done(`${make} --life 7d --paper letter --pdf ${pdf}`, [
      '--text',
      'Call us',
    ])
    assert.equal((await readFile(pdf)).subarray(0, 5).toString(), '%PDF-')
    const taken = await tocsin([...make.split(' '), '--pdf', pdf])
    assert.match(taken.err, /^tocsin: file_not_written: .*exists already/)
    assert.equal((await list('batch list --realm north')).length, 2)

    const typed = ` ${code.toLowerCase().replaceAll('-', ' ')}\n`
    const activate = `code activate --realm north --test-date ${TODAY}`
    const activation = await done(activate, [], typed)
    assert.deepEqual(
      [activation['batch'], activation['testDate'], activation['symptomDate']],
      [batch['id'], TODAY, null],
    )
    const device = String((await done('api-key add --realm north --type device'))['apiKey'])
    secrets.add(device)
    {
      await using data = await line.zone()
      await using context = await openAuthorize(data.zone, authorizeOptions(now))
      const verified = await verifyCode(context, asRequest(device, { code }))
      assert.equal(outcomeOf(verified), 'done')
      const keys = { token: verified.body['token'], ekeyhmac: someKeysHmac() }
      assert.equal(outcomeOf(await issueCertificate(context, asRequest(device, keys))), 'done')
      secrets.add(String(verified.body['token']))
    }
    const used = await tocsin([...activate.split(' '), '--symptom-date', TODAY], typed)
    assert.match(used.err, /^tocsin: code_used: /)
    assert.equal(used.out, '')

    const counts = { handles: 1, certificates: 1 }
    const preview = await done(`batch invalidate ${String(batch['id'])} --realm north --preview`)
    assert.deepEqual(preview, {
      unused: 11,
      used: 1,
      ...counts,

      canWithdraw: true,
      invalidated: false,
    })
    const card = await done('code invalidate --card --realm north', [], spoilt)
    assert.deepEqual([card['unused'], card['invalidated'], card['order']], [1, true, null])
    const id = String(batch['id']).toLowerCase()
    const gone = await done(`batch invalidate ${id} --realm north --retroactive`)
    assert.deepEqual([gone['unused'], gone['used'], gone['invalidated']], [10, 1, true])
    const [order] = await list('withdrawal list --realm north')
    assert.equal(order?.['id'], gone['order'])
    assert.deepEqual([order?.['handles'], order?.['delivered']], [1, false])
    assert.match(
      (await tocsin(['withdrawal', 'list'])).out,
      /of north, made .*, 1 handle, reports of \d{4}-\d\d-\d\d to \d{4}-\d\d-\d\d, not delivered yet$/m,
    )
    const all = await done('provider invalidate-codes ward --realm north')
    assert.equal(all['unused'], 12)
    const listed = await list('batch list --realm north')
    assert.deepEqual(
      listed.map(({ invalidated, unused }) => [invalidated, unused]),
      [
        [true, 0],
        [true, 0],
      ],
    )
    assert.equal(second['size'], 12)
    await using data = await line.zone()
    assert.ok(countEvents(await dumpZone(data.zone), 'looked-up') >= 3)
  },
)

databaseTestOnce('a batch whose cards can not be written does not count', async (database, t) => {
  await using line = await commandLine(database, t)
  const { folder, env, tocsin, list } = line
  const file = join(folder, 'cards.csv')
  const make = 'batch make --realm north --provider ward --size 2000 --label May --csv'.split(' ')
  // Blocks of 512 bytes: the disk is full after some hundred cards.
  const args = [process.execPath, BIN, ...make, file]
  const failed = await runProcess('sh', ['-c', 'ulimit -f 100; exec "$@"', 'sh', ...args], env, '')
  assert.equal(failed.status, 1)
  assert.match(
    failed.err,
    /^tocsin: file_not_written: .*can't be written\. The batch \w{4} was invalidated: none of its codes counts\.\n$/,
  )
  await assert.rejects(stat(file), { code: 'ENOENT' })
  const batches = await list('batch list --realm north')
  assert.deepEqual(
    batches.map(({ invalidated, unused, invalid }) => [invalidated, unused, invalid]),
    [[true, 0, 2000]],
  )
  // What can't be printed is found before there is a batch.
  const unprintable = ['--pdf', join(folder, 'cards.pdf'), '--text', '\u{13080}']
  const refused = await tocsin([...make.slice(0, -1), ...unprintable])
  assert.match(refused.err, /^tocsin: card_text_unprintable: /)
  assert.equal((await list('batch list --realm north')).length, 1)
  await assert.rejects(stat(join(folder, 'cards.pdf')), { code: 'ENOENT' })
})

databaseTestOnce('a code is looked up, ended and invalidated by its uuid', async (database, t) => {
  await using line = await commandLine(database, t)
  const { tocsin, done, secrets } = line
  const admin = String((await done('api-key add --realm north --type admin'))['apiKey'])
  secrets.add(admin)
  const issue = async () => {
    await using data = await line.zone()
    await using context = await openAuthorize(data.zone, authorizeOptions(now))
    const { body } = await issueOne(context, asRequest(admin, codeRequest(now())))
    return { uuid: String(body['uuid']), code: String(body['code']) }
  }
  const [one, other] = [await issue(), await issue()]
  const status = await done(`code status ${one.uuid.toUpperCase()} --realm north`)
  assert.deepEqual([status['claimed'], status['invalidated']], [false, false])
  const expired = await done(`code expire ${one.uuid} --realm north`)
  assert.ok(Number(expired['expiresAt']) < Number(status['expiresAt']))
  assert.deepEqual(await done(`code expire ${one.uuid} --realm north`), expired)
  const preview = await done(`code invalidate ${other.uuid} --realm north --preview`)
  assert.deepEqual([preview['unused'], preview['invalidated']], [1, false])
  const people = await tocsin(['code', 'invalidate', other.uuid, '--realm', 'north'])
  assert.match(people.out, /^1 code unused, 0 used$/m)
  assert.match(people.out, /^No report was made with them: there is nothing to withdraw\.$/m)
  assert.equal((await done(`code status ${other.uuid} --realm north`))['invalidated'], true)
  const unknown = '01234567-89ab-cdef-0123-456789abcdef'
  const none = await tocsin(['code', 'expire', unknown, '--realm', 'north'])
  assert.match(none.err, /^tocsin: code_not_found: /)
  await using data = await line.zone()
  const dump = await dumpZone(data.zone)
  // Two looks at a code, one at what invalidating would do.
  assert.equal(countEvents(dump, 'looked-up'), 3)
})

databaseTestOnce('every look by a command is an event of its realm', async (database, t) => {
  await using line = await commandLine(database, t)
  const { done } = line
  await done('realm add south --issuer https://south.example --audience keys')
  const looks = [
    ['realm list', 'realm', ['north', 'south']],
    ['realm show north', 'realm', ['north']],
    ['provider list', 'providers', ['north', 'south']],
    ['provider list --realm south', 'providers', ['south']],
    ['staff list --realm north', 'staff', ['north']],
    ['api-key list', 'api-keys', ['north', 'south']],
    ['app list --realm north', 'apps', ['north']],
    ['batch list --realm north', 'batches', ['north']],
    ['key list --realm north', 'signing-keys', ['north']],
    ['withdrawal list', 'withdrawal-orders', ['north', 'south']],
  ] as const
  for (const [words] of looks) await done(words)
  await using data = await line.zone()
  const events: EventRow[] = []
  for await (const page of readEventRows(data.zone.db, 0)) events.push(...page)
  const looked = events
    .filter(({ type }) => type === 'looked-up')
    .flatMap(({ record }) => decodeEvent(record).parts.map(({ content }) => content))
  assert.deepEqual(
    looked,
    looks.flatMap(([, what, realms]) => realms.map((realm) => ({ by: 'command', what, realm }))),
  )
})

databaseTestOnce('signing keys are listed, replaced and destroyed', async (database, t) => {
  await using line = await commandLine(database, t)
  const { tocsin, done, list } = line
  const next = await done('key rotate --realm north')
  assert.equal(next['kid'], 'north-v2')
  assert.equal((await done('key rotate --realm north --purpose text'))['kid'], 'north-v1sms')
  const keys = await list('key list --realm north')
  assert.deepEqual(
    keys.map(({ kid, state, published }) => [kid, state, published]),
    [
      ['north-v1', 'signs', true],
      ['north-v2', 'follows', true],
      ['north-v1sms', 'signs', true],
    ],
  )
  const people = await tocsin('key list --realm north --purpose certificate --pem'.split(' '))
  assert.equal(people.out.match(/BEGIN PUBLIC KEY/g)?.length, 2)
  assert.doesNotMatch(people.out, /PRIVATE|sms/)
  const destroy = (kid: string) => tocsin(['key', 'destroy', kid, '--realm', 'north'])
  assert.match((await destroy('north-v1')).err, /^tocsin: signing_key_in_use: /)
  assert.match((await destroy('north-v9')).err, /^tocsin: signing_key_unknown: /)
})

test('wrong usage is told before any data is opened', async () => {
  const batch = 'batch make --realm r --provider p --label l --size 5'
  const wrong: readonly (readonly [RegExp, string])[] = [
    [/Say which: tocsin realm show NAME/, 'realm show'],
    [/Say what changes/, 'realm set north'],
    [/--set must be SETTING=VALUE/, 'realm set north --set maintenance'],
    [/--template must be LABEL=FILE/, 'realm set north --template =x'],
    [/Say which/, 'realm gateway-secret'],
    [/--display-name is needed/, 'provider add ward --realm north'],
    [/Say what changes/, 'provider set ward --realm north'],
    [/--state must be active, suspended or closed/, 'provider set w --realm r --state open'],
    [/--realm is needed/, 'provider invalidate-codes ward'],
    [/Unexpected argument/, 'provider list north'],
    [/--role is needed/, 'staff add ada --realm north --display-name Ada'],
    [/--role must be some of/, 'staff set ada --realm north --role king'],
    [/Say what changes/, 'staff set ada --realm north'],
    [/--daily-quota must be/, 'staff set ada --realm north --daily-quota many'],
    [/Unknown option/, 'staff list --name ada'],
    [/--type must be device, admin or stats/, 'api-key add --realm north --type king'],
    [/--type is needed/, 'api-key add --realm north'],
    [/--expires must be a time/, 'api-key add --realm r --type stats --expires soon'],
    [/Unknown option/, 'api-key list --type device'],
    [/11 characters/, 'api-key revoke abcdefghijk.abcdefghijklmnopqrstuvwxyz'],
    [/--file is needed/, 'app set care --realm north'],
    [/--realm is needed/, 'app list'],
    [/Say which/, 'app remove --realm north'],
    [/--label is needed/, 'batch make --realm r --provider p --size 5 --pdf x'],
    [/Say where the cards go/, batch],
    [/Say where the cards go/, `${batch} --pdf= --csv y`],
    [/--size must be/, 'batch make --realm r --provider p --label l --size none --pdf x'],
    [/--life must be/, `${batch} --pdf x --life long`],
    [/--paper must be A4 or letter/, `${batch} --pdf x --paper a5`],
    [/--realm is needed/, 'batch list'],
    [/Say which/, 'batch invalidate --realm north'],
    [/UUID must have the form/, 'code status 12345678 --realm north'],
    [/UUID must have the form/, 'code expire 12345678 --realm north'],
    [/--test-date or --symptom-date/, 'code activate --realm north'],
    [/--utc-offset/, `code activate --realm n --test-date ${TODAY} --utc-offset west`],
    [/Unexpected argument/, `code activate 7K2MQ0R4XJ8T3W5ZH1NB --realm north`],
    [/name no UUID/, 'code invalidate x --card --realm north'],
    [/--purpose must be certificate or text/, 'key list --realm north --purpose files'],
    [/--realm is needed/, 'key rotate'],
    [/Say which/, 'key destroy --realm north'],
    [/Unknown option/, 'code invalidate x --realm north --retroactive'],
    [/Unexpected argument/, 'withdrawal list north'],
    [/22 characters/, 'withdrawal show abc'],
    [/--codes is needed/, 'realm allow-extra north'],
    [/--codes must be/, 'realm allow-extra north --codes 0'],
    [/--codes must be/, 'realm allow-extra north --codes none'],
    [/--audience is needed/, 'realm stats-token north'],
    [/--minutes must be/, 'realm stats-token north --audience a --minutes 61'],
    [
      /shortLife, paperLife must be a duration such as 15m/,
      'realm set n --set shortLife=90x --set bulk=true --set paperLife=long',
    ],
  ]
  const opened = () => Promise.reject(new Error('the data was opened'))
  const deployment = {
    openData: opened,
    startServer: opened,
    publisherContext: () => assert.fail('a publisher was made'),
  }
  for (const [expected, words] of wrong) {
    const lines: string[] = []
    const errors: string[] = []
    const output = {
      out: (text: string) => void lines.push(text),
      err: (text: string) => void errors.push(text),
    }
    const { signal } = new AbortController()
    const status = await runCommandLine(words.split(' '), {}, deployment, output, signal)
    assert.match(errors.join('\n'), /^tocsin: usage: .+$/, words)
    assert.match(errors.join('\n'), expected, words)
    assert.deepEqual([status, lines], [2, []], words)
  }
})

/** Processes that run at the same time. */
const AT_ONCE = 8

databaseTestOnce('what is not there is named, and nothing changes', async (database, t) => {
  await using line = await commandLine(database, t)
  const { folder, tocsin } = line
  const broken = join(folder, 'broken.json')
  await writeFile(broken, '{')
  const foreign = join(folder, 'foreign.json')
  await writeFile(foreign, '{"name":"other"}')
  const dump = async () => {
    await using data = await line.zone()
    return await dumpZone(data.zone)
  }
  // With the first pepper, which what is refused may make.
  await line.done('api-key add --realm north --type admin')
  const before = await dump()
  const cards = join(folder, 'cards.csv')
  const wrong: readonly (readonly [number, RegExp, string])[] = [
    [1, /^tocsin: realm_unknown: .*"south"/, 'realm show south'],
    [1, /^tocsin: realm_unknown: /, 'realm set south --set bulk=true'],
    [1, /^tocsin: realm_invalid: There is no setting "color"/, 'realm set north --set color=red'],
    [1, /^tocsin: realm_invalid: bulk must be true or false/, 'realm set north --set bulk=yes'],
    [1, /^tocsin: realm_invalid: shortLength/, 'realm set north --set shortLength=5'],
    [1, /^tocsin: realm_invalid: .*label/, 'realm set north --remove-template ward'],
    [1, /^tocsin: target_unreadable: /, `realm set north --template a=${folder}/none`],
    [1, /^tocsin: realm_unknown: /, `realm gateway-secret south --out ${folder}/secret`],
    [1, /^tocsin: provider_exists: /, 'provider add ward --realm north --display-name Ward'],
    [1, /^tocsin: provider_unknown: /, 'provider set lab --realm north --state closed'],
    [1, /^tocsin: provider_unknown: /, 'provider invalidate-codes lab --realm north'],
    [1, /^tocsin: realm_unknown: /, 'provider list --realm south'],
    [1, /^tocsin: staff_unknown: /, 'staff set ada --realm north --state closed'],
    [1, /^tocsin: staff_invalid: /, 'staff add Ada --realm north --display-name A --role issue'],
    [1, /^tocsin: api_key_unknown: /, 'api-key revoke -- -bcdefghijk'],
    [1, /^tocsin: provider_unknown: /, 'api-key add --realm north --type admin --provider lab'],
    [1, /^tocsin: app_invalid: /, `app set care --realm north --file ${broken}`],
    [2, /^tocsin: usage: .*another app/, `app set care --realm north --file ${foreign}`],
    [1, /^tocsin: app_unknown: /, 'app remove care --realm north'],
    [
      1,
      /^tocsin: provider_unknown: /,
      `batch make --realm north --provider lab --label l --size 5 --csv ${cards}`,
    ],
    [
      1,
      /^tocsin: batch_invalid: The life/,
      `batch make --realm north --provider ward --label l --size 5 --life 300d --csv ${cards}.long`,
    ],
    [1, /^tocsin: batch_unknown: /, 'batch invalidate AAAA --realm north'],
    [1, /^tocsin: realm_unknown: /, 'key list --realm south'],
    // Standard input is empty.
    [2, /on standard input/, `code activate --realm north --test-date ${TODAY}`],
    [2, /on standard input/, 'code invalidate --card --realm north'],
  ]
  for (let done = 0; done < wrong.length; done += AT_ONCE)
    await Promise.all(
      wrong.slice(done, done + AT_ONCE).map(async ([status, expected, words]) => {
        const finished = await tocsin(words.split(' '))
        assert.match(finished.err, expected, words)
        assert.deepEqual([finished.status, finished.out], [status, ''], words)
      }),
    )
  for (const file of [cards, `${cards}.long`, `${folder}/secret`])
    await assert.rejects(stat(file), { code: 'ENOENT' })
  assert.equal(await dump(), before)
})
