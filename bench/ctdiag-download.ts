// Bench: downloads a second of ct-diag-server's list, ours against nginx on the same file.

import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { listPaths } from '../src/distribute/ctdiag-paths.ts'
import { RECORD_LENGTH } from '../src/format/ctdiag.ts'
import type { Benchmark } from './harness.ts'
import { measureDownloads } from './serve.ts'

const KEYS = 300_000
const STREAM = 'ctdiag'

/** `npm run bench -- ctdiag-download` */
export const bench: Benchmark = {
  summary: `downloads a second of ct-diag-server's list of ${KEYS.toLocaleString('en')} keys, 64 connections that stay open`,
  unit: 'downloads/s',
  goal: 'at least 0.4 of nginx, one process each',
  run: (report) =>
    measureDownloads(
      [{ name: 'list', path: '/diagnosis-keys', floorPath: `/${listPaths(STREAM).records}` }],
      (root) => {
        mkdirSync(join(root, 'exports', STREAM), { recursive: true })
        writeFileSync(join(root, listPaths(STREAM).records), randomBytes(KEYS * RECORD_LENGTH))
      },
      report,
    ),
}
