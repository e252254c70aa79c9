// Test: POST /v1/stats: who may ask.

import assert from 'node:assert/strict'
import { UnsecuredJWT } from 'jose'
import { setHealthAuthorityDisabled } from '../src/submit/health-authorities.ts'
import { revokeAuthorityKey } from '../src/submit/health-authority-keys.ts'
import { databaseTestOnce } from './database.ts'
import { makeAuthority } from './key-zone.ts'
import { ask, AUDIENCE, makeToken, register } from './stats-zone.ts'
import { openSubmittingZone } from './submitting-zone.ts'

databaseTestOnce('only a token of an accepted health authority opens anything', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  const disabled = makeAuthority('org.example.disabled')
  const revoked = makeAuthority('org.example.revoked')
  const ended = makeAuthority('org.example.ended')
  const stranger = makeAuthority('org.example.stranger')
  const now = Math.floor(town.clock.now().getTime() / 1000)
  await register(town, disabled)
  await register(town, revoked)
  await register(town, {
    ...ended,
    keys: ended.keys.map((key) => ({ ...key, validThrough: now })),
  })
  const { db: zoneDb, writer } = town.zone
  await zoneDb.transaction(async (tx) => {
    await setHealthAuthorityDisabled(tx, writer, disabled.app, true, town.clock.now())
    await revokeAuthorityKey(tx, writer, revoked.app, 'v1', town.clock.now())
  })
  const good = await makeToken(town)
  const [header = '', payload = '', signature = ''] = good.split('.')
  const claims = (changed: Record<string, unknown>) => makeToken(town, { claims: changed })
  const unsigned = new UnsecuredJWT({ iss: town.authority.issuer, aud: AUDIENCE, exp: now + 60 })
  const refused: Record<string, string> = {
    'no token': '',
    garbage: 'abc',
    'three dots': '...',
    'another audience': await claims({ aud: 'tocsin-test' }),
    'no audience': await claims({ aud: undefined }),
    'other audiences': await claims({ aud: ['a', 'b'] }),
    expired: await claims({ exp: now - 5 }),
    'without an end': await claims({ exp: undefined }),
    'an end of zero': await claims({ exp: 0 }),
    'an end of null': await claims({ exp: null }),
    'an end with a fraction': await claims({ exp: now + 0.5 }),
    'a start beyond 64 bits': await claims({ nbf: -(2 ** 64) }),
    'a number as its name': await claims({ jti: 1 }),
    'a list as its subject': await claims({ sub: ['x'] }),
    'not valid yet': await claims({ nbf: now + 6 }),
    'issued in the future': await claims({ iat: now + 6 }),
    'another issuer': await claims({ iss: stranger.issuer }),
    'no issuer': await claims({ iss: undefined }),
    'a certificate': await claims({ tekmac: 'x' }),
    'another kid': await makeToken(town, { kid: 'v2' }),
    'no kid': await makeToken(town, { kid: null }),
    'an unknown authority': await makeToken(town, { authority: stranger }),
    "another's key": await makeToken(town, { privateKey: stranger.privateKey }),
    'a disabled authority': await makeToken(town, { authority: disabled }),
    'a revoked key': await makeToken(town, { authority: revoked }),
    'a key that has ended': await makeToken(town, { authority: ended }),
    'another signature': `${header}.${payload}.${signature.slice(0, -10)}AAAAAAAAAA`,
    'other claims': `${header}.${Buffer.from('{}').toString('base64url')}.${signature}`,
    'no signature': unsigned.encode(),
  }
  for (const [what, token] of Object.entries(refused)) {
    const { status, body } = await ask(town, { token })
    assert.deepEqual([status, body.code, body.days], [401, 'unauthorized', undefined], what)
    assert.match(body.error ?? '', /^The token was not accepted: .+\.$/, what)
  }
  for (const authorization of [undefined, 'Bearer', `Basic ${good}`, good, `Bearer ${good} x`])
    assert.equal((await ask(town, { authorization })).status, 401, authorization?.slice(0, 12))
  const accepted = {
    good,
    'one audience of several': await claims({ aud: ['other', AUDIENCE] }),
    'expired within the leeway': await claims({ exp: now - 4 }),
    'nothing said of its start': await claims({ nbf: null, iat: null, sub: null, jti: null }),
    'issued within the leeway': await claims({ iat: now + 5 }),
  }
  for (const [what, token] of Object.entries(accepted))
    assert.deepEqual(await ask(town, { token }), { status: 200, body: {} }, what)
  assert.equal((await ask(town, { authorization: `bearer ${good}` })).status, 200)
})
