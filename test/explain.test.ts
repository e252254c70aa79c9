// Test: explaining a request says what the real submission then does, changes nothing and tells no secret.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { loadMasterKey } from '../src/db/secrets.ts'
import { sql } from '../src/db/sql.ts'
import { ERRORS } from '../src/errors.ts'
import { buildApp } from '../src/http/app.ts'
import { explainRoutes } from '../src/http/explain-routes.ts'
import { createLogger } from '../src/operate/logger.ts'
import { createExplain, type Explain, type Explanation } from '../src/submit/explain.ts'
import { addHealthAuthority, setHealthAuthorityDisabled } from '../src/submit/health-authorities.ts'
import type { PublishReply } from '../src/submit/publish-v1.ts'
import { databaseTestOnce } from './database.ts'
import { encodeBody, makeAuthority, makeKeys, makeRequest, type TestKey } from './key-zone.ts'
import { startService } from './running-service.ts'
import { openSubmittingZone, START, type SubmittingZone } from './submitting-zone.ts'
import { temporaryFolder } from './temporary-folder.ts'

async function explainFor(town: SubmittingZone): Promise<Explain> {
  const masterKey = await loadMasterKey(join(town.folder, 'master.key'), false)
  return createExplain({ ...town.zone.settings, db: town.zone.db, masterKey, now: town.clock.now })
}

/** Everything that explaining could change. */
async function stateOf({ zone }: SubmittingZone): Promise<unknown> {
  const { rows } = await zone.db.query(
    sql`select h.*, (select count(*) from secret) as secrets, (select count(*) from event) as events,
          (select count(*) from diagnosis_key) as keys, (select count(*) from key_revision) as revisions
        from log_head h`,
  )
  return rows
}

/** The texts of a request that nobody but its sender and the server may see. */
function secretsOf(body: Uint8Array): string[] {
  const secrets: string[] = []
  const collect = (value: unknown, name: string) => {
    if (typeof value === 'string') {
      if (/^(key|verificationPayload|hmacKey|revisionToken)$/.test(name) && value.length >= 8)
        secrets.push(value, ...value.split('.').filter((part) => part.length > 8))
    } else if (typeof value === 'object' && value !== null)
      for (const [field, each] of Object.entries(value)) collect(each, field)
  }
  try {
    collect(JSON.parse(new TextDecoder().decode(body)), '')
  } catch {
    // What is no JSON holds nothing that can be named.
  }
  return secrets.flatMap((text) => [text, Buffer.from(text, 'base64').toString('hex')])
}

/** What of a real reply an explanation foretells. */
function toldOf({ status, body: { revisionToken: _token, ...told } }: PublishReply) {
  return { status, ...told }
}

/** Explains, then submits, and compares. */
async function foretold(town: SubmittingZone, explain: Explain, body: Uint8Array) {
  const before = await stateOf(town)
  const explanation = await explain(body)
  assert.deepEqual(await stateOf(town), before, 'explaining changes nothing')
  const text = JSON.stringify(explanation)
  for (const secret of secretsOf(body))
    assert.ok(!text.includes(secret), 'an explanation tells no secret')
  const reply = await town.submit(body)
  const { tokenCovers, repeats, ...told } = explanation.reply
  assert.deepEqual(told, toldOf(reply))
  const { revisionToken } = reply.body
  const held = revisionToken === undefined ? undefined : town.zone.submit.tokens.open(revisionToken)
  assert.equal(tokenCovers, held?.length)
  assert.equal(repeats, repeats === undefined ? undefined : reply.trackingId)
  if (reply.status !== 200) {
    const failed = explanation.rules.find(({ verdict }) => verdict === 'failed')
    assert.deepEqual(
      [failed?.code, failed?.subCode, failed?.says],
      [reply.body.code, reply.body.subCode, reply.body.error],
      'the first rule that failed makes the reply',
    )
  } else if (repeats === undefined)
    assert.ok(!explanation.rules.some(({ verdict }) => verdict === 'failed'))
  return { explanation, reply }
}

const ruleOf = ({ rules }: Explanation, name: string) => rules.find(({ rule }) => rule === name)

