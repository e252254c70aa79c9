// Http: reads the bodies of requests; promises that none is kept beyond its route's limit, and that one that is somewhat larger doesn't cost its connection.

import type { Readable } from 'node:stream'
import type { FastifyRequest } from 'fastify'
import { TocsinError } from '../errors.ts'
import { collectShortLived } from '../operate/give-back-memory.ts'

/** Stands for a body beyond the limit of its route. */
export const BEYOND_LIMIT = Symbol('a body beyond the limit')

/**
 * How many times the limit is read. What lies beyond the limit is thrown away as it comes: reading it costs less than
 * another connection for the client's next request. A client that goes on and on loses the connection all the same.
 */
const READ_AT_MOST = 4

/** Room for a body of unknown length, at first. */
const FIRST_BYTES = 16_384
const EMPTY = Buffer.alloc(0)

/** Bodies up to this limit are as many as there are connections. */
const SMALL = 64_000
/** Room for larger ones, that of all connections together, in bytes. */
export const ROOM_FOR_LARGE = 256 << 20

/** Bodies that were read since what they lay in was collected, in bytes. V8 counts that towards collections of everything only, which cost many times as much. */
const COLLECT_AFTER = 4 << 20

/** Reads a body as the framework wants it: to a Buffer, or {@link BEYOND_LIMIT}. */
export type ReadBody = (
  request: FastifyRequest,
  payload: Readable,
  /** Is given an error when the connection is of no use any more. */
  done: (error: Error | null, body?: unknown) => void,
) => void

/** What reads the bodies of one server. Who sends large ones slowly finds no room at some point, and keeps nobody else from sending small ones. @param room for large ones, in bytes */
export function createReadBody(room: number): ReadBody {
  let large = 0
  let uncollected = 0
  const onRead = (bytes: number) => {
    uncollected += bytes
    if (uncollected < COLLECT_AFTER) return
    uncollected = 0
    collectShortLived()
  }
  return (request, payload, done) => {
    if (request.routeOptions.bodyLimit <= SMALL) {
      readBody(request, payload, done, onRead)
      return
    }
    // What is taken grows with what has come: whoever announces much and sends nothing keeps nobody else out.
    let own = 0
    const takeRoom = (bytes: number) => {
      if (large + bytes - own > room) return false
      large += bytes - own
      own = bytes
      return true
    }
    readBody(
      request,
      payload,
      (error, body) => {
        large -= own
        done(error, body)
      },
      onRead,
      takeRoom,
    )
  }
}

/**
 * @param onRead hears of bytes that come, or came
 * @param takeRoom asked before the buffer grows to so many bytes; left out where there always is room
 */
function readBody(
  request: FastifyRequest,
  payload: Readable,
  done: (error: Error | null, body?: unknown) => void,
  onRead: (bytes: number) => void,
  takeRoom?: (bytes: number) => boolean,
): void {
  const limit = request.routeOptions.bodyLimit
  const announced = Number(request.headers['content-length'] ?? 0)
  if (announced > limit * READ_AT_MOST) {
    done(new TocsinError('request_too_large'))
    return
  }
  if (announced > 0) onRead(announced)
  if (announced > limit) {
    // Answered at once; what comes is thrown away below the framework.
    done(null, BEYOND_LIMIT)
    return
  }
  // One buffer: a body may come in pieces of a byte each, of which every one would cost many times its length.
  const known = announced > 0 ? announced : FIRST_BYTES
  const first = takeRoom === undefined ? known : Math.min(known, FIRST_BYTES)
  if (takeRoom?.(Math.min(first, limit)) === false) {
    done(new TocsinError('unavailable'))
    return
  }
  let buffer = Buffer.allocUnsafe(Math.min(first, limit))
  let length = 0
  const finish = (error: Error | null, body?: unknown) => {
    payload.off('data', onData).off('end', onEnd).off('error', onError)
    if (announced === 0) onRead(length)
    done(error, body)
  }
  const onData = (chunk: Buffer) => {
    const offset = length
    length += chunk.length
    if (length > limit) {
      buffer = EMPTY
      if (length > limit * READ_AT_MOST) finish(new TocsinError('request_too_large'))
      return
    }
    if (length > buffer.length) {
      const wanted = Math.max(buffer.length * 4, length)
      const larger = Buffer.allocUnsafe(
        Math.min(announced > 0 ? Math.min(wanted, announced) : wanted, limit),
      )
      if (takeRoom?.(larger.length) === false) {
        finish(new TocsinError('unavailable'))
        return
      }
      buffer.copy(larger, 0, 0, offset)
      buffer = larger
    }
    chunk.copy(buffer, offset)
  }
  const onEnd = () => finish(null, length > limit ? BEYOND_LIMIT : buffer.subarray(0, length))
  // It ended before its announced length.
  const onError = () => finish(new TocsinError('bad_request'))
  payload.on('data', onData).on('end', onEnd).on('error', onError)
}
