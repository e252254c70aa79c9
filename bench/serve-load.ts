// Bench: downloads over connections that stay open, from a process of its own; promises that every answer counted is whole and as long as the first.

import { connect } from 'node:net'
import { openConnection } from './load-connection.ts'

/** What to download, and how. */
export interface DownloadOrder {
  readonly port: number
  readonly path: string
  readonly connections: number
  readonly seconds: number
}

/** What came of it. */
export interface DownloadResult {
  readonly answered: number
  readonly seconds: number
  /** How much of one processor this process took: near 1 it may have been the limit. */
  readonly load: number
}

process.once('disconnect', () => process.exit())
process.on('message', (order: DownloadOrder) => {
  download(order).then(
    (result) => process.send?.(result),
    (error: Error) => {
      console.error(error.message)
      process.exit(1)
    },
  )
})

async function download(order: DownloadOrder): Promise<DownloadResult> {
  const request = Buffer.from(`GET ${order.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
  const length = await measureAnswer(order.port, request)
  const began = performance.now()
  const cpu = process.cpuUsage()
  const end = began + order.seconds * 1_000
  const counts = await Promise.all(
    Array.from({ length: order.connections }, () => repeat(order.port, request, length, end)),
  )
  const seconds = (performance.now() - began) / 1_000
  const { user, system } = process.cpuUsage(cpu)
  return {
    answered: counts.reduce((sum, count) => sum + count, 0),
    seconds,
    load: (user + system) / 1e6 / seconds,
  }
}

/** @returns how long an answer is, its head included: bytes. Both servers give the same one each time */
async function measureAnswer(port: number, request: Buffer): Promise<number> {
  const connection = openConnection(port)
  const { status, body } = await connection.send(request)
  connection.close()
  if (status !== 200 || body.length === 0) throw new Error(`a download was answered ${status}`)
  return new Promise((resolve, reject) => {
    let total = 0
    let head = ''
    const socket = connect({ port, host: '127.0.0.1' }, () => void socket.write(request))
    socket.once('error', reject).on('data', (chunk) => {
      total += chunk.length
      if (!head.includes('\r\n\r\n')) head += chunk.toString('latin1')
      const headLength = head.indexOf('\r\n\r\n') + 4
      if (headLength < 4 || total < headLength + body.length) return
      socket.destroy()
      resolve(total)
    })
  })
}

/** Asks again as soon as an answer is whole: so little work that a server is slower. @returns answers */
function repeat(port: number, request: Buffer, length: number, end: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let answered = 0
    let received = 0
    // One buffer for all that is read: nobody looks at it.
    const buffer = Buffer.allocUnsafe(256 << 10)
    const callback = (bytes: number) => {
      received += bytes
      if (received < length) return true
      if (received > length) reject(new Error('an answer was longer than the first'))
      received = 0
      answered++
      if (performance.now() < end) socket.write(request)
      else socket.destroy()
      return true
    }
    const socket = connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: { buffer, callback },
    })
    socket.once('connect', () => socket.write(request))
    socket.once('error', reject)
    // Servers close a connection after so many answers (nginx after the 1,000 of its configuration): then a new one goes on.
    socket.once('close', () => {
      if (performance.now() >= end) resolve(answered)
      else repeat(port, request, length, end).then((more) => resolve(answered + more), reject)
    })
  })
}