databaseTestOnce('every refusal is foretold, with the rule that makes it', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  const explain = await explainFor(town)
  const now = town.clock.now()
  const seconds = now.getTime() / 1000
  const [disabled, regionless] = [
    makeAuthority('org.example.off'),
    makeAuthority('org.example.no', []),
  ]
  const soon = makeAuthority('org.example.soon')
  const late = soon.keys.map((key) => ({ ...key, validFrom: seconds + 60 }))
  await town.zone.db.transaction(async (tx) => {
    for (const each of [disabled, regionless, { ...soon, keys: late }])
      await addHealthAuthority(tx, town.zone.writer, each, now, 'US')
    await setHealthAuthorityDisabled(tx, town.zone.writer, disabled.app, true, now)
  })
  await setTimeout(1_000)
  const of = async (
    authority = town.authority,
    keys: readonly TestKey[] = makeKeys(now, 2),
    options: Parameters<typeof makeRequest>[3] = {},
  ) => encodeBody(await makeRequest(authority, keys, now, options))
  const withClaims = (claims: Record<string, unknown>) => of(undefined, undefined, { claims })
  const withFields = (fields: Record<string, unknown>) => of(undefined, undefined, { fields })
  const keyed = (change: Partial<TestKey>) =>
    of(
      undefined,
      makeKeys(now, 1).map((key) => ({ ...key, ...change })),
    )
  const [day] = makeKeys(now, 1) as [TestKey]
  const fourOfOneStart = Array.from({ length: 4 }, () => ({
    ...(makeKeys(now, 1)[0] as TestKey),
    rollingStartNumber: day.rollingStartNumber,
  }))
  const overlapping = [
    day,
    { ...makeKeys(now, 1)[0], rollingStartNumber: day.rollingStartNumber + 9 },
  ]
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })

  const stored = async (reportType: 'likely' | 'confirmed') => {
    const keys = makeKeys(now, 1)
    const { body } = await town.submit(await town.body(keys, { reportType }))
    return { keys, fields: { revisionToken: body.revisionToken } }
  }
  const likely = await stored('likely')
  const confirmed = await stored('confirmed')
  const revised = await stored('likely')
  const revising = { fields: revised.fields, reportType: 'confirmed' } as const
  const revision = await town.submit(await of(undefined, revised.keys, revising))
  assert.equal(revision.status, 200)
  const certificate = 'health_authority_verification_certificate_invalid'

  const cases: [string, Uint8Array, code: string, subCode?: string][] = [
    ['request', encodeBody('no object'), 'bad_request'],
    ['request', Buffer.from('{"temporaryExposureKeys'), 'bad_request'],
    ['request', await withFields({ unheardOf: 1 }), 'bad_request'],
    [
      'health_authority',
      await withFields({ healthAuthorityID: 'nobody' }),
      'unknown_health_authority_id',
    ],
    ['certificate.form', await withFields({ verificationPayload: 'x' }), certificate, 'malformed'],
    [
      'certificate.key',
      await of(undefined, undefined, { header: { kid: 'v9' } }),
      certificate,
      'unknown_key',
    ],
    [
      'certificate.signature',
      await of(undefined, undefined, { privateKey }),
      certificate,
      'wrong_signature',
    ],
    ['certificate.issuer', await withClaims({ iss: 'other' }), certificate, 'wrong_issuer'],
    ['certificate.audience', await withClaims({ aud: 'other' }), certificate, 'wrong_audience'],
    [
      'certificate.report_type',
      await withClaims({ reportType: 'x' }),
      certificate,
      'wrong_report_type',
    ],
    ['certificate.tekmac', await withClaims({ tekmac: 'AAAA' }), certificate, 'wrong_tekmac'],
    ['certificate.tekmac', await withFields({ hmacKey: '' }), certificate, 'wrong_tekmac'],
    [
      'certificate.issuer_handle',
      await withClaims({ issuerHandle: 'x' }),
      certificate,
      'malformed',
    ],
    ['certificate.onset', await withClaims({ symptomOnsetInterval: -1 }), certificate, 'malformed'],
    ['enabled', await of(disabled), 'unknown_health_authority_id'],
    ['validity', await withClaims({ exp: seconds - 60 }), certificate, 'expired'],
    ['validity', await withClaims({ nbf: seconds + 60 }), certificate, 'not_yet_valid'],
    ['validity', await of(soon), certificate, 'unknown_key'],
    ['count', await of(undefined, []), 'bad_request'],
    ['count', await of(undefined, makeKeys(now, 31)), 'bad_request'],
    ['keys', await keyed({ key: '*' }), 'bad_request'],
    ['keys', await keyed({ key: 'AAAA' }), 'bad_request'],
    ['keys', await keyed({ rollingPeriod: 145 }), 'bad_request'],
    ['keys', await keyed({ rollingStartNumber: 1 }), 'bad_request'],
    ['keys', await keyed({ rollingStartNumber: 2 ** 30 }), 'bad_request'],
    ['keys', await keyed({ transmissionRisk: 9 }), 'bad_request'],
    ['overlaps', await of(undefined, fourOfOneStart), 'bad_request'],
    ['overlaps', await of(undefined, overlapping as TestKey[]), 'bad_request'],
    ['regions', await of(regionless), 'health_authority_missing_region_config'],
    ['known_keys', await of(undefined, likely.keys), 'missing_revision_token'],
    [
      'known_keys',
      await of(undefined, likely.keys, { fields: confirmed.fields }),
      'invalid_revision_token',
    ],
    [
      'known_keys',
      await of(
        undefined,
        likely.keys.map((key) => ({ ...key, rollingPeriod: 9 })),
        likely,
      ),
      'key_metadata_mismatch',
    ],
    [
      'known_keys',
      await of(undefined, confirmed.keys, { ...confirmed, reportType: 'likely' }),
      'invalid_report_type_transition',
    ],
    [
      'known_keys',
      await of(undefined, revised.keys, { ...revised, reportType: 'negative' }),
      'key_already_revised',
    ],
  ]
  for (const [rule, body, code, subCode] of cases) {
    const { explanation, reply } = await foretold(town, explain, body)
    const what = `${rule} ${code} ${subCode ?? ''}`
    assert.deepEqual([reply.body.code, reply.body.subCode], [code, subCode], what)
    assert.equal(explanation.rules.find(({ verdict }) => verdict === 'failed')?.rule, rule, what)
  }
  // Whatever submissions can be refused with is among them.
  const codes = new Set(cases.map(([, , code]) => code))
  const all = Object.keys(ERRORS)
  const ofSubmissions = all.slice(0, all.indexOf('partial_failure'))
  const byHttpAlone = ['unsupported_media_type', 'request_too_large']
  assert.deepEqual(
    ofSubmissions.filter((code) => !codes.has(code) && !byHttpAlone.includes(code)),
    [],
  )
  const tooLarge = await explain(new Uint8Array(64_001))
  assert.deepEqual([tooLarge.reply.status, tooLarge.reply.code], [413, 'bad_request'])
})

