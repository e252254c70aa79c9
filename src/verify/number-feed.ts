// Verify: published files of contact event numbers, told as those of every kind of key; promises that a file alone is checked like one of a feed, but for what its index says.

import type { FeedForm, TargetFile } from './feed-form.ts'
import {
  isNumberIndex,
  nameOfNumbers,
  verifyNumberFeed,
  verifyNumbersAlone,
  type VerifiedNumbers,
} from './verify-numbers.ts'

/** Sorted numbers, with their signatures beside them. */
export const NUMBER_FEED: FeedForm = {
  isIndex: isNumberIndex,
  async *verifyFeed(source, index, keys, limits) {
    for await (const event of verifyNumberFeed(source, index, keys, limits))
      yield event.type === 'refused'
        ? event
        : { type: 'file', file: event.file, export: describeNumbers(event.numbers) }
  },
  isFile: (name) => nameOfNumbers(name) !== undefined,
  verifyFile: async (source, path, keys) =>
    describeNumbers(await verifyNumbersAlone(source, path, keys)),
}

const WORDS = { key: 'number', revised: 'removed' }

/** Numbers as keys are told of: those that count no more are the revised ones. */
function describeNumbers(numbers: VerifiedNumbers): TargetFile {
  const { kind, start, end, count, signatures, findings } = numbers
  return {
    header: { region: null, startTimestamp: start, endTimestamp: end },
    keys: kind === 'removed' ? 0 : count,
    revisedKeys: kind === 'removed' ? count : 0,
    words: WORDS,
    signatures,
    findings,
  }
}
