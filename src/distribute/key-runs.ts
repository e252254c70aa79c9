// Distribute: where a key is in a file of records that are sorted in runs; promises to hold four bytes a record, and to read no more of the file than a key.

import type { Notes, ServedFile } from './file-cache.ts'

/** Every record begins with its key. */
const KEY_LENGTH = 16

/** How many places are remembered that were asked for: nearly all clients that ask for what is new have the same last key. */
const MOST_REMEMBERED = 4_096

/** The runs of one file: what releases brought, each sorted by the keys' bytes. */
export class KeyRuns implements Notes {
  readonly #recordLength: number
  /** The first four bytes of each key, as a number. */
  readonly #words: Uint32Array
  #length = 0
  /** Where runs begin: numbers of records. */
  readonly #starts: number[] = []
  #last: Uint8Array = new Uint8Array()
  #rest: Uint8Array = new Uint8Array()
  readonly #remembered = new Map<string, number | undefined>()

  /** @param size of the file, in bytes */
  constructor(recordLength: number, size: number) {
    this.#recordLength = recordLength
    this.#words = new Uint32Array(Math.floor(size / recordLength))
  }

  /** Takes the next bytes of the file. */
  add(bytes: Uint8Array): void {
    const given = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    const whole = given.length - (given.length % this.#recordLength)
    for (let offset = 0; offset < whole; offset += this.#recordLength) this.#take(given, offset)
    // Copies: the pieces may lie in memory that is used again.
    if (whole > 0) {
      const at = whole - this.#recordLength
      this.#last = given.slice(at, at + KEY_LENGTH)
    }
    this.#rest = given.slice(whole)
  }

  #take(bytes: Uint8Array, offset: number): void {
    const index = this.#length
    const word = wordAt(bytes, offset)
    this.#words[index] = word
    this.#length += 1
    const before = index === 0 ? -1 : (this.#words[index - 1] as number)
    if (index > 0 && word > before) return
    const last =
      offset === 0
        ? this.#last
        : bytes.subarray(offset - this.#recordLength, offset - this.#recordLength + KEY_LENGTH)
    if (index === 0 || isBelow(bytes, offset, last)) this.#starts.push(index)
  }

  /**
   * Finds a key, newest runs first.
   *
   * @param file the one that these notes were taken of
   * @returns the number of its record; undefined when it is not there; `replaced` when the path has another file by now
   */
  async find(file: ServedFile, key: Uint8Array): Promise<number | undefined | 'replaced'> {
    const name = Buffer.from(key).toString('latin1')
    if (this.#remembered.has(name)) return this.#remembered.get(name)
    const found = await this.#search(file, key)
    if (found === 'replaced') return found
    this.#remembered.set(name, found)
    const [oldest] = this.#remembered.keys()
    if (this.#remembered.size > MOST_REMEMBERED && oldest !== undefined)
      this.#remembered.delete(oldest)
    return found
  }

  async #search(file: ServedFile, key: Uint8Array): Promise<number | undefined | 'replaced'> {
    const ranges = [...this.#candidates(wordAt(key, 0))]
    if (ranges.length === 0) return undefined
    const { bytes } = file
    await using handle = bytes === undefined ? await file.open() : undefined
    if (bytes === undefined && handle === undefined) return 'replaced'
    const record = Buffer.alloc(KEY_LENGTH)
    const compare = async (index: number) => {
      const offset = index * this.#recordLength
      if (bytes !== undefined)
        return Buffer.compare(bytes.subarray(offset, offset + KEY_LENGTH), key)
      await handle?.read(record, 0, KEY_LENGTH, offset)
      return record.compare(key)
    }
    for (const { start, end } of ranges) {
      // Nearly always there is one. Whoever uploads thousands that begin alike makes nobody read them all.
      let [low, high] = [start, end]
      while (low < high) {
        const middle = (low + high) >>> 1
        const order = await compare(middle)
        if (order === 0) return middle
        if (order < 0) low = middle + 1
        else high = middle
      }
    }
    return undefined
  }

  /** Where records lie whose keys begin with a word, run by run. */
  *#candidates(word: number): Generator<{ readonly start: number; readonly end: number }, void> {
    let end = this.#length
    for (let run = this.#starts.length - 1; run >= 0; run--) {
      const start = this.#starts[run] as number
      const first = this.#firstFrom(word, start, end)
      const last = this.#firstFrom(word + 1, first, end)
      if (first < last) yield { start: first, end: last }
      end = start
    }
  }

  /** The first record of a run that does not come before a word. */
  #firstFrom(word: number, start: number, end: number): number {
    let [low, high] = [start, end]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#words[middle] as number) < word) low = middle + 1
      else high = middle
    }
    return low
  }
}

function wordAt(bytes: Uint8Array, offset: number): number {
  return (
    (((bytes[offset] as number) << 24) |
      ((bytes[offset + 1] as number) << 16) |
      ((bytes[offset + 2] as number) << 8) |
      (bytes[offset + 3] as number)) >>>
    0
  )
}

/** Whether the key at `offset` comes before another one. */
function isBelow(bytes: Uint8Array, offset: number, other: Uint8Array): boolean {
  return Buffer.compare(bytes.subarray(offset, offset + KEY_LENGTH), other) < 0
}
