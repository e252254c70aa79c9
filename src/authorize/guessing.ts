// Authorize: how likely somebody who guesses hits a code; promises never to say less than it is.

/** What is guessed. All are counts. */
export interface Guessing {
  /** Codes that could be: each is as likely as the others. */
  readonly codeSpace: number
  /** Codes that are. */
  readonly liveCodes: number
  /** Guesses that are answered, no two alike. */
  readonly guesses: number
}

/**
 * The probability that at least one guess hits a code, 0 to 1. That no two guesses are alike is the best that the
 * attacker can do; where codes end and others are issued meanwhile it is less.
 */
export function hitProbability({ codeSpace, liveCodes, guesses }: Guessing): number {
  // Guesses that miss codes are as likely as codes that miss guesses, and the fewer of the two are counted faster.
  const fewer = Math.min(liveCodes, guesses)
  const more = Math.max(liveCodes, guesses)
  if (fewer > 0 && fewer + more > codeSpace) return 1
  let missed = 0
  // Logarithms, for what is left of 1 is too small to be written.
  for (let done = 0; done < fewer; done++) missed += Math.log1p(-more / (codeSpace - done))
  // Not -0 when there is nothing to hit.
  return fewer === 0 ? 0 : -Math.expm1(missed)
}
