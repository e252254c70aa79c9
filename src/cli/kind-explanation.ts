// Cli: what a kind of key brings to `tocsin explain`; promises that the command knows no kind by name.

import type { Queryable } from '../db/database.ts'
import type { CommandContext } from './command.ts'

/** What is told. */
export interface Told {
  /** As `--json` prints it. */
  readonly value: unknown
  readonly lines: readonly string[]
}

/** How reports and identifiers of a kind are explained that are no diagnosis keys. */
export interface KindExplanation {
  /** Of what is told of a report in the document of `--json`. */
  readonly inReport: string
  /** Of what is told of an identifier there. */
  readonly alone: string
  /** @param seconds now. @returns undefined when the report has none of the kind */
  explainReport(db: Queryable, trackingId: Uint8Array, seconds: number): Promise<Told | undefined>
  /** Looks for an identifier, and shows how far it is. @returns undefined where there are none of the kind */
  explainIdentifier(
    context: CommandContext,
    db: Queryable,
    identifier: Uint8Array,
    seconds: number,
  ): Promise<(Told & { readonly isKnown: boolean }) | undefined>
}
