// Fuzzing: JSON that was a valid request once; promises what no serializer writes: members twice, numbers beyond all measure, nesting without end.

import * as fc from 'fast-check'
import { editedBytes, ODD_TEXTS } from './mutate.ts'

/** A JSON text as a tree, in which a name may come twice and a number be of any spelling. */
export type Tree =
  | { readonly kind: 'raw'; readonly text: string }
  | { readonly kind: 'array'; readonly items: readonly Tree[] }
  | { readonly kind: 'object'; readonly members: readonly Member[] }

/** A member; its name as the JSON text spells it, quotes included. */
type Member = readonly [name: string, value: Tree]

/** Bodies near some valid ones. @param names of members that mean something, and are put where they don't belong */
export function mutatedJson(
  originals: readonly unknown[],
  names: readonly string[],
): fc.Arbitrary<Uint8Array> {
  const bodies = originals.map((each) => encodeTree(toTree(each)))
  const trees = mutatedTree(originals, names).map(encodeTree)
  return fc.oneof(
    { weight: 8, arbitrary: trees },
    { weight: 3, arbitrary: editedBytes(trees, bodies, 3) },
    { weight: 3, arbitrary: editedBytes(fc.constantFrom(...bodies), bodies) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
  )
}

/** As {@link mutatedJson}, as trees. */
export function mutatedTree(
  originals: readonly unknown[],
  names: readonly string[],
): fc.Arbitrary<Tree> {
  return fc
    .tuple(fc.constantFrom(...originals.map(toTree)), fc.array(treeEdit(names), { maxLength: 5 }))
    .map(([tree, edits]) => edits.reduce((each, change) => change(each), tree))
}

/** The tree of a value. */
export function toTree(value: unknown): Tree {
  if (Array.isArray(value)) return { kind: 'array', items: value.map(toTree) }
  if (typeof value !== 'object' || value === null)
    return { kind: 'raw', text: JSON.stringify(value) ?? 'null' }
  const members = Object.entries(value).map(([name, each]): Member => [
    JSON.stringify(name),
    toTree(each),
  ])
  return { kind: 'object', members }
}

/** The bytes of a tree. */
export function encodeTree(tree: Tree): Uint8Array {
  return new TextEncoder().encode(printTree(tree))
}

/** The JSON text of a tree. */
export function printTree(tree: Tree): string {
  if (tree.kind === 'raw') return tree.text
  if (tree.kind === 'array') return `[${tree.items.map(printTree).join(',')}]`
  return `{${tree.members.map(([name, value]) => `${name}:${printTree(value)}`).join(',')}}`
}

/** The greatest depth: as deep as a body is long. */
const DEPTH = 30_000

const ODD_VALUES: readonly string[] = [
  'null',
  'true',
  'false',
  '""',
  '[]',
  '{}',
  '0',
  '-0',
  '-1',
  '1.5',
  '1e0',
  '1e999',
  '-1e999',
  '1e-999',
  '255',
  '2147483647',
  '2147483648',
  '-2147483648',
  '4294967296',
  '9007199254740993',
  '9223372036854775807',
  '1e21',
  '9'.repeat(400),
  '"\\ud800"',
  '"\\u0000"',
  '"\\""',
  '"a:b"',
  '"\\\\"',
  `"${'A'.repeat(5_000)}"`,
  `${'['.repeat(DEPTH)}${']'.repeat(DEPTH)}`,
  `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`,
  // No JSON.
  'undefined',
  '01',
  "'x'",
  '"\n"',
  '[1,]',
  ...ODD_TEXTS.map((text) => JSON.stringify(text)),
]

/** Changes one node of a tree: the n-th, modulo how many there are. */
function treeEdit(names: readonly string[]): fc.Arbitrary<(tree: Tree) => Tree> {
  const name = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...names) },
    { weight: 1, arbitrary: fc.constantFrom(...ODD_TEXTS) },
  )
  const value = fc.oneof(
    fc.constantFrom(...ODD_VALUES),
    fc.integer().map(String),
    fc.double().map((each) => JSON.stringify(each)),
    fc.string({ unit: 'binary', maxLength: 30 }).map((each) => JSON.stringify(each)),
  )
  const raw = value.map((text): Tree => ({ kind: 'raw', text }))
  const spelling = fc.constantFrom(...SPELLINGS)
  const nodeEdit = fc.oneof(
    raw.map((odd) => () => odd),
    fc.tuple(name, spelling, raw, fc.nat(100)).map(
      ([each, spell, odd, at]) =>
        (node: Tree) =>
          insertMember(node, at, [spell(each), odd]),
    ),
    fc.nat(100).map((at) => (node: Tree) => dropChild(node, at)),
    fc.tuple(fc.nat(100), fc.nat(100), spelling).map(
      ([from, to, spell]) =>
        (node: Tree) =>
          repeatChild(node, from, to, spell),
    ),
    fc.constantFrom(
      (node: Tree): Tree => ({ kind: 'array', items: [node] }),
      (node: Tree): Tree => ({ kind: 'object', members: [['"key"', node]] }),
      (node: Tree): Tree =>
        node.kind === 'array' ? { kind: 'array', items: node.items.toReversed() } : node,
      (node: Tree): Tree =>
        node.kind === 'array' ? { kind: 'array', items: Array(40).fill(node.items).flat() } : node,
    ),
  )
  return fc.tuple(fc.nat(1_000), nodeEdit).map(
    ([nth, change]) =>
      (tree: Tree) =>
        editNth(tree, nth % countNodes(tree), change),
  )
}

