// Fuzzing: uploads in ct-diag-server's two forms; promises that bytes are whole records or nothing, and that what is taken is what they say.

import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { cleartextOf, CTDIAG_FORMS, type CtdiagName } from '../../src/submit/ctdiag.ts'
import { parseRecords, refuseUntakeable } from '../../src/submit/parse-ctdiag.ts'
import { chooseOnset, intervalOf, validateKeys } from '../../src/submit/validate-keys.ts'
import { KEYS, NOW } from './certified-request.ts'
import { mutatedBytes } from './mutate.ts'
import { isClientError, target, valueOf } from './target.ts'

const TODAY = Math.floor(intervalOf(NOW) / 144)

/** A body of three records. */
function bodyOf(api: CtdiagName): Buffer {
  return Buffer.concat(
    KEYS.slice(0, 3).map(({ key }, index) => {
      const rest = Buffer.alloc(CTDIAG_FORMS[api].recordLength - 16)
      if (api === 'ctdiag') rest.writeUInt32BE((TODAY - index) * 144)
      else rest.writeUInt16BE(TODAY - index)
      return Buffer.concat([Buffer.from(key, 'base64'), rest])
    }),
  )
}

const input = fc.constantFrom<CtdiagName>('ctdiag', 'ctdiag-v0').chain((api) =>
  fc.record({
    api: fc.constant(api),
    maxKeys: fc.integer({ min: 1, max: 60 }),
    body: fc.oneof(mutatedBytes([bodyOf(api)]), fc.uint8Array({ maxLength: 70 })),
  }),
)

export const ctdiagTargets = [
  target('uploads as records', input, ({ api, body, maxKeys }) => {
    const form = CTDIAG_FORMS[api]
    const keys = valueOf(() => parseRecords(body, form, maxKeys), isClientError)
    if (keys === undefined) return
    const count = body.length / form.recordLength
    assert.ok(Number.isInteger(count) && count >= 1 && count <= maxKeys)
    const sent = Array.from({ length: count }, (_, index) =>
      Buffer.from(body).toString(
        'base64',
        index * form.recordLength,
        index * form.recordLength + 16,
      ),
    )
    assert.deepEqual(
      keys.map(({ key }) => key),
      [...new Set(sent)],
    )
    for (const { key, record } of keys) assert.equal(sent.indexOf(key), record - 1)
    assert.equal(cleartextOf(keys), cleartextOf(keys.toReversed()))
    if (valueOf(() => (refuseUntakeable(keys, NOW), true), isClientError) === undefined) return
    // What passed is taken whole, whoever vouches for it: nothing of a code is spent on a refusal.
    const { outcomes } = validateKeys(keys, chooseOnset(0, 0, NOW), NOW, maxKeys)
    assert.ok(outcomes.every((outcome) => outcome === 0))
  }),
]
