// Test helper: rows of the corpus about keys that are known already; promises every change of status, allowed or not.

import type { ReportType } from '../../src/format/report-type.ts'
import { accepted, daysAgo, partly, type Row, type Expected } from './row.ts'

const TYPES = ['confirmed', 'likely', 'user-report', 'negative'] as const
const error = (code: string): Expected => ({ status: 400, code })

/** What becomes of a key of one status when it is sent with another: changed, left, or refused. */
const FIRST: Readonly<Record<string, Readonly<Record<ReportType, string>>>> = {
  confirmed: {
    confirmed: 'left',
    likely: 'refused',
    'user-report': 'refused',
    negative: 'refused',
  },
  likely: { confirmed: 'changed', likely: 'left', 'user-report': 'refused', negative: 'changed' },
  'user-report': {
    confirmed: 'changed',
    likely: 'changed',
    'user-report': 'left',
    negative: 'changed',
  },
}

const CHANGES = [
  ['likely', 'confirmed'],
  ['likely', 'negative'],
  ['user-report', 'confirmed'],
  ['user-report', 'likely'],
  ['user-report', 'negative'],
] as const

const FIRST_CHANGE_ROWS: readonly Row[] = Object.entries(FIRST).flatMap(([type, becomes]) =>
  TYPES.map((next): Row => {
    const from = type as ReportType
    const stored = { type: from, ...(becomes[next] === 'changed' ? { revised: next } : {}) }
    return {
      what: `a key that is ${from}, sent as ${next}: ${becomes[next]}`,
      given: [{ reportType: from }],
      when: { reportType: next, token: 'newest' },
      expect: {
        ...(becomes[next] === 'refused' ? error('invalid_report_type_transition') : accepted(0)),
        stored: [stored, stored],
      },
    }
  }),
)

const SECOND_CHANGE_ROWS: readonly Row[] = CHANGES.flatMap(([from, to]) =>
  TYPES.map((next): Row => {
    const isKnown = next === from || next === to
    const stored = { type: from, revised: to }
    return {
      what: `a key that became ${to} from ${from}, sent as ${next}: ${isKnown ? 'left' : 'refused'}`,
      given: [{ reportType: from }, { reportType: to, token: 'newest' }],
      when: { reportType: next, token: 'newest' },
      expect: {
        ...(isKnown ? accepted(0) : error('key_already_revised')),
        stored: [stored, stored],
      },
    }
  }),
)

const NEGATIVE_ROWS: readonly Row[] = [
  {
    what: 'a negative result first: nothing is stored',
    when: { reportType: 'negative' },
    expect: { ...accepted(0), token: true, stored: [null, null] },
  },
  ...TYPES.map((next): Row => ({
    what: `keys that came with a negative result, sent as ${next} with its token`,
    given: [{ reportType: 'negative' }],
    when: { reportType: next, token: 'newest' },
    expect:
      next === 'negative'
        ? { ...accepted(0), stored: [null, null] }
        : { ...accepted(2), stored: [{ type: next }, { type: next }] },
  })),
  {
    what: 'keys that came with a negative result, sent without its token: they are new',
    given: [{ reportType: 'negative' }],
    when: {},
    expect: { ...accepted(2), stored: [{ type: 'confirmed' }] },
  },
  {
    what: 'a key that came with a negative result, sent with another period',
    given: [{ keys: [{}], reportType: 'negative' }],
    when: { keys: [{ rollingPeriod: 120 }], token: 'newest' },
    expect: { ...accepted(1), stored: [{ period: 120 }] },
  },
  {
    what: 'the token that came then covers the key with its new period',
    given: [
      { keys: [{}], reportType: 'negative' },
      { keys: [{ rollingPeriod: 120 }], reportType: 'likely', token: 'newest' },
    ],
    when: { keys: [{ rollingPeriod: 120 }], token: 'newest' },
    expect: { ...accepted(0), stored: [{ type: 'likely', revised: 'confirmed', period: 120 }] },
  },
  {
    what: 'a negative result for a known key and a new one: the one is revoked, the other not stored',
    given: [{ keys: [{}], reportType: 'likely' }],
    when: { keys: [{}, {}], reportType: 'negative', token: 'newest' },
    expect: { ...accepted(0), stored: [{ revised: 'negative' }, null] },
  },
]

