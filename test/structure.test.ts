// Test: the shape of the source tree: who may import whom, what each file says of itself, where the clock is read.

import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { test } from 'node:test'
import { ERRORS } from '../src/errors.ts'

const ROOT = join(import.meta.dirname, '..')
const FILES = globSync('src/**/*.ts', { cwd: ROOT }).map((file) => file.replaceAll('\\', '/'))
const SOURCES = FILES.filter((file) => !file.endsWith('.test.ts'))
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8')

/** What every step may use. */
const COMMON = ['format', 'db', 'operate', 'log', 'errors.ts']
const STEPS = ['authorize', 'submit', 'publish', 'distribute', 'verify', 'correct', 'recover']

/** The folders, and what each may import beside itself. */
const EDGES: Readonly<Record<string, readonly string[]>> = {
  format: [],
  verify: ['format'],
  db: ['errors.ts'],
  log: ['format', 'db', 'errors.ts'],
  operate: ['format', 'db', 'log', 'errors.ts'],
  authorize: COMMON,
  submit: COMMON,
  publish: [...COMMON, 'submit', 'distribute'],
  distribute: COMMON,
  correct: [...COMMON, 'submit', 'publish'],
  recover: [...COMMON, 'submit', 'publish'],
  http: [...COMMON, ...STEPS],
  cli: [...COMMON, ...STEPS, 'config.ts', 'config-variables.ts', 'kinds.ts'],
  // The one table of kinds of key: what main and commands hand to the steps, which know no kind by name. Of cli it loads the town's phones.
  'kinds.ts': [...COMMON, ...STEPS, 'http', 'cli', 'config-variables.ts'],
  'submission-worker.ts': ['db', 'operate', 'submit', 'kinds.ts'],
  'config.ts': ['operate', 'errors.ts', 'config-variables.ts', 'kinds.ts'],
  'config-variables.ts': ['operate'],
  'errors.ts': ['operating-errors.ts'],
  'operating-errors.ts': [],
  'main.ts': [...COMMON, ...STEPS, 'http', 'cli', 'config.ts', 'kinds.ts'],
}

/** A folder below src/, or a file that lies in it directly. */
const placeOf = (file: string) => file.split('/')[1] ?? ''

function importsOf(file: string): string[] {
  const specifiers = [
    ...read(file).matchAll(/(?:\bfrom\s+|^import\s+|\bimport\()['"]([^'"]+)['"]/gm),
  ].map((match) => match[1] ?? '')
  return specifiers
}

test('a folder imports only what the layout allows', () => {
  assert.ok(SOURCES.length > 50, 'the sources are there')
  const wrong: string[] = []
  for (const file of SOURCES) {
    const place = placeOf(file)
    const allowed = EDGES[place]
    assert.ok(allowed, `${file} lies in a folder that the layout does not know`)
    for (const specifier of importsOf(file)) {
      if (!specifier.startsWith('.')) continue
      const target = placeOf(normalize(join(dirname(file), specifier)))
      if (target !== place && !allowed.includes(target)) wrong.push(`${file} imports ${specifier}`)
    }
  }
  assert.deepEqual(wrong, [])
})

test('format and verify need nothing of Node.js and no package', () => {
  const wrong = SOURCES.filter((file) => ['format', 'verify'].includes(placeOf(file)))
    .filter((file) => !file.endsWith('.node.ts'))
    .flatMap((file) =>
      importsOf(file)
        .filter((specifier) => !specifier.startsWith('.') && !specifier.startsWith('#'))
        .map((specifier) => `${file} imports ${specifier}`),
    )
  assert.deepEqual(wrong, [])
})

test("each file's first line says whose job it does and what it promises", () => {
  const wrong = SOURCES.filter((file) => {
    const place = placeOf(file).replace('.ts', '')
    const name = place.charAt(0).toUpperCase() + place.slice(1)
    const [first = ''] = read(file).split('\n')
    return !(first.startsWith(`// ${name}`) && / promises? /.test(first) && first.endsWith('.'))
  })
  assert.deepEqual(wrong, [])
})

test('the README has at most 200 lines', () => {
  assert.ok(read('README.md').trimEnd().split('\n').length <= 200)
})

test('no file is longer than 300 lines', () => {
  assert.deepEqual(
    FILES.filter((file) => read(file).split('\n').length > 301),
    [],
  )
})

test('the clock is read in one place', () => {
  const wrong = SOURCES.filter(
    (file) => file !== 'src/operate/clock.ts' && /\bDate\.now\(|\bnew Date\(\)/.test(read(file)),
  )
  assert.deepEqual(wrong, [])
})

test('only the log writes events, and each other table has one writer', () => {
  const writers = new Map<string, Set<string>>()
  for (const file of SOURCES)
    for (const [, table = ''] of read(file).matchAll(
      /(?:insert into|update|delete from)\s+(?!set\s)([a-z_]+)\s/g,
    ))
      writers.set(table, (writers.get(table) ?? new Set()).add(placeOf(file)))
  assert.deepEqual([...(writers.get('event') ?? [])], ['log'])
  for (const [table, folders] of writers)
    assert.equal(folders.size, 1, `${table} is written by ${[...folders].join(' and ')}`)
})

test('every error code is used, and none twice for the same thing', () => {
  const text = SOURCES.filter((file) => !file.endsWith('errors.ts'))
    .map(read)
    .join('\n')
  const unused = Object.keys(ERRORS).filter((code) => !text.includes(`'${code}'`))
  assert.deepEqual(unused, [])
})

test('nothing unfinished is left behind', () => {
  const word = new RegExp(['TO', 'DO|FIX', 'ME|not imple', 'mented'].join(''))
  assert.deepEqual(
    FILES.filter((file) => word.test(read(file))),
    [],
  )
})
