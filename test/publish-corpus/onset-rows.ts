// Test helper: rows of the corpus about the first symptoms; promises which onset is believed, and what becomes of keys too far from it.

import { accepted, CURRENT, DAY, daysAgo, MIDNIGHT, refused, type Change, type Row } from './row.ts'

const EARLIEST = daysAgo(28)
/** One key so many days ago. */
const KEY = (days: number) => ({ rollingStartNumber: daysAgo(days) })
const onset = (requested: number | undefined, certified: number | undefined): Change => ({
  keys: [KEY(1)],
  fields: { symptomOnsetInterval: requested },
  claims: { symptomOnsetInterval: certified },
})
/** The distance that is stored: yesterday's key, and so many days between it and the onset. */
const days = (count: number) => ({ ...accepted(1), stored: [{ days: count }] })
const TOO_FAR = /^key \d symptom onset is too large, at most 14 days are accepted$/
const far = (inserted: number, count: number) => ({
  ...accepted(inserted),
  warnings: Array.from({ length: count }, () => TOO_FAR),
})

/** One key so many days ago, and an onset in the morning of another day. */
const distance = (what: string, ago: number, keyAgo: number, expect: Row['expect']): Row => ({
  what,
  when: { keys: [KEY(keyAgo)], fields: { symptomOnsetInterval: daysAgo(ago) + 40 } },
  expect,
})

