// Bench: the server that `submit` measures, and its floor, each in a process of its own; promises that both run the same framework.

import { readFileSync } from 'node:fs'
import { openDatabase, parseAddress } from '../src/db/database.ts'
import { sql } from '../src/db/sql.ts'
import { ctdiagUploadRoutes } from '../src/http/ctdiag-upload-routes.ts'
import type { RouteContext } from '../src/http/routes.ts'
import { buildApp } from '../src/http/app.ts'
import { keyZoneRoutes } from '../src/http/key-zone-routes.ts'
import { createLogger } from '../src/operate/logger.ts'
import { archiveThrough } from '../src/log/archiver.ts'
import { archiveOf } from '../test/archiving-zone.ts'
import { openKeyZone, type TestKeyZone } from '../test/open-key-zone.ts'
import { parseRecords, RECORDS } from '../src/submit/parse-ctdiag.ts'
import { parsePublishRequest } from '../src/submit/parse-publish.ts'
import { addHealthAuthority } from '../src/submit/health-authorities.ts'
import { startSubmissionThread } from '../src/submit/submission-thread.ts'
import type { Route } from '../src/http/route.ts'
import type { TestAuthority } from '../test/key-zone.ts'

const [mode = '', databaseUrl = '', authorityFile = '', folder = ''] = process.argv.slice(2)
const logger = createLogger('error')
const ARCHIVE_PAUSE_MS = 2_000
// Nobody else would end it when the benchmark is gone.
process.once('disconnect', () => process.exit())

if (!mode.startsWith('floor')) {
  const zone = await openKeyZone(databaseUrl, folder, () => new Date())
  const authority = JSON.parse(readFileSync(authorityFile, 'utf8')) as TestAuthority
  await zone.db.transaction((tx) => addHealthAuthority(tx, zone.writer, authority, new Date()))
  const thread = { address: zone.address, poolSize: 8, settings: zone.settings }
  const { submit } = await startSubmissionThread(thread, () => new Date())
  if (mode === 'archiving') await archiveForEver(zone)
  const unproved = new Map<string, unknown>([
    ['TOCSIN_CTDIAG_UPLOADS', ['none']],
    ['TOCSIN_CTDIAG_APP', authority.app],
  ])
  await listen(
    mode === 'ctdiag'
      ? ctdiagUploadRoutes({ submit, ofKinds: unproved } as unknown as RouteContext)
      : keyZoneRoutes(submit),
  )
} else {
  const [, kind = '', poolSize = ''] = mode.split(' ')
  const db = openDatabase(parseAddress(databaseUrl), 'public', Number(poolSize), false)
  await db.query(
    sql`create table if not exists floor (id bigint generated always as identity primary key, body bytea)`,
  )
  await listen([
    floorRoute(
      kind,
      async (body) => void (await db.query(sql`insert into floor (body) values (${body})`)),
    ),
  ])
}

/** As a server does, in the thread that serves HTTP; more often, so that no round goes without. */
async function archiveForEver(zone: TestKeyZone): Promise<void> {
  const { context } = await archiveOf(zone, 'key', folder, () => new Date())
  const again = async () => {
    await archiveThrough(context, Infinity)
    setTimeout(() => void again(), ARCHIVE_PAUSE_MS)
  }
  void again()
}

/** The least that a durable answer costs: parse the request, insert it as one row, which commits, answer. */
function floorRoute(kind: string, store: (body: Uint8Array) => Promise<void>): Route {
  const isRecords = kind === 'ctdiag'
  return {
    methods: ['POST'],
    url: isRecords ? '/diagnosis-keys' : '/v1/publish',
    operationId: 'floor',
    summary: 'The floor',
    tag: 'key zone',
    requestBody: {},
    replies: { 200: { description: 'Durable' } },
    async handle(request) {
      if (isRecords) parseRecords(request.body, RECORDS, 14)
      else parsePublishRequest(request.body)
      await store(request.body)
      return { status: 200, json: { insertedExposures: 14 } }
    },
  }
}

async function listen(routes: readonly Route[]): Promise<void> {
  const app = await buildApp(routes, 'bench', logger)
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  process.send?.(Number(new URL(url).port))
}
