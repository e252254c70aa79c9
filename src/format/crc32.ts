// Format: the checksum of zip entries; promises to go on from where the piece before ended.

// The polynomial 0xedb88320, a table for each of four bytes at once.
const TABLES = Array.from({ length: 4 }, () => new Uint32Array(256))
for (let byte = 0; byte < 256; byte++) {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1
  ;(TABLES[0] as Uint32Array)[byte] = value
}
for (let table = 1; table < 4; table++)
  for (let byte = 0; byte < 256; byte++) {
    const before = TABLES[table - 1]?.[byte] ?? 0
    ;(TABLES[table] as Uint32Array)[byte] = (before >>> 8) ^ (TABLES[0]?.[before & 0xff] ?? 0)
  }
const [T0, T1, T2, T3] = TABLES as [Uint32Array, Uint32Array, Uint32Array, Uint32Array]

/** CRC-32 (ISO 3309) of `bytes` behind whatever gave `before`; 0 to begin. */
export function crc32(bytes: Uint8Array, before: number): number {
  let crc = ~before
  let index = 0
  for (; index + 4 <= bytes.length; index += 4) {
    crc ^=
      (bytes[index] as number) |
      ((bytes[index + 1] as number) << 8) |
      ((bytes[index + 2] as number) << 16) |
      ((bytes[index + 3] as number) << 24)
    crc =
      (T3[crc & 0xff] as number) ^
      (T2[(crc >>> 8) & 0xff] as number) ^
      (T1[(crc >>> 16) & 0xff] as number) ^
      (T0[crc >>> 24] as number)
  }
  for (; index < bytes.length; index++)
    crc = (crc >>> 8) ^ (T0[(crc ^ (bytes[index] as number)) & 0xff] as number)
  return ~crc >>> 0
}
