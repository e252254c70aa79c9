// Test: refusals as existing apps and health systems know them.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TocsinError, type ErrorCode } from '../errors.ts'
import { answer, padded, refuseRequest } from './reply.ts'

const refuse = (code: ErrorCode, sentence?: string) => {
  const { status, body } = refuseRequest(new TocsinError(code, sentence), 'unparsable_request')
  const { padding, error, errorCode, error_code, ...rest } = body
  assert.equal(typeof padding, 'string')
  assert.deepEqual(rest, {})
  return { status, error, errorCode, error_code }
}

test('a refusal says what to mend, and its code under the old name and the new', () => {
  assert.deepEqual(refuse('code_expired', 'Too late.'), {
    status: 400,
    error: 'Too late.',
    errorCode: 'code_expired',
    error_code: 'code_expired',
  })
})

test('codes that existing apps know otherwise', () => {
  assert.deepEqual(refuse('unauthorized'), {
    status: 401,
    error: 'unauthorized',
    errorCode: '',
    error_code: '',
  })
  const { error, ...unsupported } = refuse('test_type_not_accepted')
  assert.match(String(error), /newest version/)
  assert.deepEqual(unsupported, {
    status: 412,
    errorCode: 'unsupported_test_type',
    error_code: 'unsupported_test_type',
  })
  for (const code of [
    'texts_not_offered',
    'bulk_not_offered',
    'code_used',
    'too_many_guesses',
  ] as const)
    assert.equal(refuse(code).errorCode, '')
  assert.deepEqual(
    [refuse('maintenance').status, refuse('maintenance').errorCode],
    [429, 'maintenance_mode'],
  )
  assert.equal(refuse('unavailable').errorCode, 'internal_server_error')
  assert.equal(refuse('unavailable').status, 503)
  assert.equal(refuse('internal_error').errorCode, 'internal_server_error')
})

test('a request that never got here is refused like one that could not be read', () => {
  for (const code of ['bad_request', 'unsupported_media_type', 'request_too_large'] as const) {
    const error = new TocsinError(code)
    for (const unreadable of ['unparsable_request', 'token_invalid'] as const) {
      const { status, body } = refuseRequest(error, unreadable)
      assert.deepEqual(
        { status, errorCode: body['errorCode'], error: body['error'] },
        { status: 400, errorCode: unreadable, error: error.message },
      )
    }
  }
})

test('success and refusal, short and long, have 2,400 to 4,799 characters, all equally likely', async () => {
  const kinds = [
    () => answer('token_invalid', async () => ({ done: true })),
    () => answer('token_invalid', async () => ({ certificate: 'a'.repeat(449) })),
    () =>
      answer('token_invalid', async () => {
        throw new TocsinError('token_invalid')
      }),
  ]
  for (const kind of kinds) {
    const lengths: number[] = []
    for (let index = 0; index < 2_000; index++)
      lengths.push(JSON.stringify((await kind()).body).length)
    assert.ok(Math.min(...lengths) >= 2_400 && Math.min(...lengths) < 2_430)
    assert.ok(Math.max(...lengths) < 4_800 && Math.max(...lengths) >= 4_770)
    assert.ok(new Set(lengths).size > 1_000)
    const mean = lengths.reduce((sum, length) => sum + length) / lengths.length
    // A mean of so many is this far off once in a million times.
    assert.ok(Math.abs(mean - 3_599.5) < 76, `${mean}`)
  }
})

test('a reply that is long in itself is padded to the next length', () => {
  const { length } = JSON.stringify(padded({ codes: 'a'.repeat(3_000) }))
  assert.ok(length >= 4_800 && length < 7_200, `${length}`)
})

test('what the caller can not mend is thrown: an absent database as such, all else as a defect', async () => {
  const fail = (error: Error) =>
    answer('unparsable_request', async () => {
      throw error
    })
  await assert.rejects(fail(new TocsinError('unavailable')), { code: 'unavailable' })
  await assert.rejects(fail(new RangeError('x')), RangeError)
  await assert.rejects(fail(new TocsinError('signing_key_invalid')), (error: Error) => {
    assert.ok(!(error instanceof TocsinError))
    return error.cause instanceof TocsinError
  })
})
