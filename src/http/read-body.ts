// Http: reads the bodies of requests; promises that none is kept beyond its route's limit, and that one that is somewhat larger doesn't cost its connection.

import type { Readable } from 'node:stream'
import type { FastifyRequest } from 'fastify'
import { TocsinError } from '../errors.ts'

/** Stands for a body beyond the limit of its route. */
export const BEYOND_LIMIT = Symbol('a body beyond the limit')

/**
 * How many times the limit is read. What lies beyond the limit is thrown away as it comes: reading it costs less than
 * another connection for the client's next request. A client that goes on and on loses the connection all the same.
 */
const READ_AT_MOST = 4

/**
 * A body as the framework wants it: a Buffer, or {@link BEYOND_LIMIT}.
 *
 * @param done is given an error when the connection is of no use any more
 */
export function readBody(
  request: FastifyRequest,
  payload: Readable,
  done: (error: Error | null, body?: unknown) => void,
): void {
  const limit = request.routeOptions.bodyLimit
  const announced = Number(request.headers['content-length'] ?? 0)
  if (announced > limit * READ_AT_MOST) {
    done(new TocsinError('request_too_large'))
    return
  }
  if (announced > limit) {
    // Answered at once; what comes is thrown away below the framework.
    done(null, BEYOND_LIMIT)
    return
  }
  let chunks: Buffer[] = []
  let length = 0
  const finish = (error: Error | null, body?: unknown) => {
    payload.off('data', onData).off('end', onEnd).off('error', onError)
    done(error, body)
  }
  const onData = (chunk: Buffer) => {
    length += chunk.length
    if (length <= limit) chunks.push(chunk)
    else if (length <= limit * READ_AT_MOST) chunks = []
    else finish(new TocsinError('request_too_large'))
  }
  const onEnd = () => finish(null, length > limit ? BEYOND_LIMIT : Buffer.concat(chunks, length))
  // It ended before its announced length.
  const onError = () => finish(new TocsinError('bad_request'))
  payload.on('data', onData).on('end', onEnd).on('error', onError)
}
