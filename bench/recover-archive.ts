// Bench: an archive of made-up reports for the key zone; promises events that are encoded as the log encodes them, in segments of its size.

import { randomBytes } from 'node:crypto'
import { encodeEvent, SALT_LENGTH, type NewEvent } from '../src/log/record.ts'
import { appendLeaf, EMPTY_FRONTIER, encodeFrontier, rootOf } from '../src/log/tree.ts'
import type { EventRow } from '../src/log/read-events.ts'
import { packColumns } from '../src/submit/key-columns.ts'
import { reportEvent } from '../src/submit/report.ts'
import { storeObject } from '../test/write-archive.ts'

const START = Date.UTC(2026, 2, 10, 8) / 1000
const GRAIN = 900
const REPORTS_A_GRAIN = 1_000
const SEGMENT_BYTES = 8 << 20

/** Writes the segments of a log with so many reports. @returns how many events it has */
export async function writeBenchArchive(
  folder: string,
  identity: string,
  reports: number,
  keysAReport: number,
): Promise<number> {
  const logId = randomBytes(16)
  let tree = EMPTY_FRONTIER
  let start = tree
  let previous: Uint8Array | null = null
  let rows: EventRow[] = []
  let bytes = 0
  let grain = START
  const close = async () => {
    const { digest } = await storeObject(
      folder,
      identity,
      {
        version: 1,
        kind: 'segment',
        zone: 'key',
        logId,
        first: start.size,
        end: tree.size,
        previous,
        frontier: encodeFrontier(start),
        root: rootOf(tree),
        grain,
        timeGrain: GRAIN,
        madeAt: grain,
      },
      rows,
    )
    previous = Buffer.from(digest, 'hex')
    start = tree
    rows = []
    bytes = 0
  }
  for (let seq = 0; seq <= reports; seq++) {
    grain = START + Math.floor(seq / REPORTS_A_GRAIN) * GRAIN
    const event =
      seq === 0
        ? {
            type: 'log.started',
            parts: [{ retention: 'configuration', content: { logId } } as const],
          }
        : makeReport(grain, keysAReport)
    const salts = randomBytes(SALT_LENGTH * event.parts.length)
    const { record, leafHash } = encodeEvent({ ...event, seq, grain }, salts)
    rows.push({ seq, type: event.type, record, leafHash })
    tree = appendLeaf(tree, leafHash)
    bytes += record.length
    if (bytes >= SEGMENT_BYTES) await close()
  }
  if (rows.length > 0) await close()
  return tree.size
}

function makeReport(grain: number, count: number): NewEvent {
  const today = Math.floor(grain / 86_400) * 144
  const keys = packColumns(
    Array.from({ length: count }, (_, index) => ({
      keyData: randomBytes(16),
      rollingStart: today - 144 * (index + 1),
      rollingPeriod: 144,
      transmissionRisk: 2,
      daysSinceOnset: 3 - index,
      flags: 0,
    })),
  )
  return reportEvent(
    {
      source: 'publish-v1',
      trackingId: randomBytes(16),
      fingerprint: randomBytes(16),
      app: 'org.example.health',
      healthAuthority: 'https://org.example.health/',
      regions: ['US'],
      reportType: 'confirmed',
      onset: { interval: today - 432, source: 'certificate' },
      traveler: false,
      issuerHandle: randomBytes(16),
      timeGrain: GRAIN,
      keys,
      outcomes: new Uint8Array(count),
    },
    'android',
  )
}