export const ONSET_ROWS: readonly Row[] = [
  {
    what: "the request's onset comes before the certificate's",
    when: onset(daysAgo(3), daysAgo(5)),
    expect: days(2),
  },
  {
    what: "the certificate's onset, where the request has none",
    when: onset(undefined, daysAgo(5)),
    expect: days(4),
  },
  {
    what: "the certificate's onset, where the request's is 0",
    when: onset(0, daysAgo(5)),
    expect: days(4),
  },
  {
    what: 'no onset at all: four days before now',
    when: onset(undefined, undefined),
    expect: days(3),
  },
  {
    what: 'an onset of null in the certificate',
    when: { ...onset(undefined, undefined), claims: { symptomOnsetInterval: null } },
    expect: days(3),
  },
  {
    what: "the request's onset is now: not believed",
    when: onset(CURRENT, daysAgo(5)),
    expect: days(4),
  },
  {
    what: "the request's onset is an interval ago",
    when: onset(CURRENT - 1, daysAgo(5)),
    expect: days(-1),
  },
  {
    what: "the request's onset is tomorrow: not believed",
    when: onset(CURRENT + DAY, daysAgo(5)),
    expect: days(4),
  },
  {
    what: "the request's onset is at midnight 28 days ago",
    when: { ...onset(EARLIEST, daysAgo(5)), keys: [{ rollingStartNumber: daysAgo(14) }] },
    expect: { ...accepted(1), stored: [{ days: 14 }] },
  },
  {
    what: "the request's onset is an interval earlier: not believed",
    when: onset(EARLIEST - 1, daysAgo(5)),
    expect: days(4),
  },
  {
    what: "the request's onset is negative: not believed",
    when: onset(-5, daysAgo(5)),
    expect: days(4),
  },
  {
    what: "the certificate's onset is now: not believed",
    when: onset(undefined, CURRENT),
    expect: days(3),
  },
  {
    what: "the certificate's onset is an interval ago",
    when: onset(undefined, CURRENT - 1),
    expect: days(-1),
  },
  {
    what: "the certificate's onset is at midnight 28 days ago",
    when: { ...onset(undefined, EARLIEST), keys: [{ rollingStartNumber: daysAgo(14) }] },
    expect: { ...accepted(1), stored: [{ days: 14 }] },
  },
  {
    what: "the certificate's onset is an interval earlier: not believed",
    when: onset(undefined, EARLIEST - 1),
    expect: days(3),
  },
  { what: 'neither onset is believed', when: onset(CURRENT, EARLIEST - 1), expect: days(3) },

  {
    what: "an onset at a day's first interval",
    when: onset(daysAgo(2), undefined),
    expect: days(1),
  },
  {
    what: "an onset at a day's last interval",
    when: onset(daysAgo(1) - 1, undefined),
    expect: days(1),
  },
  {
    what: "a key that starts at a day's last interval",
    when: {
      ...onset(daysAgo(2), undefined),
      keys: [{ rollingStartNumber: MIDNIGHT - 1, rollingPeriod: 1 }],
    },
    expect: days(1),
  },
  distance('a key on the day of the onset', 3, 3, { ...accepted(1), stored: [{ days: 0 }] }),
  distance('a key 14 days after the onset', 15, 1, { ...accepted(1), stored: [{ days: 14 }] }),
  distance('a key 15 days after the onset', 16, 1, { ...far(0, 1), token: false, stored: [null] }),
  distance('a key 14 days before the onset', 0, 14, { ...accepted(1), stored: [{ days: -14 }] }),
  distance('a key 15 days before the onset', 0, 15, { ...far(0, 1), token: false, stored: [null] }),
  {
    what: 'all keys too far from the onset: only warnings',
    when: { fields: { symptomOnsetInterval: EARLIEST } },
    expect: { ...far(0, 2), token: false, stored: [null, null] },
  },
  {
    what: 'one key too far from the onset, the other near',
    when: { keys: [KEY(1), KEY(2)], fields: { symptomOnsetInterval: daysAgo(16) } },
    expect: { ...far(1, 1), warnings: [/^key 0 /], stored: [null, { days: 14 }] },
  },
  {
    what: 'one key too far, one bad, one good: a warning and an error',
    when: {
      keys: [KEY(1), { ...KEY(2), transmissionRisk: 9 }, KEY(3)],
      fields: { symptomOnsetInterval: daysAgo(16) },
    },
    expect: {
      ...far(1, 1),
      code: 'partial_failure',
      error: /^key 1 cannot be imported/,
      warnings: [/^key 0 /],
      stored: [null, null, {}],
    },
  },
  {
    what: 'keys too far and bad ones, none good: refused, with the warnings',
    when: {
      keys: [KEY(1), { ...KEY(2), rollingPeriod: 0 }],
      fields: { symptomOnsetInterval: daysAgo(16) },
    },
    expect: {
      ...refused(/^No key was valid: key 1 cannot be imported/),
      warnings: [/^key 0 symptom onset is too large/],
    },
  },
  {
    what: 'a bad key too far from the onset is told as bad',
    when: {
      keys: [{ ...KEY(1), transmissionRisk: 9 }, KEY(3)],
      fields: { symptomOnsetInterval: daysAgo(17) },
    },
    expect: {
      ...accepted(1),
      code: 'partial_failure',
      error: /^key 0 cannot be imported/,
      stored: [null, {}],
    },
  },
  {
    what: 'keys too far from the onset overlap nothing',
    when: {
      keys: [KEY(1), { rollingStartNumber: daysAgo(2) + 50 }],
      fields: { symptomOnsetInterval: daysAgo(16) },
    },
    expect: { ...far(1, 1), stored: [null, {}] },
  },
  {
    what: 'all keys too far from the onset, with a token: it comes back anew',
    given: [{ reportType: 'likely' }],
    when: { token: 'newest', fields: { symptomOnsetInterval: EARLIEST } },
    expect: { ...far(0, 2), token: true, stored: [{ type: 'likely' }, { type: 'likely' }] },
  },
  {
    what: 'a known key that is too far from the onset asks for no token',
    given: [{ keys: [KEY(1)] }],
    when: { keys: [KEY(1)], fields: { symptomOnsetInterval: EARLIEST } },
    expect: { ...far(0, 1), token: false },
  },
  {
    what: 'a known key without its token beside one that is too far from the onset',
    given: [{ keys: [KEY(3)] }],
    when: { keys: [KEY(3), KEY(1)], fields: { symptomOnsetInterval: daysAgo(16) } },
    expect: { status: 400, code: 'missing_revision_token', warnings: [TOO_FAR] },
  },
  {
    what: 'a known key that is bad asks for no token',
    given: [{ keys: [KEY(1)] }],
    when: { keys: [{ ...KEY(1), transmissionRisk: 9 }, KEY(2)] },
    expect: { ...accepted(1), code: 'partial_failure', error: /^key 0 / },
  },
]
