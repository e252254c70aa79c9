// Chaos: a process of a world that does one thing again and again, until it is killed; promises to answer only what it has done.

import { flushCompileCache } from 'node:module'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { reinstate, type ReinstatementRequest } from '../../src/correct/reinstate.ts'
import { withdraw, type WithdrawalRequest } from '../../src/correct/withdraw.ts'
import { appendEvents } from '../../src/log/append-event.ts'
import { makeSnapshot } from '../../src/log/archive-snapshot.ts'
import { openArchive } from '../../src/log/archive-store.ts'
import { archiveThrough } from '../../src/log/archiver.ts'
import type { ArchiveContext } from '../../src/log/write-archive.ts'
import { openZones } from '../../src/operate/open-zones.ts'
import { createPublisher } from '../../src/publish/publish-due.ts'
import { takePublisherLock } from '../../src/publish/publisher-lock.ts'
import { openSource } from '../../src/recover/open-source.ts'
import { recoverZone } from '../../src/recover/recover-zone.ts'
import { publishV1 } from '../../src/submit/publish-v1.ts'
import { keyProjections, openKeyZone, type TestKeyZone } from '../open-key-zone.ts'
import { KEPT_NUMBERS, TIME_GRAIN, worldClock } from './world-clock.ts'

/** What a process does. */
export type Role = 'submit' | 'publish' | 'archive' | 'correct' | 'recover'

/** What it needs; handed over in the environment, since it holds addresses with passwords. */
export interface WorkerOrder {
  readonly role: Role
  readonly ownerUrl: string
  readonly folder: string
  /** When the world began, milliseconds of the machine's clock. */
  readonly origin: number
  /** Whom the archive is encrypted to, and who reads it. */
  readonly recipient: string
  readonly identity: string
}

/** What it can be asked, by role; `publish` and `archive` are asked nothing. */
export type Question =
  | { readonly submit: string }
  /** Hex. */
  | { readonly keepNumbers: string }
  | { readonly withdraw: WithdrawalRequest }
  | { readonly reinstate: ReinstatementRequest }
  | { readonly recover: { readonly url: string; readonly masterKeyFile: string } }

/** What it answers: of an error its code or text. */
export interface Answer {
  readonly problem?: string
  readonly status?: number
  readonly trackingId?: string
  /** Events of the recovered log, how many of them an earlier run had written, and the root of the tree over them. */
  readonly events?: number
  readonly alreadyThere?: number
  readonly root?: string
}

/** What it says by itself. */
export type News =
  | { readonly ready: true }
  | { readonly complaint: string }
  /** A recovery has written its first events. */
  | { readonly begun: true }

/** Small, so that there are many, and many moments between them. */
const SEGMENT_BYTES = 4_000
const BATCH_BYTES = 1

const order = JSON.parse(process.env['TOCSIN_TEST_WORKER'] ?? '{}') as WorkerOrder
const ARCHIVE = join(order.folder, 'archive')
const now = worldClock(order.origin)
const say = (message: News | { readonly id: number; readonly answer: Answer }) =>
  void process.send?.(message)

const ROLES: Readonly<Record<Role, () => Promise<void>>> = {
  async submit() {
    const zone = await openZone()
    answer(async (question) => {
      if ('keepNumbers' in question) await keepNumbers(zone, question.keepNumbers)
      if (!('submit' in question)) return {}
      const reply = await publishV1(zone.submit, Buffer.from(question.submit, 'base64'), 'android')
      const { status, trackingId, body } = reply
      return status === 200 ? { status, trackingId } : { problem: String(body.error) }
    })
  },
  async correct() {
    const zone = await openZone()
    answer(async (question) => {
      if ('withdraw' in question) await withdraw(zone, question.withdraw, now())
      if ('reinstate' in question) await reinstate(zone, question.reinstate, now())
      return {}
    })
  },
  async publish() {
    const zone = await openZone()
    const archive = archiveOfWorld(zone)
    const lock = await takePublisherLock(zone.address, true)
    if (lock === undefined) throw new Error('there is no lock to publish with')
    const publisher = {
      ...zone.publisher,
      archiveThrough: (seq: number) => archiveThrough(archive, seq, SEGMENT_BYTES),
    }
    const publish = createPublisher(publisher, lock)
    await forEver(200, async () => void (await publish()))
  },
  async archive() {
    const archive = archiveOfWorld(await openZone())
    let looks = 0
    await forEver(400, async () => {
      await archiveThrough(archive, Infinity, SEGMENT_BYTES)
      // A recovery reads a snapshot in one go, and segments one by one.
      if (++looks % 20 === 0) await makeSnapshot(archive)
    })
  },
  async recover() {
    answer(async (question) => {
      if (!('recover' in question)) return {}
      const { url: ownerUrl, masterKeyFile } = question.recover
      await using zones = await openZones({
        ownerUrl,
        zoneUrls: {},
        masterKeyFile,
        demo: undefined,
        server: true,
        timeGrain: TIME_GRAIN,
        poolSize: 4,
        projections: { key: keyProjections, authority: [] },
        now,
        forRecovery: true,
      })
      const source = await openSource(openArchive(join(ARCHIVE, 'key')), [order.identity], 'key')
      return await recoverZone(zones.key, source, {
        batchBytes: BATCH_BYTES,
        onProgress: () => say({ begun: true }),
      })
    })
  },
}

/** An event with contents that are kept apart. */
async function keepNumbers({ db, writer }: TestKeyZone, numbers: string): Promise<void> {
  const content = Uint8Array.from(Buffer.from(numbers, 'hex'))
  const parts = [{ retention: 'numbers', content, detached: true }] as const
  await db.transaction((tx) => appendEvents(tx, writer, [{ type: KEPT_NUMBERS, parts }], now()))
}

function openZone(): Promise<TestKeyZone> {
  return openKeyZone(order.ownerUrl, order.folder, now, TIME_GRAIN)
}

function archiveOfWorld({ db, address }: TestKeyZone): ArchiveContext {
  return {
    zone: 'key',
    db,
    address,
    archive: openArchive(join(ARCHIVE, 'key')),
    recipients: async () => [order.recipient],
    timeGrain: TIME_GRAIN,
    now,
  }
}

function answer(work: (question: Question) => Promise<Answer>): void {
  process.on('message', ({ id, question }: { id: number; question: Question }) => {
    work(question).then(
      (answered) => say({ id, answer: answered }),
      (error: unknown) => say({ id, answer: { problem: describe(error) } }),
    )
  })
  say({ ready: true })
}

async function forEver(pauseMs: number, work: () => Promise<void>): Promise<void> {
  say({ ready: true })
  for (;;) {
    await work().catch((error: unknown) => say({ complaint: describe(error) }))
    await sleep(pauseMs)
  }
}

function describe(error: unknown): string {
  const { code, stack } = error as { code?: string; stack?: string }
  return `${code ?? ''} ${stack ?? String(error)}`
}

process.on('disconnect', () => process.exit())
// Who is killed keeps nothing by itself, and the next one would compile all again.
flushCompileCache()
await ROLES[order.role]()
