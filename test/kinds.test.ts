// Test: a kind of key is a row of the table: one more is added here by its row alone, and everything else serves it; no step knows a kind by its name.

import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { protocolNames, protocolOf } from '../src/cli/town-protocols.ts'
import { GAEN_PROTOCOL } from '../src/cli/town-phones.ts'
import { verifyTarget } from '../src/cli/verify-target.ts'
import { previewWithdrawal, withdraw } from '../src/correct/withdraw.ts'
import type { Transaction } from '../src/db/database.ts'
import { sql } from '../src/db/sql.ts'
import { createFileServer } from '../src/distribute/serve-files.ts'
import { storePath } from '../src/distribute/public-paths.ts'
import { TocsinError } from '../src/errors.ts'
import { buildApp } from '../src/http/app.ts'
import { buildRoutes, type RouteContext } from '../src/http/routes.ts'
import { KINDS, type Kind } from '../src/kinds.ts'
import { archiveThrough } from '../src/log/archiver.ts'
import type { NewEvent } from '../src/log/record.ts'
import { createLogger } from '../src/operate/logger.ts'
import type { DraftFile } from '../src/publish/build-window.ts'
import { publishDue } from '../src/publish/publish-due.ts'
import type { PublisherContext } from '../src/publish/publisher-context.ts'
import type { Stream } from '../src/publish/streams.ts'
import type { ReleaseSpan } from '../src/publish/window-keys.ts'
import { verifyArchive } from '../src/recover/verify-archive.ts'
import { refusePublish, type PublishContext, type PublishReply } from '../src/submit/publish-v1.ts'
import type { OtherReportContent } from '../src/submit/report-types.ts'
import { eraseDue, NUMBERS_DAYS } from '../src/submit/retention.ts'
import type { TargetFile } from '../src/verify/feed-form.ts'
import type { FeedSource } from '../src/verify/feed-source.ts'
import { DEFAULT_LIMITS } from '../src/verify/limits.ts'
import { VerificationError } from '../src/verify/verification-error.ts'
import { archiveOf } from './archiving-zone.ts'
import { databaseTest } from './database.ts'
import { assertLogIsClean, openPublishingZone } from './publishing-zone.ts'
import { openEmpty, recoverFrom } from './recovered-zone.ts'

const HOUR = 3600

