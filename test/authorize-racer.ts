// Test helper: a process of its own that swaps codes for certificates; promises to begin only when it is told to.

import { once } from 'node:events'
import { openAuthorize } from '../src/authorize/context.ts'
import { issueCertificate } from '../src/authorize/issue-certificate.ts'
import { verifyCode } from '../src/authorize/verify-code.ts'
import { claimsIn, openAuthorityData, outcomeOf, someKeysHmac } from './authority-zone.ts'
import { encodeBody } from './key-zone.ts'

/** What it is told. */
export interface RacerTask {
  readonly ownerUrl: string
  readonly folder: string
  readonly deviceKey: string
  readonly now: string
  readonly codes: readonly string[]
}

/** What it says of each code. */
export interface RacerAnswer {
  readonly tokenId: unknown
  readonly outcome: string
}

const [task] = (await once(process, 'message')) as [RacerTask]
const now = () => new Date(task.now)
await using data = await openAuthorityData(task.ownerUrl, task.folder, now)
const context = await openAuthorize(data.zone, 'token-issuer', now)
process.send?.('ready')
await once(process, 'message')
const answers = task.codes.map(async (code): Promise<RacerAnswer> => {
  const { token } = (await verifyCode(context, task.deviceKey, encodeBody({ code }))).body
  const body = encodeBody({ token, ekeyhmac: someKeysHmac() })
  const outcome = outcomeOf(await issueCertificate(context, task.deviceKey, body))
  return { tokenId: claimsIn(token)['jti'], outcome }
})
process.send?.(await Promise.all(answers))
process.disconnect()