/** Ways in which JSON may spell a name. */
const SPELLINGS: readonly ((name: string) => string)[] = [
  (name) => JSON.stringify(name),
  (name) => JSON.stringify(name.toUpperCase()),
  (name) => JSON.stringify(name.toLowerCase()),
  (name) =>
    `"${Array.from({ length: name.length }, (_, index) => `\\u${name.charCodeAt(index).toString(16).padStart(4, '0')}`).join('')}"`,
]

function children(tree: Tree): readonly Tree[] {
  if (tree.kind === 'array') return tree.items
  return tree.kind === 'object' ? tree.members.map(([, value]) => value) : []
}

function countNodes(tree: Tree): number {
  return children(tree).reduce((sum, each) => sum + countNodes(each), 1)
}

function editNth(tree: Tree, nth: number, change: (node: Tree) => Tree): Tree {
  if (nth === 0) return change(tree)
  let left = nth - 1
  const into = (child: Tree): Tree => {
    const count = countNodes(child)
    const changed = left >= 0 && left < count ? editNth(child, left, change) : child
    left -= count
    return changed
  }
  if (tree.kind === 'array') return { kind: 'array', items: tree.items.map(into) }
  if (tree.kind === 'raw') return tree
  return { kind: 'object', members: tree.members.map(([name, value]) => [name, into(value)]) }
}

function insertMember(node: Tree, at: number, member: Member): Tree {
  if (node.kind === 'raw') return node
  if (node.kind === 'array') return { kind: 'array', items: [...node.items, member[1]] }
  return {
    kind: 'object',
    members: node.members.toSpliced(at % (node.members.length + 1), 0, member),
  }
}

function dropChild(node: Tree, at: number): Tree {
  if (node.kind === 'raw') return node
  if (node.kind === 'array')
    return { kind: 'array', items: node.items.toSpliced(at % (node.items.length + 1), 1) }
  return { kind: 'object', members: node.members.toSpliced(at % (node.members.length + 1), 1) }
}

/** An item or a member once more, under another spelling of its name. */
function repeatChild(node: Tree, from: number, to: number, spell: (name: string) => string): Tree {
  if (node.kind === 'raw') return node
  if (node.kind === 'array') {
    const item = node.items[from % (node.items.length || 1)]
    if (item === undefined) return node
    return { kind: 'array', items: node.items.toSpliced(to % (node.items.length + 1), 0, item) }
  }
  const member = node.members[from % (node.members.length || 1)]
  if (member === undefined) return node
  const name = spell(JSON.parse(member[0]) as string)
  return insertMember(node, to, [name, member[1]])
}
