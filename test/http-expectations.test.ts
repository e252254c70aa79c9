// Test: what is expected of a server of published files, in test/http/*.txt, of ours and of nginx with the configuration that operators get.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { mkdir, symlink, utimes, writeFile } from 'node:fs/promises'
import type { NetConnectOpts } from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { PUBLIC_KINDS, publicKind } from '../src/distribute/public-paths.ts'
import { judge, parseExpectations, sendRaw, type Expectation } from './http-expectations.ts'
import { documentedServer, findNginx, startNginx } from './nginx.ts'
import { INDEX, KEY, LARGE, MODIFIED, publish, SMALL } from './served-files.ts'

const read = (file: string) => readFileSync(new URL(`../${file}`, import.meta.url), 'utf8')
const EXPECTATIONS = globSync('http/*.txt', { cwd: import.meta.dirname }).flatMap((file) =>
  parseExpectations(read(`test/${file.replaceAll('\\', '/')}`)),
)

test('our server does what is expected of a server of published files', async (t) => {
  const { port, ...fixture } = await prepare(t)
  await checkAll(t, 'ours', { host: '127.0.0.1', port }, fixture)
})

test('nginx with the configuration of deploy/ does the same', async (t) => {
  const nginx = findNginx()
  if (nginx === undefined) return t.skip('nginx is not installed')
  const { folder, root, ...fixture } = await prepare(t)
  // A socket needs no free port.
  const address = { path: join(folder, 'nginx.sock') }
  const server = documentedServer(root, `unix:${address.path}`)
  const child = await startNginx(nginx, folder, server, address)
  t.after(() => child.kill('SIGKILL'))
  await checkAll(t, 'nginx', address, fixture)
})

test('there are many expectations, each with a name of its own, and few of one server alone', () => {
  const titles = EXPECTATIONS.map(({ title }) => title)
  assert.equal(new Set(titles).size, titles.length)
  assert.ok(titles.length >= 40, `${titles.length} expectations`)
  const alone = EXPECTATIONS.filter(({ only }) => only !== undefined)
  assert.ok(alone.length * 3 < titles.length, `${alone.length} of one server alone`)
})

test('a reply that is not as expected is told, line by line', () => {
  const files = new Map([['a', Buffer.from('0123456789')]])
  const good = {
    status: 200,
    headers: new Map([['etag', '"x"']]),
    body: Buffer.from('0123456789'),
  }
  const problems = (lines: string, change: object = {}) => {
    const [expectation] = parseExpectations(`== a\n> GET / HTTP/1.1\n${lines}`)
    return judge(expectation as Expectation, { ...good, ...change }, files, 'secret').length
  }
  for (const line of ['200', '404|200', 'ETag: "x"', 'ETag: /"."/', 'no Allow', 'body file a'])
    assert.equal(problems(`< ${line}`), 0, line)
  for (const line of ['404', 'ETag: "y"', 'ETag: /"/', 'Allow: GET', 'no ETag', 'body empty'])
    assert.equal(problems(`< ${line}`), 1, line)
  assert.equal(problems('< body file a 0-3'), 1)
  assert.equal(problems('< body file a 0-3', { body: Buffer.from('0123') }), 0)
  assert.equal(problems('< body any', { body: Buffer.from('a secret') }), 1)
  assert.equal(problems('< 200', { headers: new Map([['content-length', '9']]) }), 1)
  for (const wrong of ['< bodyfile a', '< body fill a', '<404', 'nonsense', '< body file b'])
    assert.throws(() => problems(`< 200\n${wrong}`), wrong)
})

test('the page lists every kind of public file with its type and cache time, and none besides', () => {
  const rows = read('docs/serving.md')
    .split('\n')
    .filter((line) => line.startsWith('| `/'))
    .map((line) => [...line.matchAll(/\| `?([^|`]+)`? (?=\|)/g)].map((match) => match[1]?.trim()))
  const listed = rows.map(([path = '', type, cache, bytes]) => {
    const names = { stream: 'us', start: '100', end: '200', number: '00001' }
    const example = path.replace(/<(\w+)>/g, (_, name: keyof typeof names) => names[name])
    return [publicKind(example.slice(1)), type, cache, bytes === 'never change']
  })
  assert.deepEqual(
    listed,
    PUBLIC_KINDS.map((kind) => [kind, kind.contentType, kind.cacheControl, kind.immutable]),
  )
})

/** What both servers serve: published files, and beside them whatever must not be had. */
async function prepare(t: TestContext) {
  const published = await publish(t)
  const { folder, root } = published
  const secret = randomBytes(12).toString('hex')
  for (const path of [INDEX, KEY]) await utimes(join(root, path), MODIFIED, MODIFIED)
  await mkdir(join(folder, 'outside'))
  await mkdir(join(root, '.staging'), { recursive: true })
  for (const path of [
    'outside/index.txt',
    'public/.staging/index.txt',
    'public/.env',
    'public/exports/us/.hidden',
    'public/exports/us/index.txt~',
    'public/exports/us/secret.pem',
    'public/exports/index.txt',
  ])
    await writeFile(join(folder, path), secret)
  const outside = join(folder, 'outside')
  await symlink(outside, join(root, 'exports/linked'))
  await symlink(join(outside, 'index.txt'), join(root, 'exports/us/1-2-00001.zip'))
  await mkdir(join(root, 'exports/us/3-4-00001.zip'))
  return { ...published, secret }
}

async function checkAll(
  t: TestContext,
  server: string,
  to: NetConnectOpts,
  { files, secret }: { files: ReadonlyMap<string, Buffer>; secret: string },
): Promise<void> {
  const named = new Map([
    ['SMALL', SMALL],
    ['LARGE', LARGE],
    ['INDEX', INDEX],
    ['KEY', KEY],
  ])
  const tags = new Map<string, string>()
  for (const [name, path] of named) {
    const { headers } = await sendRaw(to, [`HEAD /${path} HTTP/1.1`])
    tags.set(name, headers.get('etag') ?? '')
  }
  const fill = (line: string) =>
    line
      .replace(/\{tag (\w+)\}/g, (_, name: string) => tags.get(name) ?? '')
      .replace(/\b(SMALL|LARGE|INDEX|KEY)\b/g, (name) => named.get(name) ?? '')
  for (const { only, ...expectation } of EXPECTATIONS) {
    if (only !== undefined && only.server !== server) continue
    await t.test(expectation.title, async () => {
      const reply = await sendRaw(to, expectation.request.map(fill))
      const filled = { ...expectation, reply: expectation.reply.map(fill) }
      assert.deepEqual(judge(filled, reply, files, secret), [])
    })
  }
}
