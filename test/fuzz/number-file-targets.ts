// Fuzzing: indexes of contact event numbers; promises that what is read is what would be written, and no path out of a stream's folder.

import assert from 'node:assert/strict'
import {
  encodeNumberIndex,
  NUMBER_INDEX_HEAD,
  parseIndexLine,
  parseNumberFilePath,
} from '../../src/format/number-file.ts'
import { DEFAULT_LIMITS } from '../../src/verify/limits.ts'
import { readNumberIndex } from '../../src/verify/verify-numbers.ts'
import { VerificationError } from '../../src/verify/verification-error.ts'
import { mutatedText } from './mutate.ts'
import { target, valueOf } from './target.ts'

const LINES = [
  'town/1773129600-1773136800-00001.bin release * 181440',
  'town/0a1b2c3d/1773129600-1773136800-00002-u0.bin removed u0 16',
  'town/1771372800-1773187200-00003-u09t.bin whole u09t 0',
]

/** What indexes of contact event numbers are read by. */
export const numberFileTargets = [
  target('a line of an index of numbers', mutatedText(LINES), (line) => {
    const file = parseIndexLine(line)
    if (file === undefined) return
    assert.ok(!file.path.includes('..') && !file.path.startsWith('/'))
    const size = file.count * 16
    // Leading zeros of a count are no other number.
    const plain = line.replace(/ 0+(?=\d+$)/, ' ')
    if (Number.isSafeInteger(size))
      assert.equal(encodeNumberIndex([{ path: file.path, size }]), `${NUMBER_INDEX_HEAD}\n${plain}`)
    assert.deepEqual(parseNumberFilePath(file.path)?.kind, file.kind)
  }),
  target('an index of numbers', mutatedText([[NUMBER_INDEX_HEAD, ...LINES].join('\n')]), (text) => {
    const files = valueOf(
      () => readNumberIndex(new TextEncoder().encode(text), DEFAULT_LIMITS),
      (error) => error instanceof VerificationError,
    )
    assert.ok(files === undefined || files.length === text.split('\n').length - 1)
  }),
]
