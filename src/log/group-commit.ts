// Log: commits what arrives together in one transaction; promises each its own verdict and a bounded queue.

import { TocsinError } from '../errors.ts'

/** Takes submissions one by one and has them committed in groups. */
export interface GroupCommit<Submission, Verdict> {
  /**
   * Resolves when the submission's group is durable.
   *
   * @throws TocsinError `unavailable` when too many wait already, or the database is away
   */
  submit(submission: Submission): Promise<Verdict>
}

/** Groups under way at the most. */
const AT_ONCE = 2

/** Bounds a group by more than the number of its submissions. */
export interface GroupWeight<Submission> {
  /** What a group may weigh; a submission that is heavier makes a group alone. */
  readonly most: number
  weigh(submission: Submission): number
}

/**
 * Groups without a timer: while one group commits, whatever arrives forms the next. Alone, a submission waits for nothing; under
 * load, groups grow and the cost of a commit is shared. Then a second one is sent behind the first, so that the database need
 * not wait for it.
 *
 * @param maxGroup submissions in a group at the most
 * @param maxWaiting submissions that may wait; beyond that they are refused at once, which is kinder than a queue that never ends
 * @param enoughBehind submissions that make a group worth sending behind one that isn't committed yet
 * @param commit makes a group durable and gives a verdict for each, in order; when it throws, nothing of the group was committed
 * @param weight bounds groups of large submissions
 */
export function createGroupCommit<Submission, Verdict>(
  maxGroup: number,
  maxWaiting: number,
  enoughBehind: number,
  commit: (group: readonly Submission[]) => Promise<readonly Verdict[]>,
  weight?: GroupWeight<Submission>,
): GroupCommit<Submission, Verdict> {
  interface Waiter {
    readonly submission: Submission
    resolve(verdict: Verdict): void
    reject(error: unknown): void
  }
  let waiting: Waiter[] = []
  let running = 0

  const commitAll = async (group: readonly Waiter[]): Promise<void> => {
    try {
      const verdicts = await commit(group.map((waiter) => waiter.submission))
      // Told a turn later, so that the next group is under way before the replies to this one are made.
      setImmediate(() =>
        group.forEach((waiter, index) => waiter.resolve(verdicts[index] as Verdict)),
      )
    } catch (error) {
      // With the database away every part of the group would fail the same way.
      const away = error instanceof TocsinError && error.code === 'unavailable'
      if (away || group.length === 1) group.forEach((waiter) => waiter.reject(error))
      else await commitHalves(group)
    }
  }
  // One bad submission must not fail its neighbours: halve until it stands alone.
  const commitHalves = async (group: readonly Waiter[]): Promise<void> => {
    const half = Math.ceil(group.length / 2)
    await commitAll(group.slice(0, half))
    await commitAll(group.slice(half))
  }
  /** How many of those that wait make the next group. */
  const sizeOfGroup = () => {
    const most = Math.min(waiting.length, maxGroup)
    if (weight === undefined) return most
    let size = 0
    let sum = 0
    while (size < most) {
      sum += weight.weigh((waiting[size] as Waiter).submission)
      if (size > 0 && sum > weight.most) break
      size++
    }
    return size
  }
  const isEnough = () => waiting.length >= (running === 0 ? 1 : enoughBehind)
  const run = async (): Promise<void> => {
    while (isEnough()) {
      running++
      const size = sizeOfGroup()
      const group = waiting.slice(0, size)
      waiting = waiting.slice(size)
      await commitAll(group)
      running--
    }
  }

  return {
    submit: (submission) =>
      new Promise<Verdict>((resolve, reject) => {
        if (waiting.length >= maxWaiting) {
          reject(new TocsinError('unavailable'))
          return
        }
        waiting.push({ submission, resolve, reject })
        if (running < AT_ONCE && isEnough()) void run()
      }),
  }
}
