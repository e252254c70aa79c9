// Http: answers decoys; promises the reply and the wait of a real request, and that nothing of a decoy is looked into or kept.

import { setTimeout } from 'node:timers/promises'
import { TocsinError } from '../errors.ts'
import { rememberReplies, type ObservedReply } from '../operate/chaff.ts'
import { isJson, type Chaff, type Route, type RouteReply, type RouteRequest } from './route.ts'

/** Answers the decoys of one route as its real requests were answered lately. */
export interface Decoys {
  handle(request: RouteRequest): Promise<RouteReply>
  /** Takes note of the reply to a real request. */
  observe(reply: ObservedReply): void
  /**
   * Holds a refusal back until an accepted request would have been answered: what is refused early, without a commit, must
   * not tell so.
   *
   * @param elapsed milliseconds that it took
   */
  pace(elapsed: number): Promise<void>
}

/** However slow real replies are, a decoy holds its connection no longer than this, in milliseconds. */
const LONGEST_MS = 1_000

/** Decoys of one route. @param takesAnyType whether its real requests may have bodies of any content type; JSON alone when left out */
export function createDecoys(chaff: Chaff, takesAnyType = false): Decoys {
  const newest = rememberReplies(chaff.typical)
  return {
    observe: newest.add,
    async pace(elapsed) {
      const wanted = Math.min(newest.drawAccepted().latency, LONGEST_MS)
      // A timer counts whole milliseconds: the rest is left to chance, as it is for those who are accepted.
      if (wanted > elapsed) await setTimeout(wanted - elapsed)
    },
    async handle(request) {
      // What a phone's system may send as well is refused as it is for a real request.
      if (!takesAnyType && !(chaff.takes ?? isJson)(request))
        throw new TocsinError('unsupported_media_type')
      const { latency, length } = newest.draw()
      const reply = chaff.imitate(length)
      await setTimeout(Math.min(latency, LONGEST_MS))
      return reply
    },
  }
}

/** Whether a request to this route is a decoy. */
export function isDecoy(
  route: Route | undefined,
  headers: Readonly<Record<string, unknown>>,
): boolean {
  const value = headers['x-chaff']
  return route?.chaff !== undefined && value !== undefined && value !== ''
}
