// Test helper: rows of the corpus about keys, each for itself and all together; promises every border on both sides.

import {
  accepted,
  CURRENT,
  DAY,
  daysAgo,
  MIDNIGHT,
  NOW,
  partly,
  type KeyChange,
  type Row,
} from './row.ts'

const OLDEST_END = CURRENT - 15 * DAY
/** An onset so early that the oldest keys are near enough. */
const EARLY_ONSET = { symptomOnsetInterval: daysAgo(10) }

/** One key whose text is spelt otherwise, beside a good one. */
const spelt = (what: string, key: (good: string) => string, error?: RegExp): Row => ({
  what: `a key's text ${what}`,
  when: { keys: [{ key }, {}] },
  expect: error === undefined ? { ...accepted(2), stored: [{}, {}] } : partly(1, error),
})
const NOT_BASE64 = /^key \d cannot be imported: it is not base64$/
const WRONG_LENGTH = /^key \d cannot be imported: it must have 16 bytes$/

/** Bytes whose text in the standard alphabet has + and / in it. */
const SLASHES = Buffer.from('fbeffbeffbeffbeffbeffbeffbeffbef', 'hex').toString('base64')

const TEXT_ROWS: readonly Row[] = [
  spelt('in the standard alphabet with padding', (good) => good),
  spelt('without padding', (good) => good.slice(0, 22)),
  spelt('with half of its padding', (good) => good.slice(0, 23)),
  {
    what: 'a key in the URL alphabet',
    when: { keys: [{ key: '-_-_-_-_-_-_-_-_-_-_-w==' }] },
    expect: accepted(1),
  },
  {
    what: 'a key in the URL alphabet without padding',
    when: { keys: [{ key: '__3__-__-_-_-_-_-_-_-w' }] },
    expect: accepted(1),
  },
  {
    what: 'a key in both alphabets at once',
    when: { keys: [{ key: '+_/-+_/-+_/-+_/-+_/-+Q==' }] },
    expect: accepted(1),
  },
  {
    what: 'a key with + and / and its padding',
    when: { keys: [{ key: SLASHES }] },
    expect: accepted(1),
  },
  spelt(
    'with line breaks inside',
    (good) => `${good.slice(0, 5)}\r\n${good.slice(5, 9)}\n${good.slice(9)}`,
  ),
  spelt('with a line break at its end', (good) => `${good}\n`),
  spelt('with a line break before it', (good) => `\n${good}`),
  spelt('with a line break in its padding', (good) => `${good.slice(0, 23)}\r\n=`),
  spelt(
    'with last bits that mean nothing',
    (good) =>
      `${good.slice(0, 21)}${good[21] === 'A' ? 'B' : String.fromCharCode(good.charCodeAt(21) + 1)}==`,
  ),
  spelt('with three signs of padding', (good) => `${good}=`, undefined),
  spelt('with a blank inside', (good) => `${good.slice(0, 5)} ${good.slice(5)}`, NOT_BASE64),
  spelt('with a tab at its end', (good) => `${good}\t`, NOT_BASE64),
  spelt('with padding inside', (good) => `${good.slice(0, 4)}=${good.slice(5)}`, NOT_BASE64),
  spelt(
    'with a sign of no alphabet',
    (good) => `${good.slice(0, 20)}*${good.slice(21)}`,
    NOT_BASE64,
  ),
  spelt(
    'with a letter of another script',
    (good) => `${good.slice(0, 20)}Ä${good.slice(21)}`,
    NOT_BASE64,
  ),
  spelt('with a NUL inside', (good) => `${good.slice(0, 20)}\0${good.slice(21)}`, NOT_BASE64),
  spelt('of 21 letters', (good) => good.slice(0, 21), NOT_BASE64),
  spelt('of 23 letters: 17 bytes', (good) => `${good.slice(0, 22)}A`, WRONG_LENGTH),
  spelt('of 20 letters: 15 bytes', (good) => good.slice(0, 20), WRONG_LENGTH),
  spelt('of 32 bytes', () => Buffer.alloc(32, 1).toString('base64'), WRONG_LENGTH),
  spelt('that is empty', () => '', WRONG_LENGTH),
  spelt('of padding alone', () => '====', WRONG_LENGTH),
  spelt('of line breaks alone', () => '\n\n', WRONG_LENGTH),
  spelt('in hexadecimal digits', () => '00112233445566778899aabbccddeeff', WRONG_LENGTH),
]

/** A key with other numbers beside a good one that is two days old. */
const one = (
  what: string,
  change: KeyChange,
  expect: Row['expect'],
  claims = EARLY_ONSET,
): Row => ({
  what,
  when: { keys: [change, {}], claims },
  expect,
})
const WRONG_PERIOD = partly(1, /^key 0 cannot be imported: rollingPeriod must be 1 to 144$/)
const TOO_OLD = partly(1, /^key 0 cannot be imported: it ended more than 15 days ago$/)
const FUTURE = partly(1, /^key 0 cannot be imported: it starts in the future$/)
const WRONG_RISK = partly(1, /^key 0 cannot be imported: transmissionRisk must be 0 to 8$/)

