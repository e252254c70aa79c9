// Fuzzing: request bodies as such; promises that exactly the objects are read in which every member is known and comes once.

import assert from 'node:assert/strict'
import {
  parseJsonObject,
  readArray,
  readBoolean,
  readInteger,
  readNumber,
  readObject,
  readText,
  type JsonFields,
} from '../../src/operate/read-json.ts'
import { encodeTree, mutatedJson, mutatedTree, printTree, type Tree } from './json.ts'
import { isClientError, target, valueOf } from './target.ts'

const KNOWN = new Set(['text', 'flag', 'number', 'list', 'object'])
const VALUE = { text: 'a:b', flag: true, number: 5, list: [{ a: 1, b: [] }], object: { text: 'x' } }
const NAMES = [...KNOWN, 'a', 'b']

const read = (body: Uint8Array) =>
  valueOf(() => parseJsonObject(body, KNOWN, 'bad_request'), isClientError)

/** Every way to read every field. */
function readAll(fields: JsonFields): void {
  for (const name of KNOWN) {
    const text = valueOf(() => readText(fields, name), isClientError)
    const number = valueOf(() => readNumber(fields, name, 0), isClientError)
    const whole = valueOf(() => readInteger(fields, name, 0), isClientError)
    assert.ok(text === undefined || typeof text === 'string')
    assert.ok(number === undefined || Number.isFinite(number))
    assert.ok(whole === undefined || (whole | 0) === whole)
    valueOf(() => readBoolean(fields, name), isClientError)
    for (const each of valueOf(() => readArray(fields, name), isClientError) ?? [])
      valueOf(() => readObject(each, KNOWN, 'an item', 'bad_request'), isClientError)
  }
}

/** Whether an object anywhere in the text has a name twice. */
function repeatsName(tree: Tree): boolean {
  if (tree.kind === 'raw') return false
  if (tree.kind === 'array') return tree.items.some(repeatsName)
  const names = tree.members.map(([name]) => JSON.parse(name) as string)
  return new Set(names).size < names.length || tree.members.some(([, each]) => repeatsName(each))
}

/** The names of an object's members in lower case, undefined for another value. */
function namesOf(tree: Tree): string[] | undefined {
  if (tree.kind === 'object')
    return tree.members.map(([name]) => (JSON.parse(name) as string).toLowerCase())
  // Of the texts that are no trees, two are objects: an empty one, and one of which no name is known.
  if (tree.kind === 'raw' && tree.text.startsWith('{')) return tree.text === '{}' ? [] : ['a']
  return undefined
}

function isValidJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

export const jsonTargets = [
  target('JSON object', mutatedJson([VALUE], NAMES), (body) => {
    const fields = read(body)
    if (fields !== undefined) readAll(fields)
  }),
  target('members of a JSON object', mutatedTree([VALUE], NAMES), (tree) => {
    const names = namesOf(tree)
    const isReadable =
      isValidJson(printTree(tree)) &&
      names !== undefined &&
      !repeatsName(tree) &&
      new Set(names).size === names.length &&
      names.every((name) => KNOWN.has(name))
    // Lone surrogates are replaced on the way to bytes.
    if (printTree(tree).isWellFormed())
      assert.equal(read(encodeTree(tree)) !== undefined, isReadable)
  }),
]
