import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { EXPORT_REPORT_TYPES, type ReportType } from '../format/report-type.ts'
import { judgeTransition, settleKeys, type Claim, type KnownKey } from './settle-keys.ts'
import { nameOfBytes, type ValidKey } from './validate-keys.ts'

const TYPES = Object.keys(EXPORT_REPORT_TYPES) as ReportType[]

// Rows: what is stored, and what it was changed to. Columns: confirmed, likely, user-report, negative.
const MATRIX = `
stored       changed to   | confirmed  likely     user-report negative
confirmed    -            | unchanged  refused    refused     refused
likely       -            | revised    unchanged  refused     revised
likely       confirmed    | unchanged  unchanged  already     already
likely       negative     | already    unchanged  already     unchanged
user-report  -            | revised    revised    unchanged   revised
user-report  confirmed    | unchanged  already    unchanged   already
user-report  likely       | already    unchanged  unchanged   already
user-report  negative     | already    already    unchanged   unchanged
`

const VERDICTS: Readonly<Record<string, string>> = {
  already: 'key_already_revised',
  refused: 'invalid_report_type_transition',
}

test('the transitions of report types are those of the matrix', () => {
  const [head = '', ...rows] = MATRIX.trim().split('\n')
  const columns = (head.split('|')[1] ?? '').trim().split(/\s+/) as ReportType[]
  assert.deepEqual(
    columns,
    TYPES.toSorted((a, b) => columns.indexOf(a) - columns.indexOf(b)),
  )
  for (const row of rows) {
    const [state = '', cells = ''] = row.split('|')
    const [stored = '', changed = ''] = state.trim().split(/\s+/)
    cells
      .trim()
      .split(/\s+/)
      .forEach((cell, index) => {
        const known = {
          reportType: EXPORT_REPORT_TYPES[stored as ReportType],
          ...(changed === '-' ? {} : { revisedType: EXPORT_REPORT_TYPES[changed as ReportType] }),
        }
        const wanted = columns[index] as ReportType
        assert.equal(judgeTransition(known, wanted), VERDICTS[cell] ?? cell, `${row} to ${wanted}`)
      })
  }
})

const key = (rollingStart = 1000): ValidKey => {
  const keyData = randomBytes(16)
  return {
    keyData,
    name: nameOfBytes(keyData),
    rollingStart,
    rollingPeriod: 144,
    transmissionRisk: 0,
    daysSinceOnset: 0,
    embargoed: false,
    position: 0,
  }
}
const stored = (of: ValidKey, reportType: ReportType, change: Partial<KnownKey> = {}) =>
  [of.name, { ...of, reportType: EXPORT_REPORT_TYPES[reportType], ...change }] as const
const claim = (change: Partial<Claim> = {}): Claim => ({
  reportType: 'confirmed',
  revisable: undefined,
  partialRevisions: false,
  ...change,
})
const verdict = (keys: readonly ValidKey[], of: Claim, known: (readonly [string, KnownKey])[]) => {
  return settleKeys(keys, of, new Map(known))
}

test('a key that nobody knows is new, but for a negative result', () => {
  const keys = [key(), key()]
  assert.deepEqual(verdict(keys, claim(), []), ['new', 'new'])
  assert.deepEqual(verdict(keys, claim({ reportType: 'negative' }), []), ['unchanged', 'unchanged'])
})

test('a known key asks for the token of its upload, and for the same period', () => {
  const [known, other] = [key(), key()]
  const rows = [stored(known, 'likely')]
  assert.equal(verdict([known, other], claim(), rows), 'missing_revision_token')
  assert.equal(verdict([known], claim({ revisable: [] }), rows), 'invalid_revision_token')
  assert.equal(verdict([known], claim({ revisable: [other] }), rows), 'invalid_revision_token')
  assert.deepEqual(verdict([known, other], claim({ revisable: [known] }), rows), ['revised', 'new'])
  const unreadable = claim({ revisable: 'unreadable', partialRevisions: true })
  assert.equal(verdict([known, other], unreadable, rows), 'invalid_revision_token')
  assert.deepEqual(verdict([other], unreadable, rows), ['new'])
  const moved = { ...known, rollingPeriod: 143 }
  assert.equal(verdict([moved], claim({ revisable: [known] }), rows), 'key_metadata_mismatch')
  assert.equal(verdict([moved], claim({ revisable: [moved] }), rows), 'key_metadata_mismatch')
  assert.equal(verdict([moved], unreadable, rows), 'invalid_revision_token')
  assert.equal(verdict([known], claim({ revisable: [moved] }), rows), 'invalid_revision_token')
})

test('with partial revisions, only what the token covers is touched', () => {
  const [mine, theirs, fresh] = [key(), key(), key()]
  const rows = [stored(mine, 'likely'), stored(theirs, 'likely')]
  const partial = claim({ revisable: [mine], partialRevisions: true })
  assert.deepEqual(verdict([mine, theirs, fresh], partial, rows), ['revised', 'not_covered', 'new'])
  assert.equal(
    verdict([mine, theirs], { ...partial, partialRevisions: false }, rows),
    'invalid_revision_token',
  )
})

test('several faults: always the same one is told, whatever the order of the keys', () => {
  const confirmed = key()
  const revised = key()
  const foreign = key()
  const moved = key()
  const rows = [
    stored(confirmed, 'confirmed'),
    stored(revised, 'user-report', { revisedType: EXPORT_REPORT_TYPES.confirmed }),
    stored(foreign, 'likely'),
    stored(moved, 'likely', { rollingStart: 7 }),
  ]
  const revisable = [confirmed, revised, moved]
  const faults = [
    [[confirmed], 'invalid_report_type_transition'],
    [[confirmed, revised], 'key_already_revised'],
    [[confirmed, revised, foreign], 'invalid_revision_token'],
    [[confirmed, revised, foreign, moved], 'key_metadata_mismatch'],
  ] as const
  for (const [keys, code] of faults)
    fc.assert(
      fc.property(fc.shuffledSubarray([...keys], { minLength: keys.length }), (shuffled) => {
        assert.equal(verdict(shuffled, claim({ reportType: 'negative', revisable }), rows), code)
      }),
    )
})
