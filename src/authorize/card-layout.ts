// Authorize: what stands where on a card; promises that nothing lies over anything else, or a refusal that says what is too long.

import { TocsinError } from '../errors.ts'
import { mustBePrintable, type CardDocument, type FontChoice } from './card-fonts.ts'
import { breakLines, LINE_HEIGHT, setLine, type Line } from './card-lines.ts'
import type { SheetDescription } from './card-sheet.ts'
import { cardTexts } from './card-texts.ts'

/** A line and its place. Points, from the upper left corner of the printed part of the card. */
export interface PlacedLine {
  readonly line: Line
  readonly size: number
  readonly x: number
  readonly baseline: number
}

/** A card, except what differs from card to card. Points, as of `PlacedLine`. */
export interface CardLayout {
  readonly lines: readonly PlacedLine[]
  readonly qr: { readonly x: number; readonly y: number; readonly size: number }
  readonly code: { readonly size: number; readonly baseline: number }
  /** Heights of the lines above and below the code. */
  readonly rules: readonly number[]
  readonly width: number
  /** The line with the number of a card. */
  readonly numberLine: (number: number) => PlacedLine
}

interface Size {
  readonly width: number
  readonly height: number
}

const MM = 72 / 25.4
const QR_SIZE = 28 * MM
/** As wide as the white border that a QR code needs. */
const QR_GAP = 4 * MM
const CODE_ROW = { above: 3 * MM, height: 9.5 * MM, below: 2.5 * MM }
/** Points; from the most legible to the smallest that still can be read, for the name and the text. */
const NAME_AND_TEXT_SIZES: readonly (readonly [number, number])[] = [
  [12, 8.5],
  [11, 8],
  [10, 7.5],
  [9, 7],
  [8.5, 6.5],
  [8, 6],
]
const HOW_TO_SIZES = [8, 7.5, 7, 6.5, 6]
const FOOTER_SIZES = [8, 7.5, 7, 6.5, 6, 5.5, 5]
const MOST_NAME_LINES = 3
const PARAGRAPH_GAP = 4
const LONGEST_TEXT = 300
/** The batch's last card can't have more digits: 10,000,000 cards. */
const WIDEST_NUMBER = 8_888_888
/** Of the height of a font: how high capital letters are, and how far letters go below the line. */
const CAPITALS = 0.714
const DESCENT = 0.24
const CODE_CAPITALS = 0.668

/**
 * Places what all cards of a sheet have in common.
 *
 * @param inner the printed part of a card, in points
 * @throws TocsinError `card_text_unprintable`, `card_text_too_long`
 */
export function layOut(
  document: CardDocument,
  choice: FontChoice,
  sheet: SheetDescription,
  inner: Size,
): CardLayout {
  const name = tidy(sheet.realmName).replaceAll('\n', ' ')
  const text = tidy(sheet.text)
  mustBePrintable(choice, "realm's name", name, 'bold')
  mustBePrintable(choice, "realm's text", text, 'plain')
  if (Array.from(text).length > LONGEST_TEXT)
    throw tooLong(`The realm's text has more than ${LONGEST_TEXT} characters`)
  const texts = cardTexts(sheet.language)
  const mirrored = texts.direction === 'rtl'
  const context = { document, choice, mirrored }
  const columnWidth = inner.width - QR_SIZE - QR_GAP
  const columnX = mirrored ? QR_SIZE + QR_GAP : 0
  const codeTop = QR_SIZE + CODE_ROW.above
  const codeBottom = codeTop + CODE_ROW.height
  const codeSize = inner.width / document.font('code', 1).widthOfString('0000-0000-0000-0000-0000')
  const footer = placeFooter(context, sheet, inner)
  const howToTop = codeBottom + CODE_ROW.below
  const howTo = sheet.needsActivation ? `${texts.howTo} ${texts.activation}` : texts.howTo
  return {
    lines: [
      ...placeNameAndText(context, name, text, columnX, { width: columnWidth, height: QR_SIZE }),
      ...placeHowTo(context, howTo, howToTop, { ...inner, height: footer.top - howToTop }),
      footer.validUntil,
    ],
    qr: { x: mirrored ? 0 : inner.width - QR_SIZE, y: 0, size: QR_SIZE },
    code: {
      size: codeSize,
      baseline: codeTop + (CODE_ROW.height + CODE_CAPITALS * codeSize) / 2,
    },
    rules: [codeTop, codeBottom],
    width: inner.width,
    numberLine: footer.numberLine,
  }
}

