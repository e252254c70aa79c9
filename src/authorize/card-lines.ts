// Authorize: a text broken into lines and set in its directions; promises that no line is wider than its column.

import bidiFactory, { type Bidi } from 'bidi-js'
import type { CardDocument, CardFont, FontChoice } from './card-fonts.ts'

/** A piece of a line that is of one font and one direction. */
export interface LineRun {
  readonly text: string
  readonly font: CardFont
  /** Points, from the left end of the line. */
  readonly x: number
  /** Points. */
  readonly width: number
}

/** A line, from left to right. */
export interface Line {
  readonly runs: readonly LineRun[]
  /** Points. */
  readonly width: number
  /** Whether it begins on the right. */
  readonly rightToLeft: boolean
}

/** How a text is set. */
export interface Setting {
  readonly font: 'plain' | 'bold'
  /** Points. */
  readonly size: number
  /** Points. */
  readonly width: number
}

/** Height of a line, in sizes of its font. */
export const LINE_HEIGHT = 1.25

/** pdfkit keeps the shape of every word, unless features are asked for: of what stands on one card only, it need not. */
const NOT_KEPT: PDFKit.Mixins.OpenTypeFeatures[] = []

/**
 * A telephone number, or a date in digits: among Arabic letters its groups would change places, unless a mark says
 * that it goes from left to right. It has six digits at least: a range, such as 9-17, is read in the direction of the text.
 */
const GROUPED_DIGITS = /\+?\d(?:[ ()\-/.]*\d){5,}/g
const LEFT_TO_RIGHT_MARK = '\u200E'
const DIRECTION_MARKS = /[\u200E\u200F]/

// Its types name a default export of a module that is the function itself.
const bidi = (bidiFactory as unknown as () => Bidi)()

/** Breaks a text into lines: at spaces, within a word only where it alone is wider than the column. */
export function breakLines(
  document: CardDocument,
  choice: FontChoice,
  text: string,
  setting: Setting,
): Line[] {
  return text.split('\n').flatMap((paragraph) => {
    const direction = bidi.getEmbeddingLevels(paragraph, 'auto').paragraphs[0]?.level === 1
    const set = (part: string) => setLine(document, choice, part, setting, direction)
    const lines: Line[] = []
    let current = ''
    const words = paragraph.split(/[ \t]+/).filter((word) => word !== '')
    for (const word of words) {
      const longer = current === '' ? word : `${current} ${word}`
      if (set(longer).width <= setting.width) {
        current = longer
        continue
      }
      if (current !== '') lines.push(set(current))
      current = word
      while (set(current).width > setting.width) {
        const most = longestThatFits(current, (part) => set(part).width <= setting.width)
        lines.push(set(most))
        current = current.slice(most.length)
      }
    }
    if (current !== '') lines.push(set(current))
    return lines
  })
}

/**
 * Draws a line.
 *
 * @param x the left end
 * @param baseline points, from above
 * @param repeats whether it stands on every card: then its shape is kept
 */
export function drawLine(
  document: CardDocument,
  line: Line,
  size: number,
  x: number,
  baseline: number,
  repeats: boolean,
): void {
  for (const run of line.runs)
    drawText(document.font(run.font, size), run.text, x + run.x, baseline, run.width, repeats)
}

/**
 * Draws a text in the font of the document.
 *
 * @param baseline points, from above
 * @param width as it was measured, so that pdfkit need not measure it again
 * @param repeats as in `drawLine`
 */
export function drawText(
  document: CardDocument,
  text: string,
  x: number,
  baseline: number,
  width: number,
  repeats: boolean,
): void {
  const options: PDFKit.Mixins.TextOptions & { readonly textWidth: number } = {
    lineBreak: false,
    baseline: 'alphabetic',
    textWidth: width,
    ...(repeats ? {} : { features: NOT_KEPT }),
  }
  document.text(text, x, baseline, options)
}

/** Sets a text that must not be broken. */
export function setLine(
  document: CardDocument,
  choice: FontChoice,
  text: string,
  { font, size }: Omit<Setting, 'width'>,
  rightToLeft: boolean,
): Line {
  let x = 0
  const runs = visualRuns(choice, text, font, rightToLeft).map((run) => {
    const width = document.font(run.font, size).widthOfString(run.text, { features: NOT_KEPT })
    x += width
    return { ...run, x: x - width, width }
  })
  return { runs, width: x, rightToLeft }
}

/** The runs of a line in the order in which they stand on paper; each still in the order in which it is read. */
function visualRuns(
  choice: FontChoice,
  unmarked: string,
  font: 'plain' | 'bold',
  rightToLeft: boolean,
): Omit<LineRun, 'x' | 'width'>[] {
  const text = unmarked.replaceAll(GROUPED_DIGITS, (digits) => LEFT_TO_RIGHT_MARK + digits)
  const embedding = bidi.getEmbeddingLevels(text, rightToLeft ? 'rtl' : 'ltr')
  const mirrored = bidi.getMirroredCharactersMap(text, embedding.levels)
  const runs: { level: number; font: CardFont; text: string }[] = []
  let place = 0
  for (const character of text) {
    const level = embedding.levels[place] ?? 0
    const last = runs.at(-1)
    const before = last?.level === level ? last.font : undefined
    const its = choice.fontFor(character, font, before) ?? font
    const drawn = DIRECTION_MARKS.test(character) ? '' : (mirrored.get(place) ?? character)
    // pdfkit shapes word by word, from left to right: where words go from right to left, each is a run.
    const ends = level % 2 === 1 && last?.text.endsWith(' ')
    if (last?.level === level && last.font === its && !ends) last.text += drawn
    else runs.push({ level, font: its, text: drawn })
    place += character.length
  }
  for (let level = Math.max(0, ...runs.map((run) => run.level)); level > 0; level--)
    turnAround(runs, level)
  return runs.map((run) => ({ font: run.font, text: isTurnedByFont(run) ? run.text : turned(run) }))
}

/** Letters say their direction; a run of signs alone, such as the full stop after a Latin word, says none. */
const isTurnedByFont = (run: { level: number; text: string }) =>
  run.level % 2 === 0 || /\p{L}/u.test(run.text)

const turned = (run: { text: string }) => Array.from(run.text).reverse().join('')

/** Rule L2 of the Unicode bidirectional algorithm, for one level: what is at least that deep is turned around. */
function turnAround(runs: { level: number }[], level: number): void {
  for (let from = 0; from < runs.length; from++) {
    let to = from
    while ((runs[to]?.level ?? 0) >= level) to++
    if (to > from) runs.splice(from, to - from, ...runs.slice(from, to).reverse())
    from = to
  }
}

/** The longest beginning of a word that fits; a character at least. */
function longestThatFits(word: string, fits: (part: string) => boolean): string {
  const characters = Array.from(word)
  let length = 1
  while (length < characters.length && fits(characters.slice(0, length + 1).join(''))) length++
  return characters.slice(0, length).join('')
}
