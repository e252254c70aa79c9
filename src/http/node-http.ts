// Http: the HTTP server that Node.js brings; promises that nothing of its HTTP client is loaded with it.

/** To import it would read all that it exports, and so load the client (WebSocket and the like): 14 MB that a server has no use for. */
export const { createServer, STATUS_CODES } = process.getBuiltinModule('node:http')
