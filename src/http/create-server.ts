// Http: the server under the web framework; promises that no client can hold a connection, or memory, for as long as it likes.

import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http'
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

/**
 * Node.js takes as many requests from a connection as one read brings, and keeps the answers in memory until they are read:
 * a few kilobytes of requests could ask for hundreds of megabytes. Whoever asks for that is answered what was taken, then 503,
 * and loses the connection; the framework sees no request from there on.
 */
export function createServer(listener: RequestListener): Server {
  const unanswered = new WeakMap<object, number>()
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
      const count = (unanswered.get(socket) ?? 0) + 1
      // A connection's first request is always taken, or 2,000 slow senders would keep everybody else out.
      if (count > MOST_PIPELINED || (count > 1 && ofAll >= MOST_UNANSWERED)) {
        // Nothing behind it is taken, as nothing behind it would be answered.
        unanswered.set(socket, Infinity)
        const retryAfter = String(RETRY_AFTER_SECONDS[503])
        response.writeHead(503, { connection: 'close', 'retry-after': retryAfter }).end()
        return
      }
      unanswered.set(socket, count)
      ofAll++
      response.once('close', () => {
        ofAll--
        unanswered.set(socket, (unanswered.get(socket) ?? 1) - 1)
      })
      listener(request, response)
    },
  )
  server.setTimeout(IDLE_TIMEOUT_MS)
  server.maxConnections = MOST_CONNECTIONS
  return server
}
