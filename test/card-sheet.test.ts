// Test: the printed sheet of paper codes, read back: QR codes decoded from the rendered page, text extracted, cut marks seen.

import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { PassThrough, Writable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { writeCardSheets, type Card, type SheetDescription } from '../src/authorize/card-sheet.ts'
import { CARD_LANGUAGES, cardTexts } from '../src/authorize/card-texts.ts'
import { drawPaperCode, formatPaperCode } from '../src/authorize/paper-code.ts'
import type { SheetAnswer } from './card-sheet-process.ts'
import { openPdf, readQrCode, readTexts, renderPage, type PagePixels } from './read-sheet.ts'

const BATCH = 'B7QX'
const SHEET: SheetDescription = {
  batch: BATCH,
  realmName: 'Aldermoor Health',
  text: 'Questions? 0800 555 019',
  language: 'en',
  expires: '2026-12-25',
  link: (code) => `https://codes.aldermoor.example/v?c=${code}`,
  needsActivation: false,
  paper: 'A4',
}

/** Eight cards of 95 by 65 mm in the middle of the page. */
const COLUMNS = 2
const ROWS = 4
const CARD = { width: 95, height: 65 }
const PAPER = { A4: { width: 210, height: 297 }, letter: { width: 215.9, height: 279.4 } }

const makeCards = (count: number): Card[] =>
  Array.from({ length: count }, (_, index) => ({ code: drawPaperCode(BATCH), number: index + 1 }))

async function print(cards: Iterable<Card>, sheet: SheetDescription): Promise<Uint8Array> {
  const sink = new PassThrough()
  const [bytes] = await Promise.all([buffer(sink), writeCardSheets(cards, sheet, sink)])
  return bytes
}

for (const paper of ['A4', 'letter'] as const)
  test(`every QR code, code, name and number of a sheet is read back from ${paper}`, async () => {
    const cards = makeCards(11)
    const pdf = await openPdf(await print(cards, { ...SHEET, paper }))
    assert.equal(pdf.numPages, 2)
    const { width, height } = PAPER[paper]
    for (let page = 0; page < 2; page++) {
      const onPage = cards.slice(page * 8, page * 8 + 8)
      const pixels = await renderPage(pdf, page + 1)
      const qrCodes = Array.from({ length: 8 }, (_, place) =>
        readQrCode(
          pixels,
          (width - COLUMNS * CARD.width) / 2 + (place % COLUMNS) * CARD.width,
          (height - ROWS * CARD.height) / 2 + Math.floor(place / COLUMNS) * CARD.height,
          CARD.width,
          CARD.height,
        ),
      )
      assert.deepEqual(
        qrCodes.filter((text) => text !== null),
        onPage.map(({ code }) => SHEET.link(code)),
      )
      const texts = await readTexts(pdf, page + 1)
      const codes = texts.filter((text) => /^.{4}(-.{4}){4}$/.test(text))
      assert.deepEqual(
        codes,
        onPage.map(({ code }) => formatPaperCode(code)),
      )
      const count = (text: string) => texts.filter((each) => each === text).length
      assert.equal(count(SHEET.realmName), onPage.length)
      assert.equal(count(SHEET.text), onPage.length)
      assert.equal(count('Valid until 25 December 2026'), onPage.length)
      for (const { number } of onPage) assert.equal(count(`Card ${number}, batch ${BATCH}`), 1)
    }
    await pdf.loadingTask.destroy()
  })

test('cut marks stand at both ends of every cut, and none on a card', async () => {
  const pdf = await openPdf(await print(makeCards(8), SHEET))
  const pixels = await renderPage(pdf, 1)
  const { width, height } = PAPER.A4
  const left = (width - COLUMNS * CARD.width) / 2
  const top = (height - ROWS * CARD.height) / 2
  const [right, bottom] = [width - left, height - top]
  for (let column = 0; column <= COLUMNS; column++) {
    const x = left + column * CARD.width
    for (const y of [top - 3, bottom + 3]) assert.ok(crosses(pixels, x, y, 'x'), `${x}, ${y}`)
    assert.ok(!crosses(pixels, x, top + 1, 'x'))
  }
  for (let row = 0; row <= ROWS; row++) {
    const y = top + row * CARD.height
    for (const x of [left - 3, right + 3]) assert.ok(crosses(pixels, x, y, 'y'), `${x}, ${y}`)
    assert.ok(!crosses(pixels, left + 1, y, 'y'))
  }
  await pdf.loadingTask.destroy()
})

/** Whether a thin line goes through a place: dark within 0.3 mm of it, white on both sides 1 mm away. */
function crosses(pixels: PagePixels, x: number, y: number, across: 'x' | 'y'): boolean {
  const at = (away: number) =>
    across === 'x' ? pixels.isDark(x + away, y) : pixels.isDark(x, y + away)
  const near = [-0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3]
  return near.some(at) && !at(-1) && !at(1)
}

for (const language of CARD_LANGUAGES)
  test(`a card in ${language} has all its words, between the edges of the card`, async () => {
    const sheet = { ...SHEET, language, needsActivation: true }
    const pdf = await openPdf(await print(makeCards(2), sheet))
    const { howTo, activation, validUntil, direction } = cardTexts(language)
    const written = bare((await readTexts(pdf, 1)).join(''))
    // Letters that are joined come out in their joined forms, and in the order of the paper.
    if (direction === 'ltr')
      for (const words of [howTo, activation, validUntil(sheet.expires)])
        assert.match(written, patternOf(words))
    else assert.match(written.replaceAll(/[^\p{Script=Arabic}]/gu, ''), /.{100}/)
    const pixels = await renderPage(pdf, 1)
    const edge = { left: 10, top: 18.5 }
    for (const left of [edge.left, edge.left + CARD.width]) {
      assert.ok(isInked(pixels, left, edge.top, CARD.width, CARD.height))
      const right = left + CARD.width - 3.9
      assert.ok(!isInked(pixels, left, edge.top, 3.9, CARD.height), 'the left border is white')
      assert.ok(!isInked(pixels, right, edge.top, 3.9, CARD.height), 'the right border is white')
      for (const top of [edge.top, edge.top + CARD.height - 3])
        assert.ok(!isInked(pixels, left, top, CARD.width, 3), 'the upper and lower are white')
    }
    await pdf.loadingTask.destroy()
  })

const bare = (text: string) => text.normalize('NFD').replaceAll(/[\s\p{M}]/gu, '')

/** A mark that the font sets as a glyph of its own, as under Vietnamese letters, is extracted as some other character. */
function patternOf(words: string): RegExp {
  const letters = words.normalize('NFD').replaceAll(/\s/g, '')
  return new RegExp(letters.replaceAll(/[.?()]/g, '\\$&').replaceAll(/\p{M}+/gu, '.?'), 'su')
}

/** Whether anything is printed within a rectangle, in millimetres. */
function isInked(pixels: PagePixels, left: number, top: number, width: number, height: number) {
  for (let y = top; y < top + height; y += 0.1)
    for (let x = left; x < left + width; x += 0.1) if (pixels.isDark(x, y)) return true
  return false
}

test('a text of 300 characters finds its place, and nothing lies over anything else', async () => {
  const text = 'Bring this card along, and call us if anything is unclear. '.repeat(6).slice(0, 300)
  const realmName = 'Association of the Municipal Health Services of Upper and Lower Aldermoor'
  const sheet = { ...SHEET, text, realmName, needsActivation: true, language: 'el' }
  const pdf = await openPdf(await print(makeCards(1), sheet))
  const { items } = await (await pdf.getPage(1)).getTextContent()
  const boxes = items.flatMap((item) =>
    'str' in item && item.str.trim()
      ? [{ x: Number(item.transform[4]), y: Number(item.transform[5]), ...item }]
      : [],
  )
  for (const [index, one] of boxes.entries())
    for (const other of boxes.slice(index + 1)) {
      const besides = one.x + one.width <= other.x || other.x + other.width <= one.x
      const apart = Math.abs(one.y - other.y) >= Math.min(one.height, other.height)
      assert.ok(besides || apart, `${one.str} over ${other.str}`)
    }
  await pdf.loadingTask.destroy()
})

const refusals: [string, Partial<SheetDescription>, string, RegExp][] = [
  ['Chinese in the name', { realmName: '漢 Health' }, 'card_text_unprintable', /漢 \(U\+6F22\)/],
  ['an emoji', { text: 'Thanks 🙂' }, 'card_text_unprintable', /U\+1F642/],
  ['an invisible override', { text: 'a\u202Eb' }, 'card_text_unprintable', /lack U\+202E/],
  ['301 characters', { text: 'x'.repeat(301) }, 'card_text_too_long', /300/],
  ['300 wide letters', { text: 'W'.repeat(300) }, 'card_text_too_long', /shorten/],
  ['a name of a page', { realmName: 'Health '.repeat(40) }, 'card_text_too_long', /shorten/],
]
for (const [what, changed, code, sentence] of refusals)
  test(`${what} is refused before anything is written`, async () => {
    let written = 0
    const sink = new Writable({ write: (chunk: Buffer) => void (written += chunk.length) })
    await assert.rejects(writeCardSheets(makeCards(1), { ...SHEET, ...changed }, sink), (error) => {
      assert.equal((error as { code?: unknown }).code, code)
      assert.match(String(error), sentence)
      return true
    })
    assert.equal(written, 0)
  })

test('the file says neither when it was made nor by whom, and is the same again', async () => {
  const cards = makeCards(3)
  const bytes = await print(cards, SHEET)
  const pdf = await openPdf(bytes)
  const { info } = await pdf.getMetadata()
  const said = Object.entries(info).filter(([, value]) => typeof value === 'string')
  assert.deepEqual(Object.fromEntries(said), {
    PDFFormatVersion: '1.3',
    Language: 'en',
    Title: `Batch ${BATCH}`,
    Creator: 'Tocsin',
    Producer: 'Tocsin',
  })
  assert.doesNotMatch(Buffer.from(bytes).toString('latin1'), /Date|D:[12]\d{3}/)
  assert.deepEqual(await print(cards, SHEET), bytes)
  await pdf.loadingTask.destroy()
})

test('a failing sink, and cards that can not be read, end the writing', async () => {
  const sink = new Writable({ write: (_chunk, _encoding, done) => done(new Error('disk full')) })
  await assert.rejects(writeCardSheets(makeCards(20), SHEET, sink), /disk full/)
  const broken = function* () {
    yield* makeCards(9)
    throw new Error('database away')
  }
  await assert.rejects(writeCardSheets(broken(), SHEET, new PassThrough().resume()), /database/)
})

test('a page is handed on when the next is begun, and a sink that waits stops the drawing', async () => {
  let taken = 0
  const counted = function* () {
    for (const card of makeCards(1_000)) {
      taken++
      yield card
    }
  }
  let takenAtFirst = 0
  const sink = new Writable({ write: () => void (takenAtFirst ||= taken) })
  const writing = writeCardSheets(counted(), SHEET, sink)
  // The sink never says that it is done: what is taken by now is all that ever is.
  await setTimeout(500)
  assert.ok(takenAtFirst > 0 && takenAtFirst <= 16, `${takenAtFirst} cards`)
  assert.ok(taken <= 80, `${taken} cards`)
  sink.destroy()
  await assert.rejects(writing, { code: 'ERR_STREAM_PREMATURE_CLOSE' })
})

test('1,000 cards are 125 pages; five times as many take no more memory', async (t) => {
  const pdf = await openPdf(await print(makeCards(1_000), SHEET))
  assert.equal(pdf.numPages, 125)
  await pdf.loadingTask.destroy()
  const peaks: number[] = []
  for (const count of [1_000, 5_000]) {
    const child = fork(new URL('./card-sheet-process.ts', import.meta.url), [String(count)], {
      execArgv: ['--max-old-space-size=64', '--max-semi-space-size=8'],
    })
    const [answer] = (await once(child, 'message')) as [SheetAnswer]
    peaks.push(answer.peakMegabytes)
  }
  const [small = 0, large = 0] = peaks
  t.diagnostic(`1,000 and 5,000 cards: at most ${peaks.map(Math.round).join(' and ')} MiB`)
  assert.ok(large - small < 40, `${small} MiB, then ${large} MiB`)
})
