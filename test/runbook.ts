// Test helper: the runbooks of docs/operating.md, carried out on a deployment of their own; promises the page's own lines, run by a shell, and a real server.

import assert from 'node:assert/strict'
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { createHmac, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { issueCode, uploadKeys, verifyCode, type PhoneService } from '../src/cli/phone-client.ts'
import { runCommandLine } from '../src/cli/run-command-line.ts'
import { tekmacCleartexts } from '../src/format/tekmac.ts'
import { openData, publisherContext, startServer } from '../src/main.ts'
import { createDatabase, type TestDatabase } from './create-database.ts'
import { temporaryFolder } from './temporary-folder.ts'

const ROOT = join(import.meta.dirname, '..')

/** A block of the page. */
export interface Block {
  readonly runbook: string
  readonly language: string
  readonly isRefused: boolean
  readonly text: string
  /** Lines that it prints, among others. */
  readonly prints: readonly string[]
}

/** Every block with a name, in order. */
export function readBlocks(): Block[] {
  const blocks: Block[] = []
  const lines = readFileSync(join(ROOT, 'docs/operating.md'), 'utf8').split('\n')
  for (let at = 0; at < lines.length; at++) {
    const [, language = '', name = ''] = /^ *```(\w+) ?(.*)$/.exec(lines[at] ?? '') ?? []
    if (language === '') continue
    const end = lines.findIndex((line, index) => index > at && /^ *```$/.test(line))
    const body = lines.slice(at + 1, end).map((line) => line.trim())
    at = end
    const last = blocks.at(-1)
    if (language === 'text' && last !== undefined) blocks.push({ ...blocks.pop()!, prints: body })
    else {
      const [runbook = '', refused] = name.split(' ')
      const isRefused = refused === 'refused'
      blocks.push({ runbook, language, isRefused, text: body.join('\n'), prints: [] })
    }
  }
  return blocks
}

