// Authorize: paper codes as a list for a print shop; promises plain CSV (RFC 4180) in which no cell is a formula, in memory that does not grow with the batch.

import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { csvCell } from '../operate/csv-cell.ts'
import type { Card, SheetDescription } from './card-sheet.ts'
import { formatPaperCode } from './paper-code.ts'

/** What a list says beside the codes. */
export type ListDescription = Pick<SheetDescription, 'realmName' | 'text' | 'expires' | 'link'>

const COLUMNS = ['number', 'code', 'link', 'expires', 'realm', 'text']

/** Rows that are sent on together: one by one, each would be a write to a disk or a network. */
const ROWS_A_PIECE = 500

/**
 * Writes the cards as CSV in UTF-8, the names of the columns first, and ends the sink. The codes stand in their groups, as
 * they are to be printed.
 *
 * @throws whatever `cards` or the sink throws
 */
export async function writeCardList(
  cards: AsyncIterable<Card> | Iterable<Card>,
  description: ListDescription,
  sink: Writable,
): Promise<void> {
  await pipeline(piecesOf(cards, description), sink)
}

async function* piecesOf(
  cards: AsyncIterable<Card> | Iterable<Card>,
  { realmName, text, expires, link }: ListDescription,
): AsyncGenerator<string> {
  let rows = [rowOf(COLUMNS)]
  for await (const { code, number } of cards) {
    rows.push(rowOf([String(number), formatPaperCode(code), link(code), expires, realmName, text]))
    if (rows.length < ROWS_A_PIECE) continue
    yield rows.join('')
    rows = []
  }
  yield rows.join('')
}

function rowOf(cells: readonly string[]): string {
  return `${cells.map(csvCell).join(',')}\r\n`
}
