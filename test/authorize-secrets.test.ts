// Test: who reads the authority zone's database holds nothing that opens anything, and nothing that the key zone has, too.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { loadCertificateKey } from '../src/authorize/realms.ts'
import { sql } from '../src/db/sql.ts'
import { zoneSecret } from '../src/db/zone-secrets.ts'
import { codeRequest, someKeysHmac, zoneTest, type TestAuthorityZone } from './authority-zone.ts'

/** Bytes in every form in which a careless program might have kept them; the dump shows binary columns in hex. */
function formsOf(secret: Uint8Array): string[] {
  const bytes = Buffer.from(secret)
  const texts = [
    bytes.toString('latin1'),
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    bytes.toString('base64').replace(/=+$/, ''),
    bytes.toString('base64url'),
    Buffer.from(bytes.toString('base64')).toString('base64').slice(0, -4),
  ]
  return [...texts, ...texts.map((text) => Buffer.from(text, 'latin1').toString('hex'))]
}

/** A secret, its text as bytes or what it encodes, and the plain hashes that would confirm a guess. */
function traces(secret: Uint8Array): string[] {
  const hashes = ['md5', 'sha1', 'sha256', 'sha512'].map((name) =>
    createHash(name).update(secret).digest(),
  )
  return [secret, ...hashes].flatMap(formsOf)
}

const fromText = (text: string) => Buffer.from(text)

/** Everything that passes through the zone on the way of one code. */
async function secretsOf(zone: TestAuthorityZone) {
  const now = zone.context.now()
  let longCode = ''
  const drawCode = () => {
    const drawn = zone.context.drawCode()
    longCode = drawn.long
    return drawn
  }
  const { issueCode } = await import('../src/authorize/issue-code.ts')
  const body = fromText(JSON.stringify(codeRequest(now)))
  const issued = await issueCode({ ...zone.context, drawCode }, zone.adminKey, body)
  const code = String(issued.body['code'])
  const token = String((await zone.verify({ code })).body['token'])
  const ekeyhmac = someKeysHmac()
  const { certificate } = (await zone.certify({ token, ekeyhmac })).body
  const privateKey = await loadCertificateKey(zone.zone, zone.realm)
  const { d = '' } = privateKey.export({ format: 'jwk' })
  const secret = (name: string) => zoneSecret(zone.zone.db, zone.zone.masterKey, name)
  const pieces = (name: string, text: string) =>
    text
      .split('.')
      .map((piece, index): [string, Uint8Array] => [`${name} ${index}`, fromText(piece)])
  return new Map<string, Uint8Array>([
    ['code', fromText(code)],
    ['long code', fromText(longCode)],
    ...pieces('token', token).slice(1),
    ...pieces('certificate', String(certificate)).slice(1),
    ['token signature', Buffer.from(token.split('.')[2] ?? '', 'base64url')],
    ['certificate signature', Buffer.from(String(certificate).split('.')[2] ?? '', 'base64url')],
    ['admin key', fromText(zone.adminKey)],
    ['device key', fromText(zone.deviceKey)],
    ...[zone.adminKey, zone.deviceKey].flatMap((key, index): [string, Uint8Array][] => {
      const [, opens = ''] = key.split('.')
      return [
        [`API key ${index}, its secret`, fromText(opens)],
        [`API key ${index}, the bytes of its secret`, Buffer.from(opens, 'base64url')],
      ]
    }),
    ['ekeyhmac', fromText(ekeyhmac)],
    ['ekeyhmac, its bytes', Buffer.from(ekeyhmac, 'base64')],
    ['private key', Buffer.from(d, 'base64url')],
    ['pepper', await secret('pepper')],
    ['token key', await secret('token key')],
    ['master key', zone.zone.masterKey.reveal()],
  ])
}

zoneTest(
  'the database holds no code, token, API key, signing key, certificate or HMAC of keys',
  async (zone) => {
    const secrets = await secretsOf(zone)
    const dump = await zone.dump()
    // The search finds what is there: as text, and inside a binary column.
    for (const there of [zone.realm.name, 'code.certified'])
      assert.ok(formsOf(fromText(there)).some((form) => dump.includes(form)))
    assert.ok(dump.includes(Buffer.from(zone.adminKey.slice(0, 11)).toString('hex')))
    for (const [name, secret] of secrets) {
      assert.ok(secret.length >= 8, name)
      const found = traces(secret).filter((form) => dump.includes(form))
      assert.deepEqual(found, [], `${name} is in the database`)
    }
  },
)

zoneTest('two tokens for the same keys can not be told to belong together', async (zone) => {
  const ekeyhmac = someKeysHmac()
  for (let index = 0; index < 2; index++) {
    const { body } = await zone.issue(codeRequest(zone.context.now()))
    const { token } = (await zone.verify({ code: body['code'] })).body
    assert.equal((await zone.certify({ token, ekeyhmac })).status, 200)
  }
  const { rows } = await zone.zone.db.query<{ keys_mac: Uint8Array }>(
    sql`select keys_mac from verification_code`,
  )
  const kept = rows.map((row) => Buffer.from(row.keys_mac).toString('hex'))
  assert.equal(new Set(kept).size, 2)
})
