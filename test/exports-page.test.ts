// Test: the page about exports says what the code does: every option of a stream, its limits and its default.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { streamAddCommand } from '../src/cli/stream-add.ts'
import { streamUpdateCommand } from '../src/cli/stream-update.ts'
import { FILES_A_DAY, inUnits } from '../src/publish/stream-warnings.ts'
import { EARLIEST_START, STREAM_LIMITS, TRAVELER_RULES } from '../src/publish/check-stream.ts'
import { STREAM_DEFAULTS } from '../src/publish/streams.ts'

const PAGE = readFileSync(new URL('../docs/exports.md', import.meta.url), 'utf8')
const [, SECTION = ''] = PAGE.split('\n## Options\n')
const [TABLE = ''] = SECTION.split('\n## ')

/** The rows of the table of options, by the name of the option. */
const ROWS = new Map(
  TABLE.split('\n')
    .filter((line) => line.startsWith('| `--'))
    .flatMap((line) => {
      const cells = line.slice(1, -1).split('|')
      const [options = '', meaning = '', limits = '', standard = '', why = '', ...rest] = cells.map(
        (cell) => cell.trim(),
      )
      assert.deepEqual(rest, [], line)
      const row = { meaning, limits, standard, why }
      return [...options.matchAll(/`--([a-z-]+)`/g)].map(([, name = '']) => [name, row] as const)
    }),
)
const row = (name: string) => ROWS.get(name) ?? assert.fail(`--${name} is not on the page`)

test('the page has every option of stream add, and none besides', () => {
  assert.deepEqual([...ROWS.keys()].sort(), Object.keys(streamAddCommand.options).sort())
  for (const [name, { meaning, why }] of ROWS) assert.ok(meaning !== '' && why !== '', name)
})

test('what stream update has besides is told in the steps of a change of keys', () => {
  for (const name of Object.keys(streamUpdateCommand.options))
    assert.ok(ROWS.has(name) || PAGE.includes(`--${name} `), name)
})

test('limits are those of the code', () => {
  const { windowAge, hold, minimum, maximum, retention, period, signingKeys } = STREAM_LIMITS
  const count = ({ least, most }: { least: number; most: number }) => `${least} to ${most}`
  const expected: Record<string, string> = {
    'window-age': `${inUnits(windowAge.least)} to ${inUnits(windowAge.most)}`,
    hold: count(hold),
    minimum: count(minimum),
    maximum: `${count(maximum)}, at least twice the minimum`,
    retention: `one period and the window age to ${inUnits(retention.most)}`,
    period: `a divisor of 24 h and a whole multiple of the time grain; ${period.most / 3600}h at most`,
  }
  for (const [name, limits] of Object.entries(expected)) assert.equal(row(name).limits, limits)
  assert.ok(row('from').limits.includes(`${EARLIEST_START / 86_400} days ago at the earliest`))
  assert.ok(PAGE.includes(`A stream has ${count(signingKeys)} signing keys`))
  assert.ok(PAGE.includes(`at most ${FILES_A_DAY.iOS} files a day, Android ${FILES_A_DAY.Android}`))
  for (const rule of TRAVELER_RULES) assert.ok(row('travelers').meaning.includes(`\`${rule}\``))
  for (const type of ['confirmed', 'likely', 'user-report', 'all'])
    assert.ok(row('report-types').meaning.includes(`\`${type}\``))
})

test('defaults are those of the code', () => {
  const expected: Record<string, string> = {
    travelers: `\`${STREAM_DEFAULTS.travelers}\``,
    'window-age': inUnits(STREAM_DEFAULTS.windowAge),
    hold: String(STREAM_DEFAULTS.hold),
    minimum: String(STREAM_DEFAULTS.minimum),
    maximum: String(STREAM_DEFAULTS.maximum),
    retention: inUnits(STREAM_DEFAULTS.retention),
    through: 'none',
    'key-through': 'none',
  }
  assert.deepEqual(
    [STREAM_DEFAULTS.through, STREAM_DEFAULTS.excludedRegions, STREAM_DEFAULTS.reportTypes],
    [null, [], []],
  )
  for (const [name, standard] of Object.entries(expected))
    assert.equal(row(name).standard, standard, name)
  for (const name of ['region', 'period', 'key', 'key-id', 'key-version'])
    assert.equal(row(name).standard, 'needed', name)
  // The help of the command has the same numbers.
  for (const name of ['hold', 'minimum', 'maximum', 'retention', 'window-age'] as const) {
    const help = streamAddCommand.options[name]?.help ?? ''
    assert.ok(help.includes(`default ${expected[name]}`), help)
  }
})

test('every link within the page leads somewhere', () => {
  const headings = [...PAGE.matchAll(/^#+ (.+)$/gm)].map(([, text = '']) =>
    text.toLowerCase().replaceAll(' ', '-'),
  )
  const links = [...PAGE.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor = '']) => anchor)
  assert.ok(links.length > 3)
  for (const anchor of links) assert.ok(headings.includes(anchor), anchor)
})
