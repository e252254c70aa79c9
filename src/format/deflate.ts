// Format: compression with deflate, as a stream; promises that the output follows from the content alone, on every machine and for all time.

import { BlockWriter, Matches, MAX_BLOCK_BYTES, MIN_MATCH } from './deflate-block.ts'
import type { Deflater } from './zip.ts'

// RFC 1951: how far back a match may reach, and how long it may be.
const WINDOW_BYTES = 32_768
const MAX_MATCH = 258

/** Earlier places are found by their next 4 bytes, and by so many; so the block is read past its end. */
const LONG_KEY = 15
const AHEAD = 16

// Sizes of the tables: the first takes every place, the other only those where a match was.
const SHORT_HASH_BITS = 16
const LONG_HASH_BITS = 13

/** Among literals every other place is looked at: a match has more than one, and is followed back. */
const LITERAL_STEP = 2

/** How many earlier places with the same key are looked at. */
const SHORT_TRIES = 24
const LONG_TRIES = 2
/** A match so long is taken, whatever there is at more distant places with the short key, or at the next place. */
const LONG_ENOUGH = 12
const NO_WAITING = 18

/** A place is kept in 16 bits; of two that are as far apart as the window, one is enough. */
const PLACE_MASK = 0xffff
const LINK_MASK = WINDOW_BYTES - 1

/**
 * Compresses bytes (RFC 1951). How they are cut makes no difference to the output: each block but the last is as many bytes,
 * and depends on those and what came before alone.
 *
 * It is made for records of random bytes and metadata, which most of an export is, and reasonable for all else. Random
 * bytes must be passed fast, so one earlier place is looked at whether its four bytes are the same. Where they are, the
 * record before with the same metadata is looked for by a longer key: one long match is shorter than several.
 */
export class Deflate implements Deflater {
  /** The bytes before the block, as far as matches may reach; the block; zeros. */
  readonly #buffer = new Uint8Array(WINDOW_BYTES + MAX_BLOCK_BYTES + AHEAD)
  readonly #view = new DataView(this.#buffer.buffer)
  #filled = WINDOW_BYTES
  /** The first byte of the buffer that there was. */
  #first = WINDOW_BYTES
  /** A place is an index in the buffer and this; it follows the bytes when they move. */
  #moved = 0

  /** By key, the last place that had it; by place, the one before with the same key. Whatever they say is checked. */
  readonly #shortKeys = new Uint16Array(1 << SHORT_HASH_BITS)
  readonly #shortLinks = new Uint16Array(WINDOW_BYTES)
  readonly #longKeys = new Uint16Array(1 << LONG_HASH_BITS)
  readonly #longLinks = new Uint16Array(WINDOW_BYTES)

  readonly #matches = new Matches()
  readonly #writer = new BlockWriter()
  // The match that was found last.
  #start = 0
  #length = 0
  #distance = 0

  /** Takes bytes, `final` with the last. Returns what they complete. */
  push(chunk: Uint8Array, final: boolean): readonly Uint8Array[] {
    const made: Uint8Array[] = []
    for (let offset = 0; offset < chunk.length;) {
      // Not before there are more: a block must know whether it is the last.
      if (this.#filled === WINDOW_BYTES + MAX_BLOCK_BYTES) {
        made.push(this.#endBlock(false))
        this.#moveWindow()
      }
      const room = WINDOW_BYTES + MAX_BLOCK_BYTES - this.#filled
      const piece = chunk.subarray(offset, offset + room)
      this.#buffer.set(piece, this.#filled)
      this.#filled += piece.length
      offset += piece.length
    }
    if (final) made.push(this.#endBlock(true))
    return made
  }

  #endBlock(isLast: boolean): Uint8Array {
    this.#buffer.fill(0, this.#filled, this.#filled + AHEAD)
    this.#findMatches()
    const block = this.#buffer.subarray(WINDOW_BYTES, this.#filled)
    return this.#writer.write(block, this.#matches, isLast)
  }

  #moveWindow(): void {
    this.#buffer.copyWithin(0, MAX_BLOCK_BYTES, MAX_BLOCK_BYTES + WINDOW_BYTES)
    this.#filled = WINDOW_BYTES
    this.#first = 0
    this.#moved = (this.#moved + MAX_BLOCK_BYTES) & PLACE_MASK
  }

  /** Goes through the block. A match waits for the one at the next place, and gives way if that is longer. */
  #findMatches(): void {
    const end = this.#filled
    const stop = end - MIN_MATCH + 1
    this.#matches.count = 0
    let literals = WINDOW_BYTES
    for (let at = this.#skipLiterals(literals, stop); at < stop;) {
      if (this.#beginsEarlier(at, literals)) at--
      this.#chooseMatch(at, literals)
      let start = this.#start
      let length = this.#length
      let distance = this.#distance
      let next = at + 1
      while (length < NO_WAITING && next < stop) {
        const found = this.#skipLiterals(next, next + 1) === next
        if (found) this.#chooseMatch(next, literals)
        next++
        if (!found || this.#length <= length) break
        start = this.#start
        length = this.#length
        distance = this.#distance
      }
      this.#matches.add(start - literals, length, distance)
      literals = start + length
      this.#enter(next, literals)
      at = this.#skipLiterals(literals, stop)
    }
  }

  /**
   * Enters places into the table until there is an earlier one that begins with the same bytes. Returns the place, or one from
   * `stop` on; sets the distance. Most of the time goes here.
   */
  #skipLiterals(from: number, stop: number): number {
    const view = this.#view
    const keys = this.#shortKeys
    const links = this.#shortLinks
    const first = this.#first
    const moved = this.#moved
    let at = from
    for (; at < stop; at += LITERAL_STEP) {
      const bytes = view.getInt32(at, true)
      const place = at + moved
      const hash = hashShort(bytes)
      const earlier = keys[hash] as number
      keys[hash] = place
      links[place & LINK_MASK] = earlier
      // 0 becomes more than the window.
      const distance = ((place - earlier - 1) & PLACE_MASK) + 1
      if (distance > WINDOW_BYTES || distance > at - first) continue
      if (view.getInt32(at - distance, true) !== bytes) continue
      this.#distance = distance
      break
    }
    return at
  }

