// Test helper: rows of the corpus about a certificate's claims; promises each claim with each wrong value, and its borders.

import { accepted, NOW, untrusted, type Members, type Row } from './row.ts'

/** Seconds by which clocks may differ. */
const LEEWAY = 5

const claim = (what: string, claims: Members, subCode: string): Row => ({
  what: `the certificate's ${what}`,
  when: { claims },
  expect: untrusted(subCode),
})
const claimed = (what: string, claims: Members): Row => ({
  what: `the certificate's ${what}`,
  when: { claims },
  expect: accepted(2),
})
/** A certificate whose claims are this text, well signed. */
const claimsText = (what: string, change: (good: string) => string | Uint8Array): Row => ({
  what: `the certificate's claims ${what}`,
  when: { claims: { '': change } },
  expect: untrusted('malformed'),
})

/** A certificate one of whose claims is written so. */
const written = (name: string, text: string, expect: Row['expect']): Row => ({
  what: `the certificate's ${name} is written ${text}`,
  when: {
    claims: {
      '': (good: string) =>
        good.replace(new RegExp(`,"${name}":[^,}]+`), '').replace('{', `{"${name}":${text},`),
    },
  },
  expect,
})

export const CLAIM_ROWS: readonly Row[] = [
  claimsText('are no JSON', () => '{'),
  claimsText('are a list', (good) => `[${good}]`),
  claimsText('are null', () => 'null'),
  claimsText('are empty', () => ''),
  claimsText('have something behind them', (good) => `${good}x`),
  claimsText('have a second object behind them', (good) => `${good}{}`),
  claimsText('are no UTF-8', (good) =>
    Buffer.concat([Buffer.from(good.slice(0, -1)), Buffer.from(',"x":"\xff"}', 'latin1')]),
  ),
  claim('iss is missing', { iss: undefined }, 'wrong_issuer'),
  claim('iss is another', { iss: 'https://example.org/' }, 'wrong_issuer'),
  claim("iss is another authority's", { iss: 'https://org.example.other/' }, 'wrong_issuer'),
  claim('iss lacks its last sign', { iss: 'https://org.example.health' }, 'wrong_issuer'),
  claim('iss is in upper case', { iss: 'HTTPS://ORG.EXAMPLE.HEALTH/' }, 'wrong_issuer'),
  claim('iss is a list', { iss: ['https://org.example.health/'] }, 'wrong_issuer'),
  claim('aud is missing', { aud: undefined }, 'wrong_audience'),
  claim('aud is null', { aud: null }, 'wrong_audience'),
  claim('aud is empty', { aud: '' }, 'wrong_audience'),
  claim('aud is another', { aud: 'other' }, 'wrong_audience'),
  claim('aud is in upper case', { aud: 'TOCSIN-TEST' }, 'wrong_audience'),
  claim('aud is a list without ours', { aud: ['other'] }, 'wrong_audience'),
  claim('aud is an empty list', { aud: [] }, 'wrong_audience'),
  claim('aud is a list in a list', { aud: [['tocsin-test']] }, 'wrong_audience'),
  claimed('aud is a list with ours alone', { aud: ['tocsin-test'] }),
  claimed('aud is a list with ours and another', { aud: ['other', 'tocsin-test'] }),

  claim('exp is missing', { exp: undefined }, 'expired'),
  claim('exp is 0', { exp: 0 }, 'expired'),
  claim('exp is negative', { exp: -1 }, 'expired'),
  claim('exp has passed', { exp: NOW - 3600 }, 'expired'),
  claim('exp has passed by the whole leeway', { exp: NOW - LEEWAY }, 'expired'),
  claimed('exp has passed by a second less', { exp: NOW - LEEWAY + 1 }),
  claim('exp has a fraction', { exp: NOW - LEEWAY + 0.01 }, 'malformed'),
  written('exp', `${NOW}.0`, accepted(2)),
  written('exp', '9223372036854775807', accepted(2)),
  written('exp', '9223372036854780000', untrusted('malformed')),
  written('exp', '1e999', untrusted('malformed')),
  written('iat', '-9223372036854775808', accepted(2)),
  claimed('exp is now', { exp: NOW }),
  claimed('exp is in a hundred years', { exp: NOW + 100 * 365 * 86_400 }),
  claim('exp is a text', { exp: String(NOW + 900) }, 'malformed'),
  claim('exp is null', { exp: null }, 'expired'),
  claim('exp is true', { exp: true }, 'malformed'),
  claimed('nbf and iat are missing', { nbf: undefined, iat: undefined }),
  claimed('nbf and iat are null', { nbf: null, iat: null }),
  claimed('nbf is later by the leeway', { nbf: NOW + LEEWAY }),
  claim('nbf is later by a second more', { nbf: NOW + LEEWAY + 1 }, 'not_yet_valid'),
  claimed('iat is later by the leeway', { iat: NOW + LEEWAY }),
  claim('iat is later by a second more', { iat: NOW + LEEWAY + 1 }, 'not_yet_valid'),
  claimed('iat is an hour old', { iat: NOW - 3600 }),
  claim('nbf is a text', { nbf: 'now' }, 'malformed'),
  claim('iat is a list', { iat: [NOW] }, 'malformed'),
  claim('iat has a fraction', { iat: NOW - 0.5 }, 'malformed'),
  claimed('sub and jti are texts', { sub: '', jti: 'x' }),
  claimed('sub and jti are null', { sub: null, jti: null }),
  claim('sub is a number', { sub: 1 }, 'malformed'),
  claim('jti is a number', { jti: 1 }, 'malformed'),
  claim('jti is a list', { jti: ['x'] }, 'malformed'),
  claim(
    'names are in upper case',
    { iss: undefined, ISS: 'https://org.example.health/' },
    'wrong_issuer',
  ),

  claim('reportType is missing', { reportType: undefined }, 'wrong_report_type'),
  claim('reportType is null', { reportType: null }, 'wrong_report_type'),
  claim('reportType is empty', { reportType: '' }, 'wrong_report_type'),
  claim('reportType is unknown', { reportType: 'recursive' }, 'wrong_report_type'),
  claim('reportType is in upper case', { reportType: 'Confirmed' }, 'wrong_report_type'),
  claim('reportType is a number', { reportType: 1 }, 'wrong_report_type'),
  claim('reportType is a name of every object', { reportType: 'constructor' }, 'wrong_report_type'),
  claim('symptomOnsetInterval is a text', { symptomOnsetInterval: '1' }, 'malformed'),
  claim('symptomOnsetInterval is negative', { symptomOnsetInterval: -1 }, 'malformed'),
  claim('symptomOnsetInterval has a fraction', { symptomOnsetInterval: 1.5 }, 'malformed'),
  written('symptomOnsetInterval', '3.0', accepted(2)),
  claimed('symptomOnsetInterval is 0', { symptomOnsetInterval: 0 }),
  claimed('symptomOnsetInterval is 2,147,483,647: not believed', {
    symptomOnsetInterval: 2 ** 31 - 1,
  }),
  claimed('trisk is there, as some servers send it', { trisk: [], testDateInterval: 1, jti: 'x' }),
  claimed('issuerHandle is 22 characters', { issuerHandle: 'AAECAwQFBgcICQoLDA0ODw' }),
  claim('issuerHandle is something else', { issuerHandle: 'x' }, 'malformed'),
]
