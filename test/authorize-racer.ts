// Test helper: a process of its own that swaps codes for certificates; promises to begin only when it is told to.

import { once } from 'node:events'
import { openAuthorize } from '../src/authorize/context.ts'
import { issueCertificate } from '../src/authorize/issue-certificate.ts'
import { verifyCode } from '../src/authorize/verify-code.ts'
import {
  asRequest,
  authorizeOptions,
  claimsIn,
  openAuthorityData,
  outcomeOf,
  someKeysHmac,
} from './authority-zone.ts'

/** What it is told. */
export interface RacerTask {
  readonly ownerUrl: string
  readonly folder: string
  readonly deviceKey: string
  readonly now: string
  readonly codes: readonly string[]
  /** Base64; empty for none. */
  readonly nonce: string
}

/** What it says of each code. */
export interface RacerAnswer {
  /** Undefined when the code was refused. */
  readonly tokenId: unknown
  /** Of the code when that was refused, else of the token. */
  readonly outcome: string
}

const [task] = (await once(process, 'message')) as [RacerTask]
const now = () => new Date(task.now)
await using data = await openAuthorityData(task.ownerUrl, task.folder, now)
const context = await openAuthorize(data.zone, authorizeOptions(now))
process.send?.('ready')
await once(process, 'message')
const answers = task.codes.map(async (code, index): Promise<RacerAnswer> => {
  // Each phone has a network of its own: many wrong codes of one are slowed.
  const send = (body: object) => asRequest(task.deviceKey, body, `phone ${index}`)
  const verified = await verifyCode(context, send({ code, nonce: task.nonce }))
  if (verified.status !== 200) return { tokenId: undefined, outcome: outcomeOf(verified) }
  const { token } = verified.body
  const certified = await issueCertificate(context, send({ token, ekeyhmac: someKeysHmac() }))
  return { tokenId: claimsIn(token)['jti'], outcome: outcomeOf(certified) }
})
process.send?.(await Promise.all(answers))
process.disconnect()
