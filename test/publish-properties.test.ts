// Test: what holds for any upload, over HTTP: the order of keys means nothing, one changed bit of what is certified is refused, and no input is a fault of the server.

import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { makePhone, rows, serviceTests, type Body } from './publish-corpus/phone.ts'
import { makePool, makeRequest } from './publish-corpus/request.ts'
import { CURRENT, DAY, daysAgo, type KeyChange, type Members } from './publish-corpus/row.ts'
import { exchange, type Corpus } from './publish-corpus/run-row.ts'

const tests: { readonly name: string; readonly body: Body }[] = []
const property = (name: string, body: Body) => tests.push({ name, body })

const CONTENT = `select rolling_start, rolling_period, transmission_risk, report_type, days_since_onset, available
  from diagnosis_key where key_data = $keys order by key_data`

/** Keys side by side, at most three of one start, now and then a bad one. */
const someKeys = fc
  .array(
    fc.record({
      length: fc.integer({ min: 1, max: DAY }),
      gap: fc.constantFrom(0, 0, 1, 100),
      twins: fc.integer({ min: 1, max: 3 }),
      risk: fc.integer({ min: -1, max: 9 }),
      period: fc.constantFrom(undefined, 0, 145),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .map((days) => {
    let end = CURRENT + 5
    return days.flatMap(({ length, gap, twins, risk, period }): KeyChange[] => {
      end -= gap + length
      return Array.from({ length: twins }, () => ({
        rollingStartNumber: end,
        rollingPeriod: period ?? length,
        transmissionRisk: risk,
      }))
    })
  })
  .map((keys) => keys.map((key, of) => ({ ...key, of })))
  .chain((keys) =>
    fc.tuple(fc.constant(keys), fc.shuffledSubarray(keys, { minLength: keys.length })),
  )

property(
  'any keys in any order come to the same reply and the same stored state',
  async (corpus) => {
    let stored = 0
    await fc.assert(
      fc.asyncProperty(someKeys, async ([keys, shuffled]) => {
        const verdicts = []
        for (const sent of [keys, shuffled]) {
          const phone = makePhone(corpus)
          const { status, body } = await phone.upload({ keys: sent })
          const { padding: _, revisionToken, ...fields } = body ?? {}
          const content = await rows(corpus, phone.pool, CONTENT)
          stored += content.length
          verdicts.push({ status, hasToken: revisionToken !== undefined, fields, content })
        }
        assert.deepEqual(verdicts[1], verdicts[0])
      }),
      { numRuns: 60 },
    )
    assert.ok(stored > 100, `${stored} keys were stored: not all were refused`)
  },
)

/** A request whose parts can be changed one by one. */
function certified(corpus: Corpus) {
  const phone = makePhone(corpus)
  const sent = phone.make({ keys: [{ transmissionRisk: 3 }, {}] })
  const fields = JSON.parse(Buffer.from(sent.body).toString()) as Record<string, unknown>
  const keys = fields['temporaryExposureKeys'] as Record<string, unknown>[]
  return { phone, sent, fields, keys }
}

function flip(bytes: Uint8Array, bit: number): Buffer {
  const changed = Buffer.from(bytes)
  const at = (bit >> 3) % changed.length
  changed[at] = (changed[at] ?? 0) ^ (1 << (bit & 7))
  return changed
}

const anyBit = fc.nat({ max: 1_000_000 })

/** Sends the request with some fields changed, of which none may be believed. */
async function mustBeRefused(
  corpus: Corpus,
  change: (request: ReturnType<typeof certified>) => Members,
) {
  const request = certified(corpus)
  const body = Buffer.from(JSON.stringify({ ...request.fields, ...change(request) }))
  const reply = await exchange(corpus, { ...request.sent, body })
  assert.equal(reply.status, 401, JSON.stringify(reply.body?.['error']))
  assert.deepEqual(await rows(corpus, request.phone.pool, CONTENT), [], 'nothing is stored')
  // What was refused is no hindrance: the good request is taken.
  assert.equal((await exchange(corpus, request.sent)).status, 200)
}

const parts = (fields: Members) => String(fields['verificationPayload']).split('.')

property('a certificate with one bit changed is refused, whichever bit', async (corpus) => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(0, 1, 2), anyBit, async (which, bit) =>
      mustBeRefused(corpus, ({ fields }) => {
        const changed = parts(fields)
        const bytes = Buffer.from(changed[which] ?? '', 'base64url')
        changed[which] = flip(bytes, bit).toString('base64url')
        return { verificationPayload: changed.join('.') }
      }),
    ),
    { numRuns: 60 },
  )
  // The text itself, too: what is signed is text, not what it decodes to.
  await fc.assert(
    fc.asyncProperty(anyBit, async (bit) =>
      mustBeRefused(corpus, ({ fields }) => {
        const [header = '', payload = '', signature = ''] = parts(fields)
        const changed = flip(Buffer.from(`${header}.${payload}`), bit).toString('latin1')
        return { verificationPayload: `${changed}.${signature}` }
      }),
    ),
    { numRuns: 60 },
  )
})

