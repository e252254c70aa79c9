// Http: what is said of a fault that was found below our own code, by the web framework or by Node.js; promises codes of the one table alone, and nothing of whoever found it.

import type { FastifyError } from 'fastify'
import { TocsinError, type ErrorCode } from '../errors.ts'
import { sendDirectly, type Shared } from './answer-directly.ts'
import type { Refusals } from './create-server.ts'
import { STATUS_CODES } from './node-http.ts'

// What may come while a body is read, and what we say to it.
const FRAMEWORK_ERRORS: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'bad_request',
  FST_ERR_BAD_URL: 'not_found',
  FST_ERR_MAX_PARAM_LENGTH: 'not_found',
}

/** An error of the framework, or of nobody knows whom, as one of ours. */
export function asTocsinError(error: unknown): TocsinError {
  if (error instanceof TocsinError) return error
  const { code = '', statusCode = 500 } = (error ?? {}) as Partial<FastifyError>
  const known = FRAMEWORK_ERRORS[code]
  if (known !== undefined) return new TocsinError(known)
  // A body that ends early, or another fault of the request that the framework found.
  if (statusCode < 500) return new TocsinError('bad_request')
  return new TocsinError('internal_error')
}

/** How Node.js's errors about what is no proper request are answered. @param methods that some address takes */
export function createRefusals(shared: Shared, methods: readonly string[]): Refusals {
  const replyTo = (error: Error) => {
    const fault = faultOf(error)
    const reply = shared.refuse(undefined, fault)
    return fault.code === 'method_not_allowed'
      ? { ...reply, headers: { ...reply.headers, allow: methods.join(', ') } }
      : reply
  }
  return {
    // The framework has the request, and counts it when it ends.
    reply: (error, response) =>
      sendDirectly(response, replyTo(error), { ...shared, isClosing: () => true }),
    bytes(error) {
      const reply = replyTo(error)
      shared.count(undefined, reply)
      const body = Buffer.from(JSON.stringify(reply.json))
      const headers: Readonly<Record<string, string>> = {
        ...shared.headers,
        ...reply.headers,
        'content-type': 'application/json',
        'content-length': String(body.length),
        date: shared.now().toUTCString(),
        connection: 'close',
      }
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
      const head = `HTTP/1.1 ${reply.status} ${STATUS_CODES[reply.status]}\r\n${lines.join('')}\r\n`
      return Buffer.concat([Buffer.from(head), body])
    },
  }
}

/** What Node.js calls a method that it does not know, and bytes that are no HTTP at all. */
const INVALID_METHOD = 'HPE_INVALID_METHOD'
const REQUEST_LINE = /^[a-z-]{1,40} \S+ HTTP\/1\.[01]\r?$/im

const SERVER_ERRORS: Readonly<Record<string, ErrorCode>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
  HPE_HEADER_OVERFLOW: 'request_headers_too_large',
}

function faultOf(error: Error): TocsinError {
  const { code = '', rawPacket } = error as Error & { code?: string; rawPacket?: Buffer }
  if (code === INVALID_METHOD && REQUEST_LINE.test(rawPacket?.toString('latin1') ?? ''))
    return new TocsinError('method_not_allowed')
  return new TocsinError(SERVER_ERRORS[code] ?? 'bad_request')
}
