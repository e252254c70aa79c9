// Http: the address that a request came from; promises that no phone chooses it, as long as the trusted proxies are as many as was said. It is never stored or logged.

import { plainAddress, UNKNOWN_ADDRESS } from '../authorize/address-prefix.ts'

/**
 * The address of who sent a request. Each proxy adds, at the right of `X-Forwarded-For`, whom it got the request from, so that with n
 * trusted ones the n-th from the right was written by the outermost of them. What stands further left was sent by the phone itself.
 *
 * @param forwardedFor `X-Forwarded-For`, several ones joined by commas; undefined when there is none
 * @param socketAddress of whom this server is connected to; empty for a socket of this machine
 * @param trustedProxies how many proxies of one's own each request passes; 0 for none
 * @returns IPv4 or IPv6 in its plain form, without port or zone; `unknown` when what stands in its place is no address
 */
export function clientAddress(
  forwardedFor: string | undefined,
  socketAddress: string,
  trustedProxies: number,
): string {
  if (trustedProxies === 0) return plainAddress(socketAddress)
  // Proxies write no empty entries, and some leave out those that a phone sent.
  const entries = (forwardedFor ?? '')
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
  // A request that passed fewer proxies came from within; the leftmost entry, or else the socket, is the furthest that is known.
  const entry = entries.at(Math.max(-trustedProxies, -entries.length))
  // Never the entry beside a broken one: that might be the phone's own text, or a proxy that all others share.
  return entry === undefined ? plainAddress(socketAddress) : addressOfEntry(entry)
}

// 192.0.2.1:4711, [2001:db8::1]:4711, [2001:db8::1]; quoted by proxies that write the header Forwarded as well.
const IPV4_AND_PORT = /^(\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}$/
const IN_BRACKETS = /^\[([^[\]]{2,100})\](?::\d{1,5})?$/

function addressOfEntry(entry: string): string {
  const text = /^"[^"]*"$/.test(entry) ? entry.slice(1, -1) : entry
  const bracketed = IN_BRACKETS.exec(text)?.[1]
  if (bracketed !== undefined)
    return bracketed.includes(':') ? plainAddress(bracketed) : UNKNOWN_ADDRESS
  return plainAddress(IPV4_AND_PORT.exec(text)?.[1] ?? text)
}
