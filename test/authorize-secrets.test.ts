// Test: who reads the authority zone's database holds nothing that opens anything, and nothing that the key zone has, too.

import assert from 'node:assert/strict'
import { createHash, createHmac, hash, randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encode } from 'cborg'
import { makeBatch } from '../src/authorize/batches.ts'
import type { AuthorizeContext } from '../src/authorize/context.ts'
import { issueOne } from '../src/authorize/issue-api.ts'
import { addProvider } from '../src/authorize/providers.ts'
import { changeRealm } from '../src/authorize/realms.ts'
import { addGatewaySecret } from './open-authority-data.ts'
import { listSigningKeys, loadSigningKey } from '../src/authorize/signing-keys.ts'
import { reportYourself } from '../src/authorize/user-report.ts'
import { sql } from '../src/db/sql.ts'
import { zoneSecret } from '../src/db/zone-secrets.ts'
import {
  asRequest,
  codeRequest,
  openAuthorityData,
  someKeysHmac,
  zoneTest,
  type TestAuthorityZone,
} from './authority-zone.ts'

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

const NUMBERS = ['+12025550123', '+12025550199'] as const

/** Opens a realm with short codes of six digits that offers everything. */
async function offerAll({ zone, realm, context }: TestAuthorityZone): Promise<void> {
  const settings = {
    generateTexts: true,
    textSender: 'gateway',
    gatewayUrl: 'https://gateway.example/',
    shortLength: 6,
    testTypes: ['confirmed', 'likely', 'negative', 'user-report'],
  }
  await addGatewaySecret(zone, realm.name, context.now())
  await changeRealm(zone, realm.name, settings, 'command', context.now())
  const provider = { realm: realm.name, name: 'clinic', displayName: 'Clinic' }
  await addProvider(zone, provider, 'command', context.now())
}

/** Codes of all kinds, and what belongs to them. */
async function issueAll(zone: TestAuthorityZone) {
  await offerAll(zone)
  const drawn: { short: string; long: string }[] = []
  const texts: string[] = []
  const send = async ({ text }: { text: string }) => void texts.push(text)
  const context: AuthorizeContext = {
    ...zone.context,
    drawCode(lengths) {
      const code = zone.context.drawCode(lengths)
      drawn.push(code)
      return code
    },
    senderOf: () => ({ sender: async () => ({ send }), sign: async (text) => text }),
  }
  const asked = codeRequest(context.now(), { phone: NUMBERS[0], onlyGenerateSMS: true })
  const issued = await issueOne(context, asRequest(zone.adminKey, asked))
  texts.push(String(issued.body['generatedSMS']))
  const nonce = randomBytes(256)
  const { symptomDate } = codeRequest(context.now())
  const report = { phone: NUMBERS[1], nonce: nonce.toString('base64'), symptomDate }
  const reported = await reportYourself(context, asRequest(zone.deviceKey, report))
  assert.deepEqual([issued.status, reported.status, drawn.length], [200, 200, 2])
  const { codes: paper } = await makeBatch(
    zone.zone,
    {
      realm: zone.realm.name,
      provider: 'clinic',
      label: 'cards',
      language: 'en',
      size: 3,
      needsActivation: false,
      testType: 'confirmed',
      life: 86400,
    },
    'command',
    context.now(),
  )
  const shorts = drawn.map(({ short }) => short)
  return { shorts, longs: drawn.map(({ long }) => long), paper, texts, nonce }
}

