// Test: following a feed over HTTP: each key once, only from files that are trusted, and never more than the limits from a hostile server.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { EXPORT_START, exportKey, makeExport, makeSigner } from '../../test/export-files.ts'
import { followFeed, type FeedEvent, type FeedState, type FollowOptions } from './follow-feed.ts'
import { VerificationError } from './verification-error.ts'

const signer = makeSigner()
const trustedKeys = [{ publicKey: signer.publicKey, keyId: '310', keyVersion: 'v1' }]

/** A server of files that the test puts there, and what was asked for. */
async function serve(t: TestContext, listener?: RequestListener) {
  const files = new Map<string, Uint8Array | string>()
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url ?? '')
    const body = files.get(request.url ?? '')
    if (listener !== undefined) listener(request, response)
    else response.writeHead(body === undefined ? 404 : 200).end(body)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return {
    files,
    asked,
    origin: `http://127.0.0.1:${port}`,
    index: `http://127.0.0.1:${port}/exports/us/index.txt`,
  }
}

/** The name and bytes of the hour's file with one key. */
function hourFile(hour: number, number = hour) {
  const start = EXPORT_START + hour * 3_600
  const header = { startTimestamp: start, endTimestamp: start + 3_600 }
  const bytes = makeExport({ signers: [signer], keys: [exportKey(number)], header })
  return { name: `us/${start}-${start + 3_600}-00001.zip`, bytes }
}

function putHours(files: Map<string, Uint8Array | string>, hours: readonly number[]): string[] {
  const made = hours.map((hour) => hourFile(hour))
  for (const { name, bytes } of made) files.set(`/exports/${name}`, bytes)
  const names = made.map(({ name }) => name)
  files.set('/exports/us/index.txt', names.join('\n'))
  return names
}

async function follow(options: Omit<FollowOptions, 'trustedKeys'> & Partial<FollowOptions>) {
  const events: FeedEvent[] = []
  for await (const event of followFeed({ trustedKeys, ...options })) events.push(event)
  const last = events.at(-1)
  assert.equal(last?.type, 'state')
  return {
    events,
    state: last?.type === 'state' ? last.state : assert.fail(),
    numbers: events.flatMap((event) => (event.type === 'key' ? [numberOf(event.key.keyData)] : [])),
    refused: events.flatMap((event) =>
      event.type === 'refused' ? [[event.file, event.error.code]] : [],
    ),
  }
}

const numberOf = (keyData: Uint8Array) => Buffer.from(keyData).readUInt32BE()

async function failsWith(options: Parameters<typeof follow>[0], code: string) {
  await assert.rejects(
    follow(options),
    (error: unknown) => error instanceof VerificationError && error.code === code,
    code,
  )
}

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

test('what a phone remembers does not grow beyond what the index lists', async (t) => {
  const { files, index } = await serve(t)
  putHours(files, [1, 2, 3])
  const { state } = await follow({ index })
  const names = putHours(files, [3])
  const later = await follow({ index, seen: state })
  assert.deepEqual(later.state.seen, names)
  putHours(files, [])
  assert.deepEqual((await follow({ index, seen: later.state })).state.seen, [])
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

test('a file that lies under the name of another is remarked on', async (t) => {
  const { files, index } = await serve(t)
  const [name = ''] = putHours(files, [1])
  files.set(`/exports/${name}`, hourFile(2).bytes)
  for (const [from, to] of [
    [/\d+-/, '1-'],
    [/-\d+-/, '-9999999999-'],
  ] as const) {
    const other = name.replace(from, to)
    files.set(`/exports/${other}`, hourFile(1).bytes)
    files.set('/exports/us/index.txt', `${String(files.get('/exports/us/index.txt'))}\n${other}`)
  }
  const { events } = await follow({ index })
  const findings = events.flatMap((event) => (event.type === 'file' ? event.export.findings : []))
  assert.deepEqual(
    findings.map(({ code }) => code),
    ['name_differs', 'name_differs', 'name_differs'],
  )
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

test('an index of a hostile server makes the client ask for nothing else', async (t) => {
  const { files, asked, index } = await serve(t)
  for (const line of ['../../etc/a.zip', 'http://127.0.0.1:1/a.zip', '//127.0.0.1:1/a.zip']) {
    files.set('/exports/us/index.txt', `us/1-2-00001.zip\n${line}`)
    asked.length = 0
    await failsWith({ index }, 'index_invalid')
    assert.deepEqual(asked, ['/exports/us/index.txt'])
  }
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
  assert.deepEqual(last, { type: 'state', state: { seen: [made[0]?.name] } })
})

test('whoever follows can stop at any time', async (t) => {
  const { index } = await serve(t, () => undefined)
  const stop = new AbortController()
  const running = follow({ index, signal: stop.signal })
  stop.abort(new Error('enough'))
  await assert.rejects(running, /enough/)
})

test('no more is read than the limits allow, whatever length a server declares', async (t) => {
  for (const declared of [true, false]) {
    let sent = 0
    const endless: RequestListener = (request, response) => {
      if (request.url?.endsWith('index.txt') && !declared) {
        response.end('us/1-2-00001.zip')
        return
      }
      response.writeHead(200, declared ? { 'content-length': 2 ** 31 } : {})
      const piece = Buffer.alloc(65_536)
      const push = () => {
        while (!response.destroyed && response.write(piece)) sent += piece.length
        sent += piece.length
      }
      response.on('drain', push)
      push()
    }
    const { index } = await serve(t, endless)
    const limits = { maxIndexBytes: 100_000, maxFileBytes: 100_000, timeoutMs: 5_000 }
    if (declared) await failsWith({ index, limits }, 'index_too_large')
    else
      assert.deepEqual((await follow({ index, limits })).refused, [
        ['us/1-2-00001.zip', 'file_too_large'],
      ])
    assert.ok(sent < 20_000_000, `${sent} bytes were sent`)
  }
})
