// Test: group commit; promises each submission its own verdict, whatever happens to its neighbours, and a bounded queue.

import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import { test } from 'node:test'
import { TocsinError } from '../errors.ts'
import { createGroupCommit } from './group-commit.ts'

/** A commit that waits until it is let through, and remembers its groups. */
function heldCommit(): {
  readonly groups: number[][]
  readonly commit: (group: readonly number[]) => Promise<string[]>
  readonly release: (error?: unknown) => Promise<void>
} {
  const groups: number[][] = []
  const held: PromiseWithResolvers<void>[] = []
  return {
    groups,
    async commit(group) {
      groups.push([...group])
      const gate = Promise.withResolvers<void>()
      held.push(gate)
      await gate.promise
      return group.map((each) => `verdict ${each}`)
    },
    async release(error) {
      const next = held.shift()
      assert.ok(next, 'a group is being committed')
      if (error === undefined) next.resolve()
      else next.reject(error)
      await setImmediate()
    },
  }
}

const verdictsOf = (results: readonly PromiseSettledResult<string>[]) =>
  results.map((result) =>
    result.status === 'fulfilled' ? result.value : (result.reason as Error).message,
  )

test(
  'alone, a submission waits for nobody; what arrives while it commits forms the next group',
  { timeout: 5_000 },
  async () => {
    const { groups, commit, release } = heldCommit()
    const queue = createGroupCommit(10, 100, Infinity, commit)
    const first = queue.submit(1)
    assert.deepEqual(groups, [[1]], 'committed at once')
    const others = [2, 3, 4].map((each) => queue.submit(each))
    await setImmediate()
    assert.deepEqual(groups, [[1]], 'the next group forms meanwhile')
    await release()
    assert.deepEqual(groups, [[1], [2, 3, 4]])
    assert.equal(await first, 'verdict 1')
    const late = queue.submit(5)
    await release()
    assert.deepEqual(await Promise.all(others), ['verdict 2', 'verdict 3', 'verdict 4'])
    await release()
    assert.equal(await late, 'verdict 5')
    assert.deepEqual(groups, [[1], [2, 3, 4], [5]])
  },
)

test(
  'a group is no greater than it may be, and the order of arrival is kept',
  { timeout: 5_000 },
  async () => {
    const { groups, commit, release } = heldCommit()
    const queue = createGroupCommit(3, 100, Infinity, commit)
    const all = [1, 2, 3, 4, 5, 6, 7, 8].map((each) => queue.submit(each))
    for (let group = 0; group < 4; group++) await release()
    assert.deepEqual(groups, [[1], [2, 3, 4], [5, 6, 7], [8]])
    assert.deepEqual(
      await Promise.all(all),
      [1, 2, 3, 4, 5, 6, 7, 8].map((each) => `verdict ${each}`),
    )
  },
)

test('no submission has an answer before its group is durable', { timeout: 5_000 }, async () => {
  const { commit, release } = heldCommit()
  const queue = createGroupCommit(3, 100, Infinity, commit)
  let answered = false
  const verdict = queue.submit(1).then(() => (answered = true))
  for (let turn = 0; turn < 5; turn++) await setImmediate()
  assert.equal(answered, false)
  await release()
  assert.equal(await verdict, true)
})

test(
  'one bad submission never fails its neighbours, wherever it stands',
  { timeout: 5_000 },
  async () => {
    for (let bad = 0; bad < 7; bad++) {
      const committed: number[] = []
      const queue = createGroupCommit(7, 100, Infinity, async (group: readonly number[]) => {
        await setImmediate()
        if (group.includes(bad)) throw new Error(`refused ${bad}`)
        committed.push(...group)
        return group.map((each) => `verdict ${each}`)
      })
      // One ahead, so that the seven are in one group.
      const all = [100, 0, 1, 2, 3, 4, 5, 6].map((each) => queue.submit(each))
      const expected = [100, 0, 1, 2, 3, 4, 5, 6].map((each) =>
        each === bad ? `refused ${bad}` : `verdict ${each}`,
      )
      assert.deepEqual(verdictsOf(await Promise.allSettled(all)), expected)
      assert.deepEqual(
        committed.sort((a, b) => a - b),
        [0, 1, 2, 3, 4, 5, 6, 100].filter((each) => each !== bad),
        'the others were committed once each',
      )
    }
  },
)

test(
  'with the database away the whole group is told so at once, and the next group is tried again',
  { timeout: 5_000 },
  async () => {
    const { groups, commit, release } = heldCommit()
    const queue = createGroupCommit(10, 100, Infinity, commit)
    const all = [1, 2, 3].map((each) => queue.submit(each))
    const settled = Promise.allSettled(all)
    await release()
    await release(new TocsinError('unavailable'))
    assert.deepEqual(groups, [[1], [2, 3]], 'nothing was halved')
    const busy = new TocsinError('unavailable').message
    assert.deepEqual(verdictsOf(await settled), ['verdict 1', busy, busy])
    const after = queue.submit(4)
    await release()
    assert.equal(await after, 'verdict 4')
  },
)

test(
  'a second group is sent behind the first when it is large enough, a third is not',
  { timeout: 5_000 },
  async () => {
    const { groups, commit, release } = heldCommit()
    const queue = createGroupCommit(10, 100, 3, commit)
    const submitAll = (...numbers: number[]) => numbers.map((each) => queue.submit(each))
    const all = submitAll(1, 2, 3)
    assert.deepEqual(groups, [[1]], 'two are not enough')
    all.push(...submitAll(4))
    assert.deepEqual(groups, [[1], [2, 3, 4]])
    all.push(...submitAll(5, 6, 7, 8))
    assert.deepEqual(groups, [[1], [2, 3, 4]], 'two groups are under way')
    await release()
    assert.deepEqual(groups, [[1], [2, 3, 4], [5, 6, 7, 8]])
    all.push(...submitAll(9))
    await release()
    assert.equal(groups.length, 3, 'one is not enough behind another')
    await release()
    assert.deepEqual(groups.at(-1), [9], 'alone it is')
    await release()
    assert.deepEqual(
      await Promise.all(all),
      [1, 2, 3, 4, 5, 6, 7, 8, 9].map((each) => `verdict ${each}`),
    )
  },
)

test(
  'when the queue is full the next is refused as unavailable at once, and those that wait are served',
  { timeout: 5_000 },
  async () => {
    const { commit, release } = heldCommit()
    const queue = createGroupCommit(2, 3, Infinity, commit)
    const served = [1, 2, 3, 4].map((each) => queue.submit(each))
    await assert.rejects(queue.submit(5), { code: 'unavailable' })
    await release()
    const another = queue.submit(6)
    for (let group = 0; group < 2; group++) await release()
    assert.deepEqual(verdictsOf(await Promise.allSettled([...served, another])), [
      'verdict 1',
      'verdict 2',
      'verdict 3',
      'verdict 4',
      'verdict 6',
    ])
  },
)

test('large submissions make smaller groups, and one that is heavier than a group goes alone', async () => {
  const { groups, commit, release } = heldCommit()
  const weight = { most: 10, weigh: (each: number) => each }
  const queue = createGroupCommit(4, 100, Infinity, commit, weight)
  const all = [1, 4, 5, 2, 30, 0, 0, 0, 0, 0].map((each) => queue.submit(each))
  const expected = [[1], [4, 5], [2], [30], [0, 0, 0, 0], [0]]
  for (const _ of expected) await release()
  await Promise.all(all)
  assert.deepEqual(groups, expected)
})
