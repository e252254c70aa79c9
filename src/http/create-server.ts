// Http: the server under the web framework; promises that no client can hold a connection, or memory, for as long as it likes, and that what is no request gets its answer in its turn.

import type { RequestListener, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { createServer as createHttpServer } from './node-http.ts'
import { RETRY_AFTER_SECONDS } from './route.ts'

/** Requests of one connection that may be unanswered at once. Hardly any client sends a second one before the first answer. */
const MOST_PIPELINED = 8
/** Requests of all connections that may be unanswered before a connection gets only one: what they hold must fit into memory. */
const MOST_UNANSWERED = 2_000
/** A client that sends its headers or body a byte at a time may hold a connection no longer than this, in milliseconds. */
const REQUEST_TIMEOUT_MS = 30_000
/** How often that is looked at. */
const LOOK_INTERVAL_MS = 5_000
/** Nor may one that doesn't read its answers. */
const IDLE_TIMEOUT_MS = 120_000
const KEEP_ALIVE_MS = 65_000
/** Connections at once; further ones are closed. A proxy in front needs far fewer. */
const MOST_CONNECTIONS = 10_000

/** Says that a request can't be understood; each closes its connection. */
export interface Refusals {
  /** @param error of Node.js, about what came */
  reply(error: Error, response: ServerResponse): void
  /** The same as it goes over the connection, where no response is made for it. */
  bytes(error: Error): Uint8Array
}

/** What is known of a connection. */
interface Connection {
  /** Requests that were taken and not answered yet. */
  unanswered: number
  /** The newest of them, or one whose body is still coming though it was answered. */
  newest: ServerResponse | undefined
  /** Whether nothing more is taken. */
  isOver: boolean
}

/**
 * Node.js takes as many requests from a connection as one read brings, and keeps the answers in memory until they are read:
 * a few kilobytes of requests could ask for hundreds of megabytes. Whoever asks for that is answered what was taken, then 503,
 * and loses the connection; the framework sees no request from there on.
 */
export function createServer(listener: RequestListener, refusals: Refusals): Server {
  const connections = new WeakMap<object, Connection>()
  const connectionOf = (socket: object) => {
    const known = connections.get(socket) ?? { unanswered: 0, newest: undefined, isOver: false }
    connections.set(socket, known)
    return known
  }
  let ofAll = 0
  const server = createHttpServer(
    {
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: LOOK_INTERVAL_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
    },
    (request, response) => {
      const { socket } = request
      if (socket.destroyed) return
      const connection = connectionOf(socket)
      const count = connection.unanswered + 1
      // A connection's first request is always taken, or 2,000 slow senders would keep everybody else out.
      if (connection.isOver || count > MOST_PIPELINED || (count > 1 && ofAll >= MOST_UNANSWERED)) {
        // Nothing behind it is taken, as nothing behind it would be answered.
        connection.isOver = true
        const retryAfter = String(RETRY_AFTER_SECONDS[503])
        response.writeHead(503, { connection: 'close', 'retry-after': retryAfter }).end()
        return
      }
      connection.unanswered = count
      connection.newest = response
      ofAll++
      response.once('close', () => {
        ofAll--
        connection.unanswered--
        if (connection.newest === response && request.complete) connection.newest = undefined
      })
      listener(request, response)
    },
  )
  server.on('clientError', (error, socket) => {
    const connection = connectionOf(socket)
    // More of what is broken is as broken.
    if (connection.isOver) return
    connection.isOver = true
    refuseBroken(error, socket as Socket, connection.newest, refusals)
  })
  server.setTimeout(IDLE_TIMEOUT_MS)
  server.maxConnections = MOST_CONNECTIONS
  return server
}

/** @param newest of the connection's requests: the broken one, or one before it */
function refuseBroken(
  error: Error,
  socket: Socket,
  newest: ServerResponse | undefined,
  refusals: Refusals,
): void {
  if (!socket.writable) {
    // The last answer was said to be the last, or the connection is gone.
    socket.destroySoon()
  } else if (newest === undefined || newest.writableFinished) {
    // What was answered before all of it came is not answered twice.
    if (newest?.req.complete !== false) socket.write(refusals.bytes(error))
    socket.destroySoon()
  } else if (newest.req.complete) {
    // What is broken came behind it. In front of Node.js, which may close the connection then.
    newest.prependOnceListener('finish', () => {
      if (socket.writable) socket.write(refusals.bytes(error))
      socket.destroySoon()
    })
  } else if (newest.headersSent) {
    // Of an answer that is under way nobody takes a part for the whole.
    if (newest.writableEnded) newest.prependOnceListener('finish', () => socket.destroySoon())
    else socket.destroy()
  } else {
    // Node.js sends it when its turn has come, closes the connection, and has no more to do with the request: whoever waits for its body would wait for ever.
    socket.once('close', () => newest.req.destroy(error))
    refusals.reply(error, newest)
  }
}
