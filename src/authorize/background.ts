// Authorize: work that goes on behind an answer; promises that what fails is told, and that nobody ends before it has ended.

import type { Logger } from '../operate/logger.ts'

/** What goes on behind answers. */
export interface Background {
  /** Lets a piece of work go on. @param what names it in the log when it fails */
  run(what: string, work: Promise<unknown>): void
  /** Resolves when nothing goes on any more. */
  idle(): Promise<void>
}

/** Keeps track of it. */
export function createBackground(logger: Logger): Background {
  const going = new Set<Promise<void>>()
  return {
    run(what, work) {
      const ended = work.then(
        () => undefined,
        (error: unknown) => logger.error(`${what} failed`, error),
      )
      going.add(ended)
      void ended.finally(() => going.delete(ended))
    },
    async idle() {
      while (going.size > 0) await Promise.all(going)
    },
  }
}
