// Cli: a batch's codes as new files of cards; promises that a batch whose cards can't be kept is not left to count.

import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { cardsAs, tryCards, type CardForm, type CardWishes } from '../authorize/batch-cards.ts'
import type { CodeBatch } from '../authorize/batch-events.ts'
import { makeBatch, type NewBatch } from '../authorize/batches.ts'
import { invalidateCodes } from '../authorize/invalidate-codes.ts'
import type { Realm } from '../authorize/realms.ts'
import type { AuthorityZone } from '../authorize/zone.ts'
import { TocsinError } from '../errors.ts'
import { fillNewFiles } from './new-file.ts'

/** Where the cards go, in one form or in several, and what is on them beside what the batch says. */
export interface CardFiles {
  readonly files: readonly { readonly file: string; readonly form: CardForm }[]
  readonly wishes: CardWishes
}

/** Longer than any life that a batch can have, seconds: what is longer has no date on a card. */
const MOST_LIFE = 366 * 86_400

/**
 * Makes a batch and writes its cards.
 *
 * @throws TocsinError those of `makeBatch` and `tryCards`, and `file_not_written`; where the batch was there by then, it is
 *   invalidated, and the sentence says so
 */
export async function makeCards(
  zone: AuthorityZone,
  realm: Realm,
  asked: NewBatch,
  { files, wishes }: CardFiles,
  now: () => Date,
): Promise<CodeBatch> {
  const expiresAt = Math.floor(now().getTime() / 1000) + Math.min(asked.life, MOST_LIFE)
  for (const { form } of files) await tryCards({ ...asked, expiresAt }, realm, wishes, form)
  let batch: CodeBatch | undefined
  try {
    return await fillNewFiles(
      files.map(({ file }) => file),
      async (sinks) => {
        const made = await makeBatch(zone, asked, 'command', now())
        batch = made.batch
        for (const [index, { form }] of files.entries())
          await pipeline(
            cardsAs(form, made.batch, made.codes, realm, wishes),
            sinks[index] as Writable,
          )
        return made.batch
      },
    )
  } catch (error) {
    if (batch !== undefined) await takeBack(zone, batch, error, now())
    throw error
  }
}

/** @throws TocsinError that says what became of the batch */
async function takeBack(
  zone: AuthorityZone,
  { id, realm }: CodeBatch,
  cause: unknown,
  now: Date,
): Promise<never> {
  const code = cause instanceof TocsinError ? cause.code : 'internal_error'
  const why = cause instanceof Error ? cause.message : String(cause)
  const scope = { realm, scope: 'batch', batch: id } as const
  try {
    await invalidateCodes(zone, scope, { retroactive: false }, 'command', now)
  } catch (error) {
    throw new TocsinError(
      code,
      `${why} The batch ${id} counts, though nobody has its codes: tocsin batch invalidate ${id} --realm ${realm} ends that.`,
      { cause: error },
    )
  }
  throw new TocsinError(code, `${why} The batch ${id} was invalidated: none of its codes counts.`, {
    cause,
  })
}
