// Test: work that is shared by all who ask at once, and by nobody who asks later.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { shareRuns } from './share-runs.ts'

/** Runs that end when the test says so. */
function controlled() {
  const begun: { key: string; end: (error?: Error) => void }[] = []
  const ask = shareRuns<number>(
    (key) =>
      new Promise((resolve, reject) => {
        const number = begun.length
        begun.push({ key, end: (error) => (error ? reject(error) : resolve(number)) })
      }),
  )
  return { begun, ask }
}

test('whoever asks while a run is under way gets the next one, all of them the same', async () => {
  const { begun, ask } = controlled()
  const first = ask('a')
  const later = [ask('a'), ask('a'), ask('a')]
  assert.equal(begun.length, 1)
  begun[0]?.end()
  assert.equal(await first, 0)
  assert.equal(begun.length, 2)
  const last = ask('a')
  begun[1]?.end()
  assert.deepEqual(await Promise.all(later), [1, 1, 1])
  begun[2]?.end()
  assert.equal(await last, 2)
  const afterwards = ask('a')
  begun[3]?.end()
  assert.equal(await afterwards, 3)
})

test('one key waits for no other', async () => {
  const { begun, ask } = controlled()
  const answers = [ask('a'), ask('b')]
  assert.deepEqual(
    begun.map(({ key }) => key),
    ['a', 'b'],
  )
  for (const { end } of begun) end()
  assert.deepEqual(await Promise.all(answers), [0, 1])
})

test('a run that fails is told to those who share it, and to nobody else', async () => {
  const { begun, ask } = controlled()
  const first = ask('a')
  const second = ask('a')
  begun[0]?.end(new Error('once'))
  await assert.rejects(first, /once/)
  begun[1]?.end()
  assert.equal(await second, 1)
})
