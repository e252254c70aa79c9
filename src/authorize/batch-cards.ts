// Authorize: the cards of a batch, in the form that is asked for; promises that what can't be printed is refused before any code is made, and that printing leaves time for everybody else.

import { PassThrough, Writable, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setImmediate } from 'node:timers/promises'
import { TocsinError } from '../errors.ts'
import type { CodeBatch } from './batch-events.ts'
import { writeCardList } from './card-list.ts'
import { CARD_LANGUAGES, hasCardTexts } from './card-texts.ts'
import type { Card, SheetDescription, writeCardSheets } from './card-sheet.ts'
import { formatPaperCode, PAPER_LENGTH } from './paper-code.ts'
import type { Realm } from './realms.ts'
import { fillTemplate } from './text-template.ts'

/** PDF to print and cut; CSV for a print shop; JSON for other systems. */
export type CardForm = 'application/pdf' | 'text/csv' | 'application/json'

/** What is on the cards beside what the batch says. */
export interface CardWishes {
  /** The realm's own words, at most 300 characters; empty for none. */
  readonly text: string
  readonly paper: SheetDescription['paper']
}

/** Cards on sheets: printing them takes this process some milliseconds each. Larger batches are for print shops. */
const MOST_ON_SHEETS = 10_000

/**
 * Tries the cards of a batch before it is made.
 *
 * @throws TocsinError `batch_invalid` when it is too large for sheets, or there are no words for them in its language; `card_text_unprintable`, `card_text_too_long`
 */
export async function tryCards(
  batch: Omit<CodeBatch, 'id' | 'handle' | 'testType'>,
  realm: Realm,
  wishes: CardWishes,
  form: CardForm,
): Promise<void> {
  if (form !== 'application/pdf') return
  if (batch.size > MOST_ON_SHEETS)
    throw new TocsinError(
      'batch_invalid',
      `Sheets have at most ${MOST_ON_SHEETS} cards: make several batches, or one as a list for a print shop (CSV).`,
    )
  // A list has no words of ours: a print shop may have some in any language.
  if (!hasCardTexts(batch.language))
    throw new TocsinError(
      'batch_invalid',
      `Sheets have words in these languages: ${CARD_LANGUAGES.join(', ')}. Choose one of them, or a list for a print shop (CSV).`,
    )
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  // The widest name that a batch can get, and its longest number.
  const sheet = describeSheet({ ...batch, id: 'WWWW' }, realm, wishes)
  const card = { code: 'W'.repeat(PAPER_LENGTH), number: batch.size }
  await writeSheets([card], sheet, nowhere)
}

/** The cards as they are to be sent. When whoever takes them goes away, the rest is not made. */
export function cardsAs(
  form: CardForm,
  batch: CodeBatch,
  codes: readonly string[],
  realm: Realm,
  wishes: CardWishes,
): Readable {
  const sink = new PassThrough()
  const sheet = describeSheet(batch, realm, wishes)
  const writing =
    form === 'application/pdf'
      ? writeSheets(cardsOf(codes), sheet, sink)
      : form === 'text/csv'
        ? writeCardList(cardsOf(codes), sheet, sink)
        : pipeline(jsonOf(batch, cardsOf(codes), sheet), sink)
  // Whoever reads the stream hears of it there.
  writing.catch((error: unknown) => sink.destroy(error as Error))
  return sink
}

/** What prints is loaded when somebody prints: with fonts and all it takes more memory than many a server's work. */
const writeSheets: typeof writeCardSheets = async (...given) => {
  const { writeCardSheets } = await import('./card-sheet.ts')
  return writeCardSheets(...given)
}

/** Cards between which others get their turn: a page of them, or a piece of a list. */
const CARDS_A_TURN = 8

async function* cardsOf(codes: readonly string[]): AsyncGenerator<Card> {
  for (const [index, code] of codes.entries()) {
    if (index % CARDS_A_TURN === 0) await setImmediate()
    yield { code, number: index + 1 }
  }
}

async function* jsonOf(
  batch: CodeBatch,
  cards: AsyncIterable<Card>,
  { link }: SheetDescription,
): AsyncGenerator<string> {
  yield `{"batch":${JSON.stringify(tellBatch(batch))},"cards":[`
  for await (const { code, number } of cards)
    yield `${number === 1 ? '' : ','}${JSON.stringify({ number, code: formatPaperCode(code), link: link(code) })}`
  yield ']}'
}

/** A batch as whoever manages it is told: without its handle, which certificates carry. */
export function tellBatch(batch: CodeBatch): Omit<CodeBatch, 'realm' | 'handle'> {
  const { id, provider, label, language, testType, needsActivation, size, expiresAt } = batch
  return { id, provider, label, language, testType, needsActivation, size, expiresAt }
}

/** What all cards of a batch say. */
export function describeSheet(
  batch: Pick<CodeBatch, 'id' | 'language' | 'expiresAt' | 'needsActivation'>,
  { name, settings }: Realm,
  wishes: CardWishes,
): SheetDescription {
  return {
    ...wishes,
    batch: batch.id,
    realmName: settings.displayName === '' ? name : settings.displayName,
    language: batch.language,
    expires: lastDay(batch.expiresAt),
    needsActivation: batch.needsActivation,
    link: (code) => linkFor(code, settings),
  }
}

const DAY_SECONDS = 86_400

/** A code works until the end of the day on its card, UTC: the day on which it expires is not the last one. */
function lastDay(expiresAt: number): string {
  return new Date((expiresAt - DAY_SECONDS) * 1000).toISOString().slice(0, 10)
}

/** What a phone opens; the code alone where no phone would know whose it is. */
function linkFor(code: string, { linkDomain, region }: Realm['settings']): string {
  if (linkDomain === '' && region === '') return code
  const lives = { shortLife: 0, longLife: 0 }
  return fillTemplate('[enslink]', { region, linkDomain, code, longCode: code, ...lives })
}