databaseTestOnce('each key is told what it is and what becomes of it', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  const explain = await explainFor(town)
  const now = town.clock.now()
  const keys = makeKeys(now, 6, true)
  const [today, known, far, bad, old, fresh] = keys as [
    TestKey,
    TestKey,
    TestKey,
    TestKey,
    TestKey,
    TestKey,
  ]
  const first = await town.submit(await town.body([known], { reportType: 'likely' }))
  far.rollingStartNumber -= 144 * 13
  bad.transmissionRisk = 9
  old.rollingStartNumber -= 144 * 30
  const body = await town.body([...keys, { ...fresh }], {
    fields: { revisionToken: first.body.revisionToken },
    claims: { symptomOnsetInterval: today.rollingStartNumber },
  })
  const { explanation, reply } = await foretold(town, explain, body)
  assert.deepEqual([reply.body.code, reply.body.insertedExposures], ['partial_failure', 2])
  const told = [...explanation.keys]
    .sort((a, b) => a.sent - b.sent)
    .map(({ verdict, becomes, daysSinceOnset, embargoed, availableFrom, transmissionRisk }) => ({
      verdict,
      ...(becomes === undefined ? {} : { becomes, daysSinceOnset, embargoed, availableFrom }),
      ...(transmissionRisk === undefined ? {} : { transmissionRisk }),
    }))
  const soon = { embargoed: false, availableFrom: '2026-03-20T10:00:00Z', transmissionRisk: 2 }
  const kept = { embargoed: true, availableFrom: '2026-03-21T00:15:00Z', transmissionRisk: 2 }
  assert.deepEqual(told, [
    { verdict: 'valid', becomes: 'new', daysSinceOnset: 0, ...kept },
    { verdict: 'valid', becomes: 'revised', daysSinceOnset: -1, ...soon },
    { verdict: 'onset_too_far' },
    { verdict: 'wrong_risk' },
    { verdict: 'too_old' },
    { verdict: 'valid', becomes: 'new', daysSinceOnset: -5, ...soon },
    { verdict: 'repeated' },
  ])
  const { rows } = await town.zone.db.query<{ available: number }>(
    sql`select available from diagnosis_key order by rolling_start desc limit 1`,
  )
  assert.equal(rows[0]?.available, Date.parse(kept.availableFrom) / 1000, 'as it was stored')
  // The numbers are those of the reply's sentences.
  const [number] =
    /(?<=key )\d+(?= cannot be imported: transmissionRisk)/.exec(reply.body.error ?? '') ?? []
  assert.equal(explanation.keys[Number(number)]?.verdict, 'wrong_risk')
  assert.deepEqual(explanation.keys.find((key) => key.becomes === 'revised')?.known, {
    reportType: 'likely',
  })
  assert.match(ruleOf(explanation, 'onset')?.says ?? '', /the certificate says so/)
  assert.match(ruleOf(explanation, 'revision_token')?.says ?? '', /covers 1 key\./)
  assert.equal(ruleOf(explanation, 'known_keys')?.says, '2 new, 1 revised.')
})

