// Test: a kind of key is a row of the table: one more is added here by its row alone, and everything else serves it; no step knows a kind by its name.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { withdraw } from '../src/correct/withdraw.ts'
import { createFileServer } from '../src/distribute/serve-files.ts'
import { storePath } from '../src/distribute/public-paths.ts'
import { TocsinError } from '../src/errors.ts'
import { buildApp } from '../src/http/app.ts'
import { buildRoutes, type RouteContext } from '../src/http/routes.ts'
import { KINDS, type Kind } from '../src/kinds.ts'
import { createLogger } from '../src/operate/logger.ts'
import { GAEN_ENCODER } from '../src/publish/gaen-encoder.ts'
import { publishDue } from '../src/publish/publish-due.ts'
import { readReleased } from '../src/publish/read-released.ts'
import { verifyArchive } from '../src/recover/verify-archive.ts'
import { archiveThrough } from '../src/log/archiver.ts'
import { judgeReport } from '../src/submit/judge-report.ts'
import { refusePublish, type PublishContext, type PublishReply } from '../src/submit/publish-v1.ts'
import { archiveOf } from './archiving-zone.ts'
import { databaseTest } from './database.ts'
import { assertLogIsClean, openPublishingZone } from './publishing-zone.ts'
import { openEmpty, recoverFrom } from './recovered-zone.ts'

const DAY = 144
const HOUR = 3600

/** Keys as a line of hexadecimal digits each, uploaded by anybody; and a list of all that count, in the same form. */
const BEADS: Kind = {
  name: 'beads',
  variables: {},
  problems: () => [],
  apis: [{ name: 'beads', handle: uploadBeads }],
  projections: [],
  encoder: {
    ...GAEN_ENCODER,
    pointers(context, stream, files) {
      const content = async function* () {
        for (const file of files)
          for await (const entries of readReleased(context.store, file))
            for (const { list, key } of entries)
              if (list === 'keys')
                yield Buffer.from(`${Buffer.from(key.keyData).toString('hex')}\n`)
      }
      const list = { path: storePath(`${stream.name}/beads.bin`), content }
      return [list, ...GAEN_ENCODER.pointers(context, stream, files)]
    },
  },
  routes: ({ submit }) => [
    {
      methods: ['POST'],
      url: '/beads',
      operationId: 'uploadBeads',
      summary: 'Uploads beads',
      tag: 'key zone',
      replies: { 200: { description: 'They are durable' } },
      async handle({ body }) {
        const { status, trackingId } = await submit(body, '', 'beads')
        return { status, headers: { 'tocsin-tracking-id': trackingId }, body: 'thanks' }
      },
    },
  ],
}

async function uploadBeads(context: PublishContext, body: Uint8Array): Promise<PublishReply> {
  const trackingId = randomBytes(16)
  const now = context.now()
  const today = Math.floor(now.getTime() / 86_400_000)
  const lines = new TextDecoder().decode(body).trim().split('\n')
  const keys = lines.map((line, index) => ({
    key: Buffer.from(line, 'hex').toString('base64'),
    rollingStart: (today - 1 - index) * DAY,
    rollingPeriod: DAY,
    transmissionRisk: 0,
  }))
  const judged = judgeReport(context, {
    request: { keys, symptomOnsetInterval: 0, traveler: false },
    authority: { app: 'org.example.beads', issuer: '', regions: ['US'], disabled: false },
    claims: { reportType: 'user-report', symptomOnsetInterval: 0 },
    source: 'beads',
    trackingId,
    platform: 'unknown',
    revisable: undefined,
    now,
  })
  const acceptance = await context.commit.submit({ fingerprint: randomBytes(16), judged })
  if (acceptance instanceof TocsinError) return refusePublish(acceptance, trackingId)
  return { status: 200, trackingId: trackingId.toString('hex'), body: {} }
}

databaseTest('a third kind is its row: all that is common serves it', async (database, t) => {
  await using town = await openPublishingZone(database, t)
  const { zone, clock, folder } = town
  const kinds = [...KINDS, BEADS]
  const publisher = {
    ...zone.publisher,
    encoders: new Map(kinds.map(({ name, encoder }) => [name, encoder])),
  }
  const apis = new Map(kinds.flatMap(({ apis: own }) => own).map((api) => [api.name, api]))
  const context = {
    submit: (body, userAgent, api = 'publish-v1', fields = {}) =>
      (apis.get(api) as (typeof KINDS)[number]['apis'][number]).handle(
        zone.submit,
        body,
        userAgent,
        fields,
      ),
    ofKinds: new Map(),
    publicFolder: zone.publicFolder,
    serveFile: createFileServer(zone.publicFolder),
  } as Partial<RouteContext> as RouteContext
  const app = await buildApp(buildRoutes(context, kinds), 'test', createLogger('silent'))
  t.after(() => app.close())
  const upload = async (...beads: string[]) => {
    const sent = await app.inject({ method: 'POST', url: '/beads', payload: beads.join('\n') })
    assert.deepEqual([sent.statusCode, sent.body], [200, 'thanks'])
    return String(sent.headers['tocsin-tracking-id'])
  }
  const list = async () => {
    clock.advance(HOUR)
    await publishDue(publisher)
    return (await app.inject('/exports/necklace/beads.bin')).body.split('\n').filter(Boolean)
  }
  const bead = () => randomBytes(16).toString('hex')

  await town.addStream('necklace', { kind: 'beads' })
  await town.addStream('us')
  const [one, two, three] = [bead(), bead(), bead()]
  const trackingId = await upload(one, two)
  // Withdrawn before it was published: nobody hears of it.
  const note = { reason: 'a test', by: 'test' }
  const selection = { trackingIds: [trackingId] }
  await withdraw(zone, { selection, scope: 'retroactive', ...note }, clock.now())
  await upload(three)
  const keys = await town.upload()
  assert.deepEqual(await list(), [three, ...keys].sort())
  await assertLogIsClean(town)

  const archived = await archiveOf(zone, 'key', folder, clock.now)
  await archiveThrough(archived.context, Infinity)
  const found = await verifyArchive(archived.context.archive, 'key', [archived.identity])
  assert.deepEqual(found.problems, [])
  await using empty = await openEmpty(database, folder)
  const { root } = await recoverFrom(empty.key, archived.folder, 'key', archived.identity)
  assert.equal(root, found.root)
})

test('no step names a kind of key: its files and the table do', () => {
  const root = join(import.meta.dirname, '..')
  // The town's phones speak the protocols: they are no part of the service. What was published of whom is counted by levels of trust,
  // which one kind has.
  const own = /^src\/(?:kinds\.ts|cli\/town-)|ctdiag|\bcen\b|cen-|key-runs|published-keys/
  const wrong = globSync('src/**/*.ts', { cwd: root })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => !own.test(file) && /'ctdiag'|'cen'|ctdiag|cen_report/.test(read(root, file)))
  assert.deepEqual(wrong, [])
})

function read(root: string, file: string): string {
  return readFileSync(join(root, file), 'utf8')
}
