// Db: keeps what the embedded PostgreSQL says; promises a file of bounded size that only its owner can read.

import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs'

/** Bytes at which a new file is begun; the one before is kept beside it as `<file>.1`. */
const MOST_BYTES = 1_000_000

/** Characters of the latest output that are kept in memory, for the sentence of an error. */
const TAIL = 4_000

/** A log file. */
export interface ServerLog {
  write(text: string): void
  /** The latest output. */
  tail(): string
  close(): void
}

/** Opens a log file to append to it. */
export function openServerLog(file: string): ServerLog {
  let descriptor = openSync(file, 'a', 0o600)
  let size = fstatSync(descriptor).size
  let tail = ''
  let closed = false
  const append = (text: string) => {
    if (size > MOST_BYTES) {
      closeSync(descriptor)
      renameSync(file, `${file}.1`)
      descriptor = openSync(file, 'a', 0o600)
      size = 0
    }
    size += writeSync(descriptor, text)
  }
  return {
    write(text) {
      tail = (tail + text).slice(-TAIL)
      if (closed) return
      try {
        append(text)
      } catch {
        // On a full disk the service goes on without this line.
      }
    },
    tail: () => tail,
    close() {
      closed = true
      closeSync(descriptor)
    },
  }
}
