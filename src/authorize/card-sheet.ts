// Authorize: paper codes as sheets of cards, to be printed and cut; promises codes that people and phones can read, in memory that does not grow with the batch.

import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import PdfDocument from 'pdfkit'
import { fontChoice, registerFonts, type CardDocument } from './card-fonts.ts'
import { layOut, type CardLayout, type PlacedLine } from './card-layout.ts'
import { drawLine, drawText } from './card-lines.ts'
import { drawQrCode } from './card-qr.ts'
import { cardTexts } from './card-texts.ts'
import { formatPaperCode } from './paper-code.ts'

/** A card of a batch. */
export interface Card {
  /** 20 characters, as they were drawn. */
  readonly code: string
  /** Its number in the batch. */
  readonly number: number
}

/** What all cards of a sheet have in common. */
export interface SheetDescription {
  /** Four characters. */
  readonly batch: string
  /** As people read it. */
  readonly realmName: string
  /** The realm's own words, up to 300 characters; a line break begins a paragraph. Empty for none. */
  readonly text: string
  /** BCP 47 tag. */
  readonly language: string
  /** YYYY-MM-DD. */
  readonly expires: string
  /** What the QR code of a code says. */
  readonly link: (code: string) => string
  /** Whether a laboratory must activate the codes. */
  readonly needsActivation: boolean
  readonly paper: 'A4' | 'letter'
}

const MM = 72 / 25.4
const COLUMNS = 2
const ROWS = 4
const CARD = { width: 95 * MM, height: 65 * MM }
/** Between the edge of a card and what is printed; the white border that a QR code needs lies in it, too. */
const PADDING = 4 * MM
const CUT_MARK = { length: 5 * MM, gap: 1 * MM, width: 0.4 }
const HAIRLINE = 0.5
/** When a sheet was made is nobody's business: the identifiers of all files are made with this. */
const NO_TIME = new Date(0)

/**
 * Writes the cards as a PDF, eight to a page, and ends the sink. No more than a page of them is held at a time.
 *
 * @throws TocsinError `card_text_unprintable` (characters that no font has), `card_text_too_long` (name, text or link does
 *   not fit on a card), both before anything is written; and whatever `cards` or the sink throws
 */
export async function writeCardSheets(
  cards: AsyncIterable<Card> | Iterable<Card>,
  sheet: SheetDescription,
  sink: Writable,
): Promise<void> {
  const document = openDocument(sheet)
  const layout = layOut(document, fontChoice(document), sheet, {
    width: CARD.width - 2 * PADDING,
    height: CARD.height - 2 * PADDING,
  })
  await pipeline(pagesOf(document, layout, cards, sheet), sink)
}

function openDocument(sheet: SheetDescription): CardDocument {
  const document = new PdfDocument({
    size: sheet.paper === 'A4' ? 'A4' : 'LETTER',
    margin: 0,
    autoFirstPage: false,
    lang: cardTexts(sheet.language).language,
    info: {
      Title: `Batch ${sheet.batch}`,
      Creator: 'Tocsin',
      Producer: 'Tocsin',
      CreationDate: NO_TIME,
    },
  })
  // pdfkit needs a time, for the identifier of the file; it writes what can be enumerated.
  Object.defineProperty(document.info, 'CreationDate', { enumerable: false })
  registerFonts(document)
  return document
}

/** The file, piece by piece: a page is drawn when whoever reads has taken the one before. */
async function* pagesOf(
  document: CardDocument,
  layout: CardLayout,
  cards: AsyncIterable<Card> | Iterable<Card>,
  sheet: SheetDescription,
): AsyncGenerator<Buffer> {
  let place = 0
  for await (const card of cards) {
    if (place === 0) addPage(document)
    drawCard(document, layout, card, sheet, cornerOf(document, place))
    place = (place + 1) % (COLUMNS * ROWS)
    if (place === 0) yield* takeWritten(document)
  }
  // An empty batch gives a page without cards: a PDF must have one.
  if (document.page === null) addPage(document)
  document.end()
  yield* takeWritten(document)
}

function* takeWritten(document: CardDocument): Generator<Buffer> {
  for (;;) {
    const chunk = document.read() as Buffer | null
    if (chunk === null) return
    yield chunk
  }
}

interface Corner {
  readonly x: number
  readonly y: number
}

/** The upper left corner of a card; the cards lie edge to edge in the middle of the page. */
function cornerOf(document: CardDocument, place: number): Corner {
  const { width, height } = document.page
  return {
    x: (width - COLUMNS * CARD.width) / 2 + (place % COLUMNS) * CARD.width,
    y: (height - ROWS * CARD.height) / 2 + Math.floor(place / COLUMNS) * CARD.height,
  }
}

function addPage(document: CardDocument): void {
  document.addPage()
  drawCutMarks(document)
}

/** In the margin, where each cut begins and ends; nothing is left of them on the cards. */
function drawCutMarks(document: CardDocument): void {
  const { x: left, y: top } = cornerOf(document, 0)
  const right = left + COLUMNS * CARD.width
  const bottom = top + ROWS * CARD.height
  const { length, gap, width } = CUT_MARK
  document.lineWidth(width)
  for (let column = 0; column <= COLUMNS; column++) {
    const x = left + column * CARD.width
    document.moveTo(x, top - gap - length).lineTo(x, top - gap)
    document.moveTo(x, bottom + gap).lineTo(x, bottom + gap + length)
  }
  for (let row = 0; row <= ROWS; row++) {
    const y = top + row * CARD.height
    document.moveTo(left - gap - length, y).lineTo(left - gap, y)
    document.moveTo(right + gap, y).lineTo(right + gap + length, y)
  }
  document.stroke('black')
}

function drawCard(
  document: CardDocument,
  layout: CardLayout,
  { code, number }: Card,
  sheet: SheetDescription,
  corner: Corner,
): void {
  const x = corner.x + PADDING
  const y = corner.y + PADDING
  drawQrCode(document, sheet.link(code), x + layout.qr.x, y + layout.qr.y, layout.qr.size)
  document.font('code', layout.code.size)
  drawText(document, formatPaperCode(code), x, y + layout.code.baseline, layout.width, false)
  document.lineWidth(HAIRLINE)
  for (const height of layout.rules)
    document.moveTo(x, y + height).lineTo(x + layout.width, y + height)
  document.stroke('black')
  const draw = ({ line, size, ...place }: PlacedLine, repeats: boolean) =>
    drawLine(document, line, size, x + place.x, y + place.baseline, repeats)
  for (const line of layout.lines) draw(line, true)
  draw(layout.numberLine(number), false)
}
