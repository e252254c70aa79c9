// Distribute: one piece of work for all who ask for it at once; promises that nobody is given what was found before they asked.

/**
 * Makes a function that works once for all callers with the same argument who come while it is at work: they wait until the run
 * under way ends and share the next one. So a result is never older than its call, and under load one look at the file system
 * answers as many requests as came during the one before.
 */
export function shareRuns<Value>(
  run: (key: string) => Promise<Value>,
): (key: string) => Promise<Value> {
  interface Runs {
    readonly current: Promise<Value>
    next?: Promise<Value>
  }
  const runs = new Map<string, Runs>()

  const start = (key: string): Promise<Value> => {
    const mine: Runs = { current: run(key) }
    runs.set(key, mine)
    const end = () => {
      if (mine.next === undefined) runs.delete(key)
    }
    mine.current.then(end, end)
    return mine.current
  }
  return (key) => {
    const under = runs.get(key)
    if (under === undefined) return start(key)
    const again = () => start(key)
    return (under.next ??= under.current.then(again, again))
  }
}
