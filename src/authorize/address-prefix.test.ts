// Test: which prefix an address counts for, however it is written.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { plainAddress, prefixOf } from './address-prefix.ts'

test('an IPv4 address counts for its /24', () => {
  assert.equal(prefixOf('192.0.2.1'), '192.0.2.0/24')
  assert.equal(prefixOf('192.0.2.255'), '192.0.2.0/24')
  assert.equal(prefixOf('192.0.3.0'), '192.0.3.0/24')
})

test('IPv4 written within IPv6 counts as IPv4, from a socket for both and through a translator', () => {
  for (const address of [
    '::ffff:192.0.2.7',
    '::FFFF:c000:0207',
    '0:0:0:0:0:ffff:192.0.2.7',
    '64:ff9b::192.0.2.7',
    '64:ff9b::c000:207',
  ])
    assert.equal(prefixOf(address), '192.0.2.0/24', address)
})

test('an IPv6 address counts for its /48, in every way of writing it', () => {
  for (const address of [
    '2001:db8:1::',
    '2001:db8:1::1',
    '2001:0DB8:0001:ffff:ffff:ffff:ffff:ffff',
    '2001:db8:1:0:0:0:0:1%eth0',
    '2001:db8:1::192.0.2.1',
  ])
    assert.equal(prefixOf(address), '2001:db8:1::/48', address)
  assert.equal(prefixOf('2001:db8:2::1'), '2001:db8:2::/48')
  assert.equal(prefixOf('::1'), '0:0:0::/48')
  assert.equal(prefixOf('fe80::1%1'), 'fe80:0:0::/48')
})

test('what is no address is unknown', () => {
  for (const text of [
    '',
    'unknown',
    '192.0.2',
    '192.0.2.256',
    '192.0.2.01',
    '0xc0.0.2.1',
    '3221225985',
    '192.0.2.1:80',
    '[2001:db8::1]',
    '2001:db8::1::2',
    '2001:db8:1:2:3:4:5:6:7',
    ' 192.0.2.1',
    '192.0.2.1\n',
    '%eth0',
    '/run/tocsin.sock',
  ])
    assert.equal(prefixOf(text), 'unknown', JSON.stringify(text))
})

test('an address has one plain form', () => {
  assert.equal(plainAddress('::ffff:192.0.2.7'), '192.0.2.7')
  assert.equal(plainAddress('2001:DB8::1%eth0'), '2001:db8:0:0:0:0:0:1')
  assert.equal(plainAddress('::'), '0:0:0:0:0:0:0:0')
  assert.equal(plainAddress('1:2:3:4:5:6:7::'), '1:2:3:4:5:6:7:0')
  assert.equal(plainAddress('phone'), 'unknown')
})
