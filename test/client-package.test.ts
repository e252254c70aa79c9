// Test: the two packages that are published: the client runs in a browser and needs nothing, the server brings what it needs.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { createContext, runInContext } from 'node:vm'
import { build, type BuildOptions } from 'esbuild'
import { deriveIdentifiers } from '../src/format/gaen-derivation.ts'
import { loadSigner, makeSigningKey } from '../src/publish/signer.ts'
import { buildExport } from './build-export.ts'
import { EXPORT_DAY, EXPORT_START, exportKey } from './export-files.ts'

const ROOT = join(import.meta.dirname, '..')
const run = promisify(execFile)

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tocsin-packages-'))
  await run(process.execPath, [join(ROOT, 'scripts/build.ts'), '--out', join(folder, 'built')])
})
after(() => rm(folder, { recursive: true, force: true }))

/** Packs a built package, and unpacks it where a project would have it. @returns the files that it holds */
async function install(name: string, project: string): Promise<string[]> {
  const packed = join(folder, `packed-${project}`)
  const modules = join(folder, project, 'node_modules')
  await Promise.all([packed, join(modules, name)].map((each) => mkdir(each, { recursive: true })))
  const { stdout } = await run(
    'npm',
    ['pack', '--json', '--offline', '--ignore-scripts', '--pack-destination', packed],
    { cwd: join(folder, 'built', name) },
  )
  const [report] = Object.values(
    JSON.parse(stdout) as Record<string, { filename: string; files: { path: string }[] }>,
  )
  const tarball = join(packed, report?.filename ?? '')
  await run('tar', ['-xzf', tarball, '-C', join(modules, name), '--strip-components=1'])
  return report?.files.map(({ path }) => path) ?? []
}

/** A file that the server's encoder made, with the key that it is trusted by. */
async function publishFile(): Promise<{
  zip: Uint8Array
  publicKey: string
  path: string
  keyPath: string
}> {
  const made = await mkdtemp(join(folder, 'published-'))
  const path = join(made, `${EXPORT_START}-${EXPORT_START + 3_600}-00001.zip`)
  const publicKey = await makeSigningKey(join(made, 'signing.pem'))
  const signer = await loadSigner(join(made, 'signing.pem'))
  await buildExport(
    {
      start: EXPORT_START,
      end: EXPORT_START + 3_600,
      region: 'US',
      keys: [{ keyId: '310', keyVersion: 'v1' }],
    },
    (async function* () {
      yield [exportKey(1), exportKey(2)]
    })(),
    (digest) => signer.sign(digest),
    path,
  )
  await writeFile(join(made, 'key.pem'), publicKey)
  return {
    zip: new Uint8Array(await readFile(path)),
    publicKey,
    path,
    keyPath: join(made, 'key.pem'),
  }
}

/** What an app does with a file; runs wherever the client does. @returns the numbers of the keys that were near */
const USE = `async ({ createMatcher, verifyExport }, zip, publicKey, heard) => {
  const matcher = createMatcher(heard)
  const verified = await verifyExport(zip, [{ publicKey, keyId: '310', keyVersion: 'v1' }])
  const near = []
  for (const { key } of verified.entries())
    if (matcher.match(key).length > 0) near.push(key.keyData[3])
  const changed = zip.slice()
  changed[60] ^= 1
  const code = await verifyExport(changed, [{ publicKey }]).then(() => 'valid', (error) => error.code)
  return JSON.stringify({ keys: verified.keys, near, code })
}`
const USED = { keys: 2, near: [2], code: 'zip_malformed' }

function hearKey2() {
  const interval = EXPORT_DAY + 7
  return [{ identifier: deriveIdentifiers(exportKey(2).keyData, interval, 1), interval }]
}

