// Test: what a start leaves in memory; code that few need is loaded by who needs it.

import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { databaseTestOnce } from './database.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** Tells at its end which packages the process loaded, and which parts of Node.js. */
const WITNESS = `
import { registerHooks } from 'node:module'
import { writeFileSync } from 'node:fs'
const packages = new Set()
registerHooks({
  load(url, context, next) {
    const name = /.*node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url)?.[1]
    if (name !== undefined) packages.add(name)
    return next(url, context)
  },
})
process.once('exit', () =>
  writeFileSync(process.env.WITNESSED, JSON.stringify({ packages: [...packages], builtin: process.moduleLoadList })),
)
`

databaseTestOnce(
  'a start loads nothing that prints, describes, validates or downloads, nor what strips types',
  async ({ url }, t) => {
    const folder = await temporaryFolder(t)
    const witness = join(folder, 'witness.mjs')
    const witnessed = join(folder, 'witnessed.json')
    writeFileSync(witness, WITNESS)
    const command = join(import.meta.dirname, '../bin/tocsin')
    const child = spawn(process.execPath, ['--import', witness, command, 'start'], {
      env: {
        ...process.env,
        TOCSIN_DATABASE_URL: url,
        TOCSIN_DATA: join(folder, 'data'),
        TOCSIN_PORT: '0',
        WITNESSED: witnessed,
        // Nothing is kept yet, as after the very first installation.
        NODE_COMPILE_CACHE: join(folder, 'cache'),
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    t.after(() => child.kill())
    const served = await addressOf(child)
    assert.equal((await fetch(`${served}/health`)).status, 200)
    const closed = once(child, 'close')
    child.kill()
    await closed
    const { packages, builtin } = JSON.parse(readFileSync(witnessed, 'utf8')) as {
      packages: string[]
      builtin: string[]
    }
    assert.ok(packages.includes('fastify') && packages.includes('pg'), 'the witness sees packages')
    const unwanted = /^(pdfkit|fontkit|qrcode|yaml|ajv|fast-uri|@fastify\/swagger|prom-client)$/
    assert.deepEqual(
      packages.filter((name) => unwanted.test(name)),
      [],
    )
    assert.ok(builtin.includes('NativeModule http'), 'the witness sees parts of Node.js')
    assert.deepEqual(
      builtin.filter((name) => /undici|amaro/.test(name)),
      [],
    )
  },
)

/** Where a starting server serves. */
async function addressOf({ stdout }: ChildProcess): Promise<string> {
  assert.ok(stdout)
  for await (const line of createInterface({ input: stdout })) {
    const served = /^tocsin: serving (\S+)/.exec(line)?.[1]
    if (served === undefined) continue
    stdout.resume()
    return served
  }
  throw new Error('the server ended before it served')
}

/** Fills the young generation with what lives for a while, and tells how large it was, and is when nothing is to be done any more. */
const WORKER = `
import { getHeapSpaceStatistics } from 'node:v8'
import { setTimeout as sleep } from 'node:timers/promises'
const { giveBackWhenIdle } = await import(process.argv[1])
const size = () => getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space').space_size
giveBackWhenIdle(50)
let kept = []
for (const end = performance.now() + 300; performance.now() < end; ) {
  kept.push(Array.from({ length: 100 }, Math.random))
  if (kept.length > 10_000) kept = []
}
const busy = size()
for (let look = 0; look < 100 && size() === busy; look++) await sleep(20)
console.log(JSON.stringify([busy, size()]))
`

test('memory goes back when the work is over, where Node.js lets it', async () => {
  const grown = 4 << 20
  const [busy, idle] = await youngGenerations(['--expose-gc'])
  assert.ok(busy >= grown, `${busy}`)
  assert.ok(idle <= busy / 2, `${idle} of ${busy}`)
  const [before, after] = await youngGenerations([])
  assert.equal(after, before)
})

async function youngGenerations(flags: readonly string[]): Promise<[number, number]> {
  const module = new URL('../src/operate/give-back-memory.ts', import.meta.url).href
  const args = [...flags, '--input-type=module', '--eval', WORKER, module]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  await once(child, 'close')
  return JSON.parse(out) as [number, number]
}
