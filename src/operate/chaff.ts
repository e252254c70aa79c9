// Operate: how replies to decoys look, learnt from the newest replies to real requests; promises that decoys and real requests are answered alike, and that nobody can steer it.

import { randomInt } from 'node:crypto'
import { randomPiece } from './random-piece.ts'
import { replyPadding } from './reply-padding.ts'

/** What somebody who sees the network sees of a reply. */
export interface ObservedReply {
  /** From when the request was read to when its reply was sent: milliseconds. */
  readonly latency: number
  /**
   * Characters of the body without its padding. The padding is drawn anew for each decoy, as it is for each real reply:
   * whoever asks often enough would otherwise find the very sizes that others were answered with.
   */
  readonly length: number
  readonly isRefusal: boolean
}

/** The newest replies of one route. */
export interface NewestReplies {
  add(reply: ObservedReply): void
  /** One of them at random, so that size and time belong together; a typical one when there is none yet. */
  draw(): ObservedReply
  /** One of those that were no refusal. */
  drawAccepted(): ObservedReply
}

/** How many replies are remembered. */
const CAPACITY = 100

/**
 * Remembers the newest replies of a route.
 *
 * Anybody can cause refusals. So they make up half of what is remembered and drawn at the most: a flood of them does not
 * make every decoy look like a refusal, which would tell who was accepted.
 *
 * @param typical stands for the accepted ones until there is one
 */
export function rememberReplies(typical: ObservedReply): NewestReplies {
  const accepted: NumberedReply[] = []
  const refused: NumberedReply[] = []
  let count = 0
  const drawAccepted = () => accepted[randomInt(Math.max(accepted.length, 1))]?.reply ?? typical
  return {
    drawAccepted,
    add(reply) {
      ;(reply.isRefusal ? refused : accepted).push({ reply, number: count++ })
      if (accepted.length + refused.length <= CAPACITY) return
      const isRefusalOlder = (refused[0]?.number ?? count) < (accepted[0]?.number ?? count)
      if (isRefusalOlder || refused.length > CAPACITY / 2) refused.shift()
      else accepted.shift()
    },
    draw() {
      const shares = Math.max(accepted.length, 1)
      const drawn = randomInt(shares + Math.min(refused.length, shares))
      if (drawn < shares) return drawAccepted()
      return refused[randomInt(refused.length)]?.reply ?? typical
    },
  }
}

/** A reply and its place in the order of all. */
interface NumberedReply {
  readonly reply: ObservedReply
  readonly number: number
}

/**
 * The fields of a decoy's body: those of a success, the first of them random text as long as the whole asks for, and padding
 * of its own. What is too short for the fields is padding alone, which ends as any base64 does.
 *
 * @param fields as a success has them; the first is a text
 * @param length of the JSON text without the padding's characters
 */
export function imitateFields(
  fields: Readonly<Record<string, unknown>>,
  length: number,
): Record<string, unknown> {
  const [first = 'padding'] = Object.keys(fields)
  const imitated = { ...fields, [first]: '', padding: '' }
  const rest = length - JSON.stringify(imitated).length
  return rest > 0
    ? { ...imitated, [first]: randomText(rest), padding: replyPadding() }
    : { padding: randomText(length - JSON.stringify({ padding: '' }).length) + replyPadding() }
}

/** Characters of base64. */
function randomText(length: number): string {
  const wanted = Math.max(length, 0)
  return randomPiece(Math.ceil((wanted * 3) / 4))
    .toString('base64')
    .slice(0, wanted)
}
