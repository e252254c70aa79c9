// Publish: where one file of a split window ends and the next begins; promises to hold back no more keys than a file has at least.

import type { KeySequence } from '../format/gaen-export.ts'
import type { KeyPage } from './read-window.ts'

/** Keys that belong into one file. */
export interface CutPage extends KeyPage {
  /** The file's number, from 0 on: each is the one before or the next. */
  readonly file: number
}

/** How much goes into a file. */
export interface FileLimits {
  /** Of keys, both lists together. */
  readonly maximum: number
  /** Of new keys, where there are more than `maximum`: fewer could not hide. At most half of it. */
  readonly minimum: number
}

/**
 * Cuts a window whose size nobody knows yet: full files, but for the last two where the last one would be too small; the revised
 * keys behind the new ones, where there is room.
 *
 * Where a file is about to be full, the next keys are held back until it is known whether enough follow for another.
 */
export async function* cutByLimits(
  pages: AsyncIterable<KeyPage>,
  { maximum, minimum }: FileLimits,
): AsyncGenerator<CutPage> {
  let file = 0
  let inFile = 0
  const held: KeySequence[] = []
  let heldKeys = 0
  const put = (list: KeyPage['list'], keys: KeySequence): CutPage => {
    inFile += keys.length
    return { file, list, keys }
  }
  const release = function* (count: number) {
    for (let left = count; left > 0;) {
      const [keys] = held
      if (keys === undefined) break
      const part = keys.slice(0, left)
      if (part.length === keys.length) held.shift()
      else held[0] = keys.slice(part.length, keys.length)
      left -= part.length
      heldKeys -= part.length
      yield put('keys', part)
    }
  }
  const startNext = () => {
    file += 1
    inFile = 0
  }
  const settle = function* () {
    if (heldKeys === 0) return
    if (inFile + heldKeys > maximum) startNext()
    yield* release(heldKeys)
  }
  for await (const { list, keys } of pages) {
    if (list === 'revisedKeys') yield* settle()
    for (let offset = 0; offset < keys.length;) {
      if (list === 'revisedKeys') {
        if (inFile === maximum) startNext()
        const part = keys.slice(offset, offset + maximum - inFile)
        offset += part.length
        yield put(list, part)
        continue
      }
      if (minimum === 0 && inFile === maximum) startNext()
      const room = maximum - minimum - inFile
      const part = keys.slice(offset, offset + (room > 0 ? room : 2 * minimum - heldKeys))
      offset += part.length
      if (room > 0) {
        yield put(list, part)
        continue
      }
      held.push(part)
      heldKeys += part.length
      if (heldKeys < 2 * minimum) continue
      yield* release(minimum)
      startNext()
      yield* release(heldKeys)
    }
  }
  yield* settle()
}

/** Cuts a window as it was cut before. @param sizes how many keys each file has of each list */
export async function* cutBySizes(
  pages: AsyncIterable<KeyPage>,
  sizes: readonly Readonly<Record<KeyPage['list'], number>>[],
): AsyncGenerator<CutPage> {
  const rooms = sizes.map((size) => ({ ...size }))
  for await (const { list, keys } of pages)
    for (let offset = 0; offset < keys.length;) {
      const next = rooms.findIndex((room) => room[list] > 0)
      // What is more than there was makes the last file differ, which its digest tells.
      const file = next < 0 ? Math.max(0, rooms.length - 1) : next
      const part = keys.slice(offset, offset + (rooms[next]?.[list] ?? keys.length))
      const room = rooms[next]
      if (room !== undefined) room[list] -= part.length
      offset += part.length
      yield { file, list, keys: part }
    }
}
