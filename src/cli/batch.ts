// Cli: batches of paper codes; promises that the codes go into new files of mode 0600 and nowhere else.

import { tellBatch } from '../authorize/batch-cards.ts'
import { refuseWhileClosed } from '../authorize/callers.ts'
import { CARD_LANGUAGES } from '../authorize/card-texts.ts'
import { listBatches } from '../authorize/batches.ts'
import { TocsinError } from '../errors.ts'
import { printable } from '../format/printable.ts'
import { parseDuration } from '../operate/duration.ts'
import { formatTimestamp } from '../operate/timestamp.ts'
import { makeCards, type CardFiles } from './card-file.ts'
import { textOption, type Command, type CommandContext } from './command.ts'
import { counted } from './counted.ts'
import { INVALIDATION_OPTIONS, runInvalidation } from './invalidation.ts'
import {
  choiceOption,
  countOrNone,
  isGiven,
  noteLookUp,
  REALM_OPTION,
  requiredArgument,
  requireRealm,
  withAuthority,
} from './with-authority.ts'
import { requiredOption } from './with-data.ts'

/** `tocsin batch make` */
export const batchMakeCommand: Command = {
  summary: 'Makes a batch of paper codes and writes its cards; nobody can tell the codes again.',
  usage:
    'batch make --realm NAME --provider NAME --label TEXT --size N [--pdf FILE] [--csv FILE] [OPTIONS]\n       (--pdf or --csv is needed; both give the same cards)',
  options: {
    realm: REALM_OPTION,
    provider: { type: 'string', help: 'provider that hands the cards out' },
    label: { type: 'string', help: 'what people call the batch; nothing about a person' },
    size: { type: 'string', help: 'number of cards, 1 to 100000' },
    pdf: {
      type: 'string',
      help: 'new file for sheets of cards, 10000 at the most; larger batches: --csv',
    },
    csv: { type: 'string', help: 'new file for a print shop' },
    language: {
      type: 'string',
      help: `of the cards; default the realm's. Sheets have words in ${CARD_LANGUAGES.join(', ')}`,
    },
    'test-type': { type: 'string', help: 'confirmed (default), likely or negative' },
    'needs-activation': {
      type: 'boolean',
      help: 'a card works only once the laboratory has activated it',
    },
    life: { type: 'string', help: "how long the codes live; default the realm's paperLife" },
    text: { type: 'string', help: 'words of your own on each card, up to 300 characters' },
    paper: { type: 'string', help: 'A4 (default) or letter' },
  },
  async run(context) {
    const name = requiredOption(context, 'realm')
    const asked = {
      realm: name,
      provider: requiredOption(context, 'provider'),
      label: requiredOption(context, 'label'),
      size: sizeOption(context),
      testType: textOption(context, 'test-type') ?? 'confirmed',
      needsActivation: isGiven(context, 'needs-activation'),
    }
    const language = textOption(context, 'language')
    const life = lifeOption(context)
    const cards = cardFiles(context)
    return withAuthority(context, async (zone, now) => {
      const realm = await requireRealm(zone, name)
      refuseWhileClosed(realm)
      const { settings } = realm
      const wanted = {
        ...asked,
        language: language ?? settings.language,
        life: life ?? settings.paperLife,
      }
      const batch = await makeCards(zone, realm, wanted, cards, now)
      const files = cards.files.map(({ file }) => file)
      context.print(
        `Batch ${batch.id}: ${counted(batch.size, 'card')} in ${files.join(' and ')}, to be used until ${formatTimestamp(batch.expiresAt)}.`,
      )
      context.print('Nobody can make them again: print them, check a card, then delete every file.')
      return { document: { ...tellBatch(batch), realm: name, files } }
    })
  },
}

function sizeOption(context: CommandContext): number {
  requiredOption(context, 'size')
  const size = countOrNone(context, 'size')
  if (typeof size !== 'number') throw new TocsinError('usage', '--size must be a whole number.')
  return size
}

function lifeOption(context: CommandContext): number | undefined {
  const text = textOption(context, 'life')
  const life = text === undefined ? undefined : parseDuration(text)
  if (text !== undefined && life === undefined)
    throw new TocsinError('usage', '--life must be a duration such as 28d or 12h.')
  return life
}

function cardFiles(context: CommandContext): CardFiles {
  const named = [
    { file: textOption(context, 'pdf'), form: 'application/pdf' },
    { file: textOption(context, 'csv'), form: 'text/csv' },
  ] as const
  const files = named.flatMap(({ file, form }) => (file === undefined ? [] : [{ file, form }]))
  if (files.length === 0 || files.some(({ file }) => file === ''))
    throw new TocsinError('usage', 'Say where the cards go: --pdf FILE, --csv FILE, or both.')
  return {
    files,
    wishes: {
      text: textOption(context, 'text') ?? '',
      paper: choiceOption(context, 'paper', ['A4', 'letter']) ?? 'A4',
    },
  }
}

/** `tocsin batch list` */
export const batchListCommand: Command = {
  summary: 'Lists the batches of a realm and how many of their codes are in which state.',
  usage: 'batch list --realm NAME',
  options: { realm: REALM_OPTION },
  async run(context) {
    const name = requiredOption(context, 'realm')
    return withAuthority(context, async (zone, now) => {
      await requireRealm(zone, name)
      const batches = await listBatches(zone.db, name, now())
      // Certificates carry the handle: who manages cards need not know it.
      const document = batches.map(({ handle: _handle, ...batch }) => batch)
      await noteLookUp(zone, 'batches', name, now())
      if (document.length === 0) context.print('None yet: tocsin batch make makes one.')
      for (const batch of document) {
        const { id, label, provider, testType, size, unused, used, invalid, expired } = batch
        const activation = batch.needsActivation ? ', needs activation' : ''
        const state = batch.invalidated ? ', invalidated' : ''
        context.print(
          printable(`${id}  ${label}, ${provider}, ${size} ${testType}${activation}${state}`),
        )
        context.print(
          `  ${unused} unused, ${used} used, ${invalid} invalid, ${expired} expired; ends ${formatTimestamp(batch.expiresAt)}`,
        )
      }
      return { document }
    })
  },
}

/** `tocsin batch invalidate` */
export const batchInvalidateCommand: Command = {
  summary: 'Invalidates all codes of a batch, from now on.',
  usage: 'batch invalidate ID --realm NAME [--retroactive] [--preview]',
  positionals: 1,
  options: { realm: REALM_OPTION, ...INVALIDATION_OPTIONS },
  async run(context) {
    const batch = requiredArgument(context, 'ID', 'batch invalidate')
    const realm = requiredOption(context, 'realm')
    return runInvalidation(context, { realm, scope: 'batch', batch })
  },
}
