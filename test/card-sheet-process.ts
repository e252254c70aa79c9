// Test: a process that prints a number of cards, and says how long that took and its peak memory.

import { Writable } from 'node:stream'
import { writeCardSheets, type Card } from '../src/authorize/card-sheet.ts'
import { drawPaperCode } from '../src/authorize/paper-code.ts'

/** What it answers. */
export interface SheetAnswer {
  readonly milliseconds: number
  readonly bytes: number
  readonly peakMegabytes: number
}

const BATCH = 'B7QX'
const count = Number(process.argv[2])
let bytes = 0

const sink = new Writable({
  write(chunk: Buffer, _encoding, done) {
    bytes += chunk.length
    done()
  },
})
const start = performance.now()
await writeCardSheets(
  makeCards(),
  {
    batch: BATCH,
    realmName: 'Gemeentelijke Gezondheidsdienst Aldermoor',
    text: 'Vragen? Bel 0800 555 019, op werkdagen van 9 tot 17 uur. Bewaar deze kaart tot de uitslag.',
    language: 'nl',
    expires: '2026-12-25',
    link: (code) => `https://codes.aldermoor.example/v?c=${code}`,
    needsActivation: true,
    paper: 'A4',
  },
  sink,
)
const answer: SheetAnswer = {
  milliseconds: performance.now() - start,
  bytes,
  peakMegabytes: process.resourceUsage().maxRSS / 1024,
}
process.send?.(answer)
process.disconnect()

function* makeCards(): Generator<Card> {
  for (let number = 1; number <= count; number++) yield { code: drawPaperCode(BATCH), number }
}