databaseTestOnce('a repetition and another moment are explained as such', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  const explain = await explainFor(town)
  const body = await town.body()
  const at = new Date(town.clock.now().getTime() + 40 * 86_400_000)
  const later = await explain(body, { at })
  assert.deepEqual([later.reply.subCode, later.at], ['expired', '2026-04-29T10:07:00Z'])
  assert.deepEqual(
    later.keys.map(({ verdict }) => verdict),
    ['too_old', 'too_old', 'too_old'],
  )
  const first = await town.submit(body)
  const before = await stateOf(town)
  const again = await explain(body, { at })
  assert.equal(again.reply.repeats, first.trackingId)
  assert.deepEqual([again.reply.status, again.reply.insertedExposures], [200, 3])
  assert.match(ruleOf(again, 'repetition')?.says ?? '', /at 2026-03-20T10:00:00Z/)
  assert.equal(ruleOf(again, 'validity')?.verdict, 'failed')
  // A server would replace the keys of revision tokens by now.
  assert.deepEqual(await stateOf(town), before)
  assert.equal((await explain(body, { api: 'publish-v1alpha1' })).reply.code, 'bad_request')
})

databaseTestOnce("keys are judged although the certificate can't be checked", async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  const explain = await explainFor(town)
  const explanation = await explain(await town.body(undefined, { header: { kid: 'v9' } }))
  assert.equal(
    ruleOf(explanation, 'certificate.signature')?.says,
    "The signature can't be checked without the public key.",
  )
  assert.equal(ruleOf(explanation, 'repetition')?.verdict, 'not_checked')
  assert.match(ruleOf(explanation, 'onset')?.says ?? '', /the certificate was not asked/)
  assert.deepEqual(
    explanation.keys.map(({ verdict, becomes }) => [verdict, becomes]),
    Array.from({ length: 3 }, () => ['valid', undefined]),
  )
})

databaseTestOnce('the command and the route of the operator tell the same', async (db, t) => {
  await using town = await openSubmittingZone(db, t)
  const explain = await explainFor(town)
  const body = await town.body()
  const file = join(town.folder, 'request.json')
  await writeFile(file, body)
  const expected = await explain(body, { at: new Date(START) })
  const before = await stateOf(town)
  const env = { TOCSIN_DATABASE_URL: db.url, TOCSIN_DATA: town.folder }
  const json = await tocsin([file, '--at', START, '--json'], env)
  assert.equal(json.err, '')
  assert.deepEqual(JSON.parse(json.out), expected)
  const piped = await tocsin(['-', '--at', START], env, body)
  assert.equal(piped.status, 0)
  assert.match(piped.out, /^ {2}passed {7}certificate\.signature: /m)
  assert.match(
    piped.out,
    /^ {4}key 0 \(sent as \d; start \d+, period 144\): valid: .*new: it is stored/m,
  )
  assert.match(piped.out, /^Reply: 200; 3 inserted; a revision token that covers 3$/m)
  for (const secret of secretsOf(body)) assert.ok(!piped.out.includes(secret))
  for (const args of [[], [file, '--at', 'noon'], [file, '--api', 'v2']])
    assert.equal((await tocsin(args, env)).status, 2, args.join(' '))
  assert.match((await tocsin([join(town.folder, 'none')], env)).err, /^tocsin: target_unreadable: /)

  const app = await buildApp(explainRoutes(explain), '0', createLogger('silent'))
  t.after(() => app.close())
  const post = (headers: Record<string, string>) =>
    app.inject({
      method: 'POST',
      url: '/explain-submission',
      headers: { 'content-type': 'application/json', ...headers },
      payload: Buffer.from(body),
    })
  const reply = await post({ 'tocsin-at': START })
  assert.deepEqual([reply.statusCode, reply.json()], [200, expected])
  assert.equal((await post({ 'tocsin-at': 'noon' })).statusCode, 400)
  assert.equal((await post({ 'tocsin-api': 'v2' })).statusCode, 400)
  assert.equal((await post({ 'content-type': 'text/plain' })).statusCode, 415)
  assert.deepEqual(await stateOf(town), before)
})

databaseTestOnce("requests are explained on the operator's port alone", async (database, t) => {
  const folder = await temporaryFolder(t)
  await using service = await startService(database.url, folder, { TOCSIN_OPERATOR_PORT: '0' })
  const request = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }
  assert.equal((await fetch(`${service.url}/explain-submission`, request)).status, 404)
  const response = await fetch(`${service.operatorUrl}/explain-submission`, request)
  assert.equal(response.status, 200)
  const { reply } = (await response.json()) as { reply: { code: string } }
  assert.equal(reply.code, 'unknown_health_authority_id')
})

async function tocsin(args: readonly string[], env: Record<string, string>, input?: Uint8Array) {
  const { PATH = '', HOME = '' } = process.env
  const command = [join(import.meta.dirname, '../bin/tocsin'), 'explain-submission', ...args]
  const child = spawn(process.execPath, command, { env: { PATH, HOME, ...env } })
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
  child.stdin.end(input)
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { status, out, err }
}
