// Test: statistics as CSV: columns as existing readers know them, and texts that a spreadsheet must not compute.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compositeCsv, issuerCsv, keyCsv, realmCsv, staffCsv, textErrorCsv } from './stat-csv.ts'

const DATE = '2026-11-25T00:00:00Z'
const BY_SYSTEM = { unknown_os: 11, ios: 12, android: 13 }
const DATA = {
  codes_issued: 100,
  codes_claimed: 90,
  codes_invalid: 36,
  codes_invalid_by_os: BY_SYSTEM,
  user_reports_issued: 20,
  user_reports_claimed: 19,
  user_reports_invalid_nonce: 36,
  user_reports_invalid_nonce_by_os: BY_SYSTEM,
  tokens_claimed: 80,
  tokens_invalid: 15,
  user_report_tokens_claimed: 18,
  code_claim_mean_age_seconds: 60,
  code_claim_age_distribution: [30, 60, 0],
}

test('a day of a realm is a line under the known columns', () => {
  const [header, line, end] = realmCsv({
    realm_id: 1,
    statistics: [{ date: DATE, data: DATA }],
  }).split('\r\n')
  assert.equal(
    header,
    'date,codes_issued,codes_claimed,codes_invalid,tokens_claimed,tokens_invalid,code_claim_mean_age_seconds,' +
      'code_claim_age_distribution,user_reports_issued,user_reports_claimed,user_report_tokens_claimed,' +
      'codes_invalid_unknown_os,codes_invalid_ios,codes_invalid_android,user_reports_invalid_nonce,' +
      'user_reports_invalid_nonce_unknown_os,user_reports_invalid_nonce_ios,user_reports_invalid_nonce_android',
  )
  assert.equal(line, '2026-11-25,100,90,36,80,15,60,30|60|0,20,19,18,11,12,13,36,11,12,13')
  assert.equal(end, '')
})

test('the columns of the key server stay where readers expect them, empty', () => {
  const noKeys = {
    total_publish_requests: 0,
    publish_requests: { unknown: 0, android: 0, ios: 0 },
    total_teks_published: 0,
    requests_with_revisions: 0,
    tek_age_distribution: null,
    onset_to_upload_distribution: null,
    requests_missing_onset_date: 0,
  } as const
  const csv = compositeCsv({
    realm_id: 1,
    has_key_server_stats: false,
    statistics: [{ date: DATE, data: { ...DATA, ...noKeys } }],
  })
  const [header = '', line = ''] = csv.split('\r\n')
  assert.equal(header.split(',').indexOf('publish_requests_unknown'), 8)
  assert.equal(header.split(',').indexOf('user_reports_issued'), 16)
  assert.equal(line, '2026-11-25,100,90,36,80,15,60,30|60|0,,,,,,,,,20,19,18,11,12,13,36,11,12,13')
})

test('a text that others chose stays one cell, and is never a formula', () => {
  const cellOf = (id: string) =>
    issuerCsv({
      realm_id: 1,
      statistics: [{ date: DATE, issuer_data: [{ issuer_id: id, codes_issued: 10 }] }],
    })
      .replace('date,realm_id,issuer_id,codes_issued\r\n2026-11-25,1,', '')
      .replace(/,10\r\n$/, '')
  const cells = {
    'lab 7': 'lab 7',
    'lab-7@x.example': 'lab-7@x.example',
    'a,b': '"a,b"',
    'a"b': '"a""b"',
    'a\r\nb': '"a\r\nb"',
    'a;=1+1': '"a;=1+1"',
    '=1+1': "'=1+1",
    '+49': "'+49",
    '-1': "'-1",
    '@SUM(A1)': "'@SUM(A1)",
    '  =1': "'  =1",
    '\t=1': '"\'\t=1"',
    '\r=1': '"\'\r=1"',
    '＝1': "'＝1",
    '=HYPERLINK("http://x.example","y")': '"\'=HYPERLINK(""http://x.example"",""y"")"',
  }
  for (const [id, cell] of Object.entries(cells)) assert.equal(cellOf(id), cell, JSON.stringify(id))
})

test('names of staff and keys are texts of others, too', () => {
  const staff = {
    realm_id: 1,
    statistics: [
      {
        date: DATE,
        issuer_data: [{ user_id: 'ada', name: '=A1', email: '+a@x.example', codes_issued: 12 }],
      },
    ],
  }
  assert.equal(
    staffCsv(staff),
    "date,realm_id,user_id,name,email,codes_issued\r\n2026-11-25,1,ada,'=A1,'+a@x.example,12\r\n",
  )
  const key = {
    authorized_app_id: 'abc',
    authorized_app_name: '@x',
    statistics: [{ date: DATE, data: { codes_issued: 12 } }],
  }
  assert.equal(
    keyCsv(key),
    "date,authorized_app_id,authorized_app_name,codes_issued\r\n2026-11-25,abc,'@x,12\r\n",
  )
})

test('where nothing is told the columns stand there all the same', () => {
  assert.equal(staffCsv({}), 'date,realm_id,user_id,name,email,codes_issued\r\n')
  assert.equal(issuerCsv({}), 'date,realm_id,issuer_id,codes_issued\r\n')
  assert.equal(textErrorCsv({}), 'date,realm_id,error_code,quantity\r\n')
})
