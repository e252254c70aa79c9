// Test: refusals as existing apps and health systems know them.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TocsinError, type ErrorCode } from '../errors.ts'
import { answer, refuseRequest } from './reply.ts'

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
  assert.equal(refuse('texts_not_offered').errorCode, '')
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

test('success and refusal carry 1 to 2 KiB of padding, never of one length', async () => {
  const lengths = new Set<number>()
  for (let index = 0; index < 100; index++)
    for (const reply of [
      await answer('token_invalid', async () => ({ done: true })),
      await answer('token_invalid', async () => {
        throw new TocsinError('token_invalid')
      }),
    ]) {
      const { length } = Buffer.from(String(reply.body['padding']), 'base64')
      assert.ok(length >= 1024 && length < 2048, `${length}`)
      lengths.add(length)
    }
  assert.ok(lengths.size > 100)
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
