// Fuzzing: revision tokens of a deployment that there never was.

import {
  createRevisionTokens,
  createTokenKey,
  type RevisionTokens,
} from '../../src/submit/revision-token.ts'

/** Tokens under one version of a key. @param byte fills its secret */
export function tokensOf(byte: number, version = 1): RevisionTokens {
  const secret = new Uint8Array(32).fill(byte)
  const key = createTokenKey(version, secret, new Uint8Array(32).fill(1))
  return {
    ...createRevisionTokens({
      newest: () => key,
      find: (wanted) => (wanted === version ? key : undefined),
    }),
  }
}
