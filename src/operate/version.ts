// Operate: the version of this package; promises the one that package.json says.

import { readFileSync } from 'node:fs'

/** The version, for example 0.1.0. */
export const VERSION = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
).version
