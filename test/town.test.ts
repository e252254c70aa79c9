// Test: the town: the same seed gives the same one, its truth follows from who stood next to whom, and a whole small one ends rightly warned.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { demoCommand } from '../src/cli/demo.ts'
import { simulateTown, startOfTownDay } from '../src/cli/town.ts'
import { openData, publisherContext, startServer } from '../src/main.ts'

test('the same seed gives the same town, another seed another', () => {
  const one = simulateTown({ phones: 120, days: 4, seed: 7 })
  const same = simulateTown({ phones: 120, days: 4, seed: 7 })
  const other = simulateTown({ phones: 120, days: 4, seed: 8 })
  assert.deepEqual(same.encounters, one.encounters)
  assert.deepEqual(same.positives, one.positives)
  assert.deepEqual(same.keyOf(5, 2), one.keyOf(5, 2))
  assert.notDeepEqual(other.encounters, one.encounters)
  assert.notDeepEqual(other.keyOf(5, 2), one.keyOf(5, 2))
})

test('exposed are those who met an infectious person on a day whose key was shared', () => {
  const town = simulateTown({ phones: 300, days: 5, seed: 3 })
  const met = new Set<number>()
  for (const { phone, sharedDays } of town.positives)
    for (const encounter of town.encounters.flat()) {
      const day = Math.floor((encounter.interval - startOfTownDay(0)) / 144)
      if (!sharedDays.includes(day)) continue
      if (encounter.a === phone) met.add(encounter.b)
      if (encounter.b === phone) met.add(encounter.a)
    }
  assert.ok(met.size > 20 && met.size < 290, `${met.size} of 300`)
  assert.deepEqual(new Set(town.exposed), met)
  assert.ok(
    town.positives.some(({ sharedDays }) => sharedDays.length === 0),
    'somebody does not share',
  )
})

test('a small town ends with everybody warned who must be, and nobody else', async () => {
  const lines: string[] = []
  const run = async () => {
    const { document, exitCode } = await demoCommand.run({
      deployment: { openData, startServer, publisherContext },
      positionals: [],
      values: { phones: '60', days: '4', seed: '2' },
      env: {},
      json: false,
      print: (line) => lines.push(line),
      note: () => undefined,
      signal: new AbortController().signal,
    })
    assert.equal(exitCode, 0)
    return { ...(document as Record<string, number>), seconds: 0 }
  }
  const first: Record<string, number> = await run()
  assert.ok((first['exposed'] ?? 0) > 5)
  assert.equal(first['warned'], first['exposed'])
  assert.equal(first['missed'], 0)
  assert.equal(first['wronglyWarned'], 0)
  assert.match(lines.join('\n'), /Everybody who met an infectious phone on a shared key was warned/)
  assert.deepEqual(await run(), first)
})

test('a town in which nobody uploads says so, and what to try', async () => {
  const lines: string[] = []
  const { document, exitCode } = await demoCommand.run({
    deployment: { openData, startServer, publisherContext },
    positionals: [],
    values: { phones: '2', days: '1', seed: '1' },
    env: {},
    json: false,
    print: (line) => lines.push(line),
    note: () => undefined,
    signal: new AbortController().signal,
  })
  assert.equal(exitCode, 0)
  assert.equal((document as { uploads: number }).uploads, 0)
  assert.match(lines.join('\n'), /Nobody uploaded a key[^\n]*more phones or days/)
})

async function liveRightly(protocol: string, phones: number, days: number): Promise<void> {
  const { document, exitCode } = await demoCommand.run({
    deployment: { openData, startServer, publisherContext },
    positionals: [],
    values: { phones: String(phones), days: String(days), seed: '2', protocol },
    env: {},
    json: false,
    print: () => undefined,
    note: () => undefined,
    signal: new AbortController().signal,
  })
  const { exposed = 0, warned, missed, wronglyWarned } = document as Record<string, number>
  assert.ok(exposed > 3)
  assert.deepEqual([warned, missed, wronglyWarned, exitCode], [exposed, 0, 0, 0])
}

test('a town whose phones speak ctdiag ends as rightly', () => liveRightly('ctdiag', 40, 3))

test('so does one whose phones speak cen: they say where they were, and download what concerns places where they were', async (t) => {
  const asked = new Map<string, number>()
  const cells = new Map<string, number>()
  const count = (counts: Map<string, number>, name: string) =>
    counts.set(name, (counts.get(name) ?? 0) + 1)
  const { fetch } = globalThis
  t.mock.method(globalThis, 'fetch', (url: string, init?: RequestInit) => {
    const file = /([-\w]+)\.bin$/.exec(url)?.[1]
    if (file !== undefined) count(asked, file)
    if (url.endsWith('/v1/cens'))
      count(cells, new Headers(init?.headers).get('cen-cell') ?? 'nowhere')
    return fetch(url, init)
  })
  await liveRightly('cen', 60, 4)
  // Some were in one area alone, and others in several.
  assert.deepEqual(Object.fromEntries(cells), { u0m: 3, u0m7: 2 })
  assert.ok([...asked.keys()].some((file) => file.endsWith('-u0m7')))
  assert.ok([...asked.values()].some((phones) => phones < 60))
})

test('a protocol that nobody speaks is refused', async () => {
  await assert.rejects(
    async () =>
      demoCommand.run({
        deployment: { openData, startServer, publisherContext },
        positionals: [],
        values: { protocol: 'pigeon' },
        env: {},
        json: false,
        print: () => undefined,
        note: () => undefined,
        signal: new AbortController().signal,
      }),
    { code: 'usage', message: /gaen, ctdiag, cen/ },
  )
})
