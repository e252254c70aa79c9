// Authorize: the QR code of a card; promises one that a phone reads from a hand's breadth, or a refusal.

import { create } from 'qrcode'
import { TocsinError } from '../errors.ts'
import type { CardDocument } from './card-fonts.ts'

/** Version 10: modules of half a millimetre at the size of a card, about what a cheap camera still tells apart. */
const MOST_MODULES = 57

/**
 * Draws a QR code with error correction level M: a seventh of it may be stained.
 *
 * @param size of the dark part, in points; the white border around it is the caller's
 * @throws TocsinError `card_text_too_long`
 */
export function drawQrCode(
  document: CardDocument,
  text: string,
  x: number,
  y: number,
  size: number,
): void {
  const { modules } = create(text, { errorCorrectionLevel: 'M' })
  if (modules.size > MOST_MODULES)
    throw new TocsinError(
      'card_text_too_long',
      'The link of the cards is too long for their QR code: shorten the address.',
    )
  const side = size / modules.size
  const rectangles: string[] = []
  for (let row = 0; row < modules.size; row++)
    for (let column = 0; column < modules.size; column++) {
      if (!modules.get(row, column)) continue
      const from = column
      while (column + 1 < modules.size && modules.get(row, column + 1)) column++
      const place = [x + from * side, y + row * side, (column + 1 - from) * side, side]
      rectangles.push(`${place.map((points) => points.toFixed(3)).join(' ')} re`)
    }
  // One path, filled once: rows drawn one by one show white seams on a screen.
  document.fillColor('black').addContent(`${rectangles.join(' ')} f`)
}
