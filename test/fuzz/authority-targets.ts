// Fuzzing: what health authorities send: their public keys, and their tokens for statistics.

import assert from 'node:assert/strict'
import { createPublicKey } from 'node:crypto'
import * as fc from 'fast-check'
import type { Queryable } from '../../src/db/database.ts'
import { parseKeySet, planKeySet } from '../../src/submit/jwks.ts'
import { verifyStatsToken } from '../../src/submit/stats-token.ts'
import { AUTHORITY, keyPairOf, NOW, PUBLIC_KEY, signAnew } from './certified-request.ts'
import { encodeTree, mutatedJson, mutatedTree } from './json.ts'
import { mutatedText } from './mutate.ts'
import { isClientError, target, valueLater } from './target.ts'

const other = keyPairOf(new Uint8Array(32).fill(0x21)).publicKey
const jwks = [PUBLIC_KEY, other].map((key, index) => ({
  ...key.export({ format: 'jwk' }),
  kid: `v${index + 1}`,
  use: 'sig',
  alg: 'ES256',
}))
const JWK_NAMES = ['keys', 'kid', 'kty', 'crv', 'x', 'y', 'd', 'use', 'alg']

const seconds = NOW.getTime() / 1000
const HEADER = { alg: 'ES256', kid: 'v1' }
const CLAIMS = { iss: AUTHORITY.issuer, aud: 'keyserver', iat: seconds, exp: seconds + 300 }
const RULES = { audience: 'keyserver', leewaySeconds: 5 }
const TOKEN = signAnew(HEADER, CLAIMS)

/** A database in which one health authority is registered, with one key. */
const db = {
  query: async ({ text }: { readonly text: string }) => ({
    rows: text.includes('from health_authority_key')
      ? [
          {
            app: AUTHORITY.app,
            kid: 'v1',
            public_key: AUTHORITY.keys[0]?.publicKey,
            valid_from: 0,
            valid_through: null,
            from_jwks: false,
            revoked_by: null,
          },
        ]
      : [{ ...AUTHORITY, keys: undefined, jwks_url: null }],
  }),
} as unknown as Queryable

const issuerOf = (authorization: string) =>
  valueLater(() => verifyStatsToken(db, authorization, RULES, NOW), isClientError)

export const authorityTargets = [
  target(
    'key set of a health authority',
    mutatedJson([jwks, { keys: jwks }], JWK_NAMES),
    (body) => {
      const offered = parseKeySet(body)
      if (typeof offered === 'string') return
      assert.ok(offered.size > 0)
      for (const [kid, pem] of offered) {
        assert.match(kid, /^[!-~]{1,200}$/)
        assert.equal(createPublicKey(pem).asymmetricKeyDetails?.namedCurve, 'prime256v1')
      }
      const { added } = planKeySet([], offered, seconds)
      assert.equal(added.length, offered.size)
    },
  ),
  target(
    'token for statistics',
    mutatedText([`Bearer ${TOKEN}`, `bearer  ${TOKEN} `]),
    async (authorization) => {
      const issuer = await issuerOf(authorization)
      if (issuer === undefined) return
      const [, given = ''] = authorization.trim().split(/ +/)
      assert.equal(issuer, AUTHORITY.issuer)
      assert.equal(given.slice(0, TOKEN.lastIndexOf('.')), TOKEN.slice(0, TOKEN.lastIndexOf('.')))
    },
  ),
  target(
    'claims of a token for statistics',
    fc.tuple(
      mutatedTree([CLAIMS, { ...CLAIMS, nbf: seconds }], Object.keys(CLAIMS)),
      mutatedTree([HEADER], ['alg', 'kid', 'crit']),
    ),
    async ([claims, header]) => {
      const token = signAnew(encodeTree(header), encodeTree(claims))
      const issuer = await issuerOf(`Bearer ${token}`)
      assert.ok(issuer === undefined || issuer === AUTHORITY.issuer)
    },
  ),
]
