// Log: values as deterministic CBOR in one pass, for those who write thousands a second; promises the bytes of the general encoder, or to say that it must do it.

// Major types (RFC 8949, section 3.1), as they stand in a head.
const UNSIGNED = 0x00
const NEGATIVE = 0x20
const BYTES = 0x40
const TEXT = 0x60
const LIST = 0x80
const MAP = 0xa0
const FALSE = 0xf4
const TRUE = 0xf5
const NULL = 0xf6

/** Longer values are no concern of this file: nobody writes thousands of them a second. */
const MOST_BYTES = 65_536
// Whatever has no length of its own to be checked fits behind: a head.
const HEAD = 9
const scratch = Buffer.allocUnsafeSlow(MOST_BYTES + HEAD)
let at = 0

/**
 * A value of nulls, booleans, whole numbers, ASCII texts, byte strings, arrays and plain objects of these.
 *
 * @param before what stands in front of it
 * @returns undefined for whatever holds anything else, or is long: the general encoder must judge
 */
export function encodeQuickly(value: unknown, before?: number): Buffer | undefined {
  at = 0
  if (before !== undefined) scratch[at++] = before
  return write(value) ? Buffer.from(scratch.subarray(0, at)) : undefined
}

function write(value: unknown): boolean {
  if (typeof value === 'string') return writeText(value)
  if (typeof value === 'number') return writeNumber(value)
  if (value === null) return writeByte(NULL)
  if (typeof value === 'boolean') return writeByte(value ? TRUE : FALSE)
  if (typeof value !== 'object') return false
  if (value instanceof Uint8Array) return writeBytes(value)
  if (Array.isArray(value)) return writeHead(LIST, value.length) && value.every(write)
  return Object.getPrototypeOf(value) === Object.prototype && writeMap(value)
}

function writeByte(byte: number): boolean {
  scratch[at++] = byte
  return at <= MOST_BYTES
}

/** The shortest head (RFC 8949, section 4.2.1). */
function writeHead(major: number, argument: number): boolean {
  if (argument < 24) scratch[at++] = major | argument
  else if (argument < 0x100) {
    scratch[at++] = major | 24
    scratch[at++] = argument
  } else if (argument < 0x10000) {
    scratch[at++] = major | 25
    scratch[at++] = argument >> 8
    scratch[at++] = argument
  } else if (argument < 0x100000000) {
    scratch[at++] = major | 26
    at = scratch.writeUInt32BE(argument, at)
  } else {
    scratch[at++] = major | 27
    at = scratch.writeUInt32BE(Math.floor(argument / 2 ** 32), at)
    at = scratch.writeUInt32BE(argument >>> 0, at)
  }
  return at <= MOST_BYTES
}

function writeNumber(value: number): boolean {
  if (!Number.isSafeInteger(value)) return false
  return value < 0 ? writeHead(NEGATIVE, -1 - value) : writeHead(UNSIGNED, value)
}

function writeText(text: string): boolean {
  if (!writeHead(TEXT, text.length) || at + text.length > MOST_BYTES) return false
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code > 127) return false
    scratch[at++] = code
  }
  return true
}

function writeBytes(bytes: Uint8Array): boolean {
  const { length } = bytes
  if (!writeHead(BYTES, length) || at + length > MOST_BYTES) return false
  // The call costs more than a few bytes.
  if (length < 48)
    for (let index = 0; index < length; index++) scratch[at + index] = bytes[index] as number
  else scratch.set(bytes, at)
  at += length
  return true
}

function writeMap(map: object): boolean {
  const names = sortedNames(map)
  return (
    writeHead(MAP, names.length) &&
    names.every((name) => writeText(name) && write(map[name as keyof typeof map]))
  )
}

// Objects that are written often have few forms: the order of the names of each is kept, by the names as they come.
const MOST_FORMS = 64
const forms: { readonly names: readonly string[]; readonly sorted: readonly string[] }[] = []

/** The names of an object's members: shorter ones first, then by their bytes (RFC 7049, section 3.9). */
function sortedNames(map: object): readonly string[] {
  const names = Object.keys(map)
  const known = forms.find((form) => isSame(form.names, names))
  if (known !== undefined) return known.sorted
  const sorted = names.toSorted((a, b) => a.length - b.length || (a < b ? -1 : 1))
  if (forms.length < MOST_FORMS) forms.push({ names, sorted })
  return sorted
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false
  return true
}