/** Words with a digit or a slash may differ, and with a count the plural. */
function likeness(line: string): string {
  return line
    .trim()
    .replaceAll(/\S*[\d/]\S*/g, '#')
    .replaceAll(/releases? #( to #)?/g, 'releases #')
    .replaceAll(/(# \w+?)s\b/g, '$1')
}

type Environment = Record<string, string>

/** The blocks of one runbook, one after the other. */
export interface Runbook {
  /** Runs the next block. @param more names that it uses @returns all that it printed */
  next(more?: Environment): Promise<string>
  /** Leaves the next block out: it is for another machine. */
  skip(): void
  /** Every block was run, or left out. */
  assertDone(): void
}

/** A machine on which runbooks are carried out. */
export class Machine implements AsyncDisposable {
  readonly folder: string
  readonly env: Environment
  readonly #t: TestContext
  /** Those that it made, each while connected to the one before. */
  readonly #databases: TestDatabase[] = []
  #server: ChildProcess | undefined

  private constructor(t: TestContext, folder: string, env: Environment) {
    this.#t = t
    this.folder = folder
    this.env = env
  }

  /** A machine without a deployment. @param more its settings, beside the usual ones */
  static async empty(t: TestContext, more: Environment): Promise<Machine> {
    const folder = await temporaryFolder(t)
    // PostgreSQL, which root starts for another user, must be able to enter it.
    chmodSync(folder, 0o711)
    const at = (name: string) => join(folder, name)
    for (const name of ['work', 'safe', 'backup', 'keys']) mkdirSync(at(name))
    for (const name of ['bin', 'deploy']) symlinkSync(join(ROOT, name), at(`work/${name}`))
    const port = await freePort()
    const { PATH = '', HOME = '' } = process.env
    return new Machine(t, folder, {
      PATH,
      HOME,
      TOCSIN_DATA: at('data'),
      TOCSIN_MASTER_KEY_FILE: at('data/master.key'),
      TOCSIN_ARCHIVE: at('archive-disk'),
      TOCSIN_ARCHIVE_AGE: '1s',
      TOCSIN_TIME_GRAIN: '1s',
      TOCSIN_PORT: String(port),
      TOCSIN_OPERATOR_PORT: String(await freePort()),
      TOCSIN_LOG_LEVEL: 'silent',
      URL: `http://127.0.0.1:${port}`,
      BACKUP: at('backup'),
      SAFE: at('safe'),
      IDENTITY: at('safe/archive-identity.txt'),
      STREAM_KEY: at('keys/us.pem'),
      PUBLIC_KEY: at('safe/us-public.pem'),
      ...more,
    })
  }

  /** A deployment as the page describes it, running; what belongs into the safe lies there. */
  static async running(t: TestContext, databaseUrl: string): Promise<Machine> {
    const machine = await Machine.empty(t, { TOCSIN_DATABASE_URL: databaseUrl })
    const { folder, env } = machine
    await setUp(folder, env)
    await machine.start()
    renameSync(join(folder, 'data/archive-identity.txt'), env['IDENTITY'] ?? '')
    copyFileSync(join(folder, 'data/master.key'), join(folder, 'safe/master.key'))
    copyFileSync(join(folder, 'keys/us.pem'), join(folder, 'safe/us.pem'))
    return machine
  }

  /** Another machine, with nothing but what is kept elsewhere. */
  async another(more: Environment): Promise<Machine> {
    const { SAFE = '', BACKUP = '', IDENTITY = '', PUBLIC_KEY = '' } = this.env
    const machine = await Machine.empty(this.#t, { SAFE, BACKUP, IDENTITY, PUBLIC_KEY, ...more })
    // The streams say where their signing keys lie.
    machine.env['STREAM_KEY'] = this.env['STREAM_KEY'] ?? ''
    return machine
  }

  /** Opens the page. */
  open(name: string): Runbook {
    const blocks = readBlocks().filter(({ runbook }) => runbook === name)
    assert.ok(blocks.length > 0, name)
    return {
      next: async (more = {}) => {
        Object.assign(this.env, more)
        const block = blocks.shift()
        assert.ok(block !== undefined, `${name} has no further block`)
        return this.#carryOut(block)
      },
      skip: () => void blocks.shift(),
      assertDone: () => assert.deepEqual(blocks, []),
    }
  }

  async #carryOut({ language, text, isRefused, prints }: Block): Promise<string> {
    if (language === 'sql') {
      assert.equal(text, 'create database tocsin_2')
      const database = await createDatabase(this.env['TOCSIN_DATABASE_URL'] ?? '', 'empty')
      this.#databases.push(database)
      this.env['TOCSIN_DATABASE_URL'] = database.url
      return ''
    }
    const printed = await this.run(text, isRefused)
    const lines = printed.split('\n').map(likeness)
    for (const line of prints)
      assert.ok(lines.includes(likeness(line)), `${line}\nis not in\n${printed}`)
    return printed
  }

  /** Runs lines as a shell does, those of systemctl with this deployment's server. */
  async run(script: string, isRefused = false): Promise<string> {
    let printed = ''
    for (const part of script.split(/^(sudo systemctl .*)$/m)) {
      const [, verb] = /^sudo systemctl (start|stop|disable) tocsin$/.exec(part) ?? []
      if (verb === 'start') await this.start()
      else if (verb === 'stop') await this.stop()
      else if (verb === undefined && part.trim() !== '')
        printed += await this.#shell(part, isRefused)
    }
    return printed
  }

  #shell(script: string, isRefused: boolean): Promise<string> {
    const options = { cwd: join(this.folder, 'work'), env: this.env }
    return new Promise((resolve, reject) => {
      execFile('bash', ['--norc', '-euo', 'pipefail', '-c', script], options, (error, out, err) => {
        if ((error !== null) === isRefused) resolve(out + err)
        else reject(new Error(`${script}\nended with ${error?.code ?? 0}\n${out}${err}`))
      })
    })
  }

  async start(): Promise<void> {
    assert.equal(this.#server, undefined)
    const child = spawn(process.execPath, [join(ROOT, 'bin/tocsin'), 'start'], {
      cwd: join(this.folder, 'work'),
      env: this.env,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#server = child
    for await (const line of createInterface(child.stdout))
      if (line.startsWith('tocsin: serving ')) {
        child.stdout.resume()
        return
      }
    assert.fail('the server did not start')
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this.#server
    this.#server = undefined
    if (child === undefined || child.exitCode !== null) return
    child.kill(signal)
    await once(child, 'exit')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGKILL')
    for (const database of this.#databases.toReversed()) await database[Symbol.asyncDispose]()
  }

  get phones(): PhoneService {
    const read = (name: string) => readFileSync(join(this.folder, name), 'utf8').trim()
    const [adminKey, deviceKey] = [read('admin.key'), read('device.key')]
    return { url: this.env['URL'] ?? '', app: 'org.example.app', adminKey, deviceKey }
  }

  /** So many people report 14 keys each. @returns the tracking ids of their reports */
  async report(people: number): Promise<string[]> {
    const ids: string[] = []
    for (let nth = 0; nth < people; nth++) {
      const token = await verifyCode(this.phones, await this.issue())
      ids.push((await uploadKeys(this.phones, token, twoWeeks())).trackingId)
    }
    return ids
  }

  /** A phone with a token that asks for a certificate and sends its report. @returns what does both, and the status that it got */
  async phone(): Promise<{
    certificate(): Promise<string>
    publish(certificate: string): Promise<number>
  }> {
    const { url, app, deviceKey } = this.phones
    const token = await verifyCode(this.phones, await this.issue())
    const secret = randomBytes(16)
    const keys = twoWeeks().map(({ keyData, ...key }) => ({
      ...key,
      key: keyData.toString('base64'),
      transmissionRisk: 0,
    }))
    const [cleartext = ''] = tekmacCleartexts(keys)
    const ekeyhmac = createHmac('sha256', secret).update(cleartext).digest('base64')
    const post = (path: string, body: object) =>
      fetch(`${url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-api-key': deviceKey },
        body: JSON.stringify(body),
      })
    return {
      async certificate() {
        const response = await post('/api/certificate', { token, ekeyhmac })
        return ((await response.json()) as { certificate: string }).certificate
      },
      async publish(certificate) {
        const response = await post('/v1/publish', {
          temporaryExposureKeys: keys.map(({ rollingStart, ...key }) => ({
            ...key,
            rollingStartNumber: rollingStart,
          })),
          healthAuthorityID: app,
          verificationPayload: certificate,
          hmacKey: secret.toString('base64'),
        })
        return response.status
      },
    }
  }

  /** A code for somebody who fell ill four days ago. */
  issue(): Promise<string> {
    const day = new Date(Date.now() - 4 * 86_400_000).toISOString().slice(0, 10)
    return issueCode(this.phones, 'confirmed', day)
  }

  /** The files that the index lists. */
  async index(): Promise<string[]> {
    const response = await fetch(`${this.env['URL']}/exports/us/index.txt`)
    return response.ok ? (await response.text()).split('\n').filter((line) => line !== '') : []
  }

  /** Does something that will be published, and waits until it is. @returns the newest file */
  async published(work: () => Promise<unknown>): Promise<string> {
    const before = (await this.index()).length
    await work()
    let [seen, since] = [before, 0]
    // What was accepted in two windows comes in two files.
    await this.until(async () => {
      const { length } = await this.index()
      since = length === seen ? since + 1 : 0
      seen = length
      return length > before && since > 15
    })
    return (await this.index()).at(-1) ?? ''
  }

  /** Asks again and again. */
  async until(isSo: () => Promise<boolean>): Promise<void> {
    const begun = Date.now()
    while (!(await isSo())) {
      assert.ok(Date.now() - begun < 60_000, 'it took too long')
      await delay(200)
    }
  }
}

/** A key for each of the last 14 days. */
function twoWeeks() {
  const today = Math.floor(Date.now() / 86_400_000) * 144
  return Array.from({ length: 14 }, (_, day) => ({
    keyData: randomBytes(16),
    rollingStart: today - (day + 1) * 144,
    rollingPeriod: 144,
  }))
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

/** What the page takes for granted, by commands in this process: a process for each would take longer than the runbooks. */
async function setUp(folder: string, env: Environment): Promise<void> {
  const { STREAM_KEY = '', PUBLIC_KEY = '' } = env
  const at = (name: string) => join(folder, name)
  const tocsin = async (words: string, ...more: string[]) => {
    const lines: string[] = []
    const output = { out: (line: string) => void lines.push(line), err: assert.fail }
    const deployment = { openData, startServer, publisherContext }
    const { signal } = new AbortController()
    const args = [...words.split(' '), ...more]
    assert.equal(await runCommandLine(args, env, deployment, output, signal), 0, words)
    return `${lines.join('\n')}\n`
  }
  await tocsin('realm add north --issuer north.example --audience keys.example')
  writeFileSync(at('realm.pem'), await tocsin('key list --realm north --purpose certificate --pem'))
  await tocsin('provider add st-anne --realm north --display-name', "St. Anne's Hospital")
  await tocsin(`api-key add --realm north --type admin --provider st-anne --out ${at('admin.key')}`)
  await tocsin(`api-key add --realm north --type device --out ${at('device.key')}`)
  await tocsin(
    `authority add --app org.example.app --issuer north.example --audience keys.example --regions US --kid north-v1 --public-key ${at('realm.pem')}`,
  )
  writeFileSync(PUBLIC_KEY, await tocsin(`keygen --out ${STREAM_KEY}`))
  await tocsin(
    `stream add us --region US --period 2s --hold 0 --minimum 0 --key ${STREAM_KEY} --key-id 310 --key-version v1`,
  )
}
