// Authorize: the part of an internet address that stands for whoever is behind it; promises one prefix for every way of writing an address.

import { isIP } from 'node:net'

/** What stands for an address that is none. All such requests share it. */
export const UNKNOWN_ADDRESS = 'unknown'

/**
 * The prefix that tries are counted for.
 *
 * IPv4: /24. A household has one address today and another of the same pool tomorrow, and whoever rents a server gets the
 * neighbouring addresses for cents: counting single ones would give each of them 10 free tries.
 * IPv6: /48. It is what a site may be given: 65,536 networks of 2^64 addresses each, and a phone draws a new address every day.
 * A provider that hands out smaller ones shares its /48 among customers, as it shares an IPv4 address among them.
 *
 * @param address IPv4 or IPv6 as text
 * @returns such as `192.0.2.0/24` or `2001:db8:1::/48`; `unknown` for what is no address
 */
export function prefixOf(address: string): string {
  const groups = parseAddress(address)
  if (groups === undefined) return UNKNOWN_ADDRESS
  return groups.length === 4
    ? `${groups.slice(0, 3).join('.')}.0/24`
    : `${hexadecimal(groups.slice(0, 3))}::/48`
}

/** The one way of writing an address, without a zone; `unknown` for what is none. */
export function plainAddress(address: string): string {
  const groups = parseAddress(address)
  if (groups === undefined) return UNKNOWN_ADDRESS
  return groups.length === 4 ? groups.join('.') : hexadecimal(groups)
}

/** An address's 4 bytes, or its 8 groups of 16 bits. */
function parseAddress(text: string): readonly number[] | undefined {
  // A zone (fe80::1%eth0) names an interface of this machine and says nothing about the other.
  const [address = ''] = text.split('%', 1)
  const version = isIP(address)
  if (version === 0) return undefined
  if (version === 4) return address.split('.').map(Number)
  const groups = parseGroups(address)
  return isIpv4Within(groups)
    ? groups.slice(6).flatMap((group) => [group >> 8, group & 255])
    : groups
}

/** @param address IPv6, known to be right */
function parseGroups(address: string): readonly number[] {
  const [left = [], right = []] = address.split('::').map(groupsOf)
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => 0)
  return [...left, ...zeros, ...right]
}

function groupsOf(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)]
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number)
    return [(a << 8) | b, (c << 8) | d]
  })
}

/**
 * A socket for both versions shows IPv4 as ::ffff:192.0.2.1, and a translator in front of a machine with IPv6 alone as
 * 64:ff9b::192.0.2.1. As IPv6 all of them together would have one prefix.
 */
function isIpv4Within(groups: readonly number[]): boolean {
  const start = hexadecimal(groups.slice(0, 6))
  return start === '0:0:0:0:0:ffff' || start === '64:ff9b:0:0:0:0'
}

function hexadecimal(groups: readonly number[]): string {
  return groups.map((group) => group.toString(16)).join(':')
}
