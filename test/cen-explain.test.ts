// Test: what is said of contact event numbers: by a report's tracking id and by a number alone, at each moment of their life, in words that the files bear out.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { CEN_STREAM_DEFAULTS } from '../src/publish/cen-settings.ts'
import { explainNumbers } from '../src/publish/cen-explain.ts'
import { findNumber } from '../src/publish/cen-find.ts'
import { publishDue } from '../src/publish/publish-due.ts'
import {
  readNumbers,
  reinstateReports,
  storeNumbers,
  withdrawReports,
  type StoredNumbers,
} from './cen-zone.ts'
import { databaseTestOnce } from './database.ts'
import { openPublishingZone } from './publishing-zone.ts'
import { tocsin } from './run-command.ts'

const HOUR = 3600

databaseTestOnce(
  'the life of a report of numbers is told by its tracking id, and by each number that it brought',
  async (database, t) => {
    await using town = await openPublishingZone(database, t)
    const { zone, clock } = town
    const publicKey = await town.addStream('town', {
      kind: 'cen',
      ...CEN_STREAM_DEFAULTS,
      hold: 4,
      settings: { cells: 2, cellReports: 2 },
    })
    await town.addStream('clinic', {
      kind: 'cen',
      ...CEN_STREAM_DEFAULTS,
      settings: { trust: ['located'] },
    })
    await town.addStream('us')
    const ids = Array.from({ length: 15 }, () => randomBytes(16))
    const store = (first: number, cells: (string | null)[]) =>
      storeNumbers(town, cells.length, 4, (index) => ({
        trackingId: ids[first + index] as Buffer,
        cell: cells[index] ?? null,
      }))
    const explain = async (report: number) => {
      const explained = await explainNumbers(zone.db, ids[report] as Buffer, seconds())
      return explained?.streams.find(({ stream }) => stream === 'town')
    }
    const seconds = () => clock.now().getTime() / 1000
    const publish = async () => (clock.advance(HOUR), publishDue(zone.publisher))
    const verdict = async (report: number) => (await explain(report))?.verdict

    const reports = await store(0, ['u0', 'u0', 'u0'])
    assert.equal(await verdict(0), 'window_open')
    const [, elsewhere] =
      (await explainNumbers(zone.db, ids[0] as Buffer, seconds()))?.streams ?? []
    const clinic = await explainNumbers(zone.db, ids[0] as Buffer, seconds())
    assert.deepEqual(
      clinic?.streams.map(({ stream }) => stream),
      ['clinic', 'town'],
      'streams of keys are none of theirs',
    )
    assert.equal(elsewhere?.stream, 'town')
    assert.match(clinic?.streams[0]?.says ?? '', /located, and this one is verified/)
    clock.advance(HOUR)
    assert.equal(await verdict(0), 'due')
    await publishDue(zone.publisher)
    assert.equal(await verdict(0), 'held')
    assert.match((await explain(0))?.says ?? '', /with 3 of 4 reports so far/)
    reports.push(...(await store(3, ['u1', 'u1', 'u', null])))
    const withdrawal = await withdrawReports(town, [seqOf(reports, 0)])
    assert.equal(await verdict(0), 'withdrawn')
    await publish()
    assert.match((await explain(0))?.says ?? '', /withdrawn before it was published/)
    await reinstateReports(town, [seqOf(reports, 0)], withdrawal)
    assert.equal(await verdict(0), 'held', 'it comes with the next release')
    await checkFiles([1, 2, 3, 4, 5, 6])
    // As phones choose their files: those of a place one, whoever was anywhere in an area all of it.
    const cellsOf = async (report: number) =>
      (await explain(report))?.files.map(({ path }) => path.replace(/^.*-00001|[.]bin$/g, ''))
    assert.deepEqual(await Promise.all([1, 3].map(cellsOf)), [['-u0'], ['-u1']])
    assert.deepEqual(await cellsOf(5), await cellsOf(6))
    assert.deepEqual((await cellsOf(6))?.toSorted(), ['', '-u0', '-u1'])

    // Too few to be told of by themselves: midnight's set is without it.
    const second = await withdrawReports(town, [seqOf(reports, 2)])
    await publish()
    assert.match((await explain(2))?.says ?? '', /then withdrawn, which a file .* will tell/)
    clock.set('2026-03-11T00:00:00Z')
    await publishDue(zone.publisher)
    assert.match((await explain(2))?.says ?? '', /then withdrawn, which phones are told since/)
    assert.match((await explain(0))?.says ?? '', /; in the whole set of release \d+ all the same$/)
    await store(7, Array<null>(4).fill(null))
    await publish()
    await checkFiles([0, 1, 3, 4, 5, 6])
    await withdrawReports(town, [seqOf(reports, 3)])
    await publish()
    assert.match((await explain(3))?.says ?? '', /then withdrawn, which a file .* will tell/)
    await reinstateReports(town, [seqOf(reports, 2)], second)
    assert.match((await explain(2))?.says ?? '', /reinstated: the next release brings them again/)
    await store(11, Array<null>(4).fill(null))
    await publish()
    assert.match((await explain(2))?.says ?? '', /reinstated, and again in release \d+$/)

    // By a number: nothing of whose it is; one that two have; one that two others make up between them, which is none.
    const shared = reports[1]?.numbers[0] ?? ''
    await storeNumbers(town, 1, 4, { trust: 'located' }, [[shared]])
    const find = (number: string) => findNumber(zone.db, Buffer.from(number, 'hex'), seconds())
    const found = await find(shared)
    assert.deepEqual(
      found.map(({ trust, cell, count }) => [trust, cell, count]),
      [
        ['verified', 'u0', 4],
        ['located', null, 4],
      ],
    )
    assert.doesNotMatch(JSON.stringify(found), new RegExp(ids[1]?.toString('hex') ?? ''))
    const joined = reports[1]?.numbers.slice(0, 2).join('') ?? ''
    assert.deepEqual(await find(joined.slice(8, 40)), [])
    const alike = '11'.repeat(16)
    await storeNumbers(town, 1, 3, {}, [[`10${alike.slice(2)}`, alike]])
    assert.equal((await find(alike)).length, 1)

    const env = {
      TOCSIN_DATABASE_URL: database.url,
      TOCSIN_MASTER_KEY_FILE: join(town.folder, 'master.key'),
      TOCSIN_DATA: town.folder,
    }
    const command = async (...args: string[]) => {
      const { status, out, err } = await tocsin(['explain', ...args], env)
      assert.deepEqual([status, err], [0, ''])
      return out
    }
    const told = await command(shared)
    assert.match(
      told,
      /^contact event number [0-9a-f]{32}, accepted 2026-03-10T[^\n]*\n  verified, of cell u0; counts until 2026-03-31/,
    )
    assert.match(
      told,
      /\n  town: published: published in release \d+, in town\/\d+-\d+-00001[^\n]* \(listed\)\n/,
    )
    assert.doesNotMatch(told, /not known/)
    const life = await command(ids[1]?.toString('hex') ?? '')
    assert.match(life, /^report [0-9a-f]{32}, accepted [^\n]*: 4 accepted\n  verified, of cell u0;/)
    const nobodys = await command('--json', randomBytes(16).toString('hex'))
    const document = JSON.parse(nobodys) as { known: boolean; number: object }
    assert.equal(document.known, false)
    assert.deepEqual(
      { ...document.number, number: '' },
      { number: '', reports: 17, numbers: 67, found: [] },
    )

    /** What is said to be in files is in each of them, and what phones in the cell read is among them. */
    async function checkFiles(which: readonly number[]): Promise<void> {
      const files = await readNumbers(zone.publicFolder, 'town', publicKey)
      for (const index of which) {
        const { verdict, files: said = [] } = (await explain(index)) ?? {}
        assert.equal(verdict, 'published', `report ${index}`)
        assert.ok(said.length > 0)
        for (const { path, state } of said) {
          const file = files.find((each) => each.path === path)
          assert.ok(
            reports[index]?.numbers.every((number) => file?.numbers.includes(number)),
            path,
          )
          assert.equal(state, 'listed')
        }
      }
    }
  },
)

function seqOf(reports: readonly StoredNumbers[], index: number): number {
  return reports[index]?.seq ?? 0
}
