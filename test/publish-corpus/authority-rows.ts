// Test helper: rows of the corpus about the health authority, its regions and what else an upload says of itself.

import { accepted, untrusted, type Row } from './row.ts'

const UNKNOWN = {
  status: 401,
  code: 'unknown_health_authority_id',
  error: /^healthAuthorityID is not accepted here/,
}
const named = (what: string, healthAuthorityID: string, expect: Row['expect'] = UNKNOWN): Row => ({
  what: `healthAuthorityID ${what}`,
  when: { fields: { healthAuthorityID } },
  expect,
})

export const AUTHORITY_ROWS: readonly Row[] = [
  named('is in upper case', 'ORG.EXAMPLE.HEALTH', accepted(2)),
  named('is unknown', 'org.example.unknown'),
  named('is empty', ''),
  named('has a blank before it', ' org.example.health'),
  named('has a blank behind it', 'org.example.health '),
  named('has a NUL in it', 'org.example\0health'),
  named('is a NUL', '\0'),
  named('is half of a surrogate pair', '\ud800'),
  named('is 10,000 letters', 'x'.repeat(10_000)),
  named('is __proto__', '__proto__'),
  named("is an expression of the database's", "x' or '1'='1"),
  named('is another one that is registered', 'org.example.other', untrusted('wrong_signature')),
  {
    what: 'a health authority that was disabled',
    when: { app: 'org.example.disabled' },
    expect: UNKNOWN,
  },
  {
    what: 'a disabled one, with a certificate that is wrong',
    when: { app: 'org.example.disabled', claims: { iss: 'x' } },
    expect: untrusted('wrong_issuer'),
  },
  {
    what: 'an unknown one is told before a wrong certificate',
    when: { fields: { healthAuthorityID: 'x' }, certificate: () => '' },
    expect: UNKNOWN,
  },
  {
    what: 'an unknown one is told before too many keys',
    when: { fields: { healthAuthorityID: 'x' }, keys: Array.from({ length: 31 }, () => ({})) },
    expect: UNKNOWN,
  },
  {
    what: 'a wrong certificate is told before bad keys',
    when: { claims: { aud: 'x' }, keys: [{ rollingPeriod: 0 }] },
    expect: untrusted('wrong_audience'),
  },
  {
    what: 'another health authority',
    when: { app: 'org.example.other' },
    expect: { ...accepted(2), report: { regions: 'GB' } },
  },
  {
    what: 'a health authority with two regions, in upper case',
    when: {},
    expect: { ...accepted(2), report: { regions: 'US,CA', traveler: false } },
  },
  {
    what: 'a traveler',
    when: { fields: { traveler: true } },
    expect: { ...accepted(2), report: { traveler: true } },
  },
  {
    what: 'no traveler',
    when: { fields: { traveler: false } },
    expect: { ...accepted(2), report: { traveler: false } },
  },
  {
    what: 'a health authority without a region, where no default region is named',
    when: { app: 'org.example.regionless' },
    expect: {
      status: 500,
      code: 'health_authority_missing_region_config',
      error: /TOCSIN_DEFAULT_REGION/,
    },
  },
  {
    what: 'a health authority without a region and a wrong certificate: the certificate is told',
    when: { app: 'org.example.regionless', claims: { aud: 'x' } },
    expect: untrusted('wrong_audience'),
  },
]

/** With TOCSIN_DEFAULT_REGION and TOCSIN_PARTIAL_REVISIONS. */
export const SETTINGS_ROWS: readonly Row[] = [
  {
    what: 'a health authority without a region has the default one',
    when: { app: 'org.example.regionless' },
    expect: { ...accepted(2), report: { regions: 'ZZ' } },
  },
  {
    what: 'a health authority with regions keeps its own',
    when: {},
    expect: { ...accepted(2), report: { regions: 'US,CA' } },
  },
  {
    what: 'partial revisions: a known key that the token does not cover is dropped and named',
    given: [{ keys: [{}] }, { keys: [{ of: 1 }] }],
    when: { keys: [{}, {}], token: 'first' },
    expect: {
      ...accepted(0),
      code: 'partial_failure',
      error:
        /^key 1 cannot be imported: it was uploaded before, and the revision token does not cover it$/,
    },
  },
  {
    what: 'partial revisions: new keys beside it are stored',
    given: [{ keys: [{ of: 2 }] }, { keys: [{}] }],
    when: { keys: [{}, {}], token: 'first' },
    expect: {
      ...accepted(1),
      code: 'partial_failure',
      error: /^key 0 cannot be imported/,
      stored: [{}, {}],
    },
  },
  {
    what: 'partial revisions: a known key without any token is refused all the same',
    given: [{ keys: [{}] }],
    when: { keys: [{}, {}] },
    expect: { status: 400, code: 'missing_revision_token' },
  },
  {
    what: 'partial revisions: another period is told before the token that lacks the key',
    given: [{ keys: [{ of: 2 }] }, { keys: [{}] }],
    when: { keys: [{ rollingPeriod: 143 }], token: 'first' },
    expect: { status: 400, code: 'key_metadata_mismatch' },
  },
  {
    what: 'partial revisions: all keys uncovered, none new',
    given: [{ keys: [{ of: 2 }] }, { keys: [{}] }],
    when: { keys: [{}], token: 'first' },
    expect: {
      ...accepted(0),
      code: 'partial_failure',
      error: /^key 0 cannot be imported/,
      stored: [{}],
    },
  },
  {
    what: 'partial revisions: a known key with a token that is none of ours',
    given: [{ keys: [{}] }],
    when: { keys: [{}, {}], token: { text: 'AAAA' } },
    expect: { status: 400, code: 'invalid_revision_token', stored: [{}, null] },
  },
]
