// Bench: how long a thousand cards take to print, and the memory of the process that prints them.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeBatch } from '../src/authorize/batches.ts'
import { addProvider } from '../src/authorize/providers.ts'
import { addRealm } from '../src/authorize/realms.ts'
import { openAuthorityData, testRealm } from '../test/open-authority-data.ts'
import { benchDatabase } from './database.ts'
import { median, type Benchmark } from './harness.ts'
import { nextMessage, Processes } from './processes.ts'
import type { SheetAnswer } from '../test/card-sheet-process.ts'

const CARDS = 1_000
const CODES = 100_000
const MOST_ISSUE_SECONDS = 30
const ROUNDS = 5
const MOST_SECONDS = 10
const MOST_MEGABYTES = 300

/** `npm run bench -- sheet` */
export const bench: Benchmark = {
  summary: `${CARDS.toLocaleString('en')} cards of paper codes as PDF; ${CODES.toLocaleString('en')} codes issued`,
  unit: 'ms',
  goal: `under ${MOST_SECONDS} s, and under ${MOST_MEGABYTES} MiB for the whole process; the codes in under ${MOST_ISSUE_SECONDS} s`,
  async run(report) {
    const printing = await measurePrinting(report)
    const issuing = await measureIssuing()
    report(`${CODES} codes issued in one batch: ${issuing.toFixed(0)} ms`)
    return {
      value: printing.milliseconds,
      floor: null,
      ratio: null,
      holds:
        printing.milliseconds < MOST_SECONDS * 1_000 &&
        printing.peakMegabytes < MOST_MEGABYTES &&
        issuing < MOST_ISSUE_SECONDS * 1_000,
      extra: {
        issueMilliseconds: issuing,
        codes: CODES,
        cards: CARDS,
        peakMegabytes: Math.round(printing.peakMegabytes),
        fileBytes: printing.bytes,
      },
    }
  },
}

/** Milliseconds for one batch, from drawing the codes to the commit that makes them count. */
async function measureIssuing(): Promise<number> {
  await using database = await benchDatabase()
  const folder = mkdtempSync(join(tmpdir(), 'tocsin-bench-'))
  try {
    const now = new Date(Date.UTC(2026, 2, 10, 8))
    await using data = await openAuthorityData(database.url, folder, () => now)
    const { name: realm } = await addRealm(data.zone, testRealm(), 'command', now)
    const provider = { realm, name: 'lab', displayName: 'Lab' }
    await addProvider(data.zone, provider, 'command', now)
    const wanted = {
      realm,
      provider: 'lab',
      label: 'bench',
      language: 'en',
      testType: 'confirmed' as const,
      needsActivation: false,
      size: CODES,
      life: 14 * 86400,
    }
    const start = performance.now()
    await makeBatch(data.zone, wanted, 'command', now)
    return performance.now() - start
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The median time and the highest peak of a few rounds. */
async function measurePrinting(report: (line: string) => void): Promise<SheetAnswer> {
  const sheets: SheetAnswer[] = []
  for (let round = 1; round <= ROUNDS; round++) {
    const sheet = await printCards()
    sheets.push(sheet)
    report(
      `round ${round}: ${sheet.milliseconds.toFixed(0)} ms, ${sheet.peakMegabytes.toFixed(0)} MiB`,
    )
  }
  return {
    milliseconds: median(sheets.map(({ milliseconds }) => milliseconds)),
    bytes: median(sheets.map(({ bytes }) => bytes)),
    peakMegabytes: Math.max(...sheets.map(({ peakMegabytes }) => peakMegabytes)),
  }
}

/** In a process of its own, for its peak memory. */
async function printCards(): Promise<SheetAnswer> {
  using processes = new Processes()
  return await nextMessage<SheetAnswer>(
    processes.fork('../test/card-sheet-process.ts', [String(CARDS)]),
  )
}
