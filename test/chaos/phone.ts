// Chaos: a phone that follows a stream in the served folder; promises to believe verified files only, and to notice a key that it is given twice.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { REVOKED } from '../../src/format/report-type.ts'
import type { FeedState } from '../../src/verify/feed-state.ts'
import { followFiles } from '../../src/verify/follow-feed.ts'
import { DEFAULT_LIMITS } from '../../src/verify/limits.ts'
import { loadTrustedKeys } from '../../src/verify/trusted-keys.ts'

/** A phone. */
export interface Phone {
  /** Takes what is new. */
  look(): Promise<void>
  /** Each key that it was given, hex, and whether it counts. */
  readonly keys: ReadonlyMap<string, boolean>
}

/** @param publicKey of the stream, PEM */
export function makePhone(publicFolder: string, stream: string, publicKey: string): Phone {
  const keys = new Map<string, boolean>()
  let seen: FeedState = { seen: [] }
  const source = {
    readIndex: () => readFile(join(publicFolder, 'exports', stream, 'index.txt')),
    readFile: (name: string) => readFile(join(publicFolder, 'exports', name)),
  }
  return {
    keys,
    async look() {
      const trusted = await loadTrustedKeys([{ publicKey }])
      for await (const event of followFiles(source, trusted, DEFAULT_LIMITS, seen)) {
        if (event.type === 'refused') throw event.error
        if (event.type === 'state') seen = event.state
        if (event.type !== 'file') continue
        for (const { list, key } of event.export.entries()) {
          const name = Buffer.from(key.keyData).toString('hex')
          const isNew = list === 'keys'
          assert.equal(
            keys.has(name),
            !isNew,
            `${event.file}: ${isNew ? 'twice' : 'revised first'}`,
          )
          keys.set(name, key.reportType !== REVOKED)
        }
      }
    },
  }
}
