// Test helper: comes between a caller and the methods of an object; promises that everything else is the real thing.

/** What is done instead of a call: `proceed` makes the real one. */
export type Around = (name: string, proceed: () => Promise<unknown>) => Promise<unknown>

/** The same object, each call of its methods led through `around`. */
export function intercept<Target extends object>(target: Target, around: Around): Target {
  return new Proxy(target, {
    get(_, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function' || typeof name !== 'string') return value
      if (isAsyncGenerator(value))
        return async function* (...given: unknown[]) {
          yield* (await around(name, async () =>
            value.apply(target, given),
          )) as AsyncIterable<unknown>
        }
      return (...given: unknown[]) =>
        around(name, async () => (await Reflect.apply(value, target, given)) as unknown)
    },
  })
}

function isAsyncGenerator(value: object): value is (...given: unknown[]) => AsyncIterable<unknown> {
  return Object.prototype.toString.call(value) === '[object AsyncGeneratorFunction]'
}

/** Does something after the calls of one method that succeeded. */
export function afterCalls<Target extends object>(
  target: Target,
  method: keyof Target & string,
  then: () => Promise<void>,
): Target {
  return intercept(target, async (name, proceed) => {
    const result = await proceed()
    if (name === method) await then()
    return result
  })
}
