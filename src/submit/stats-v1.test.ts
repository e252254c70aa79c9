// Test: statistics as CSV, line by line.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { statsAsCsv } from './stats-v1.ts'

const NAMES =
  'day,publish_requests_unknown,publish_requests_android,publish_requests_ios,total_teks_published,requests_with_revisions,requests_missing_onset_date,tek_age_distribution,onset_to_upload_distribution\n'

test('a line for each day below the names', () => {
  assert.equal(statsAsCsv([]), NAMES)
  const day = {
    day: '2020-02-03T00:00:00Z',
    publish_requests: { unknown: 1, android: 2, ios: 3 },
    total_teks_published: 10,
    requests_with_revisions: 9,
    requests_missing_onset_date: 7,
    tek_age_distribution: [2, 4, 5],
    onset_to_upload_distribution: [1, 3, 4],
  }
  assert.equal(
    statsAsCsv([day, { ...day, day: '2020-02-04T00:00:00Z' }]),
    `${NAMES}2020-02-03,1,2,3,10,9,7,2|4|5,1|3|4\n2020-02-04,1,2,3,10,9,7,2|4|5,1|3|4\n`,
  )
})
