// Chaos: a deployment whose processes are killed at random moments; promises that what must hold at any moment was looked at whenever nobody published.

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { sql } from '../../src/db/sql.ts'
import { readArchiveEnd } from '../../src/log/archive-rows.ts'
import { addHealthAuthority } from '../../src/submit/health-authorities.ts'
import type { TestDatabase } from '../database.ts'
import { makeAuthority } from '../key-zone.ts'
import { watchPublic } from '../public-watcher.ts'
import { digestFolder } from '../published-files.ts'
import { openPublishingZone, type PublishingZone } from '../publishing-zone.ts'
import { seededRandom } from '../seeded-random.ts'
import { assertWorldIsWhole } from './check-world.ts'
import { STREAMS, TIME_GRAIN, worldClock } from './world-clock.ts'
import { startLanes, type History } from './lanes.ts'
import { makePhone } from './phone.ts'
import { startWorker, type Worker } from './start-worker.ts'
import type { Role } from './worker.ts'

/** What a world came to. */
export interface WorldResult {
  readonly kills: number
  readonly reports: number
  readonly unanswered: number
  readonly corrections: number
  readonly recoveries: number
  readonly resumed: number
  readonly files: number
}

const ROLES: readonly Role[] = ['submit', 'publish', 'archive', 'correct', 'recover']
/** For how long somebody works at the most before it is killed, milliseconds. */
const LONGEST_PEACE = 700
/** For a recovery to begin, milliseconds. */
const MOST_WAIT = 5_000

/** Makes a world and kills in so many rounds. Fails when anything was lost, doubled, changed or half done. */
export async function runWorld(
  database: TestDatabase,
  t: TestContext,
  seed: number,
  rounds: number,
): Promise<WorldResult> {
  const origin = Date.now()
  const now = worldClock(origin)
  const random = seededRandom(seed)
  await using town = await openPublishingZone(database, t, TIME_GRAIN)
  const { zone, folder } = town
  const authority = makeAuthority('org.example.chaos')
  await zone.db.transaction((tx) => addHealthAuthority(tx, zone.writer, authority, now()))
  const key = await town.addStream('us', { period: 60, minimum: 20 })
  await town.addStream('brief', { period: 120, minimum: 20, retention: 600 })
  const identity = await generateX25519Identity()
  const recipient = await identityToRecipient(identity)

  const complaints: string[] = []
  const complain = (problem: string) => void complaints.push(problem)
  const given = { ownerUrl: database.url, folder, origin, recipient, identity }
  const start = (role: Role) => startWorker({ ...given, role }, complain)
  const workers = {
    submit: start('submit'),
    publish: start('publish'),
    archive: start('archive'),
    correct: start('correct'),
    recover: start('recover'),
  }
  await using opened = new AsyncDisposableStack()
  const all: readonly Worker[] = Object.values(workers)
  const killAll = () => Promise.all(all.map((worker) => worker.kill()))
  opened.defer(async () => void (await killAll()))
  const history: History = {
    uploads: [],
    corrections: [],
    numbers: [],
    recovered: [],
    resumed: 0,
    recovery: undefined,
  }
  opened.defer(async () => history.recovery?.database[Symbol.asyncDispose]())
  const lanes = { workers, authority, random, now, ownerUrl: database.url, folder, complain }
  const endLanes = startLanes(lanes, history)
  opened.defer(async () => {
    const ended = endLanes()
    await killAll()
    await ended
  })

  const watcher = watchPublic(town, STREAMS)
  const phone = makePhone(zone.publicFolder, 'us', key)
  const look = async (moment: string) => {
    await assertPublishedIsArchived(town, moment)
    await watcher.look(moment)
    if (existsSync(join(zone.publicFolder, 'exports/us/index.txt'))) await phone.look()
  }

  await Promise.all(all.map((worker) => worker.ready()))
  let kills = 0
  for (let round = 0; round < rounds; round++) {
    const victims = drawVictims(random.number(), random.number()).map((role) => workers[role])
    await Promise.all(victims.map((victim) => victim.ready()))
    // A recovery takes long to begin, and then not long.
    if (victims[0] === workers.recover)
      await Promise.race([workers.recover.begun(), sleep(MOST_WAIT)])
    else await sleep(random.number() * LONGEST_PEACE)
    await Promise.all(victims.map((victim) => victim.kill()))
    kills += victims.length
    if (victims.includes(workers.publish)) await look(`seed ${seed}, round ${round}`)
    for (const victim of victims) victim.restart()
    assert.deepEqual(complaints, [], `seed ${seed}, round ${round}`)
  }
  // Once all have died, the parent does alone what is left to do.
  await Promise.all(all.map((worker) => worker.ready()))
  await sleep(LONGEST_PEACE)
  const ended = endLanes()
  await killAll()
  await ended
  assert.deepEqual(complaints, [], `seed ${seed}`)
  await look(`seed ${seed}, in the end`)
  await assertWorldIsWhole({ town, database, history, watcher, phone, identity, now: now() })
  return {
    kills: kills + all.length,
    reports: history.uploads.length,
    unanswered: history.uploads.filter(({ trackingId }) => trackingId === undefined).length,
    corrections: history.corrections.length,
    recoveries: history.recovered.length,
    resumed: history.resumed,
    files: watcher.counts.seen,
  }
}

/** Mostly one, sometimes two, seldom all. */
function drawVictims(which: number, howMany: number): readonly Role[] {
  if (howMany < 0.05) return ROLES
  const first = Math.floor(which * ROLES.length)
  return ROLES.filter(
    (_, index) => index === first || (howMany < 0.25 && index === (first + 2) % ROLES.length),
  )
}

/** What phones can see is archived already, whoever does that. */
async function assertPublishedIsArchived({ zone }: PublishingZone, moment: string): Promise<void> {
  if (!existsSync(zone.publicFolder)) return
  const paths = Object.keys(await digestFolder(zone.publicFolder)).map((path) =>
    path.replace(/^exports\//, ''),
  )
  const { frontier } = await readArchiveEnd(zone.db)
  const { rows } = await zone.db.query<{ path: string; seq: number }>(
    sql`select f.path, r.seq from release_file f join release r using (stream, number) where f.path = any(${paths})`,
  )
  for (const { path, seq } of rows)
    assert.ok(seq < frontier.size, `${moment}: ${path} is published, and event ${seq} not archived`)
}
