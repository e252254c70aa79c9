// Log: how long events have waited to be archived; promises never to say less than the truth from the second look on.

/** Looks that are remembered: of what is forgotten, the age is only told too great. */
const MOST_LOOKS = 100

/**
 * The age of the oldest event that is not archived. The log's times are truncated, so that it is measured by looking: an event
 * has waited at the most since the last look that did not see it; one that was there at the first look, since then.
 */
export class ArchiveAge {
  #looks: { readonly at: number; readonly nextSeq: number }[] = []

  /**
   * Takes what a look saw.
   *
   * @param at when it began, on a clock that never goes back
   * @param nextSeq the number after the newest event
   * @param end the number after the newest archived event
   * @returns how long the oldest event of those between has waited, in the unit of `at`
   */
  note(at: number, nextSeq: number, end: number): number {
    const looks = [...this.#looks, { at, nextSeq }]
    const before = Math.max(
      0,
      looks.findLastIndex((look) => look.nextSeq <= end),
    )
    const [first, ...others] = looks.slice(before)
    this.#looks = [...(first === undefined ? [] : [first]), ...others.slice(1 - MOST_LOOKS)]
    return nextSeq <= end ? 0 : at - (first?.at ?? at)
  }
}
