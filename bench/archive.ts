// Bench: what a key costs in the archive, and how fast a log gets there and back.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { archiveThrough } from '../src/log/archiver.ts'
import { readHead } from '../src/log/read-events.ts'
import { addHealthAuthority } from '../src/submit/health-authorities.ts'
import { publishV1 } from '../src/submit/publish-v1.ts'
import { archiveOf, readSegments } from '../test/archiving-zone.ts'
import { encodeBody, makeAuthority, makeKeys, makeRequest } from '../test/key-zone.ts'
import { openKeyZone } from '../test/open-key-zone.ts'
import { benchDatabase } from './database.ts'
import type { Benchmark } from './harness.ts'

const REPORTS = 2_000
const KEYS = 14
/** Reports that are under way at a time. */
const AT_ONCE = 50
const MOST_BYTES = 26

/** `npm run bench -- archive` */
export const bench: Benchmark = {
  summary: `the archive of ${REPORTS.toLocaleString('en')} reports of ${KEYS} keys: bytes a key, MB/s`,
  unit: 'bytes/key',
  goal: `at most ${MOST_BYTES} bytes a key`,
  async run(report) {
    await using database = await benchDatabase()
    const folder = mkdtempSync(join(tmpdir(), 'tocsin-bench-'))
    try {
      const now = new Date(Date.UTC(2026, 2, 20, 10, 7))
      await using zone = await openKeyZone(database.url, folder, () => now)
      const authority = makeAuthority()
      await zone.db.transaction((tx) => addHealthAuthority(tx, zone.writer, authority, now))
      const test = await archiveOf(zone, 'key', folder, () => now)
      // What is no report must not count.
      await archiveThrough(test.context, Infinity)
      const before = (await readHead(zone.db)).nextSeq
      for (let sent = 0; sent < REPORTS; sent += AT_ONCE)
        await Promise.all(
          Array.from({ length: AT_ONCE }, async () => {
            const request = await makeRequest(authority, makeKeys(now, KEYS), now)
            const { status } = await publishV1(zone.submit, encodeBody(request), 'okhttp android')
            if (status !== 200) throw new Error(`a report was answered ${status}`)
          }),
        )
      report(`${(await readHead(zone.db)).nextSeq - before} reports`)
      const writing = performance.now()
      await archiveThrough(test.context, Infinity)
      const written = (performance.now() - writing) / 1_000
      const reading = performance.now()
      const rows = await readSegments(test)
      const read = (performance.now() - reading) / 1_000
      const plain = rows.reduce((sum, { record }) => sum + record.length, 0) / 1e6
      const objects = (await test.context.archive.list()).filter(({ first }) => first >= before)
      const value = objects.reduce((sum, { size }) => sum + size, 0) / (REPORTS * KEYS)
      report(
        `${plain.toFixed(1)} MB of records, ${objects.length} segments: ${value.toFixed(2)} bytes a key`,
      )
      report(`written and read back in ${written.toFixed(1)} s, read in ${read.toFixed(1)} s`)
      return {
        value,
        floor: null,
        ratio: null,
        holds: value <= MOST_BYTES,
        extra: {
          plainBytesPerKey: (plain * 1e6) / (REPORTS * KEYS),
          writeMegabytesPerSecond: plain / written,
          readMegabytesPerSecond: plain / read,
        },
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
}
