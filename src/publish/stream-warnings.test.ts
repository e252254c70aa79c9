// Test: what is told about a stream that works: each warning where it is due, and none where it is not.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { STREAM_DEFAULTS, type Stream } from './streams.ts'
import { inUnits, warnStream, type StreamSurroundings } from './stream-warnings.ts'

const HOUR = 3600
const DAY = 24 * HOUR
const NOW = Date.UTC(2026, 2, 10, 8) / 1000
const KEY = {
  keyId: '310',
  keyVersion: 'v1',
  publicKey: 'PEM',
  keyFile: '/k',
  from: 0,
  through: null,
}

const sound: Stream = {
  ...STREAM_DEFAULTS,
  name: 'us',
  region: 'US',
  inputRegions: ['US'],
  period: 2 * HOUR,
  start: NOW - DAY,
  keys: [KEY],
}

function codes(settings: Partial<Stream>, surroundings: Partial<StreamSurroundings> = {}) {
  const usual = { streams: [sound], authorities: [['US', 'CA']], now: NOW }
  return warnStream({ ...sound, ...settings }, { ...usual, ...surroundings }).map(
    ({ code }) => code,
  )
}

test('a stream with the defaults and two hours has nothing to warn of', () => {
  assert.deepEqual(codes({}), [])
})

test('more files a day than phones read: from which period on, and for whom', () => {
  const expected: [number, string[]][] = [
    [900, ['more_files_than_phones_read']],
    // 24, 20, 16, 15 and 12 files a day.
    [HOUR, ['more_files_than_phones_read']],
    [4320, ['more_files_than_ios_reads']],
    [5400, ['more_files_than_ios_reads']],
    [5760, ['no_room_for_more_files']],
    [2 * HOUR, []],
    [DAY, []],
  ]
  for (const [period, warnings] of expected)
    assert.deepEqual(codes({ period }, { streams: [] }), warnings, String(period))
  const [hourly] = warnStream(
    { ...sound, period: HOUR },
    { streams: [], authorities: [['US']], now: NOW },
  )
  assert.match(hourly?.sentence ?? '', /24 files a day.*iOS.* 15 .*Android 20.*falls behind/)
})

test('a signing key that is missing now, or ends before another begins', () => {
  const key = (from: number, through: number | null, keyVersion = 'v1') => ({
    ...KEY,
    keyVersion,
    from,
    through,
  })
  const expected: [Stream['keys'], string[]][] = [
    [[key(NOW, null)], []],
    [[key(NOW + 1, null)], ['no_signing_key_now']],
    [[key(0, NOW)], ['no_signing_key_now']],
    [[key(0, NOW + 1)], ['signing_key_ends']],
    [[key(NOW + 9, null, 'v2'), key(0, NOW + 9)], []],
    [[key(NOW + 10, null, 'v2'), key(0, NOW + 9)], ['signing_key_ends']],
    [[key(NOW + 5, NOW + 20, 'v2'), key(0, NOW + 9)], ['signing_key_ends']],
    [[key(0, NOW + 9), key(0, null, 'v0')], []],
  ]
  for (const [keys, warnings] of expected)
    assert.deepEqual(codes({ keys }, { streams: [] }), warnings, JSON.stringify(keys))
  // One that ends with the stream, or begins with it, is no trouble.
  assert.deepEqual(codes({ keys: [key(0, NOW + HOUR)], through: NOW + HOUR }, { streams: [] }), [])
  assert.deepEqual(codes({ keys: [key(NOW + 9, null)], start: NOW + 9 }, { streams: [] }), [])
})

test('an end that is past, small numbers that show, files that are small or leave at another time', () => {
  const expected: [Partial<Stream>, string[]][] = [
    [{ through: NOW }, ['ended']],
    [{ through: NOW + 1 }, []],
    [{ through: sound.start }, ['no_window']],
    [{ hold: 0 }, ['hold_zero']],
    [{ hold: 1 }, []],
    [{ minimum: 0 }, ['minimum_zero']],
    [{ maximum: 9_999 }, ['maximum_small']],
    [{ maximum: 10_000 }, []],
    [{ maximum: 30_000, minimum: 20_000 }, ['maximum_small']],
    [{ retention: 14 * DAY - 1 }, ['retention_short']],
    [{ retention: 14 * DAY + 1 }, ['retention_long']],
    [{ period: DAY, windowAge: 1 }, ['late']],
  ]
  for (const [settings, warnings] of expected)
    assert.deepEqual(codes(settings), warnings, JSON.stringify(settings))
})

test('regions that no health authority vouches for', () => {
  const expected: [Partial<Stream>, string[][], string[]][] = [
    [{}, [], ['nothing_matches']],
    [{}, [['CA'], ['MX']], ['nothing_matches']],
    [{}, [[]], ['nothing_matches']],
    [{ inputRegions: ['US', 'UX'] }, [['US']], ['region_of_no_authority']],
    [{ travelers: 'include' }, [['CA']], ['region_of_no_authority']],
    [{ excludedRegions: ['CA'] }, [['US', 'CA']], ['nothing_matches']],
    [{ excludedRegions: ['CA'] }, [['US', 'CA'], ['US']], []],
  ]
  for (const [settings, authorities, warnings] of expected)
    assert.deepEqual(codes(settings, { authorities }), warnings, JSON.stringify(settings))
})

test('two streams that get into each other', () => {
  const other = { ...sound, name: 'other', region: 'CA', inputRegions: ['CA'] }
  const own = { keys: [{ ...KEY, keyVersion: 'v9', publicKey: 'another PEM' }] }
  const expected: [Partial<Stream>, string[]][] = [
    [{}, []],
    [{ region: 'US' }, ['stream_alike']],
    [{ region: 'US', ...own }, []],
    [{ keys: [{ ...KEY, publicKey: 'another PEM' }] }, ['key_name_shared']],
    [{ inputRegions: ['US'], period: 3 * HOUR }, ['windows_cross']],
    [{ inputRegions: ['US'], period: 4 * HOUR }, []],
    [{ period: 3 * HOUR }, []],
    // One that has ended is in nobody's way.
    [{ region: 'US', through: NOW }, []],
  ]
  for (const [settings, warnings] of expected)
    assert.deepEqual(
      codes({}, { streams: [sound, { ...other, ...settings }] }),
      warnings,
      JSON.stringify(settings),
    )
})

test('durations are told as options take them', () => {
  assert.deepEqual([0, 10, 90, 5400, 7200, DAY, 90_000, 14 * DAY].map(inUnits), [
    '0s',
    '10s',
    '90s',
    '90m',
    '2h',
    '1d',
    '25h',
    '14d',
  ])
})