const NUMBER_ROWS: readonly Row[] = [
  one('a period of -1', { rollingPeriod: -1 }, WRONG_PERIOD),
  one('a period of 0', { rollingPeriod: 0 }, WRONG_PERIOD),
  one('a period of 1', { rollingPeriod: 1 }, { ...accepted(2), stored: [{ period: 1 }] }),
  one('a period of 144', { rollingPeriod: 144 }, { ...accepted(2), stored: [{ period: 144 }] }),
  one('a period of 145', { rollingPeriod: 145 }, WRONG_PERIOD),
  one(
    'a period that is left out: 144, in the tekmac, too',
    { rollingPeriod: undefined },
    { ...accepted(2), stored: [{ period: 144 }] },
  ),
  {
    what: 'a period that is left out, and MACed as 0',
    when: { keys: [{ rollingPeriod: undefined }], maced: (four) => four.replace('.144.', '.0.') },
    expect: {
      status: 401,
      code: 'health_authority_verification_certificate_invalid',
      subCode: 'wrong_tekmac',
    },
  },

  one('an end exactly 15 days ago', { rollingStartNumber: OLDEST_END - 144 }, accepted(2)),
  one('an end one interval earlier', { rollingStartNumber: OLDEST_END - 145 }, TOO_OLD),
  one(
    'a short key that ended exactly 15 days ago',
    { rollingStartNumber: OLDEST_END - 1, rollingPeriod: 1 },
    accepted(2),
  ),
  one(
    'a short key that ended one interval earlier',
    { rollingStartNumber: OLDEST_END - 2, rollingPeriod: 1 },
    TOO_OLD,
  ),
  one('a start in 1970', { rollingStartNumber: 0 }, TOO_OLD),
  one('a start before 1970', { rollingStartNumber: -1 }, TOO_OLD),
  one('a start at midnight', { rollingStartNumber: MIDNIGHT }, accepted(2)),
  one(
    'a start that is no midnight',
    { rollingStartNumber: MIDNIGHT - 77, rollingPeriod: 77 },
    accepted(2),
  ),
  one(
    'a start in the present interval',
    { rollingStartNumber: CURRENT, rollingPeriod: 1 },
    accepted(2),
  ),
  one(
    'a start in the next interval',
    { rollingStartNumber: CURRENT + 1, rollingPeriod: 1 },
    FUTURE,
  ),
  one('a start tomorrow', { rollingStartNumber: MIDNIGHT + DAY }, FUTURE),

  // Embargo: a key that is still valid waits for the first quarter of an hour after its end.
  one(
    'a key that has ended just now is published at once',
    { rollingStartNumber: CURRENT - 10, rollingPeriod: 10 },
    { ...accepted(2), stored: [{ available: NOW }] },
  ),
  one(
    "today's key waits until a quarter past midnight",
    { rollingStartNumber: MIDNIGHT },
    { ...accepted(2), stored: [{ available: (MIDNIGHT + DAY) * 600 + 900 }] },
  ),
  one(
    'a key that ends in an interval waits until a quarter past its end',
    { rollingStartNumber: CURRENT, rollingPeriod: 1 },
    { ...accepted(2), stored: [{ available: NOW + 900 }] },
  ),
  one(
    'a key that ends at a quarter of an hour waits for the next one',
    { rollingStartNumber: CURRENT, rollingPeriod: 3 },
    { ...accepted(2), stored: [{ available: NOW + 2700 }] },
  ),
  one(
    'a whole day that begins now',
    { rollingStartNumber: CURRENT, rollingPeriod: 144 },
    { ...accepted(2), stored: [{ available: NOW + 86_400 + 900 }] },
  ),

  one('a risk of -1', { transmissionRisk: -1 }, WRONG_RISK),
  one(
    'a risk of 0: the server chooses',
    { transmissionRisk: 0 },
    { ...accepted(2), stored: [{ risk: 2 }] },
  ),
  one('a risk of 1', { transmissionRisk: 1 }, { ...accepted(2), stored: [{ risk: 1 }] }),
  one('a risk of 8', { transmissionRisk: 8 }, { ...accepted(2), stored: [{ risk: 8 }] }),
  one('a risk of 9', { transmissionRisk: 9 }, WRONG_RISK),
  ...(
    [
      ['confirmed', 2],
      ['likely', 4],
      ['user-report', 0],
    ] as const
  ).map(([reportType, risk]): Row => ({
    what: `a risk of 0 with the report type ${reportType} becomes ${risk}`,
    when: { reportType, keys: [{}, { transmissionRisk: 7 }] },
    expect: {
      ...accepted(2),
      stored: [
        { risk, type: reportType },
        { risk: 7, type: reportType },
      ],
    },
  })),
  {
    what: 'a risk of 0 with a negative result becomes 6 where it changes a key',
    given: [{ reportType: 'likely' }],
    when: { reportType: 'negative', token: 'newest' },
    expect: {
      ...accepted(0),
      stored: [
        { risk: 6, revised: 'negative' },
        { risk: 6, revised: 'negative' },
      ],
    },
  },
]

export const KEY_ROWS: readonly Row[] = [...TEXT_ROWS, ...NUMBER_ROWS]
