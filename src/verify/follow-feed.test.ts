// Test: following a feed over HTTP: each key once, oldest file first, and only from files that are trusted.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exportKey, makeExport, makeSigner } from '../../test/export-files.ts'
import {
  failsWith,
  follow,
  hourFile,
  numberOf,
  putHours,
  serve,
  signer,
  trustedKeys,
} from '../../test/served-feed.ts'
import type { FeedState } from './feed-state.ts'
import { followFeed, type FeedEvent } from './follow-feed.ts'
import { VerificationError } from './verification-error.ts'

test('a phone gets the keys of all files, oldest first, and afterwards only what is new', async (t) => {
  const { files, asked, index } = await serve(t)
  putHours(files, [3, 1, 2])
  const first = await follow({ index })
  assert.deepEqual(first.numbers, [1, 2, 3])
  const names = putHours(files, [1, 2, 3, 4])
  asked.length = 0
  const second = await follow({ index, seen: JSON.parse(JSON.stringify(first.state)) as FeedState })
  assert.deepEqual(second.numbers, [4])
  assert.deepEqual(asked, ['/exports/us/index.txt', `/exports/${names[3]}`])
  assert.deepEqual([...second.state.seen].sort(), [...names].sort())
  const third = await follow({ index, seen: second.state })
  assert.deepEqual(third.numbers, [])
})

test('a file that the index forgets for a while is not given again, and what a phone remembers is bounded', async (t) => {
  const { files, asked, index } = await serve(t)
  putHours(files, [1, 2, 3])
  const { state } = await follow({ index })
  putHours(files, [])
  const empty = await follow({ index, seen: state })
  putHours(files, [1, 2, 3])
  asked.length = 0
  assert.deepEqual((await follow({ index, seen: empty.state })).numbers, [])
  assert.deepEqual(asked, ['/exports/us/index.txt'])
  const many = Array.from({ length: 10_002 }, (_, number) => String(number))
  const names = putHours(files, [4])
  const later = await follow({ index, seen: { seen: many, given: many } })
  assert.deepEqual(later.state.seen, [...many.slice(3), ...names])
  assert.deepEqual(later.state.given?.slice(0, -1), many.slice(3))
})

test('a state of before, which has names only, still counts', async (t) => {
  const { files, index } = await serve(t)
  const [first = ''] = putHours(files, [1, 2])
  const { numbers, state } = await follow({ index, seen: { seen: [first] } })
  assert.deepEqual(numbers, [2])
  assert.equal(state.given?.length, 1)
})

test('a phone that stops in the midst goes on from the last state, and misses no key', async (t) => {
  const { files, index } = await serve(t)
  putHours(files, [1, 2, 3])
  let state: FeedState | undefined
  const got: number[] = []
  for await (const event of followFeed({ trustedKeys, index })) {
    if (event.type === 'key') got.push(numberOf(event.key.keyData))
    if (event.type === 'state') state = event.state
    // In the second file, before it is done.
    if (got.length === 2) break
  }
  assert.deepEqual((await follow({ index, seen: state })).numbers, [2, 3])
})

test('keys and revised keys are told apart, each with its file and before it', async (t) => {
  const { files, index } = await serve(t)
  const [name] = putHours(files, [0])
  const revisedKeys = [exportKey(5, { reportType: 5 })]
  files.set(
    `/exports/${name}`,
    makeExport({ signers: [signer], keys: [exportKey(1)], revisedKeys }),
  )
  const { events } = await follow({ index })
  assert.deepEqual(
    events.map(({ type }) => type),
    ['key', 'revisedKey', 'file', 'state', 'state'],
  )
  for (const event of events.slice(0, 3)) assert.equal('file' in event && event.file, name)
})

test('a file that is not believed gives no key, stops no other, and is tried again', async (t) => {
  const { files, index } = await serve(t)
  const [one, two, three, four] = putHours(files, [1, 2, 3, 4]) as [string, string, string, string]
  files.delete(`/exports/${one}`)
  files.set(`/exports/${two}`, makeExport({ signers: [makeSigner('x', 'y')] }))
  files.set(`/exports/${three}`, 'no zip')
  const { numbers, refused, state } = await follow({ index })
  assert.deepEqual(numbers, [4])
  assert.deepEqual(refused, [
    [one, 'file_missing'],
    [two, 'signature_not_trusted'],
    [three, 'zip_malformed'],
  ])
  assert.deepEqual(state.seen, [four])
  putHours(files, [1, 2, 3, 4])
  assert.deepEqual((await follow({ index, seen: state })).numbers, [1, 2, 3])
})

test('without a trusted key nothing is asked for', async (t) => {
  const { asked, index } = await serve(t)
  await failsWith({ index, trustedKeys: [] }, 'trusted_key_invalid')
  await failsWith({ index, trustedKeys: [{ publicKey: 'none' }] }, 'trusted_key_invalid')
  assert.deepEqual(asked, [])
})

test('an address that is none, or without an index, is an error', async (t) => {
  const { index, origin } = await serve(t)
  for (const address of ['', 'us/index.txt', 'file:///etc/index.txt', 'data:text/plain,a.zip'])
    await failsWith({ index: address }, 'index_invalid')
  await failsWith({ index }, 'file_missing')
  await failsWith({ index: `${origin.replace(/\d+$/, '1')}/us/index.txt` }, 'download_failed')
})

test('a server that redirects, fails or stays silent is an error that says nothing about files', async (t) => {
  const status = { code: 302 }
  const { asked, index } = await serve(t, (_, response) => {
    if (status.code !== 0) response.writeHead(status.code, { location: '/elsewhere' }).end()
  })
  for (status.code of [301, 302, 307, 500, 503]) {
    asked.length = 0
    await failsWith({ index }, 'download_failed')
    assert.deepEqual(asked, ['/exports/us/index.txt'])
  }
  status.code = 0
  await failsWith({ index, limits: { timeoutMs: 100 } }, 'download_failed')
})

test('a server that goes away in the midst of it leaves a state to go on from', async (t) => {
  const made = [hourFile(1), hourFile(2)]
  const { index } = await serve(t, (request, response) => {
    if (request.url?.endsWith('index.txt')) response.end(made.map(({ name }) => name).join('\n'))
    else if (request.url?.endsWith(made[0]?.name ?? '')) response.end(made[0]?.bytes)
    else response.destroy()
  })
  const events: FeedEvent[] = []
  await assert.rejects(
    async () => {
      for await (const event of followFeed({ trustedKeys, index })) events.push(event)
    },
    (error: unknown) => error instanceof VerificationError && error.code === 'download_failed',
  )
  const last = events.at(-1)
  assert.deepEqual(last?.type === 'state' && last.state.seen, [made[0]?.name])
})

test('whoever follows can stop at any time', async (t) => {
  const { index } = await serve(t, () => undefined)
  const stop = new AbortController()
  const running = follow({ index, signal: stop.signal })
  stop.abort(new Error('enough'))
  await assert.rejects(running, /enough/)
})
