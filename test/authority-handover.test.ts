// Test: what the authority zone hands to others: a signed order, a token for statistics, cards in two forms; and what it refuses on the command line.

import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { databaseTestOnce, type TestDatabase } from './database.ts'
import { tocsin, type Run } from './run-command.ts'
import { startService } from './running-service.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** The command line, with the realm north and the provider ward. */
async function commandLine(database: TestDatabase, t: TestContext) {
  const folder = await temporaryFolder(t)
  const env = { TOCSIN_DATABASE_URL: database.url, TOCSIN_DATA: join(folder, 'data') }
  const run = (words: string) => tocsin(words.split(' '), env)
  const done = async (words: string) => {
    const { status, out, err } = await run(`${words} --json`)
    assert.equal(status, 0, `${words}: ${err}`)
    return JSON.parse(out.trimEnd().split('\n').at(-1) ?? '') as Record<string, unknown>
  }
  const realm = await done('realm add north --issuer https://north.example --audience keys')
  await done('provider add ward --realm north --display-name Ward')
  return { folder, run, done, realm }
}

const refusedAs = (code: string, { status, err }: Run) =>
  assert.deepEqual([status, err.split(': ')[1]], [1, code], err)

databaseTestOnce('a token for statistics opens those of its realm', async (database, t) => {
  const { folder, run, done, realm } = await commandLine(database, t)
  const pem = join(folder, 'north.pem')
  await writeFile(pem, String(realm['publicKey']))
  const authority = '--issuer https://north.example --audience keys --regions US --kid north-v1'
  await done(`authority add --app org.example.north ${authority} --public-key ${pem}`)
  await using service = await startService(database.url, folder)
  service.clock.set(new Date())
  const ask = async (token: string) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    return (await fetch(`${service.url}/v1/stats`, { method: 'POST', headers, body: '{}' })).status
  }
  const { status, out } = await run('realm stats-token north --audience keyserver')
  assert.equal(status, 0)
  assert.equal(await ask(out.trim()), 200)
  const made = await done('realm stats-token north --audience keyserver --minutes 7')
  const [header = '', payload = ''] = String(made['token'])
    .split('.')
    .map((part) => Buffer.from(part, 'base64url').toString())
  const { alg, kid } = JSON.parse(header) as Record<string, unknown>
  assert.deepEqual([alg, kid, made['kid']], ['ES256', 'north-v1', 'north-v1'])
  const { iat, exp, ...claims } = JSON.parse(payload) as Record<string, number>
  assert.deepEqual(claims, { iss: 'https://north.example', aud: 'keyserver' })
  assert.equal(Number(exp) - Number(iat), 420)
  assert.equal(exp, made['expiresAt'])
  assert.equal(await ask(String(made['token'])), 200)
  // The audience of certificates is another service's.
  const other = await done('realm stats-token north --audience keys')
  assert.equal(await ask(String(other['token'])), 401)
  refusedAs('realm_unknown', await run('realm stats-token south --audience keyserver'))
})

databaseTestOnce('a withdrawal order is kept, and shown to be handed in', async (database, t) => {
  const { folder, run, done } = await commandLine(database, t)
  const make = 'batch make --realm north --provider ward --size 12 --label May --csv'
  const batch = await done(`${make} ${join(folder, 'cards.csv')}`)
  const invalidate = `batch invalidate ${String(batch['id'])} --realm north`
  const preview = (await run(`${invalidate} --preview`)).out
  assert.match(preview, /^12 codes unused, 0 used$/m)
  assert.match(preview, /^1 issuer handle stands for the reports, on 0 certificates still known/m)
  assert.match(preview, /--retroactive signs an order/)
  const gone = await run(`${invalidate} --retroactive`)
  const [, id = ''] = /Withdrawal order ([\w-]{22}) is signed/.exec(gone.out) ?? []
  assert.match(gone.out, /is signed\. A server that runs delivers it by itself:$/m)
  const shown = await run(`withdrawal show -- ${id}`)
  assert.equal(shown.status, 0, shown.err)
  const jws = shown.out.trim()
  const document = await done('withdrawal list')
  const [listed] = document as unknown as Record<string, unknown>[]
  const { out } = await run(`withdrawal show --json -- ${id}`)
  assert.deepEqual(JSON.parse(out), { ...listed, jws })
  assert.equal(listed?.['delivered'], false)

  await using service = await startService(database.url, folder)
  const keys = createRemoteJWKSet(new URL(`${service.url}/jwks/north.json`))
  const { payload } = await jwtVerify(jws, keys, {
    algorithms: ['ES256'],
    typ: 'tocsin-withdrawal+jwt',
    issuer: 'https://north.example',
    audience: 'keys',
  })
  assert.equal(payload.jti, id)
  refusedAs('withdrawal_order_unknown', await run(`withdrawal show ${'A'.repeat(22)}`))
})

databaseTestOnce(
  'cards come as sheets and as a list at once, or not at all',
  async (database, t) => {
    const { folder, run, done } = await commandLine(database, t)
    const [pdf, csv, other] = ['c.pdf', 'c.csv', 'd.pdf'].map((name) => join(folder, name))
    const make = 'batch make --realm north --provider ward --label May --size'
    const batch = await done(`${make} 9 --pdf ${pdf} --csv ${csv}`)
    assert.deepEqual(batch['files'], [pdf, csv])
    assert.equal((await readFile(pdf ?? '')).subarray(0, 5).toString(), '%PDF-')
    assert.equal((await readFile(csv ?? '', 'utf8')).trimEnd().split('\r\n').length, 10)
    for (const file of [pdf, csv])
      assert.equal(((await stat(file ?? '')).mode & 0o777).toString(8), '600')
    refusedAs('file_not_written', await run(`${make} 9 --pdf ${other} --csv ${csv}`))
    await assert.rejects(stat(other ?? ''), { code: 'ENOENT' })
    refusedAs('file_not_written', await run(`${make} 9 --pdf ${other} --csv ${other}`))
    await assert.rejects(stat(other ?? ''), { code: 'ENOENT' })
    const wide = await run(`${make} 10001 --pdf ${other}`)
    assert.match(wide.err, /batch_invalid: Sheets have at most 10000 cards: .*list.*CSV/)
    const swahili = await run(`${make} 9 --language sw --pdf ${other}`)
    assert.match(swahili.err, /batch_invalid: Sheets have words in these languages: en, nl, de, /)
    // A print shop may have words of its own.
    await done(`${make} 9 --language sw --csv ${join(folder, 'sw.csv')}`)
    const one = await run(`${make} 1 --csv ${join(folder, 'one.csv')}`)
    assert.match(one.out, /: 1 card in \S+one\.csv, to be used until /)
    await done('realm set north --set maintenance=true')
    refusedAs('maintenance', await run(`${make} 9 --pdf ${other}`))
    const listed = (await done('batch list --realm north')) as unknown as unknown[]
    assert.equal(listed.length, 3)
  },
)

databaseTestOnce(
  'more codes are allowed for a day, where there is a quota',
  async (database, t) => {
    const { run, done } = await commandLine(database, t)
    refusedAs('bad_request', await run('realm allow-extra north --codes 5'))
    await done('realm set north --set dailyQuota=10')
    await done('realm allow-extra north --codes 5')
    const { out } = await run('realm allow-extra north --codes 7')
    assert.match(out, /^Realm north may issue 22 codes today: 0 issued, 22 left\.$/m)
    assert.deepEqual((await done('realm show north'))['quota'], {
      limit: 22,
      issued: 0,
      remaining: 22,
    })
    refusedAs('realm_unknown', await run('realm allow-extra south --codes 5'))
  },
)
