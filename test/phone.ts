// Test helper: a phone that follows one stream; promises to take no key twice, no revision of a key that it does not have, and none that says nothing new.

import assert from 'node:assert/strict'
import { readIndex, readPublished, type PublishedKey } from './published-files.ts'

/** As in export files: what is withdrawn. */
export const REVOKED = 5

/** What a phone knows of a key. */
export interface OnPhone {
  readonly type: number
  readonly days: number
  readonly risk: number
}

/** A phone that follows one stream. */
export class Phone {
  readonly keys = new Map<string, OnPhone>()
  readonly #read = new Set<string>()
  readonly #stream: string

  constructor(stream: string) {
    this.#stream = stream
  }

  /** Reads what is new below a served folder. */
  async read(publicFolder: string): Promise<void> {
    // Before the first release there is none.
    const index = await readIndex(publicFolder, this.#stream).catch(() => [])
    for (const path of index) {
      if (this.#read.has(path)) continue
      this.#read.add(path)
      const file = await readPublished(publicFolder, path)
      for (const row of file.keys) {
        const key = row.key_data.toString('hex')
        assert.ok(!this.keys.has(key), `${path}: ${key} comes twice`)
        assert.notEqual(row.report_type, REVOKED, `${path}: ${key} is revoked at once`)
        this.keys.set(key, tell(row))
      }
      for (const row of file.revisedKeys) {
        const key = row.key_data.toString('hex')
        const before = this.keys.get(key)
        assert.ok(before, `${path}: ${key} is revised before it was known`)
        const after = tell(row)
        assert.notDeepEqual(after, before, `${path}: ${key} is revised to what it was`)
        this.keys.set(key, after)
      }
    }
  }
}

function tell(row: PublishedKey): OnPhone {
  return {
    type: row.report_type,
    days: row.days_since_onset_of_symptoms,
    risk: row.transmission_risk_level,
  }
}
