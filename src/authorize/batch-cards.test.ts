import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cardsAs, describeSheet, type CardForm } from './batch-cards.ts'
import type { CodeBatch } from './batch-events.ts'
import { drawPaperCode } from './paper-code.ts'
import { REALM_DEFAULTS } from './realm-settings.ts'
import type { Realm } from './realms.ts'

const BATCH: CodeBatch = {
  id: '7K3M',
  realm: 'r',
  provider: 'lab',
  label: 'Ward 7',
  language: 'en',
  testType: 'confirmed',
  needsActivation: false,
  size: 240,
  expiresAt: Date.UTC(2026, 11, 24, 10) / 1000,
  handle: null,
}

const realmWith = (settings: Partial<Realm['settings']>): Realm => ({
  name: 'r',
  number: 1,
  issuer: 'i',
  audience: 'a',
  settings: { ...REALM_DEFAULTS, ...settings },
})

const WISHES = { text: '', paper: 'A4' } as const

test('a card says the last whole day, the name for people and where its code leads', () => {
  const code = '7K3M0123456789ABCDEF'
  const sheet = (settings: Partial<Realm['settings']>) =>
    describeSheet(BATCH, realmWith(settings), WISHES)
  assert.equal(sheet({}).expires, '2026-12-23')
  assert.equal(sheet({}).realmName, 'r')
  assert.equal(sheet({ displayName: 'Own' }).realmName, 'Own')
  assert.equal(sheet({}).link(code), code)
  assert.equal(sheet({ region: 'US-WA' }).link(code), `ens://v?r=US-WA&c=${code}`)
  assert.equal(sheet({ linkDomain: 'x.example' }).link(code), `https://x.example/v?c=${code}`)
})

test('while cards are made others get their turn, page by page', async () => {
  const codes = Array.from({ length: BATCH.size }, () => drawPaperCode(BATCH.id))
  for (const form of ['application/pdf', 'text/csv', 'application/json'] satisfies CardForm[]) {
    let turns = 0
    let isDone = false
    const count = () => {
      turns++
      if (!isDone) setImmediate(count)
    }
    setImmediate(count)
    let length = 0
    for await (const piece of cardsAs(form, BATCH, codes, realmWith({}), WISHES))
      length += (piece as Buffer).length
    isDone = true
    assert.ok(length > 1000)
    assert.ok(turns >= BATCH.size / 8, `${form}: ${turns} turns`)
  }
})
