// Format: the checksum of zip entries, with what Node.js has for it; promises the same numbers as crc32.ts in a tenth of the time.

export { crc32 } from 'node:zlib'