interface Context {
  readonly document: CardDocument
  readonly choice: FontChoice
  /** Whether the card's language goes from right to left. */
  readonly mirrored: boolean
}

/** Characters as fonts have them, and one kind of line break. */
function tidy(text: string): string {
  return text
    .normalize('NFC')
    .replaceAll(/\r\n?|\u2028|\u2029/g, '\n')
    .replaceAll('\t', ' ')
    .trim()
}

function placeNameAndText(
  { document, choice }: Context,
  name: string,
  text: string,
  x: number,
  column: Size,
): PlacedLine[] {
  for (const [nameSize, textSize] of NAME_AND_TEXT_SIZES) {
    const { width } = column
    const names = breakLines(document, choice, name, { font: 'bold', size: nameSize, width })
    const words = breakLines(document, choice, text, { font: 'plain', size: textSize, width })
    const first = CAPITALS * nameSize
    const placedNames = stack(names, nameSize, x, width, first)
    const nameBottom = first + (names.length - 1) * LINE_HEIGHT * nameSize + DESCENT * nameSize
    const textTop = nameBottom + PARAGRAPH_GAP
    const placedWords = stack(words, textSize, x, width, textTop + CAPITALS * textSize)
    const lowest = (placedWords.at(-1)?.baseline ?? 0) + DESCENT * textSize
    if (names.length <= MOST_NAME_LINES && Math.max(nameBottom, lowest) <= column.height)
      return [...placedNames, ...placedWords]
  }
  throw tooLong("The realm's name and its text do not fit on a card together")
}

function placeHowTo(
  { document, choice }: Context,
  howTo: string,
  top: number,
  { width, height }: Size,
): PlacedLine[] {
  for (const size of HOW_TO_SIZES) {
    const lines = breakLines(document, choice, howTo, { font: 'plain', size, width })
    const placed = stack(lines, size, 0, width, top + CAPITALS * size)
    if ((placed.at(-1)?.baseline ?? 0) + DESCENT * size <= top + height) return placed
  }
  throw tooLong('What to do with a card does not fit on it')
}

/** The last line of a card: until when it is valid, and its number. */
function placeFooter(
  { document, choice, mirrored }: Context,
  sheet: SheetDescription,
  inner: Size,
) {
  const texts = cardTexts(sheet.language)
  const baseline = inner.height - 0.5
  const set = (text: string, font: 'plain' | 'bold', size: number) =>
    setLine(document, choice, text, { font, size }, mirrored)
  const validUntil = texts.validUntil(sheet.expires)
  const size = FOOTER_SIZES.find(
    (size) =>
      set(validUntil, 'bold', size).width +
        set(texts.card(WIDEST_NUMBER, sheet.batch), 'plain', size).width +
        2 * size <=
      inner.width,
  )
  if (size === undefined) throw tooLong('The last line of a card is too long for it')
  const place = (line: Line, onTheRight: boolean): PlacedLine => ({
    line,
    size,
    x: onTheRight ? inner.width - line.width : 0,
    baseline,
  })
  return {
    top: baseline - size - 1,
    validUntil: place(set(validUntil, 'bold', size), mirrored),
    numberLine: (number: number) =>
      place(set(texts.card(number, sheet.batch), 'plain', size), !mirrored),
  }
}

function stack(
  lines: readonly Line[],
  size: number,
  x: number,
  width: number,
  first: number,
): PlacedLine[] {
  return lines.map((line, index) => ({
    line,
    size,
    x: line.rightToLeft ? x + width - line.width : x,
    baseline: first + index * LINE_HEIGHT * size,
  }))
}

function tooLong(what: string): TocsinError {
  return new TocsinError('card_text_too_long', `${what}: shorten it.`)
}
