// Test: the fuzzer; promises that it runs clean on the parsers, and that it finds every kind of failure when there is one.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { targets } from './fuzz/targets.ts'

const PLANTED = new URL('./fuzz/planted.ts', import.meta.url).href

/** Runs the fuzzer as its command does. */
async function fuzz(...args: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(
    process.execPath,
    [new URL('./fuzz.ts', import.meta.url).pathname, '--seed', '7', ...args],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const exit = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const output = await text(child.stdout)
  return { code: await exit, output }
}

test('two seconds of fuzzing find nothing but values and refusals', async () => {
  const seed = String(Math.floor(Math.random() * 2 ** 31))
  const { code, output } = await fuzz('--seconds', '2', '--seed', seed)
  assert.equal(code, 0, output)
  assert.match(output, new RegExp(`^fuzz: seed ${seed}, 2 s\\n`))
  const summary = `\\nfuzz: ${targets.length} targets, \\d+ inputs, seed ${seed}, [\\d.]+ s: nothing but values and refusals\\n$`
  assert.match(output, new RegExp(summary))
})

test('targets have names of their own', () => {
  const names = targets.map(({ name }) => name)
  assert.deepEqual([...new Set(names)], names)
})

test('a target that throws is found, reported with the smallest input, and repeated by what the report says', async () => {
  const found = await fuzz('--module', PLANTED, '--target', 'throws', '--seconds', '2')
  assert.equal(found.code, 1, found.output)
  assert.match(found.output, /\nFAILED throws: \d+ inputs\n {2}input: bytes 0xc9\n/)
  assert.match(found.output, /\n {2}error: TypeError: not a refusal\n/)
  assert.match(found.output, /: FAILED: throws\n$/)
  const [, path = ''] = /--seed 7 --target 'throws' --path ([\d:]+)\n/.exec(found.output) ?? []
  const again = await fuzz('--module', PLANTED, '--target', 'throws', '--path', path)
  assert.equal(again.code, 1, again.output)
  assert.match(again.output, /\n {2}input: bytes 0xc9\n/)
})

test('a target that rejects, that is slow, that never ends or takes too much memory is found, and those behind it are run', async () => {
  const bounds = ['--seconds', '1', '--patience', '4']
  const { code, output } = await fuzz('--module', PLANTED, ...bounds)
  assert.equal(code, 1, output)
  assert.match(output, /\nok {5}sound: /)
  assert.match(
    output,
    /\nFAILED rejects: .*\n {2}input: bytes ".*\n {2}error: RangeError: too short/,
  )
  assert.match(output, /\nFAILED slow: .*\n {2}input: \d+\n {2}error: Error: it takes 1\.\d s\n/)
  assert.match(output, /\nFAILED endless: .*\n {2}input: \d+\n {2}error: it comes to no end /)
  // Where memory is slow to come, the smallest input is found by its time.
  assert.match(
    output,
    /\nFAILED greedy: .*\n {2}input: \d+\n {2}error: Error: it takes (\d+ MB|[\d.]+ s)\n/,
  )
  assert.match(output, /\nok {5}last: /)
  assert.match(output, /: FAILED: throws, rejects, slow, endless, greedy\n$/)
})

test('a call that makes no sense is told so', async () => {
  for (const args of [
    ['--seconds', '0'],
    ['--seed', 'x'],
  ])
    assert.equal((await fuzz(...args)).code, 2)
  const nothing = await fuzz('--seconds', '1', '--target', 'no such target')
  assert.equal(nothing.code, 1)
  assert.match(nothing.output, /: no target has such a name\n$/)
})
