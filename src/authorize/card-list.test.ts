// Test: the list for a print shop is CSV that every reader splits alike, and that no spreadsheet runs.

import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { writeCardList, type ListDescription } from './card-list.ts'

const CODE = 'B7QX0123456789ABCDEF'
const LIST: ListDescription = {
  realmName: 'Aldermoor Health',
  text: 'Questions? 0800 555 019',
  expires: '2026-12-25',
  link: (code) => `https://codes.aldermoor.example/v?c=${code}`,
}

async function list(count: number, changed: Partial<ListDescription>): Promise<string> {
  const sink = new PassThrough()
  const cards = Array.from({ length: count }, (_, index) => ({ code: CODE, number: index + 1 }))
  const [written] = await Promise.all([
    text(sink),
    writeCardList(cards, { ...LIST, ...changed }, sink),
  ])
  return written
}

test('a row has the number, the grouped code, the link, the date, the name and the text', async () => {
  assert.equal(
    await list(1, {}),
    'number,code,link,expires,realm,text\r\n' +
      `1,B7QX-0123-4567-89AB-CDEF,https://codes.aldermoor.example/v?c=${CODE},2026-12-25,Aldermoor Health,Questions? 0800 555 019\r\n`,
  )
})

test('commas, quotes and line breaks are quoted; other scripts stay as they are', async () => {
  const written = await list(1, { realmName: 'A "B", C', text: 'Ωμέγα\nзвук' })
  assert.ok(written.endsWith(',"A ""B"", C","Ωμέγα\nзвук"\r\n'), written)
})

for (const start of ['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', ' =1', '＝1', '|x', '%x', '\rx'])
  test(`${JSON.stringify(start)} is no formula`, async () => {
    const cell = (await list(1, { text: start })).split(',').at(-1) ?? ''
    assert.match(cell, /^"?'/)
  })

test('every card has its row, none more', async () => {
  for (const count of [0, 1, 499, 500, 501, 1_200]) {
    const rows = (await list(count, {})).split('\r\n')
    assert.equal(rows.length, count + 2)
    if (count > 0) assert.ok(rows.at(-2)?.startsWith(`${count},`))
  }
})