  /** Whether the match that was found at a place begins at the one before, so that each record's begins at the same byte. */
  #beginsEarlier(at: number, literals: number): boolean {
    const earlier = at - 1 - this.#distance
    return at > literals && earlier >= this.#first && this.#buffer[at - 1] === this.#buffer[earlier]
  }

  /** Enters places that lie in a match. */
  #enter(from: number, stop: number): void {
    const view = this.#view
    const keys = this.#shortKeys
    const links = this.#shortLinks
    const moved = this.#moved
    for (let at = from; at < stop; at++) {
      const hash = hashShort(view.getInt32(at, true))
      const place = at + moved
      links[place & LINK_MASK] = keys[hash] as number
      keys[hash] = place
    }
  }

  /**
   * Finds the best match for a place, where the distance is that of one: first by the long key, then by the short one, at
   * last further back into the literals, which begin at `literals`.
   */
  #chooseMatch(at: number, literals: number): void {
    const place = at + this.#moved
    this.#start = at
    this.#length = this.#matchLength(at, this.#distance)
    const hash = hashLong(this.#view, at)
    const earlier = this.#longKeys[hash] as number
    this.#longKeys[hash] = place
    this.#longLinks[place & LINK_MASK] = earlier
    this.#tryLinks(at, this.#longLinks, LONG_TRIES)
    if (this.#length < LONG_ENOUGH) this.#tryLinks(at, this.#shortLinks, SHORT_TRIES)
    this.#extendBack(literals)
  }

  /** Follows links from a place to earlier ones, and keeps the best match. */
  #tryLinks(at: number, links: Uint16Array, tries: number): void {
    const view = this.#view
    const place = at + this.#moved
    const most = Math.min(WINDOW_BYTES, at - this.#first)
    const bytes = view.getInt32(at, true)
    let score = scoreOf(this.#length, this.#distance)
    let last = at + this.#length - MIN_MATCH + 1
    let lastBytes = view.getInt32(last, true)
    let before = 0
    for (let left = tries; left > 0; left--) {
      const distance = (place - (links[(place - before) & LINK_MASK] as number)) & PLACE_MASK
      // A link that was overwritten leads forward or out of the window.
      if (distance <= before || distance > most) return
      before = distance
      // It must go on for a byte more; that is looked at first, since it tells most.
      if (view.getInt32(last - distance, true) !== lastBytes) continue
      if (view.getInt32(at - distance, true) !== bytes) continue
      const length = this.#matchLength(at, distance)
      const other = scoreOf(length, distance)
      if (other <= score) continue
      score = other
      this.#length = length
      this.#distance = distance
      last = at + length - MIN_MATCH + 1
      lastBytes = view.getInt32(last, true)
    }
  }

  #matchLength(at: number, distance: number): number {
    const view = this.#view
    const most = Math.min(MAX_MATCH, this.#filled - at)
    for (let length = MIN_MATCH; length < most; length += 4) {
      const here = view.getInt32(at + length, true)
      const difference = here ^ view.getInt32(at + length - distance, true)
      // The lowest bit that differs is in the first byte that does.
      if (difference !== 0)
        return Math.min(length + ((31 - Math.clz32(difference & -difference)) >> 3), most)
    }
    return most
  }

  #extendBack(literals: number): void {
    const buffer = this.#buffer
    const distance = this.#distance
    const least = Math.max(literals, this.#first + distance, this.#start - MAX_MATCH + this.#length)
    let start = this.#start
    while (start > least && buffer[start - 1] === buffer[start - 1 - distance]) start--
    this.#length += this.#start - start
    this.#start = start
  }
}

/** What a match saves, about, in bits: 8 for each byte, less the extra bits of its distance. */
const scoreOf = (length: number, distance: number) => 8 * length + Math.clz32(distance)

// Multipliers are odd and arbitrary; with others, the output is another.
const hashShort = (bytes: number) => Math.imul(bytes, 0x9e3779b1) >>> (32 - SHORT_HASH_BITS)

function hashLong(view: DataView, at: number): number {
  const sum =
    Math.imul(view.getInt32(at, true), 0x9e3779b1) +
    Math.imul(view.getInt32(at + 4, true), 0x85ebca77) +
    Math.imul(view.getInt32(at + 8, true), 0xc2b2ae3d) +
    Math.imul(view.getInt32(at + LONG_KEY - 4, true), 0x51ed270b)
  return Math.imul(sum ^ (sum >>> 15), 0x27d4eb2f) >>> (32 - LONG_HASH_BITS)
}
