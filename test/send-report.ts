// Test helper: a report of any type, sent as an app sends it; promises that it was accepted.

import assert from 'node:assert/strict'
import { publishV1, type PublishReply } from '../src/submit/publish-v1.ts'
import { encodeBody, makeRequest, type TestAuthority, type TestKey } from './key-zone.ts'
import type { PublishingZone } from './publishing-zone.ts'

/** Sends a report. @returns the reply, whose revision token the next one needs that changes these keys */
export async function sendReport(
  { zone, clock }: PublishingZone,
  authority: TestAuthority,
  keys: readonly TestKey[],
  options: Parameters<typeof makeRequest>[3] = {},
): Promise<PublishReply> {
  const body = encodeBody(await makeRequest(authority, keys, clock.now(), options))
  const reply = await publishV1(zone.submit, body, 'okhttp android')
  assert.equal(reply.status, 200, JSON.stringify(reply.body))
  return reply
}
