// Test: what is counted, under which kinds, and how counts are put into parts of events.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  countCertified,
  countClaimed,
  countFailure,
  countIssued,
  countTextError,
  mergeCounts,
  statDay,
  statEvents,
  statPart,
  systemOf,
  type StatCount,
} from './stat-counts.ts'

const PLACE = { realm: 'north', day: 20_000 }

/** Counts as short texts. */
const brief = (counts: readonly StatCount[]) =>
  counts.map(
    ({ kind, subjectKind, subject, count }) => `${kind} ${subjectKind}:${subject} ${count}`,
  )

test('issuing counts for the realm, for who issued and for whom', () => {
  assert.deepEqual(brief(countIssued(PLACE, { key: 'abc' }, 'lab 7', false, 3)), [
    'codes_issued realm: 3',
    'codes_issued key:abc 3',
    'codes_issued issuer:lab 7 3',
  ])
  assert.deepEqual(brief(countIssued(PLACE, { staff: 'ada' }, '', false, 1)), [
    'codes_issued realm: 1',
    'codes_issued staff:ada 1',
  ])
  assert.deepEqual(brief(countIssued(PLACE, null, '', true, 1)), [
    'codes_issued realm: 1',
    'user_reports_issued realm: 1',
  ])
})

test('a claim counts in the bucket of its age: each limit belongs to the lower one', () => {
  const bucketOf = (age: number) => brief(countClaimed(PLACE, age, false))[1]
  const ages = [0, 60, 61, 300, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 86_401]
  const buckets = [0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
  assert.deepEqual(
    ages.map(bucketOf),
    buckets.map((bucket) => `claim_age_${bucket} realm: 1`),
  )
  // A card that lay in a drawer for 4 weeks; a clock that went back.
  assert.equal(bucketOf(28 * 86_400), 'claim_age_10 realm: 1')
  assert.deepEqual(brief(countClaimed(PLACE, -5, true)), [
    'codes_claimed realm: 1',
    'claim_age_0 realm: 1',
    'user_reports_claimed realm: 1',
    'claim_age_seconds realm: 0',
  ])
})

test('tokens, failures and text errors count under their kinds', () => {
  assert.deepEqual(brief(countCertified(PLACE, true)), [
    'tokens_claimed realm: 1',
    'user_report_tokens_claimed realm: 1',
  ])
  assert.deepEqual(brief(countFailure(PLACE, 'codes_invalid', 'ios')), [
    'codes_invalid realm: 1',
    'codes_invalid_ios realm: 1',
  ])
  assert.deepEqual(brief(countFailure(PLACE, 'tokens_invalid', 'ios')), ['tokens_invalid realm: 1'])
  assert.deepEqual(brief(countFailure(PLACE, 'user_reports_invalid_nonce', 'unknown_os')), [
    'user_reports_invalid_nonce realm: 1',
    'user_reports_invalid_nonce_unknown_os realm: 1',
  ])
  assert.deepEqual(brief(countTextError(PLACE, '30003')), ['sms_errors sms:30003 1'])
})

test('a phone is known by what its client sends', () => {
  const agents = {
    'ENExpress/1 CFNetwork/1220.1 Darwin/20.3.0': 'ios',
    'MyApp/2.0 (iPhone; iOS 14.5; Scale/3.00)': 'ios',
    'Dalvik/2.1.0 (Linux; U; Android 11; Pixel 5)': 'android',
    'okhttp/4.9.0': 'android',
    'curl/8.5.0': 'unknown_os',
    '': 'unknown_os',
  }
  assert.deepEqual(Object.keys(agents).map(systemOf), Object.values(agents))
})

test('an event holds one day, merged', () => {
  const later = { realm: 'north', day: 20_001 }
  const counts = [...countCertified(PLACE, false), ...countCertified(later, false)]
  assert.throws(() => statPart(counts), /one day/)
  assert.throws(() => statPart([]), /one day/)
  const events = statEvents([...counts, ...counts])
  assert.deepEqual(
    events.map(({ type, parts }) => [type, ...parts.map(statDay)]),
    [
      ['stats.counted', 20_000],
      ['stats.counted', 20_001],
    ],
  )
  const contents = events.map(({ parts }) => parts[0]?.content as { counts: StatCount[] })
  for (const { counts: merged } of contents)
    assert.deepEqual(brief(merged), ['tokens_claimed realm: 2'])
  assert.equal(statDay({ retention: 'statistics', content: undefined }), undefined)
  assert.deepEqual(statEvents([]), [])
})

test('counts of different realms, kinds or subjects stay apart', () => {
  const counts = [
    ...countIssued(PLACE, { key: 'a' }, '', false, 1),
    ...countIssued(PLACE, { staff: 'a' }, '', false, 1),
    ...countIssued({ ...PLACE, realm: 'south' }, { key: 'a' }, '', false, 1),
  ]
  assert.equal(mergeCounts([...counts, ...counts]).length, 5)
})