const KNOWN = [{ reportType: 'likely' }] as const
const TOKEN_ROWS: readonly Row[] = [
  {
    what: 'known keys without a token',
    given: KNOWN,
    when: {},
    expect: error('missing_revision_token'),
  },
  {
    what: 'known keys of the same report type without a token',
    given: KNOWN,
    when: { reportType: 'likely' },
    expect: error('missing_revision_token'),
  },
  {
    what: 'known keys with an empty token',
    given: KNOWN,
    when: { token: { text: '' } },
    expect: error('missing_revision_token'),
  },
  {
    what: 'known keys with a token that is no base64: as good as none',
    given: KNOWN,
    when: { token: { text: '*' } },
    expect: error('missing_revision_token'),
  },
  {
    what: 'known keys with a token of a few bytes',
    given: KNOWN,
    when: { token: { text: 'AAAA' } },
    expect: error('invalid_revision_token'),
  },
  {
    what: 'known keys with a token of the right length that is noise',
    given: KNOWN,
    when: { token: { text: Buffer.alloc(1293, 1).toString('base64') } },
    expect: error('invalid_revision_token'),
  },
  {
    what: 'known keys with their token',
    given: KNOWN,
    when: { token: 'newest' },
    expect: { ...accepted(0), stored: [{ revised: 'confirmed' }, { revised: 'confirmed' }] },
  },
  {
    what: 'new keys with a token that is noise',
    when: { token: { text: 'AAAA' } },
    expect: accepted(2),
  },
  {
    what: 'new keys with a token that is no base64',
    when: { token: { text: '*' } },
    expect: accepted(2),
  },
  {
    what: 'known keys with the token of other keys',
    given: [{ keys: [{}] }, { keys: [{ of: 1 }] }],
    when: { keys: [{ of: 1 }], token: 'first' },
    expect: error('invalid_revision_token'),
  },
  {
    what: 'the newest token covers the keys of all uploads before',
    given: [
      { keys: [{}], reportType: 'likely' },
      { keys: [{ of: 1, rollingStartNumber: daysAgo(2) }], reportType: 'likely', token: 'newest' },
    ],
    when: { keys: [{}, {}], token: 'newest' },
    expect: { ...accepted(0), stored: [{ revised: 'confirmed' }, { revised: 'confirmed' }] },
  },
  {
    what: 'a known key and a new one',
    given: [{ keys: [{}], reportType: 'likely' }],
    when: { keys: [{}, {}], token: 'newest' },
    expect: {
      ...accepted(1),
      stored: [{ type: 'likely', revised: 'confirmed' }, { type: 'confirmed' }],
    },
  },
  {
    what: 'a known key without a token and a new one: neither',
    given: [{ keys: [{}] }],
    when: { keys: [{}, {}] },
    expect: { ...error('missing_revision_token'), stored: [{}, null] },
  },
  {
    what: 'a change that is not allowed and a new key: neither',
    given: [{ keys: [{}] }],
    when: { keys: [{}, {}], reportType: 'likely', token: 'newest' },
    expect: { ...error('invalid_report_type_transition'), stored: [{ type: 'confirmed' }, null] },
  },
  {
    what: 'another period than before',
    given: [{ keys: [{}] }],
    when: { keys: [{ rollingPeriod: 143 }], token: 'newest' },
    expect: error('key_metadata_mismatch'),
  },
  {
    what: 'another start than before',
    given: [{ keys: [{}] }],
    when: { keys: [{ rollingStartNumber: daysAgo(3) }], token: 'newest' },
    expect: error('key_metadata_mismatch'),
  },
  {
    what: 'another risk than before is no mismatch',
    given: [{ keys: [{ transmissionRisk: 1 }], reportType: 'likely' }],
    when: { keys: [{ transmissionRisk: 5 }], token: 'newest' },
    expect: { ...accepted(0), stored: [{ risk: 5, revised: 'confirmed' }] },
  },
  {
    what: 'another onset than before is stored with the change',
    given: [{ keys: [{}], reportType: 'likely' }],
    when: { keys: [{}], token: 'newest', fields: { symptomOnsetInterval: daysAgo(9) } },
    expect: { ...accepted(0), stored: [{ days: 8, revised: 'confirmed' }] },
  },
  {
    what: 'another spelling of a known key',
    given: [{ keys: [{}], reportType: 'likely' }],
    when: { keys: [{ key: (good) => good.slice(0, 22) }], token: 'newest' },
    expect: { ...accepted(0), stored: [{ revised: 'confirmed' }] },
  },
  {
    what: 'a known key of another health authority without its token',
    given: [{ keys: [{}], app: 'org.example.other' }],
    when: { keys: [{}] },
    expect: error('missing_revision_token'),
  },
  {
    what: 'a known key of another health authority with its token',
    given: [{ keys: [{}], app: 'org.example.other', reportType: 'likely' }],
    when: { keys: [{}], token: 'newest' },
    expect: {
      ...accepted(0),
      stored: [{ type: 'likely', revised: 'confirmed' }],
      report: { regions: 'US,CA' },
    },
  },
  {
    what: 'a change by a traveler',
    given: KNOWN,
    when: { token: 'newest', fields: { traveler: true } },
    expect: { ...accepted(0), report: { traveler: true } },
  },
  {
    what: 'a known key, and a bad one that is dropped',
    given: [{ keys: [{}], reportType: 'likely' }],
    when: { keys: [{}, { transmissionRisk: 9 }], token: 'newest' },
    expect: { ...partly(0, /^key 1 cannot/), stored: [{ revised: 'confirmed' }, null] },
  },

  // Two faults in one request: the same one is told each time.
  {
    what: 'no token, and another period',
    given: [{ keys: [{}] }],
    when: { keys: [{ rollingPeriod: 143 }] },
    expect: error('missing_revision_token'),
  },
  {
    what: 'a token that is noise, and another period',
    given: [{ keys: [{}] }],
    when: { keys: [{ rollingPeriod: 143 }], token: { text: 'AAAA' } },
    expect: error('invalid_revision_token'),
  },
  {
    what: 'one key with another period, one that may not change',
    given: [{}],
    when: { keys: [{}, { rollingPeriod: 143 }], reportType: 'likely', token: 'newest' },
    expect: error('key_metadata_mismatch'),
  },
  {
    what: 'one key that was changed before, one that may not change',
    given: [
      { keys: [{}], reportType: 'likely' },
      { keys: [{}, {}], token: 'newest' },
    ],
    when: { reportType: 'negative', token: 'newest' },
    expect: error('key_already_revised'),
  },
  {
    what: 'one key that the token lacks, one that may not change',
    given: [{ keys: [{}] }, { keys: [{ of: 1, rollingStartNumber: daysAgo(2) }] }],
    when: { keys: [{}, {}], reportType: 'likely', token: 'first' },
    expect: error('invalid_revision_token'),
  },
]

export const REVISION_ROWS: readonly Row[] = [
  ...FIRST_CHANGE_ROWS,
  ...SECOND_CHANGE_ROWS,
  ...NEGATIVE_ROWS,
  ...TOKEN_ROWS,
]
