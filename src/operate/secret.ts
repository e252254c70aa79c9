// Operate: a value that must not be seen; promises to show itself in no log, no JSON and no error.

import { inspect } from 'node:util'

/** A value that never shows itself: not in logs, not as JSON, not in an error. */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  /** The value, for the one place that needs it. */
  reveal(): string {
    return this.#value
  }

  toString(): string {
    return '[secret]'
  }

  toJSON(): string {
    return '[secret]'
  }

  [inspect.custom](): string {
    return '[secret]'
  }
}
