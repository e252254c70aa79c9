// Test: what the clients of ct-diag-server send and expect, against the whole service: their example program, and curl as their manual has it.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { request, type IncomingHttpHeaders } from 'node:http'
import { addStream, listStreams } from '../src/publish/streams.ts'
import { record, settingsOf } from './ctdiag-uploader.ts'
import { databaseTestOnce } from './database.ts'
import { startService, type RunningService } from './running-service.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** What the library of their example program sends with each request. */
const PROGRAM = { 'user-agent': 'Go-http-client/1.1', 'accept-encoding': 'gzip' }
const CURL = { 'user-agent': 'curl/7.70.0', accept: '*/*' }
/** What curl says of any data. */
const FORM = { 'content-type': 'application/x-www-form-urlencoded' }

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** Sends exactly these headers, those of the connection aside. @param isChunked whether the length of the body is left open */
function send(
  { url }: RunningService,
  method: string,
  target: string,
  headers: Readonly<Record<string, string>>,
  body?: Buffer,
  isChunked = false,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const length = body === undefined || isChunked ? {} : { 'content-length': body.length }
    const sent = request(url + target, { method, headers: { ...headers, ...length } }, (reply) => {
      const pieces: Buffer[] = []
      reply.on('data', (piece: Buffer) => pieces.push(piece))
      reply.on('error', reject)
      reply.on('end', () =>
        resolve({
          status: reply.statusCode ?? 0,
          headers: reply.headers,
          body: Buffer.concat(pieces),
        }),
      )
    })
    sent.on('error', reject)
    if (isChunked) sent.write(body)
    sent.end(isChunked ? undefined : body)
  })
}

/** Adds the stream that is served to these clients, and one upload's window is published whatever its size. */
async function addList({ zones, clock }: RunningService): Promise<void> {
  const { db, writer } = zones.key
  const [demo] = await listStreams(db)
  const stream = {
    name: 'ctdiag',
    kind: 'ctdiag',
    region: 'DEMO',
    period: 3600,
    hold: 0,
    minimum: 0,
    keys: demo?.keys ?? [],
  }
  await db.transaction((tx) => addStream(tx, writer, stream, clock.now()))
}

databaseTestOnce('a client of ct-diag-server finds what it expects', async (database, t) => {
  await using service = await startService(
    database.url,
    await temporaryFolder(t),
    settingsOf('none'),
  )
  await addList(service)
  const { clock } = service
  const publish = async () => {
    clock.advance(3600)
    await service.publishDue()
  }
  const isEmpty = ({ status, headers, body }: Answer) =>
    assert.deepEqual([status, headers['content-length'], body.length], [200, '0', 0])
  const isStored = ({ status, headers, body }: Answer) => {
    assert.equal(`${status} ${body.toString().trim()}`, '200 OK')
    assert.match(headers['content-type'] ?? '', /^text\/plain/)
  }
  const list = (headers: Record<string, string> = CURL, query = '', method = 'GET') =>
    send(service, method, `/diagnosis-keys${query}`, headers)

  isEmpty(await list(PROGRAM))

  // Their program numbers a day's interval by the hour at which it runs, says nothing of the content, and sets no risk.
  const interval = Math.floor(clock.now().getTime() / 600_000)
  const first = Array.from({ length: 14 }, (_, day) => record(interval - 144 * (day + 1), 0))
  isStored(await send(service, 'POST', '/diagnosis-keys', PROGRAM, Buffer.concat(first)))
  // curl --data-binary @file, and from a pipe, whose length it does not know.
  const second = [record(interval - 144, 1), record(interval - 288, 8)]
  const form = { ...CURL, ...FORM }
  isStored(await send(service, 'POST', '/diagnosis-keys', form, Buffer.concat(second)))
  isStored(await send(service, 'POST', '/diagnosis-keys', form, Buffer.concat(second), true))
  for (const wrong of [
    Buffer.alloc(0),
    first[0]?.subarray(0, 20),
    Buffer.concat([...first, ...second]),
  ]) {
    const { status, headers } = await send(service, 'POST', '/diagnosis-keys', CURL, wrong)
    assert.equal(status, 400)
    assert.match(headers['content-type'] ?? '', /^text\/plain/)
  }

  await publish()
  const whole = await list(PROGRAM)
  assert.equal(whole.status, 200)
  assert.equal(whole.headers['content-type'], 'application/octet-stream')
  assert.equal(whole.headers['content-encoding'], undefined)
  assert.equal(whole.headers['content-length'], String(16 * 21))
  assert.equal(whole.headers['cache-control'], 'public, max-age=0, s-maxage=600')
  assert.equal(whole.headers['x-content-type-options'], 'nosniff')
  const recordsIn = (body: Buffer) =>
    Array.from({ length: body.length / 21 }, (_, at) => body.toString('hex', at * 21, at * 21 + 21))
  const uploaded = [...first, ...second].map((each) => each.toString('hex'))
  assert.deepEqual(recordsIn(whole.body).sort(), uploaded.sort(), 'each record as it was sent')

  // curl -C -, -z and -I.
  const resumed = await list({ ...CURL, range: 'bytes=100-' })
  assert.equal(resumed.status, 206)
  assert.equal(resumed.headers['content-range'], `bytes 100-335/336`)
  assert.deepEqual(resumed.body, whole.body.subarray(100))
  const modified = whole.headers['last-modified'] ?? ''
  assert.ok(!Number.isNaN(Date.parse(modified)))
  assert.equal((await list({ ...CURL, 'if-modified-since': modified })).status, 304)
  const head = await list(CURL, '', 'HEAD')
  assert.deepEqual(
    [head.status, head.headers['content-length'], head.body.length],
    [200, whole.headers['content-length'], 0],
  )

  const last = whole.body.toString('hex', whole.body.length - 21, whole.body.length - 5)
  isEmpty(await list(CURL, `?after=${last}`))
  const third = [record(interval - 432, 3)]
  isStored(
    await send(
      service,
      'POST',
      '/diagnosis-keys',
      form,
      Buffer.concat([...first, ...third].slice(1)),
    ),
  )
  await publish()
  const news = await list(CURL, `?after=${last.toUpperCase()}`)
  assert.deepEqual(
    recordsIn(news.body),
    third.map((each) => each.toString('hex')),
    'what is new, and no duplicate',
  )
  for (const everything of ['?after=', `?after=${'0'.repeat(32)}`, '?since=1'])
    assert.equal((await list(CURL, everything)).headers['content-length'], String(17 * 21))
  assert.equal((await list(CURL, '?after=xyz')).status, 400)
  // Here theirs would give an empty list for ever.
  assert.equal((await list(CURL, `?after=${randomBytes(16).toString('hex')}`)).status, 410)

  const health = await send(service, 'GET', '/health', { ...CURL, accept: 'text/plain' })
  assert.equal(`${health.status} ${health.body.toString().trim()}`, '200 OK')
  const config = await send(service, 'GET', '/exposure-config', CURL)
  assert.equal(config.status, 200)
  assert.ok('minimumRiskScore' in (JSON.parse(config.body.toString()) as object))
})
