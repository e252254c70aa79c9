// Test: the runbooks of docs/operating.md; promises that each of their commands does what the page says, and prints it.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseAddress } from '../src/db/database.ts'
import { migrate, readMigrations } from '../src/db/migrate.ts'
import { createDatabase, databaseTestOnce } from './database.ts'
import { digestFolder } from './published-files.ts'
import { Machine, readBlocks } from './runbook.ts'

const RUNBOOKS = [
  'copy',
  'drill',
  'lost-database',
  'lost-disk',
  'bad-release',
  'provider',
  'stream-key',
  'realm-key',
  'move',
  'go-back',
]

test('each block of the page is one of a runbook that is tested here', () => {
  const runbooks = new Set(readBlocks().map(({ runbook }) => runbook))
  assert.deepEqual([...runbooks], RUNBOOKS)
})

test("the timers' services run what the page says", () => {
  const unit = (name: string) =>
    readFileSync(join(import.meta.dirname, '../deploy', name), 'utf8')
      .match(/^ExecStart=\/opt\/tocsin\/(.*)$/m)?.[1]
      ?.replaceAll(/\$\{(\w+)\}/g, '$$$1')
  const firstLine = (name: string) =>
    readBlocks()
      .find(({ runbook }) => runbook === name)
      ?.text.split('\n')[0]
      ?.replaceAll('"', '')
  assert.equal(unit('tocsin-backup.service'), firstLine('copy'))
  assert.equal(unit('tocsin-drill.service'), firstLine('drill'))
})

/** What a command ends with, to be given to the next one. */
function lastWord(printed: string, before: RegExp): string {
  return new RegExp(`${before.source} ?(\\S+)`).exec(printed)?.[1] ?? assert.fail(printed)
}

const aroundNow = () => ({
  FROM: new Date(Date.now() - 3_600_000).toISOString(),
  THROUGH: new Date(Date.now() + 60_000).toISOString(),
  REASON: 'wrong day',
})

databaseTestOnce(
  'what went wrong is taken back, and what was stolen counts no more',
  async (database, t) => {
    await using machine = await Machine.running(t, database.url)

    const bad = machine.open('bad-release')
    let ids: string[] = []
    await machine.published(async () => (ids = await machine.report(3)))
    await bad.next({ TRACKING_ID: ids[0] ?? '' })
    const preview = await bad.next(aroundNow())
    let done = ''
    await machine.published(async () => {
      done = await bad.next({ PREVIEW: lastWord(preview, /--carry-out/) })
    })
    await bad.next()
    const reinstating = await bad.next({ WITHDRAWAL: lastWord(done, /--withdrawal/) })
    await bad.next({ PREVIEW: lastWord(reinstating, /--carry-out/) })
    const amending = await bad.next()
    await machine.published(() => bad.next({ PREVIEW: lastWord(amending, /--carry-out/) }))
    bad.assertDone()

    const provider = machine.open('provider')
    const { phones } = machine
    await machine.issue()
    await provider.next({ PREFIX: phones.adminKey.slice(0, 11) })
    await assert.rejects(machine.issue(), /answered 401/)
    await provider.next()
    await machine.published(async () => {
      await provider.next()
      await machine.until(async () =>
        / delivered$/m.test(await machine.run('bin/tocsin withdrawal list')),
      )
    })
    await provider.next()
    await provider.next()
    await provider.next({ NEW_API_KEY: join(machine.folder, 'new-admin.key') })
    provider.assertDone()
    // Until tomorrow the order goes on withdrawing what comes under the provider's handle: others issue from here on.
    await machine.run(
      'rm ../admin.key; bin/tocsin api-key add --realm north --type admin --out ../admin.key',
    )

    const realm = machine.open('realm-key')
    const phone = await machine.phone()
    const early = await phone.certificate()
    const certificateKey = join(machine.folder, 'new-realm.pem')
    await realm.next({ NEW_CERTIFICATE_KEY: certificateKey })
    await realm.next()
    assert.equal(await phone.publish(early), 401)
    await realm.next()
    realm.assertDone()
    // The same token goes on working.
    await machine.published(async () =>
      assert.equal(await phone.publish(await phone.certificate()), 200),
    )

    const stream = machine.open('stream-key')
    const files = { NEW_KEY: join(machine.folder, 'us-v2.pem'), NEW_PUBLIC_KEY: '' }
    const made = await stream.next(files)
    await stream.next()
    const newest = await machine.published(() => machine.report(1))
    const pem = await (await fetch(`${phones.url}/exports/us/key.pem`)).text()
    assert.equal(pem.match(/BEGIN/g)?.length, 1)
    assert.ok(made.includes(pem.trim()))
    files.NEW_PUBLIC_KEY = join(machine.folder, 'us-v2-public.pem')
    await machine.run(`curl -s "$URL/exports/us/key.pem" > ${files.NEW_PUBLIC_KEY}`)
    await stream.next({ ...files, NEWEST: newest })
    stream.assertDone()
    assert.ok(!existsSync(machine.env['STREAM_KEY'] ?? ''))
  },
)