/** Everything that passes through the zone on the way of codes of all kinds. */
async function secretsOf(zone: TestAuthorityZone) {
  const { shorts, longs, paper, texts, nonce } = await issueAll(zone)
  const swap = async (code: unknown) => {
    const asked = { code, nonce: nonce.toString('base64') }
    const token = String((await zone.verify(asked)).body['token'])
    const ekeyhmac = someKeysHmac()
    const { certificate } = (await zone.certify({ token, ekeyhmac })).body
    return { token, ekeyhmac, certificate: String(certificate) }
  }
  const { token, ekeyhmac, certificate } = await swap(longs[0])
  for (const code of [shorts[1], paper[0]])
    assert.match((await swap(code)).certificate, /^[\w-]+\.[\w-]+\.[\w-]+$/)
  const [signingKey] = await listSigningKeys(zone.zone.db, zone.realm.name, 'certificate')
  assert.ok(signingKey !== undefined)
  const privateKey = await loadSigningKey(zone.zone, signingKey)
  const { d = '' } = privateKey.export({ format: 'jwk' })
  const secret = (name: string) => zoneSecret(zone.zone.db, zone.zone.masterKey, name)
  const pieces = (name: string, text: string) =>
    text
      .split('.')
      .map((piece, index): [string, Uint8Array] => [`${name} ${index}`, fromText(piece)])
  return new Map<string, Uint8Array>([
    // Six digits are in any dump by chance: those are tried one by one below.
    ...[...longs, ...paper].map((code): [string, Uint8Array] => [`code ${code}`, fromText(code)]),
    ...paper.map((code): [string, Uint8Array] => [
      `code ${code}, its last 16`,
      fromText(code.slice(4)),
    ]),
    ...texts.map((text): [string, Uint8Array] => [`text ${text}`, fromText(text)]),
    ...NUMBERS.flatMap((number): [string, Uint8Array][] =>
      [number, number.slice(1), number.slice(2)].map((text) => [`number ${text}`, fromText(text)]),
    ),
    ['nonce', nonce],
    ...pieces('token', token).slice(1),
    ...pieces('certificate', certificate).slice(1),
    ['token signature', Buffer.from(token.split('.')[2] ?? '', 'base64url')],
    ['certificate signature', Buffer.from(certificate.split('.')[2] ?? '', 'base64url')],
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

/** Every piece of 32 bytes that is anywhere in a dump, binary columns and records of events included. */
function piecesIn(dump: string): Set<string> {
  const pieces = new Set<string>()
  for (const [hex] of dump.matchAll(/[0-9a-f]{64,}/g)) {
    const bytes = Buffer.from(hex, 'hex').toString('latin1')
    for (let at = 0; at + 32 <= bytes.length; at++) pieces.add(bytes.slice(at, at + 32))
  }
  return pieces
}

/** The values that a dump confirms, each being hashed in these ways. */
function confirmed(
  dump: string,
  values: Iterable<string>,
  hashes: readonly ((value: string) => Buffer)[],
): string[] {
  const pieces = piecesIn(dump)
  const found: string[] = []
  for (const value of values)
    if (hashes.some((hash) => pieces.has(hash(value).toString('latin1')))) found.push(value)
  return found
}

function* numbered(prefix: string, digits: number): Generator<string> {
  for (let number = 0; number < 10 ** digits; number++)
    yield prefix + String(number).padStart(digits, '0')
}

zoneTest('who has the dump alone finds no code and no person by trying all', async (zone) => {
  const { shorts, longs, paper } = await issueAll(zone)
  const dump = await zone.dump()
  const { name, issuer } = zone.realm
  const meaning = (purpose: string, value: string) => encode([purpose, name, value])
  const sha = (data: string | Uint8Array) => hash('sha256', data, 'buffer')
  assert.deepEqual(confirmed(dump, numbered('', 6), [sha]), [])
  assert.deepEqual(confirmed(dump, numbered('+1202555', 4), [sha]), [])

  // What was issued is not confirmed either by any other hash that needs no secret.
  const issued = [...shorts, ...longs, ...paper, ...NUMBERS]
  const keys = ['', '0', 'pepper', 'code', name, issuer, `${name}-v1`, zone.adminKey.slice(0, 11)]
  const forms = (value: string) => [
    value,
    ...['', ' ', ':', '.', '-'].map((between) => name + between + value),
    ...['code', 'phone'].flatMap((purpose) => [meaning(purpose, value), encode([purpose, value])]),
  ]
  for (const value of issued)
    for (const form of forms(value))
      assert.deepEqual(
        confirmed(
          dump,
          [...keys, '\0'.repeat(32)],
          [
            () => sha(form),
            (key) => createHmac('sha256', key).update(form).digest(),
            (key) => sha(Buffer.concat([Buffer.from(key), Buffer.from(form)])),
          ],
        ),
        [],
      )

  // With the pepper the same search finds them: it is the pepper that a dump lacks.
  const pepper = await zoneSecret(zone.zone.db, zone.zone.masterKey, 'pepper')
  const peppered = (purpose: string) => [
    (value: string) => createHmac('sha256', pepper).update(meaning(purpose, value)).digest(),
  ]
  const some = new Set([...numbered('000', 3), ...shorts])
  assert.deepEqual(confirmed(dump, some, peppered('code')).sort(), shorts.toSorted())
  assert.deepEqual(confirmed(dump, numbered('+1202555', 4), peppered('phone')), [NUMBERS[1]])
})

zoneTest('another master key opens nothing of the database', async (zone) => {
  await issueAll(zone)
  const folder = await mkdtemp(join(tmpdir(), 'tocsin-test-'))
  try {
    const other = randomBytes(32).toString('hex')
    await writeFile(join(folder, 'master.key'), other, { mode: 0o600 })
    await assert.rejects(
      openAuthorityData(zone.ownerUrl, folder, () => zone.context.now()),
      { code: 'master_key_wrong' },
    )
  } finally {
    await rm(folder, { recursive: true })
  }
})

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
