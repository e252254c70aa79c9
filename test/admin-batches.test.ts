// Test: batches of cards and single codes over the admin API: in each form once and never again, and cards that work until they are invalidated.

import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { adminTest, BATCH, setByOperator, type AdminDesk, type AdminReply } from './admin-zone.ts'
import { codeRequest, countEvents, getToken, outcomeOf, someKeysHmac } from './authority-zone.ts'
import { readOrder } from './batch-zone.ts'
import { openPdf, readTexts } from './read-sheet.ts'

interface MadeBatch {
  readonly batch: { readonly id: string; readonly expiresAt: number }
  readonly cards: readonly {
    readonly number: number
    readonly code: string
    readonly link: string
  }[]
}

const textOf = ({ bytes }: AdminReply) => Buffer.from(bytes).toString()

async function make({ done }: AdminDesk, given: object = {}): Promise<MadeBatch> {
  return (await done(201, 'POST', 'batches', { ...BATCH, ...given })) as unknown as MadeBatch
}

/** What a phone gets for a card. */
async function report({ zone }: AdminDesk, code: string): Promise<string> {
  const verified = await zone.verify({ code })
  if (verified.status !== 200) return outcomeOf(verified)
  const { token } = verified.body
  return outcomeOf(await zone.certify({ token, ekeyhmac: someKeysHmac() }))
}

adminTest('a batch comes as PDF, CSV or JSON, and no code of it is anywhere else', async (desk) => {
  const { zone, call, done } = desk
  await setByOperator(desk, { linkDomain: 'en.example' })
  await done(200, 'PATCH', 'realm', { displayName: 'Aldermoor' })
  const codes: string[] = []

  const json = await make(desk, { life: 86_400 * 3, language: 'de' })
  assert.deepEqual(
    json.cards.map(({ number }) => number),
    Array.from({ length: 12 }, (_, index) => index + 1),
  )
  for (const { code, link } of json.cards)
    assert.equal(link, `https://en.example/v?c=${code.replaceAll('-', '')}`)
  codes.push(...json.cards.map(({ code }) => code))
  const { expiresAt } = json.batch
  assert.equal(expiresAt, Math.floor(desk.clock.now().getTime() / 1000) + 86_400 * 3)
  assert.ok(!('handle' in json.batch))

  const accept = (type: string) => ({ headers: { accept: type } })
  const words = 'Ask =at the desk'
  const csv = await call('POST', 'batches', {
    body: { ...BATCH, text: words, life: 86_400 * 3 },
    ...accept('text/html, Text/CSV;q=0.9, application/pdf'),
  })
  assert.equal(csv.status, 201)
  assert.equal(csv.headers.get('content-type'), 'text/csv; charset=utf-8')
  assert.equal(csv.headers.get('cache-control'), 'no-store')
  const [head, ...rows] = textOf(csv).trimEnd().split('\r\n')
  assert.equal(head, 'number,code,link,expires,realm,text')
  assert.equal(rows.length, 12)
  // Until the end of this day: it expires on the 28th, in the morning.
  assert.ok(
    rows.every((row) => row.endsWith(`,2026-11-27,Aldermoor,${words}`)),
    rows[0],
  )
  codes.push(...rows.map((row) => row.split(',')[1] ?? ''))

  const pdf = await call('POST', 'batches', {
    body: { ...BATCH, paper: 'letter', text: words },
    ...accept('application/pdf'),
  })
  assert.equal(pdf.headers.get('content-type'), 'application/pdf')
  const document = await openPdf(pdf.bytes)
  assert.equal(document.numPages, 2)
  const texts = (await Promise.all([1, 2].map((page) => readTexts(document, page)))).flat()
  await document.loadingTask.destroy()
  const printed = texts.filter((text) => /^(\w{4}-){4}\w{4}$/.test(text))
  assert.equal(printed.length, 12)
  assert.ok(texts.some((text) => text.includes('Ask =at')))
  codes.push(...printed)

  assert.equal(new Set(codes).size, 36)
  for (const code of [codes[0], codes[12], codes[24]])
    assert.equal(await report(desk, code?.toLowerCase() ?? ''), 'done', code)
  const dump = await zone.dump()
  for (const code of codes) {
    const plain = code.replaceAll('-', '')
    for (const text of [code, plain, Buffer.from(plain).toString('hex')])
      assert.ok(!dump.includes(text))
  }
  const listed = await done(200, 'GET', 'batches')
  const batches = listed['batches'] as Record<string, unknown>[]
  assert.deepEqual(
    batches.map(({ used, unused }) => [used, unused]),
    [
      [1, 11],
      [1, 11],
      [1, 11],
    ],
  )
  const one = await done(200, 'GET', `batches/${json.batch.id.toLowerCase()}`)
  assert.deepEqual(
    one,
    batches.find(({ id }) => id === json.batch.id),
  )
  assert.ok(!('handle' in one) && !('realm' in one))
})

adminTest('what can not be printed makes no batch, and a closed realm makes none', async (desk) => {
  const { zone, call, done } = desk
  // The day of the key's first use is noted.
  await done(200, 'GET', 'realm')
  const before = await zone.dump()
  const headers = { accept: 'application/pdf' }
  for (const [given, code] of [
    [{ text: 'x'.repeat(301) }, 'card_text_too_long'],
    [{ text: '\u{1F9A0}' }, 'card_text_unprintable'],
    [{ size: 10_001 }, 'batch_invalid'],
    [{ language: 'sw' }, 'batch_invalid'],
  ] as const) {
    const reply = await call('POST', 'batches', { body: { ...BATCH, ...given }, headers })
    assert.deepEqual([reply.status, reply.json['code']], [400, code])
  }
  assert.equal(await zone.dump(), before)
  await done(200, 'PATCH', 'realm', { maintenance: true })
  const closed = await call('POST', 'batches', { body: BATCH })
  assert.deepEqual([closed.status, closed.json['code']], [429, 'maintenance'])
  assert.equal(countEvents(await zone.dump(), 'batch.codes'), 0)
  await done(200, 'PATCH', 'realm', { maintenance: false })
  await make(desk)
})

