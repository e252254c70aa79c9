// Fuzzing: parsers that are broken on purpose; promises one for each kind of failure that the fuzzer must find.

import * as fc from 'fast-check'
import { mutatedBytes } from './mutate.ts'
import { target } from './target.ts'

const original = new TextEncoder().encode('version=1')

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/** Each breaks in its own way; `sound` does not. */
export const targets = [
  target('sound', mutatedBytes([original]), () => undefined),
  target('throws', fc.uint8Array({ maxLength: 40 }), (bytes) => {
    if (bytes.some((byte) => byte > 200)) throw new TypeError('not a refusal')
  }),
  target('rejects', mutatedBytes([original]), async (bytes) => {
    await Promise.resolve()
    if (bytes.length < original.length) throw new RangeError('too short for the reader')
  }),
  target('slow', fc.nat(), (number) => {
    const end = cpuSeconds() + (number > 10 ? 1.2 : 0)
    while (cpuSeconds() < end);
  }),
  target('endless', fc.nat(), (number) => {
    for (;;) if (number <= 10) return
  }),
  target('greedy', fc.nat(), (number) => {
    if (number > 10) new Uint8Array(320 * 2 ** 20).fill(1)
  }),
  target('last', mutatedBytes([original]), () => undefined),
]
