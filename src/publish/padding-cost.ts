// Publish: what padding costs; promises a number before a stream is relied on, and to say when it can be more.

import { MOST_JOINT_MINIMA } from './padding-draw.ts'
import type { Stream } from './streams.ts'

const DAY = 86_400

/** What a key costs in an export file, bytes: the fewest and the most. */
const BYTES_A_KEY = [17, 20] as const

/** What padding can add to a stream. */
export interface PaddingCost {
  /** With each window of the family filled up from next to nothing; up to a tenth more is drawn at random. */
  readonly keysADay: number
  /** The same for people, with what it means for a phone. */
  readonly sentence: string
}

/**
 * The keys that padding can add to a stream in a day: each window of its family with at least one real key is filled up to
 * the family's largest minimum. Where streams publish different reports, it is more: see {@link MOST_JOINT_MINIMA}.
 *
 * @param family the streams that can share a key with it, itself among them
 */
export function paddingCost(
  stream: Pick<Stream, 'period' | 'minimum'>,
  family: readonly Pick<Stream, 'period' | 'minimum'>[],
): PaddingCost {
  const minimum = Math.max(stream.minimum, ...family.map((each) => each.minimum))
  const windows = DAY / Math.min(stream.period, ...family.map((each) => each.period))
  const keysADay = minimum * windows
  if (keysADay === 0) return { keysADay, sentence: 'Nothing is padded.' }
  const [least, most] = BYTES_A_KEY.map((bytes) => inWords(keysADay * bytes))
  const alone = `Padding can add up to ${inWords(keysADay)} keys a day (${inWords(minimum)} for each of ${windows} windows that has a real key) and a tenth of that, ${least} to ${most} bytes for every phone.`
  const more =
    family.length < 2
      ? ''
      : ` It is shared with ${family.length - 1} ${family.length === 2 ? 'stream' : 'streams'}: where one has few of the others' reports, they get more, up to ${MOST_JOINT_MINIMA} times as much.`
  return { keysADay, sentence: `${alone}${more}` }
}

function inWords(count: number): string {
  return count.toLocaleString('en-US')
}
