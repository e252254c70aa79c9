// Test helper: rows of the corpus about method, content type and size; promises the request's frame before anything of its content.

import { accepted, refused, untrusted, type Row } from './row.ts'

const TOO_LARGE = refused(/larger than this address accepts/, 413)
const NOT_JSON = refused(/content type must be application\/json/, 415)
const OTHER_METHOD = { status: 405, code: 'method_not_allowed', error: /takes? .*method/ }

export const TRANSPORT_ROWS: readonly Row[] = [
  { what: 'a good request', when: {}, expect: accepted(2) },

  // Size.
  { what: 'a body of 63,999 bytes', when: { size: 63_999 }, expect: accepted(2) },
  { what: 'a body of 64,000 bytes', when: { size: 64_000 }, expect: accepted(2) },
  { what: 'a body of 64,001 bytes', when: { size: 64_001 }, expect: TOO_LARGE },
  {
    what: 'a body of 64,000 bytes in pieces',
    when: { size: 64_000, chunked: true },
    expect: accepted(2),
  },
  {
    what: 'a body of 64,001 bytes in pieces',
    when: { size: 64_001, chunked: true },
    expect: TOO_LARGE,
  },
  { what: 'a body of 100,000 bytes', when: { size: 100_000 }, expect: TOO_LARGE },
  {
    what: 'a body of 64,001 bytes, of which the last are blanks',
    when: { body: (good) => good.padEnd(64_001) },
    expect: TOO_LARGE,
  },
  {
    what: 'a body of 64,000 bytes, of which the last are blanks',
    when: { body: (good) => good.padEnd(64_000) },
    expect: accepted(2),
  },

  // Content type: it must start with application/json, in lower case.
  {
    what: 'application/json; charset=utf-8',
    when: { contentType: 'application/json; charset=utf-8' },
    expect: accepted(2),
  },
  {
    what: 'application/json;charset=UTF-8',
    when: { contentType: 'application/json;charset=UTF-8' },
    expect: accepted(2),
  },
  {
    what: 'application/json; charset="utf-8"',
    when: { contentType: 'application/json; charset="utf-8"' },
    expect: accepted(2),
  },
  { what: 'application/jsonx', when: { contentType: 'application/jsonx' }, expect: accepted(2) },
  {
    what: 'application/json-patch+json',
    when: { contentType: 'application/json-patch+json' },
    expect: accepted(2),
  },
  {
    what: 'application/json behind a blank',
    when: { contentType: ' application/json' },
    expect: accepted(2),
  },
  {
    what: 'application/json with a blank and more behind it',
    when: { contentType: 'application/json charset=utf-8' },
    expect: NOT_JSON,
  },
  { what: 'application/json;', when: { contentType: 'application/json;' }, expect: accepted(2) },
  {
    what: 'application/json and another',
    when: { contentType: 'application/json, text/plain' },
    expect: NOT_JSON,
  },
  {
    what: 'application/json;;',
    when: { contentType: 'application/json; ;x' },
    expect: accepted(2),
  },
  { what: 'application/json/x', when: { contentType: 'application/json/x' }, expect: NOT_JSON },
  {
    what: 'another content type around a body that is too large',
    when: { contentType: 'text/plain', size: 64_001 },
    expect: TOO_LARGE,
  },
  {
    what: 'a bare application/json around nothing',
    when: { body: () => '', headers: { 'content-length': '0' } },
    expect: refused(/one JSON object/),
  },
  { what: 'Application/JSON', when: { contentType: 'Application/JSON' }, expect: NOT_JSON },
  { what: 'application/JSON', when: { contentType: 'application/JSON' }, expect: NOT_JSON },
  { what: 'application/jso', when: { contentType: 'application/jso' }, expect: NOT_JSON },
  { what: 'application/x-json', when: { contentType: 'application/x-json' }, expect: NOT_JSON },
  { what: 'text/json', when: { contentType: 'text/json' }, expect: NOT_JSON },
  { what: 'text/plain', when: { contentType: 'text/plain' }, expect: NOT_JSON },
  {
    what: 'application/x-protobuf',
    when: { contentType: 'application/x-protobuf' },
    expect: NOT_JSON,
  },
  { what: 'a form', when: { contentType: 'application/x-www-form-urlencoded' }, expect: NOT_JSON },
  {
    what: 'a form in parts',
    when: { contentType: 'multipart/form-data; boundary=x' },
    expect: NOT_JSON,
  },
  { what: 'no content type', when: { contentType: null }, expect: NOT_JSON },
  {
    what: 'no content type and no body',
    when: { contentType: null, body: () => '' },
    expect: NOT_JSON,
  },
  { what: 'a content type without a subtype', when: { contentType: 'json' }, expect: NOT_JSON },
  {
    what: 'another content type around a body that is no JSON',
    when: { contentType: 'text/plain', body: () => '{' },
    expect: NOT_JSON,
  },
  {
    what: 'another content type before a certificate that is wrong',
    when: { contentType: 'text/plain', claims: { exp: 1 } },
    expect: NOT_JSON,
  },

  // Method.
  ...['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE'].map((method): Row => ({
    what: `${method} instead of POST`,
    when: { method },
    expect: OTHER_METHOD,
  })),

  // Headers that change nothing.
  {
    what: 'headers that nobody knows',
    when: { headers: { 'x-request-id': 'mine', 'x-forwarded-for': '192.0.2.1' } },
    expect: accepted(2),
  },
  {
    what: 'a body that says to be compressed and is not',
    when: { headers: { 'content-encoding': 'identity' } },
    expect: accepted(2),
  },
  {
    what: 'an Accept header for something else',
    when: { headers: { accept: 'application/x-protobuf' } },
    expect: accepted(2),
  },
  {
    what: 'an Authorization header',
    when: { headers: { authorization: 'Bearer x' }, claims: { exp: 1 } },
    expect: untrusted('expired'),
  },
]
