// Bench: phones that upload contact event numbers, in a process of their own; promises no two reports with a number in common.

import { randomBytes } from 'node:crypto'
import { openConnection } from './load-connection.ts'

/** What the parent asks for. */
export interface CenLoadOrder {
  readonly port: number
  readonly connections: number
  readonly reports: number
  /** Of each report. */
  readonly numbers: number
}

/** What came of it. */
export interface CenLoadResult {
  readonly seconds: number
}

process.on(
  'message',
  (order: CenLoadOrder) => void run(order).then((result) => process.send?.(result)),
)
process.on('disconnect', () => process.exit())

async function run({ port, connections, reports, numbers }: CenLoadOrder): Promise<CenLoadResult> {
  let left = reports
  const start = performance.now()
  const upload = async () => {
    const connection = openConnection(port)
    while (left-- > 0) {
      const body = randomBytes(numbers * 16)
      const head = `POST /v1/cens HTTP/1.1\r\nhost: bench\r\ncontent-type: application/octet-stream\r\ncontent-length: ${body.length}\r\n\r\n`
      const { status, body: answer } = await connection.send(
        Buffer.concat([Buffer.from(head), body]),
      )
      if (status !== 200)
        throw new Error(`a report was answered ${status}: ${answer.toString('utf8', 0, 200)}`)
    }
    connection.close()
  }
  await Promise.all(Array.from({ length: connections }, upload))
  return { seconds: (performance.now() - start) / 1000 }
}