property('a key with one bit changed is refused, its numbers included', async (corpus) => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(0, 1), anyBit, async (which, bit) =>
      mustBeRefused(corpus, ({ keys }) => {
        const changed = keys.map((key) => ({ ...key }))
        const key = changed[which] ?? {}
        key['key'] = flip(Buffer.from(String(key['key']), 'base64'), bit).toString('base64')
        return { temporaryExposureKeys: changed }
      }),
    ),
    { numRuns: 40 },
  )
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(0, 1),
      fc.constantFrom('rollingStartNumber', 'rollingPeriod', 'transmissionRisk'),
      fc.nat({ max: 30 }),
      async (which, name, bit) =>
        mustBeRefused(corpus, ({ keys }) => {
          const changed = keys.map((key) => ({ ...key }))
          const key = changed[which] ?? {}
          key[name] = Number(key[name]) ^ (1 << bit)
          return { temporaryExposureKeys: changed }
        }),
    ),
    { numRuns: 40 },
  )
})

property('an HMAC key with one bit changed is refused', async (corpus) => {
  await fc.assert(
    fc.asyncProperty(anyBit, async (bit) =>
      mustBeRefused(corpus, ({ fields }) => ({
        hmacKey: flip(Buffer.from(String(fields['hmacKey']), 'base64'), bit).toString('base64'),
      })),
    ),
    { numRuns: 40 },
  )
})

const NAMES = [
  'temporaryExposureKeys',
  'healthAuthorityID',
  'verificationPayload',
  'hmacKey',
  'symptomOnsetInterval',
  'traveler',
  'revisionToken',
  'padding',
]
const KEY_NAMES = ['key', 'rollingStartNumber', 'rollingPeriod', 'transmissionRisk']

const anyValue = fc.oneof(
  fc.jsonValue(),
  fc.string({ unit: 'binary' }),
  fc.integer(),
  fc.double({ noDefaultInfinity: true, noNaN: true }),
)
const someMembers = (names: readonly string[]) =>
  fc.dictionary(fc.constantFrom(...names), anyValue, { maxKeys: 3, noNullPrototype: true })

/** Statuses of a request that is bad or good, but no fault of the server. */
const HARMLESS = [200, 400, 401, 413, 415]

property('no input is a fault of the server', async (corpus) => {
  const seen = new Set<number>()
  const check = async (body: Uint8Array, contentType = 'application/json') => {
    const headers = { 'content-type': contentType }
    const reply = await exchange(corpus, { method: 'POST', headers, body, chunked: false })
    assert.ok(HARMLESS.includes(reply.status), `${reply.status}: ${String(reply.body?.['error'])}`)
    seen.add(reply.status)
  }
  const authority = corpus.authorities.get('org.example.health')
  assert.ok(authority)
  // Certified keys with members of any kind: what the HMAC covers is what was sent, so that the rules behind it are reached.
  const someNumbers = fc.record(
    {
      rollingStartNumber: fc.oneof(
        fc.integer(),
        fc.integer({ min: daysAgo(20), max: CURRENT + 2 }),
      ),
      rollingPeriod: fc.oneof(fc.integer(), fc.integer({ min: 0, max: 145 })),
      transmissionRisk: fc.oneof(fc.integer(), fc.integer({ min: -1, max: 9 })),
      key: fc.option(fc.string({ unit: 'grapheme-ascii', maxLength: 30 }), { nil: undefined }),
    },
    { requiredKeys: [], noNullPrototype: true },
  )
  const sender = () => ({ authority, pool: makePool(), tokens: [] })
  await fc.assert(
    fc.asyncProperty(
      fc.array(someNumbers, { maxLength: 32 }),
      fc.integer(),
      async (keys, symptomOnsetInterval) => {
        const change = { keys: keys as KeyChange[], fields: { symptomOnsetInterval } }
        await check(makeRequest(change, sender()).body)
      },
    ),
    { numRuns: 80 },
  )
  await fc.assert(
    fc.asyncProperty(
      someMembers(NAMES),
      fc.array(someMembers(KEY_NAMES), { maxLength: 3 }),
      someMembers(['iss', 'aud', 'exp', 'nbf', 'iat', 'reportType', 'tekmac', 'issuerHandle']),
      async (fields, keys, claims) => check(makeRequest({ keys, fields, claims }, sender()).body),
    ),
    { numRuns: 80 },
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(anyBit, fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 5 }),
      async (changes) => {
        const body = Buffer.from(makeRequest({}, sender()).body)
        for (const [at, byte] of changes) body[at % body.length] = byte
        await check(body)
      },
    ),
    { numRuns: 80 },
  )
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), (body) => check(body)),
    { numRuns: 30 },
  )
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 30 }),
      (contentType) =>
        check(makeRequest({}, sender()).body, contentType.replaceAll(/[^!-~ ]/g, 'x')),
    ),
    { numRuns: 30 },
  )
  assert.deepEqual(
    [...seen].sort((a, b) => a - b),
    [200, 400, 401, 415],
    'many ways were gone',
  )
})

serviceTests('properties of any upload', tests)