/** Beads: 16 bytes each, uploaded by anybody as lines of hexadecimal digits, published as such in files of their own. */
const BEADS: Kind = {
  name: 'beads',
  variables: {},
  problems: () => [],
  apis: [{ name: 'beads', handle: uploadBeads }],
  projections: [],
  encoder: {
    version: 1,
    sharesKeys: false,
    // A single bead is nobody's business.
    publishes: 'p.identifiers > 1',
    countEmpty: () => Promise.resolve(0),
    draft: async (context, tx, stream, span) => ({
      window: { start: span.start, end: span.end },
      keysFrom: span.keysFrom,
      files: await stringBeads(context, tx, stream, span),
    }),
    remake: (context, tx, stream, { window, keysFrom, readSeq }) =>
      stringBeads(context, tx, stream, { ...window, keysFrom, readSeq }),
    pointers: (_context, { name }, files) => [
      {
        path: storePath(`${name}/index.txt`),
        content: () => [Buffer.from(['beads 1', ...files.map(({ path }) => path)].join('\n'))],
      },
    ],
  },
  feed: {
    isIndex: (index) => Buffer.from(index).toString().startsWith('beads 1\n'),
    async *verifyFeed(source, index, keys) {
      for (const file of Buffer.from(index).toString().split('\n').slice(1))
        yield { type: 'file', file, export: await checkBeads(source, file, keys) }
    },
    isFile: (name) => name.endsWith('-beads.bin'),
    verifyFile: checkBeads,
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
  town: () => Promise.resolve({ ...GAEN_PROTOCOL, kind: 'beads', unit: 'beads' }),
}

async function uploadBeads(context: PublishContext, body: Uint8Array): Promise<PublishReply> {
  const trackingId = randomBytes(16)
  const fingerprint = randomBytes(16)
  const beads = Buffer.from(Buffer.from(body).toString().replaceAll('\n', ''), 'hex')
  const content: OtherReportContent = {
    source: 'beads',
    trackingId,
    fingerprint,
    app: 'org.example.beads',
    healthAuthority: '',
    regions: ['US'],
    issuerHandle: null,
    timeGrain: context.timeGrain,
    count: beads.length / 16,
  }
  const event: NewEvent = {
    type: 'beads.report',
    parts: [
      { retention: 'numbers-report', content },
      { retention: 'numbers', content: new Uint8Array(beads), detached: true },
    ],
  }
  const judged = { event, size: beads.length }
  const acceptance = await context.commit.submit({ fingerprint, judged })
  if (acceptance instanceof TocsinError) return refusePublish(acceptance, trackingId)
  return { status: 200, trackingId: trackingId.toString('hex'), body: {} }
}

/** The file of a release; none without beads. */
async function stringBeads(
  { store }: Pick<PublisherContext, 'store'>,
  tx: Transaction,
  { name }: Pick<Stream, 'name'>,
  { start, end, keysFrom, readSeq }: Omit<ReleaseSpan, 'number'>,
): Promise<DraftFile[]> {
  const { rows } = await tx.query<{ content: Buffer }>(
    sql`select content from report p join event e using (seq) join event_content using (seq)
        where e.type = 'beads.report' and p.identifiers > 1 and p.grain >= ${keysFrom}::bigint and p.grain < ${end}::bigint
          and p.seq < ${readSeq}::bigint and not report_is_held(p.seq, ${readSeq}::bigint, 0)`,
  )
  const lines = rows.flatMap(({ content }) => content.toString('hex').match(/.{32}/g) ?? []).sort()
  if (lines.length === 0) return []
  const path = `${name}/${start}-${end}-00001-beads.bin`
  const bytes = Buffer.from(lines.join('\n'))
  const staged = await store.stagingPath(storePath(path))
  await writeFile(staged, bytes, { flag: 'wx', mode: 0o600 })
  const digest = createHash('sha256').update(bytes).digest()
  const counts = { keys: lines.length, revisedKeys: 0, size: bytes.length }
  return [{ path, built: { staged, ...counts, digest, signatures: [] } }]
}

async function checkBeads(
  source: Pick<FeedSource, 'readFile'>,
  path: string,
  _keys: unknown,
): Promise<TargetFile> {
  const lines = Buffer.from(await source.readFile(path, 1_000))
    .toString()
    .split('\n')
  if (!lines.every((line) => /^[0-9a-f]{32}$/.test(line)))
    throw new VerificationError('key_length_wrong', `${path} is no string of beads.`)
  const header = { region: null, startTimestamp: 0, endTimestamp: 0 }
  return { header, keys: lines.length, revisedKeys: 0, signatures: [], findings: [] }
}

databaseTest('a third kind is its row: all that is common serves it', async (database, t) => {
  await using town = await openPublishingZone(database, t)
  const { zone, clock, folder } = town
  const kinds = [...KINDS, BEADS]
  const encoders = new Map(kinds.map(({ name, encoder }) => [name, encoder]))
  const publisher = { ...zone.publisher, encoders }
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
  const index = async () => {
    clock.advance(HOUR)
    await publishDue(publisher)
    return (await app.inject('/exports/necklace/index.txt')).body.split('\n')
  }
  const bead = () => randomBytes(16).toString('hex')
  const note = { reason: 'a test', by: 'test' }
  const corrected = { ...zone, encoders }
  const publishedOf = async (trackingId: string) => {
    const selection = { trackingIds: [trackingId] }
    return (await previewWithdrawal(corrected, selection, 'retroactive')).published
  }

  await town.addStream('necklace', { kind: 'beads' })
  await town.addStream('us')
  const two = [bead(), bead()].sort()
  const withdrawn = await upload(bead(), bead())
  // Before it was published: nobody hears of it.
  const selection = { trackingIds: [withdrawn] }
  await withdraw(corrected, { selection, scope: 'retroactive', ...note }, clock.now())
  const [shown, hidden] = [await upload(...two), await upload(bead())]
  await town.upload()
  const [head, file = '', ...others] = await index()
  assert.deepEqual([head, others], ['beads 1', []])
  assert.deepEqual((await app.inject(`/exports/${file}`)).body.split('\n'), two)
  await assertLogIsClean(town)

  // Corrections count by what the row says is published.
  assert.deepEqual(await publishedOf(shown), [
    { stream: 'necklace', release: 1, keys: 2, others: true },
  ])
  assert.deepEqual(await publishedOf(hidden), [])

  // The command verifies its feed and its files.
  const exports = join(zone.publicFolder, 'exports')
  const forms = kinds.flatMap(({ feed }) => feed ?? [])
  for (const target of [join(exports, 'necklace'), join(exports, file)]) {
    const found = []
    for await (const event of verifyTarget(target, [], DEFAULT_LIMITS, { forms }))
      found.push(event.type === 'file' ? event.export.keys : event.error)
    assert.deepEqual(found, [2])
  }

  const archived = await archiveOf(zone, 'key', folder, clock.now)
  await archiveThrough(archived.context, Infinity)
  const found = await verifyArchive(archived.context.archive, 'key', [archived.identity])
  assert.deepEqual(found.problems, [])
  await using empty = await openEmpty(database, folder)
  const { root } = await recoverFrom(empty.key, archived.folder, 'key', archived.identity)
  assert.equal(root, found.root)

  // Its beads are forgotten with the numbers of other kinds.
  const contents = async () =>
    (await zone.db.query(sql`select seq from event_content`)).rowCount ?? NaN
  assert.equal(await contents(), 3)
  clock.advance((NUMBERS_DAYS + 1) * 24 * HOUR)
  const { failures } = await eraseDue(zone, clock.now())
  assert.deepEqual([...failures], [])
  assert.equal(await contents(), 0)
  assert.deepEqual(await publishedOf(shown), [])
  await assertLogIsClean(town)
})

test('a town lives by the protocol of a third kind', async () => {
  const kinds = [...KINDS, BEADS]
  assert.equal((await protocolOf('beads', kinds)).unit, 'beads')
  for (const name of protocolNames()) assert.equal((await protocolOf(name)).kind, name)
  await assert.rejects(protocolOf('pearls', kinds), /one of gaen, ctdiag, cen, beads[.]/)
})

test('no step names a kind of key: its files and the table do', () => {
  const root = join(import.meta.dirname, '..')
  const own = /^src\/kinds\.ts|ctdiag|\bcen\b|cen-/
  const names = /'cen'|\bcen:|ctdiag|cen_report|from '[^']*\bcen[-.]/
  const wrong = globSync('src/**/*.ts', { cwd: root })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => !own.test(file) && names.test(read(root, file)))
  assert.deepEqual(wrong, [])
})

function read(root: string, file: string): string {
  return readFileSync(join(root, file), 'utf8')
}