databaseTestOnce(
  'what is lost comes back: copy, drill, database, disks, version, machine',
  async (database, t) => {
    await using machine = await Machine.running(t, database.url)
    const { env } = machine
    await machine.published(() => machine.report(2))
    const copy = machine.open('copy')
    await copy.next()
    copy.assertDone()

    // Elsewhere there is no server of PostgreSQL, and none of the settings.
    const { PATH = '', HOME = '', BACKUP = '', IDENTITY = '' } = env
    await using elsewhere = await machine.another({})
    for (const name of Object.keys(elsewhere.env)) delete elsewhere.env[name]
    const drill = elsewhere.open('drill')
    await drill.next({ PATH, HOME, BACKUP, IDENTITY })
    drill.assertDone()

    const publicFolder = join(machine.folder, 'data/public')
    await machine.published(() => machine.report(1))
    const listed = await machine.index()
    const digests = await digestFolder(publicFolder)
    await machine.stop('SIGKILL')
    const lost = machine.open('lost-database')
    for (let block = 0; block < 5; block++) await lost.next()
    lost.assertDone()
    assert.deepEqual(await machine.index(), listed)
    assert.deepEqual(await digestFolder(publicFolder), digests)
    // Phones and doctors go on with what they have.
    await machine.published(() => machine.report(1))

    const back = machine.open('go-back')
    await back.next()
    await machine.start()
    await machine.published(() => machine.report(1))
    const older = await machine.index()
    await machine.stop()
    await back.next({ NEW_SECRETS: join(machine.folder, 'new-secrets.json') })
    await makeNewer(env['TOCSIN_DATABASE_URL'] ?? '')
    await back.next()
    await back.next()
    await back.next()
    back.assertDone()
    assert.deepEqual(await machine.index(), older)

    // The disks are gone; nothing is left but the copy and the safe.
    await machine.published(() => machine.report(1))
    await machine.run('deploy/backup')
    const last = await machine.index()
    await machine.stop('SIGKILL')
    await using second = await machine.another({})
    const disk = second.open('lost-disk')
    for (let block = 0; block < 3; block++) await disk.next()
    disk.assertDone()
    assert.deepEqual(await second.index(), last)

    await using database3 = await createDatabase(database.url, 'empty')
    await using third = await second.another({ TOCSIN_DATABASE_URL: database3.url })
    const [leaving, arriving] = [second.open('move'), third.open('move')]
    const left = await leaving.next()
    arriving.skip()
    const arrived = await arriving.next()
    arriving.assertDone()
    const roots = (printed: string) => printed.match(/\d+ events, root [0-9a-f]{64}/g)
    assert.deepEqual(roots(arrived), roots(left))
  },
)

databaseTestOnce("a copy is never overwritten with another deployment's", async (database, t) => {
  await using machine = await Machine.running(t, database.url)
  const { BACKUP = '' } = machine.env
  await machine.until(async () =>
    (await machine.run('bin/tocsin archive status')).includes(' 1 segment,'),
  )
  await machine.run('deploy/backup')
  const files = await digestFolder(BACKUP)
  await using other = await createDatabase(database.url, 'empty')
  await using begun = await machine.another({ TOCSIN_DATABASE_URL: other.url })
  await begun.run('bin/tocsin archive now')
  assert.match(await begun.run('deploy/backup', true), /holds another log/)
  assert.deepEqual(await digestFolder(BACKUP), files)
})

databaseTestOnce('every alarm is about a metric that is there', async (database, t) => {
  await using machine = await Machine.running(t, database.url)
  const metrics = await machine.run('curl -s "http://127.0.0.1:$TOCSIN_OPERATOR_PORT/metrics"')
  const page = readFileSync(join(import.meta.dirname, '../docs/operating.md'), 'utf8')
  const names = page.match(/tocsin_(?:[a-z]+_)+[a-z]+/g) ?? []
  assert.ok(names.length > 10)
  for (const name of names) assert.match(metrics, new RegExp(`^# TYPE ${name} `, 'm'))
})

/** Has a version that does not exist yet migrate a database. */
async function makeNewer(url: string): Promise<void> {
  const text = 'create table newer (number integer)'
  const digest = createHash('sha256').update(text).digest('hex')
  const added = { number: 9999, name: '9999-newer.key.sql', zones: ['key'], text, digest } as const
  await migrate(parseAddress(url), async () => undefined, [...(await readMigrations()), added])
}
