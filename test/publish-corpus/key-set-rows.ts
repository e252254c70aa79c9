// Test helper: rows of the corpus about the keys of a request together; promises the borders of number and overlap, and which key an error names.

import {
  accepted,
  CURRENT,
  daysAgo,
  MIDNIGHT,
  partly,
  refused,
  type KeyChange,
  type Row,
} from './row.ts'

/** An onset so early that the oldest keys are near enough. */
const EARLY_ONSET = { symptomOnsetInterval: daysAgo(10) }

/** Keys side by side, so many intervals each. */
const manyKeys = (count: number, period = 72): KeyChange[] =>
  Array.from({ length: count }, (_, index) => ({
    rollingStartNumber: MIDNIGHT - period * (index + 1),
    rollingPeriod: period,
  }))

export const KEY_SET_ROWS: readonly Row[] = [
  {
    what: 'no key, with a certificate over none',
    when: { keys: [] },
    expect: refused(/^There must be at least one key\.$/),
  },
  { what: 'one key', when: { keys: [{}] }, expect: accepted(1) },
  { what: '30 keys', when: { keys: manyKeys(30), claims: EARLY_ONSET }, expect: accepted(30) },
  {
    what: '31 keys',
    when: { keys: manyKeys(31), claims: EARLY_ONSET },
    expect: refused(/^There may be at most 30 keys\.$/),
  },
  {
    what: '31 keys, of which one is bad',
    when: { keys: [...manyKeys(30), { transmissionRisk: 9 }], claims: EARLY_ONSET },
    expect: refused(/^There may be at most 30 keys\.$/),
  },
  {
    what: '31 keys, of which two are the same',
    when: {
      keys: [...manyKeys(30), { of: 0, rollingStartNumber: MIDNIGHT - 72, rollingPeriod: 72 }],
      claims: EARLY_ONSET,
    },
    expect: refused(/^There may be at most 30 keys\.$/),
  },

  {
    what: 'three keys of one start, of different lengths',
    when: {
      keys: [144, 1, 70].map((rollingPeriod) => ({
        rollingStartNumber: daysAgo(1),
        rollingPeriod,
      })),
    },
    expect: accepted(3),
  },
  {
    what: 'three keys of one start and one length',
    when: { keys: [0, 1, 2].map(() => ({ rollingStartNumber: daysAgo(1) })) },
    expect: accepted(3),
  },
  {
    what: 'four keys of one start',
    when: { keys: [0, 1, 2, 3].map(() => ({ rollingStartNumber: daysAgo(1) })) },
    expect: refused(/^At most 3 keys may share one rollingStartNumber\.$/),
  },
  {
    what: 'four keys of one start, of which one is bad',
    when: {
      keys: [0, 1, 2, 3].map((risk) => ({
        rollingStartNumber: daysAgo(1),
        transmissionRisk: risk * 3,
      })),
    },
    expect: partly(3, /^key 3 /),
  },
  {
    what: 'three keys of one start on two days each',
    when: { keys: [0, 1, 2, 3, 4, 5].map((n) => ({ rollingStartNumber: daysAgo(1 + (n % 2)) })) },
    expect: accepted(6),
  },
  {
    what: 'a key that starts where the one before ends',
    when: { keys: [{ rollingStartNumber: daysAgo(2) }, { rollingStartNumber: daysAgo(1) }] },
    expect: accepted(2),
  },
  {
    what: 'a key that starts an interval before the one before ends',
    when: { keys: [{ rollingStartNumber: daysAgo(2) }, { rollingStartNumber: daysAgo(1) - 1 }] },
    expect: refused(/^The periods of the keys overlap\.$/),
  },
  {
    what: 'the same in the other order',
    when: { keys: [{ rollingStartNumber: daysAgo(1) - 1 }, { rollingStartNumber: daysAgo(2) }] },
    expect: refused(/^The periods of the keys overlap\.$/),
  },
  {
    what: 'a key inside of another',
    when: {
      keys: [
        { rollingStartNumber: daysAgo(1) },
        { rollingStartNumber: daysAgo(1) + 10, rollingPeriod: 5 },
      ],
    },
    expect: refused(/^The periods of the keys overlap\.$/),
  },
  {
    what: 'a key that begins behind the shorter and inside of the longer of two with one start',
    when: {
      keys: [
        { rollingStartNumber: daysAgo(1) },
        { rollingStartNumber: daysAgo(1), rollingPeriod: 30 },
        { rollingStartNumber: daysAgo(1) + 30, rollingPeriod: 5 },
      ],
    },
    expect: refused(/^The periods of the keys overlap\.$/),
  },
  {
    what: 'a key that overlaps the one before the one before',
    when: {
      keys: [
        { rollingStartNumber: daysAgo(2) },
        { rollingStartNumber: daysAgo(2) - 5, rollingPeriod: 5 },
        { rollingStartNumber: daysAgo(1) - 7, rollingPeriod: 7 },
      ],
    },
    expect: refused(/^The periods of the keys overlap\.$/),
  },
  {
    what: 'a bad key overlaps nothing',
    when: { keys: [{}, { rollingStartNumber: daysAgo(1) + 10, transmissionRisk: 9 }] },
    expect: partly(1, /^key 1 /),
  },
  {
    what: 'keys with days between them',
    when: { keys: [{ rollingStartNumber: daysAgo(9) }, { rollingStartNumber: daysAgo(2) }] },
    expect: accepted(2),
  },

  {
    what: 'one key twice: it counts once',
    when: { keys: [{}, { of: 0, rollingStartNumber: daysAgo(1) }] },
    expect: accepted(1),
  },
  {
    what: 'one key four times',
    when: { keys: [0, 0, 0, 0].map((of) => ({ of, rollingStartNumber: daysAgo(1) })) },
    expect: accepted(1),
  },
  {
    what: 'one key twice in two spellings',
    when: {
      keys: [{}, { of: 0, rollingStartNumber: daysAgo(1), key: (good) => good.slice(0, 22) }],
    },
    expect: accepted(1),
  },
  {
    what: 'one key twice, once with a bad risk',
    when: { keys: [{}, { of: 0, rollingStartNumber: daysAgo(1), transmissionRisk: 9 }] },
    expect: partly(1, /^key 1 cannot be imported: transmissionRisk/),
  },

  // Errors name the place of a key in the list sorted by the keys' texts, whatever the order of sending.
  {
    what: 'the place that an error names is that of the sorted list',
    when: { keys: [{ of: 2 }, { of: 0, transmissionRisk: 9 }, { of: 1 }] },
    expect: partly(2, /^key 0 cannot be imported: transmissionRisk must be 0 to 8$/),
  },
  {
    what: 'the last of the sorted list, sent first',
    when: { keys: [{ of: 2, transmissionRisk: 9 }, { of: 0 }, { of: 1 }] },
    expect: partly(2, /^key 2 cannot/),
  },
  {
    what: 'an empty text comes first',
    when: { keys: [{ of: 1 }, { of: 0, key: '' }] },
    expect: partly(1, /^key 0 cannot be imported: it must have 16 bytes$/),
  },
  {
    what: 'several errors in one sentence',
    when: { keys: [{ rollingPeriod: 0 }, {}, { transmissionRisk: 9 }] },
    expect: partly(
      1,
      /^key 0 cannot be imported: rollingPeriod must be 1 to 144; key 2 cannot be imported: transmissionRisk must be 0 to 8$/,
    ),
  },
  {
    what: 'of several errors of one key the first rule is told: text',
    when: { keys: [{ key: () => '*', rollingPeriod: 0, transmissionRisk: 9 }, {}] },
    expect: partly(1, /^key 0 cannot be imported: it is not base64$/),
  },
  {
    what: 'of several errors of one key the first rule is told: length',
    when: { keys: [{ key: () => 'AAAA', rollingPeriod: 0, transmissionRisk: 9 }, {}] },
    expect: partly(1, /16 bytes$/),
  },
  {
    what: 'of several errors of one key the first rule is told: period',
    when: { keys: [{ rollingStartNumber: 0, rollingPeriod: 0, transmissionRisk: 9 }, {}] },
    expect: partly(1, /rollingPeriod must be 1 to 144$/),
  },
  {
    what: 'of several errors of one key the first rule is told: age',
    when: { keys: [{ rollingStartNumber: 0, transmissionRisk: 9 }, {}] },
    expect: partly(1, /15 days ago$/),
  },
  {
    what: 'of several errors of one key the first rule is told: future',
    when: { keys: [{ rollingStartNumber: CURRENT + 1, transmissionRisk: 9 }, {}] },
    expect: partly(1, /in the future$/),
  },
  {
    what: 'no key is valid',
    when: { keys: [{ rollingPeriod: 0 }, { transmissionRisk: 9 }] },
    expect: refused(
      /^No key was valid: key 0 cannot be imported: rollingPeriod must be 1 to 144; key 1 cannot be imported: transmissionRisk must be 0 to 8$/,
    ),
  },
  {
    what: 'the one key is not valid',
    when: { keys: [{ key: () => '*' }] },
    expect: refused(/^No key was valid: key 0 cannot be imported: it is not base64$/),
  },
]