async function bundle(
  platform: 'browser' | 'node',
  project: string,
  options: Pick<BuildOptions, 'format' | 'globalName'>,
) {
  const { metafile, outputFiles } = await build({
    stdin: { contents: `export * from 'tocsin-client'`, resolveDir: join(folder, project) },
    bundle: true,
    write: false,
    metafile: true,
    platform,
    ...options,
  })
  const inputs = Object.keys(metafile.inputs).map((path) => path.replace(/^.*tocsin-client\//, ''))
  return { code: outputFiles?.[0]?.text ?? '', inputs }
}

test('the client package holds format and verify, and depends on nothing', async () => {
  const files = await install('tocsin-client', 'client-files')
  const json = JSON.parse(
    await readFile(join(folder, 'client-files/node_modules/tocsin-client/package.json'), 'utf8'),
  ) as Record<string, unknown>
  for (const field of ['dependencies', 'optionalDependencies', 'peerDependencies', 'scripts'])
    assert.equal(json[field], undefined, field)
  const others = files.filter((file) => !/^(format|verify)\/[a-z0-9.-]+\.(js|d\.ts)$/.test(file))
  assert.deepEqual(others.sort(), ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'])
  assert.ok(files.includes('verify/client.js') && files.includes('format/gaen-export.d.ts'))
  assert.deepEqual(
    files.filter((file) => file.includes('test')),
    [],
  )
})

test('a browser bundle of the client has nothing of Node.js, and verifies a file of the server', async () => {
  await install('tocsin-client', 'browser')
  const { code, inputs } = await bundle('browser', 'browser', {
    format: 'iife',
    globalName: 'client',
  })
  assert.ok(inputs.includes('format/digest.js') && !inputs.includes('format/digest.node.js'))
  for (const name of [
    /node:/,
    /\bBuffer\b/,
    /\bprocess\b/,
    /\brequire\b/,
    /\b__dirname\b/,
    /\bsetImmediate\b/,
  ])
    assert.doesNotMatch(code, name)
  // What browsers have, and nothing else.
  const { crypto, fetch, URL, TextEncoder, TextDecoder, AbortSignal } = globalThis
  const web = { crypto, fetch, URL, TextEncoder, TextDecoder, AbortSignal }
  const context = createContext({ ...web, Uint8Array })
  const use = runInContext(`${code}; (...given) => (${USE})(client, ...given)`, context) as (
    ...given: unknown[]
  ) => Promise<string>
  const { zip, publicKey } = await publishFile()
  assert.deepEqual(JSON.parse(await use(zip, publicKey, hearKey2())), USED)
})

test('on Node.js the client takes what is faster there, and does the same', async () => {
  await install('tocsin-client', 'node')
  const { inputs } = await bundle('node', 'node', { format: 'esm' })
  assert.ok(inputs.includes('format/digest.node.js') && !inputs.includes('format/digest.js'))
  const { path, publicKey } = await publishFile()
  const heard = hearKey2().map(({ identifier, interval }) => ({
    identifier: [...identifier],
    interval,
  }))
  const script = `
    import { readFile } from 'node:fs/promises'
    import * as client from 'tocsin-client'
    import { decodeExport } from 'tocsin-client/format/gaen-export'
    const [path, publicKey, heard] = JSON.parse(process.argv[2])
    for (const each of heard) each.identifier = Uint8Array.from(each.identifier)
    if (typeof decodeExport !== 'function') throw new Error('no formats')
    console.log(await (${USE})(client, new Uint8Array(await readFile(path)), publicKey, heard))`
  await writeFile(join(folder, 'node/use.mjs'), script)
  const { stdout } = await run(
    process.execPath,
    ['use.mjs', JSON.stringify([path, publicKey, heard])],
    {
      cwd: join(folder, 'node'),
    },
  )
  assert.deepEqual(JSON.parse(stdout), USED)
})

test('the types of the client are enough for an app that knows browsers only', async () => {
  await install('tocsin-client', 'types')
  const app = `
    import { createMatcher, followFeed, verifyExport, type FeedState } from 'tocsin-client'
    import { decodeExport } from 'tocsin-client/format/gaen-export'
    let seen: FeedState | undefined
    const matcher = createMatcher([{ identifier: new Uint8Array(16), interval: 1, name: 'rssi' }])
    export async function look(trustedKeys: { publicKey: string }[]): Promise<string[]> {
      const names: string[] = []
      for await (const event of followFeed({ index: 'https://example.org/us/index.txt', trustedKeys, seen })) {
        if (event.type === 'key') names.push(...matcher.match(event.key).map((each) => each.observed.name))
        if (event.type === 'state') seen = event.state
      }
      return names
    }
    // @ts-expect-error trusted keys are required
    void verifyExport(new Uint8Array())
    // @ts-expect-error an export is bytes
    decodeExport('text')`
  await writeFile(join(folder, 'types/app.ts'), app)
  await writeFile(join(folder, 'types/package.json'), '{"type":"module"}')
  const lib = 'es2022,dom,dom.asynciterable'
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
  const args = [
    '--noEmit',
    '--strict',
    '--target',
    'es2022',
    '--lib',
    lib,
    '--types',
    '',
    '--module',
    'nodenext',
  ]
  const { stdout } = await run(process.execPath, [tsc, ...args, 'app.ts'], {
    cwd: join(folder, 'types'),
  }).catch((error: { stdout: string }) => error)
  assert.equal(stdout, '')
})

test('the server package runs from where it was installed, without its sources', async () => {
  const files = await install('tocsin', 'server')
  for (const file of [
    'bin/tocsin',
    'dist/main.js',
    'dist/main.d.ts',
    'package.json',
    'LICENSE',
    'README.md',
  ])
    assert.ok(files.includes(file), file)
  assert.ok(
    files.some((file) => /^migrations\/0001-.*\.sql$/.test(file)),
    'migrations',
  )
  assert.ok(
    files.some((file) => file.startsWith('docs/')),
    'docs',
  )
  assert.deepEqual(
    files.filter((file) => /^(src|test|bench|scripts|node_modules)\/|\.test\./.test(file)),
    [],
  )
  const installed = join(folder, 'server/node_modules/tocsin')
  await symlink(join(ROOT, 'node_modules'), join(installed, 'node_modules'))
  const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
    version: string
  }
  const tocsin = (...args: string[]) => run(join(installed, 'bin/tocsin'), args, { cwd: folder })
  assert.equal((await tocsin('--version')).stdout, `${version}\n`)
  const { path, keyPath } = await publishFile()
  const { stdout } = await tocsin('verify', path, '--key', keyPath, '--key-id', '310', '--json')
  const { verdict, keys } = JSON.parse(stdout) as Record<string, unknown>
  assert.deepEqual({ verdict, keys }, { verdict: 'valid', keys: 2 })
  const { commandName } = (await import(
    pathToFileURL(join(installed, 'dist/cli/command.js')).href
  )) as { commandName: () => string }
  assert.equal(commandName(), 'npx tocsin')
})

test('building again gives the same packages', async () => {
  const digest = async (out: string) => {
    const { stdout } = await run(
      'npm',
      ['pack', '--json', '--offline', '--ignore-scripts', '--dry-run'],
      {
        cwd: join(folder, out, 'tocsin-client'),
      },
    )
    return createHash('sha256').update(stdout).digest('hex')
  }
  const args = ['--out', join(folder, 'again'), '--only', 'tocsin-client']
  await run(process.execPath, [join(ROOT, 'scripts/build.ts'), ...args])
  assert.equal(await digest('again'), await digest('built'))
})
