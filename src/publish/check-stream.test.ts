// Test: the limits of a stream's configuration.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkStream, STREAM_LIMITS } from './check-stream.ts'
import { STREAM_DEFAULTS, type Stream } from './streams.ts'

const DAY = 86_400

const SOUND: Stream = {
  ...STREAM_DEFAULTS,
  name: 'us',
  region: 'US',
  inputRegions: ['US'],
  period: 3600,
  minimum: 0,
  hold: 0,
  start: 0,
  keys: [
    {
      keyId: '310',
      keyVersion: 'v1',
      publicKey: 'PEM',
      keyFile: '/us.pem',
      from: 0,
      through: null,
    },
  ],
}

/** What must be larger for the largest value of another. */
const ROOM: Readonly<Record<string, Partial<Stream>>> = {
  minimum: { maximum: STREAM_LIMITS.maximum.most },
  windowAge: { retention: STREAM_LIMITS.retention.most },
}

test('every limit is allowed itself, and refused one beyond', () => {
  const check = (settings: Partial<Stream>) => checkStream({ ...SOUND, ...settings }, 900)
  for (const name of ['windowAge', 'hold', 'minimum', 'maximum', 'retention'] as const) {
    // A stream keeps its files for a period and its window age at least, and its maximum is at least twice its minimum.
    const { least, most } = {
      ...STREAM_LIMITS[name],
      ...(name === 'retention' ? { least: SOUND.period + SOUND.windowAge } : {}),
    }
    const room = ROOM[name] ?? {}
    for (const value of [least, most]) check({ ...room, [name]: value })
    for (const value of [least - 1, most + 1])
      assert.throws(() => check({ ...room, [name]: value }), { code: 'stream_invalid' }, name)
  }
  for (const period of [900, DAY]) check({ period })
  const keys = Array.from({ length: STREAM_LIMITS.signingKeys.most + 1 }, (_, index) => ({
    ...(SOUND.keys[0] ?? assert.fail()),
    keyVersion: `v${index}`,
  }))
  check({ keys: keys.slice(1) })
  assert.throws(() => check({ keys }), { code: 'stream_invalid', message: /1 to 10/ })
})
