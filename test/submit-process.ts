// Test helper: a process of its own that takes submissions for a database that others use, too; promises to answer each message with its reply.

import { encodeHex } from '../src/format/bytes.ts'
import { publishV1 } from '../src/submit/publish-v1.ts'
import { openKeyZone } from './open-key-zone.ts'

const [ownerUrl = '', folder = '', start = ''] = process.argv.slice(2)
const zone = await openKeyZone(ownerUrl, folder, () => new Date(start))

/** What the parent sends: a request's body in base64, under a number of its own. */
interface Request {
  readonly id: number
  readonly body: string
}

process.on('message', ({ id, body }: Request) => {
  publishV1(zone.submit, Buffer.from(body, 'base64'), 'iphone').then(
    ({ status, trackingId, body: { code, insertedExposures, revisionToken } }) => {
      const held = zone.submit.tokens.open(revisionToken ?? '')
      process.send?.({
        id,
        reply: {
          status,
          trackingId,
          code,
          insertedExposures,
          held: held?.map((key) => encodeHex(key.keyData)),
        },
      })
    },
    (error: unknown) => process.send?.({ id, reply: { problem: String(error) } }),
  )
})
process.on('disconnect', () => process.exit())
process.send?.({ ready: true })
