// Bench: one phone's connection; promises an answer for each request, over a new connection when the server has closed the one before.

import { connect, type Socket } from 'node:net'

/** The answer to a request. */
export interface Answer {
  /** 0 when the connection ended without an answer. */
  readonly status: number
  readonly body: Buffer
}

/** A connection that carries one request at a time. */
export interface Connection {
  send(request: Buffer): Promise<Answer>
  close(): void
}

/** Connects when the first request is sent. */
export function openConnection(port: number): Connection {
  let socket: Socket | undefined
  let buffered: Buffer = Buffer.alloc(0)
  let waiting: ((answer: Answer) => void) | undefined
  const settle = (answer: Answer) => {
    const resolve = waiting
    waiting = undefined
    resolve?.(answer)
  }
  const onData = (from: Socket, chunk: Buffer) => {
    buffered = buffered.length === 0 ? chunk : Buffer.concat([buffered, chunk])
    const end = buffered.indexOf('\r\n\r\n')
    if (end < 0) return
    const head = buffered.toString('latin1', 0, end)
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0)
    const body = buffered.subarray(end + 4, end + 4 + length)
    if (body.length < length) return
    buffered = buffered.subarray(end + 4 + length)
    if (/\r\nconnection: close/i.test(head)) leave(from)
    settle({ status: Number(head.slice(9, 12)), body })
  }
  const leave = (from: Socket) => {
    from.destroy()
    // A connection that ended late must not end the one that took its place.
    if (from !== socket) return
    socket = undefined
    buffered = Buffer.alloc(0)
  }
  const onEnd = (from: Socket) => {
    const isCurrent = from === socket
    leave(from)
    if (isCurrent) settle({ status: 0, body: buffered })
  }
  const open = (): Socket => {
    const opened = connect({ port, host: '127.0.0.1', noDelay: true })
    opened.on('data', (chunk) => onData(opened, chunk))
    opened.on('error', () => onEnd(opened))
    opened.on('close', () => onEnd(opened))
    return opened
  }
  return {
    send: (request) =>
      new Promise((resolve) => {
        waiting = resolve
        socket ??= open()
        socket.write(request)
      }),
    close: () => socket?.destroy(),
  }
}
