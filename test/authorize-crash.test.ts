// Test: a server that is killed between what it did and its reply, at each step from a code to a certificate: who asks again gets the same, and nobody needs a new code.

import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import type { DoomedServer } from './authorize-server.ts'
import {
  claimsIn,
  codeRequest,
  countEvents,
  outcomeOf,
  someKeysHmac,
  zoneTest,
  type Reply,
  type TestAuthorityZone,
} from './authority-zone.ts'

const MOMENTS = ['before', 'after'] as const

/** Sends a request to a server of its own, which dies with an event of that type before it answers. */
async function askDoomed(
  zone: TestAuthorityZone,
  event: string,
  moment: DoomedServer['moment'],
  name: string,
  body: object,
): Promise<void> {
  const { ownerUrl, folder, adminKey, deviceKey } = zone
  const doom: DoomedServer = {
    ownerUrl,
    folder,
    event,
    moment,
    now: zone.context.now().toISOString(),
  }
  const child = fork(join(import.meta.dirname, 'authorize-server.ts'), [JSON.stringify(doom)])
  const exited = once(child, 'exit')
  const early = exited.then(() => assert.fail('the server ended before it was asked'))
  const [url] = (await Promise.race([once(child, 'message'), early])) as [string]
  early.catch(() => undefined)
  const request = fetch(`${url}/api/${name}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-api-key': name === 'issue' ? adminKey : deviceKey,
    },
    body: JSON.stringify(body),
  })
  await assert.rejects(request, TypeError, 'there is no reply')
  assert.deepEqual((await exited)[1], 'SIGKILL')
}

const done = (reply: Reply) => {
  assert.equal(outcomeOf(reply), 'done')
  return reply.body
}

for (const moment of MOMENTS)
  zoneTest(
    `a server killed ${moment} an issued code is stored: its uuid says what became of it`,
    async (zone, clock) => {
      const uuid = randomUUID()
      const asked = codeRequest(clock.now(), { uuid })
      await askDoomed(zone, 'code.issued', moment, 'issue', asked)
      const again = outcomeOf(await zone.issue(asked))
      assert.equal(again, moment === 'before' ? 'done' : 'uuid_already_exists')
      assert.equal(countEvents(await zone.dump(), 'code.issued'), 1)
    },
  )

for (const moment of MOMENTS)
  for (const nonce of ['', randomBytes(256).toString('base64')])
    zoneTest(
      `a server killed ${moment} a claim is stored, the phone having ${nonce === '' ? 'no' : 'a'} nonce`,
      async (zone, clock) => {
        const { code } = done(await zone.issue(codeRequest(clock.now())))
        await askDoomed(zone, 'code.claimed', moment, 'verify', { code, nonce })
        const lost = await tokenIdOf(zone)
        assert.equal(lost === undefined, moment === 'before')
        const { token } = done(await zone.verify({ code, nonce }))
        // With the nonce it is the very token that was lost.
        const isSame = moment === 'after' && nonce !== ''
        assert.equal(claimsIn(token)['jti'] === lost, isSame)
        done(await zone.certify({ token, ekeyhmac: someKeysHmac() }))
        const dump = await zone.dump()
        const claims = moment === 'after' && nonce === '' ? 2 : 1
        assert.equal(countEvents(dump, 'code.claimed'), claims)
        assert.equal(countEvents(dump, 'code.certified'), 1)
      },
    )

for (const moment of MOMENTS)
  zoneTest(
    `a server killed ${moment} a certificate's keys are stored: the phone gets it with the same token`,
    async (zone, clock) => {
      const { code } = done(await zone.issue(codeRequest(clock.now())))
      const { token } = done(await zone.verify({ code }))
      const asked = { token, ekeyhmac: someKeysHmac() }
      await askDoomed(zone, 'code.certified', moment, 'certificate', asked)
      const stranger = { token, ekeyhmac: someKeysHmac() }
      if (moment === 'after') assert.equal(outcomeOf(await zone.certify(stranger)), 'token_expired')
      const { certificate } = done(await zone.certify(asked))
      assert.equal(claimsIn(certificate)['tekmac'], asked.ekeyhmac)
      const again = done(await zone.certify(asked))
      const handle = claimsIn(certificate)['issuerHandle']
      assert.equal(claimsIn(again['certificate'])['issuerHandle'], handle)
      const dump = await zone.dump()
      assert.equal(countEvents(dump, 'code.certified'), 1)
      assert.equal(countEvents(dump, 'handle.opened'), 1)
    },
  )

/** `jti` of the token of the only code; undefined when it has none. */
async function tokenIdOf({ zone }: TestAuthorityZone): Promise<string | undefined> {
  const { rows } = await zone.db.query<{ token_id: Uint8Array | null }>({
    text: 'select token_id from verification_code',
    values: [],
  })
  assert.equal(rows.length, 1)
  const id = rows[0]?.token_id
  return id ? Buffer.from(id).toString('base64url') : undefined
}
