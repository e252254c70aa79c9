// Test: events of the first version of the log, read as today's.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StoredEvent } from '../log/record.ts'
import { releaseContent, STREAM_ADDED, streamContent } from './earlier-events.ts'

const eventOf = (type: string, content: unknown): StoredEvent => ({
  seq: 7,
  grain: 900,
  type,
  parts: [{ retention: 'configuration', content }],
})

test('a stream that was added has its one region, its one signing key and the defaults of that time', () => {
  const key = { keyId: '310', keyVersion: 'v1', publicKey: 'PEM', keyFile: '/us.pem' }
  const stream = { name: 'us', region: 'US', period: 3600, windowAge: 60, start: 0 }
  assert.deepEqual(streamContent(eventOf(STREAM_ADDED, { ...stream, ...key })), {
    ...stream,
    inputRegions: ['US'],
    excludedRegions: [],
    travelers: 'regional',
    reportTypes: [],
    hold: 20,
    minimum: 1_000,
    maximum: 500_000,
    retention: 1_209_600,
    through: null,
    kind: 'gaen',
    settings: {},
    diagnosisKeys: true,
    keys: [{ ...key, from: 0, through: null }],
  })
})

test('a release that says nothing of held keys brought those of its window', () => {
  const window = { start: 3600, end: 7200 }
  const [file, readSeq] = [{ path: 'us/3600-7200-00001.zip', keys: 3 }, 5]
  assert.deepEqual(releaseContent(eventOf('release', { window, readSeq, files: [file] })), {
    window,
    keysFrom: 3600,
    readSeq: 0,
    files: [{ ...file, revisedKeys: 0 }],
  })
  const held = { window, keysFrom: null, readSeq, files: [] }
  assert.deepEqual(releaseContent(eventOf('release', held)), held)
})
