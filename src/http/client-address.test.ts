// Test: which address a request came from, whatever the phone says of itself.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clientAddress } from './client-address.ts'

const PROXY = '10.0.0.1'

test('without a trusted proxy only the socket counts', () => {
  assert.equal(clientAddress('198.51.100.1', '192.0.2.1', 0), '192.0.2.1')
  assert.equal(clientAddress(undefined, '::ffff:192.0.2.1', 0), '192.0.2.1')
  assert.equal(clientAddress(undefined, 'fe80::1%eth0', 0), 'fe80:0:0:0:0:0:0:1')
  assert.equal(clientAddress('198.51.100.1', '', 0), 'unknown')
})

test('with n trusted proxies it is the n-th from the right', () => {
  assert.equal(clientAddress('192.0.2.1', PROXY, 1), '192.0.2.1')
  assert.equal(clientAddress('192.0.2.1, 10.0.0.2', PROXY, 2), '192.0.2.1')
  assert.equal(clientAddress('192.0.2.1,10.0.0.3 ,\t10.0.0.2', PROXY, 3), '192.0.2.1')
})

test('what the phone wrote itself is never taken', () => {
  for (const spoofed of [
    '198.51.100.1',
    '198.51.100.1, 198.51.100.2',
    '198.51.100.1,',
    ',,,',
    ', ,',
    'unknown',
    '"',
    '[',
    '\u0000',
    '198.51.100.1,'.repeat(500),
  ]) {
    assert.equal(clientAddress(`${spoofed}, 192.0.2.1`, PROXY, 1), '192.0.2.1', spoofed)
    assert.equal(clientAddress(`${spoofed}, 192.0.2.1, 10.0.0.2`, PROXY, 2), '192.0.2.1', spoofed)
  }
})

test('a request that passed fewer proxies has the furthest address that one of them saw', () => {
  assert.equal(clientAddress(undefined, '10.0.0.9', 1), '10.0.0.9')
  assert.equal(clientAddress('', '10.0.0.9', 2), '10.0.0.9')
  assert.equal(clientAddress(' , ', '10.0.0.9', 2), '10.0.0.9')
  assert.equal(clientAddress('192.0.2.1', PROXY, 2), '192.0.2.1')
})

test('ports, brackets, quotes, zones and IPv4 within IPv6 are taken off', () => {
  for (const [entry, address] of [
    ['192.0.2.1:4711', '192.0.2.1'],
    ['"192.0.2.1:4711"', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['[::ffff:192.0.2.1]:443', '192.0.2.1'],
    ['[2001:db8::1]', '2001:db8:0:0:0:0:0:1'],
    ['[2001:db8::1]:443', '2001:db8:0:0:0:0:0:1'],
    ['"[2001:db8::1]:443"', '2001:db8:0:0:0:0:0:1'],
    ['2001:DB8::1', '2001:db8:0:0:0:0:0:1'],
    ['fe80::1%eth0', 'fe80:0:0:0:0:0:0:1'],
    ['[fe80::1%25eth0]:1', 'fe80:0:0:0:0:0:0:1'],
  ] as const)
    assert.equal(clientAddress(`198.51.100.1, ${entry}`, PROXY, 1), address, entry)
})

test('an entry that is no address is unknown, and neither its neighbour nor the proxy stands in', () => {
  for (const entry of [
    'unknown',
    '_hidden',
    '192.0.2',
    '192.0.2.999',
    '192.0.2.1:',
    '192.0.2.1:port',
    '192.0.2.1 198.51.100.1',
    '[192.0.2.1]',
    '[2001:db8::1',
    '[2001:db8::1]]',
    '2001:db8::1]:443',
    '[]',
    '""',
    'unix:',
    'example.org',
    'x'.repeat(10_000),
  ])
    assert.equal(clientAddress(`198.51.100.1, ${entry}`, PROXY, 1), 'unknown', entry)
})