adminTest('whoever goes away while the cards come hurts nobody', async (desk) => {
  const { zone, url, call, done } = desk
  const { hostname, port } = new URL(url)
  const body = JSON.stringify({ ...BATCH, size: 2000 })
  const socket = connect(Number(port), hostname)
  const lines = [
    'POST /api/v1/batches HTTP/1.1',
    'host: x',
    `x-api-key: ${zone.adminKey}`,
    'accept: application/pdf',
    'content-type: application/json',
    `content-length: ${body.length}`,
  ]
  socket.write(`${lines.join('\r\n')}\r\n\r\n${body}`)
  await new Promise((resolve) => socket.once('data', resolve))
  const waited = performance.now()
  await call('GET', 'realm')
  assert.ok(performance.now() - waited < 1000, 'others get their turn')
  socket.destroy()
  const [batch] = (await done(200, 'GET', 'batches'))['batches'] as { id: string; unused: number }[]
  assert.equal(batch?.unused, 2000)
  const invalidated = await done(200, 'POST', `batches/${batch?.id}/invalidate`, {
    retroactive: false,
  })
  assert.equal(invalidated['unused'], 2000)
})

adminTest('a laboratory activates cards', async (desk) => {
  const { done } = desk
  const { batch, cards } = await make(desk, { needsActivation: true })
  const code = cards[0]?.code ?? ''
  assert.equal(await report(desk, code), 'code_invalid')
  const dates = { testDate: '2026-11-24', symptomDate: '2026-11-20', tzOffset: 60 }
  const activated = await done(200, 'POST', 'codes/activate', {
    code: code.toLowerCase().replaceAll('-', ' '),
    ...dates,
  })
  assert.deepEqual(activated, {
    batch: batch.id,
    testDate: '2026-11-24',
    symptomDate: '2026-11-20',
    expiresAt: batch.expiresAt,
  })
  assert.equal(await report(desk, code), 'done')
  const used = await done(400, 'POST', 'codes/activate', { code, testDate: '2026-11-23' })
  assert.equal(used['code'], 'code_used')
  const { cards: free } = await make(desk)
  const needless = { code: free[0]?.code, testDate: '2026-11-24' }
  assert.equal((await done(409, 'POST', 'codes/activate', needless))['code'], 'activation_needless')
})

adminTest(
  'codes are invalidated one by one, by batch and by provider, after a look',
  async (desk) => {
    const { zone, clock, done } = desk
    const { batch, cards } = await make(desk)
    const codes = cards.map(({ code }) => code)
    assert.equal(await report(desk, codes[0] ?? ''), 'done')
    const all = { unused: 11, used: 1, handles: 1, certificates: 1, canWithdraw: true }
    const path = `batches/${batch.id}/invalidate`
    const before = await zone.dump()
    assert.deepEqual(await done(200, 'POST', path, { preview: true }), all)
    const looked = await zone.dump()
    assert.equal(countEvents(looked, 'looked-up'), countEvents(before, 'looked-up') + 1)
    assert.equal(countEvents(looked, 'codes.invalidated'), 0)

    const one = await done(200, 'POST', 'codes/invalidate', { code: codes[1], retroactive: false })
    assert.deepEqual([one['unused'], one['order']], [1, null])
    assert.equal(await report(desk, codes[1] ?? ''), 'code_invalid')
    assert.equal(await report(desk, codes[2] ?? ''), 'done')

    const whole = await done(200, 'POST', path, { retroactive: true })
    assert.deepEqual([whole['unused'], whole['used'], typeof whole['order']], [9, 2, 'string'])
    assert.equal(await report(desk, codes[3] ?? ''), 'code_invalid')
    const { orders, more } = await done(200, 'GET', 'withdrawal-orders')
    const madeAt = Math.floor(clock.now().getTime() / 1000)
    const today = madeAt - (madeAt % 86_400)
    assert.deepEqual(
      [orders, more],
      [
        [
          {
            id: whole['order'],
            madeAt,
            delivered: false,
            refusal: null,
            handles: 1,
            from: today,
            through: today,
          },
        ],
        false,
      ],
    )

    const shown = await done(200, 'GET', `withdrawal-orders/${String(whole['order'])}`)
    const { jws, ...told } = shown
    assert.deepEqual(told, (orders as unknown[])[0])
    const claims = await readOrder(desk, { jws: String(jws) })
    assert.deepEqual([claims.jti, claims['from']], [whole['order'], today])

    const issued = await zone.issue({ ...codeRequest(clock.now()), uuid: UUID })
    const byUuid = await done(200, 'POST', 'codes/invalidate', { uuid: UUID, preview: true })
    assert.equal(byUuid['unused'], 1)
    await done(200, 'POST', 'codes/invalidate', { uuid: UUID, retroactive: false })
    assert.equal(await report(desk, String(issued.body['code'])), 'code_invalid')
    await getToken(zone)

    const other = await make(desk)
    const provider = 'providers/lab/invalidate-codes'
    const preview = await done(200, 'POST', provider, { preview: true })
    assert.deepEqual([preview['unused'], preview['used']], [12, 2])
    await done(200, 'POST', provider, { retroactive: false })
    assert.equal(await report(desk, other.cards[0]?.code ?? ''), 'code_invalid')
  },
)

const UUID = '01234567-89ab-cdef-0123-456789abcdef'
