// Authorize: the fonts of the cards; promises to know before printing which characters would come out as boxes.

import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import { TocsinError } from '../errors.ts'

/** The document that cards are drawn into. */
export type CardDocument = PDFKit.PDFDocument

/** The fonts of a card, by what they are for; each word font has its likeness for Arabic letters. */
export type CardFont = 'code' | 'plain' | 'bold' | 'plain-arabic' | 'bold-arabic'

const FONTS: Readonly<Record<CardFont, string>> = {
  // Drawn for people who see badly: 0 has a stroke, and 8 and B, 5 and S, 2 and Z can't be mixed up.
  code: 'atkinson-hyperlegible-mono/700Bold/AtkinsonHyperlegibleMono_700Bold.ttf',
  plain: 'noto-sans/400Regular/NotoSans_400Regular.ttf',
  bold: 'noto-sans/700Bold/NotoSans_700Bold.ttf',
  'plain-arabic': 'noto-sans-arabic/400Regular/NotoSansArabic_400Regular.ttf',
  'bold-arabic': 'noto-sans-arabic/700Bold/NotoSansArabic_700Bold.ttf',
}

/** Scripts of which printed cards were looked at. Noto Sans has letters of others too, but they may need a shaping that nobody checked. */
const SCRIPTS =
  /^[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{Script=Arabic}\p{Script=Common}\p{Script=Inherited}]$/u
const ARABIC = /^\p{Script_Extensions=Arabic}$/u
/** Persian needs the two joiners, Arabic the two marks of direction; other control characters could turn a text around or hide a part of it. */
const CONTROL = /^(?![\u200C-\u200F])\p{C}$/u

/** How many unprintable characters an error names. */
const MOST_NAMED = 10

/** Makes the fonts known to a document; only those that are used, and of these only the letters used, come into the file. */
export function registerFonts(document: CardDocument): void {
  const { resolve } = createRequire(import.meta.url)
  for (const [name, file] of Object.entries(FONTS))
    document.registerFont(name, readFileSync(resolve(`@expo-google-fonts/${file}`)))
}

/** Which font has a character. */
export interface FontChoice {
  /**
   * The font for a character in a text of a font.
   *
   * @param before the font of the character before it, which spaces and full stops keep
   * @returns undefined when none has it
   */
  fontFor(character: string, font: 'plain' | 'bold', before?: CardFont): CardFont | undefined
}

/** Looks into the fonts of a document. */
export function fontChoice(document: CardDocument): FontChoice {
  const has = (font: CardFont, character: string): boolean =>
    fontkitOf(document.font(font)).hasGlyphForCodePoint(character.codePointAt(0) ?? 0)
  return {
    fontFor(character, font, before) {
      if (CONTROL.test(character) || !SCRIPTS.test(character)) return undefined
      const order: CardFont[] = [font, `${font}-arabic`]
      if (ARABIC.test(character)) order.reverse()
      else if (before !== undefined && !/\p{L}|\p{N}/u.test(character)) order.unshift(before)
      return order.find((each) => has(each, character))
    },
  }
}

/**
 * Refuses a text with characters that no font has.
 *
 * @param name what the text is, for the error
 * @throws TocsinError `card_text_unprintable`
 */
export function mustBePrintable(
  choice: FontChoice,
  name: string,
  text: string,
  font: 'plain' | 'bold',
): void {
  const missing = [...new Set(text)].filter(
    (character) => character !== '\n' && choice.fontFor(character, font) === undefined,
  )
  if (missing.length === 0) return
  const named = missing.slice(0, MOST_NAMED).map(nameOf).join(', ')
  const more =
    missing.length > MOST_NAMED ? ` and ${missing.length - MOST_NAMED} other characters` : ''
  throw new TocsinError(
    'card_text_unprintable',
    `The ${name} can not be printed on cards: the fonts lack ${named}${more}. Write it without them, or in Latin, Greek, Cyrillic or Arabic letters.`,
  )
}

function nameOf(character: string): string {
  const point = character.codePointAt(0) ?? 0
  const number = `U+${point.toString(16).toUpperCase().padStart(4, '0')}`
  return /\p{C}|\p{Z}|\p{M}/u.test(character) ? number : `${character} (${number})`
}

interface FontkitFont {
  hasGlyphForCodePoint(codePoint: number): boolean
}

/** pdfkit has no word of its own for this; what it has opened the font with has. */
function fontkitOf(document: CardDocument): FontkitFont {
  const { _font: current } = document as unknown as {
    readonly _font: { readonly font: FontkitFont }
  }
  return current.font
}
