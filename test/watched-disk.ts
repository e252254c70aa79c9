// Test helper: comes between the process and its disk; promises that whoever imported a function of node:fs/promises meets it, below one folder.

import disk, { type FileHandle } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'

/** A call that changes something on the disk, or makes it durable. */
export interface DiskCall {
  /** Of the function, or `handle.` and of the method. */
  readonly name: string
  /** What it was given; of a handle the path that it was opened with. */
  readonly paths: readonly string[]
  readonly when: 'before' | 'after'
}

type Call = (...given: unknown[]) => Promise<unknown>

const FUNCTIONS = ['mkdir', 'chmod', 'link', 'rename', 'rm', 'unlink', 'open'] as const
const METHODS = ['writeFile', 'sync', 'chmod', 'close'] as const

/**
 * Tells of each such call below a folder, before it and after it, until it is disposed of.
 *
 * @param atCall may throw, instead of the call or after it
 */
export function watchDisk(folder: string, atCall: (call: DiskCall) => void): Disposable {
  const functions = disk as unknown as Record<string, Call>
  const real = new Map(FUNCTIONS.map((name) => [name, functions[name] as Call]))
  const around = async (
    name: string,
    paths: readonly string[],
    proceed: () => Promise<unknown>,
  ) => {
    atCall({ name, paths, when: 'before' })
    const result = await proceed()
    atCall({ name, paths, when: 'after' })
    return result
  }
  const watchHandle = (handle: FileHandle, path: string) => {
    const methods = handle as unknown as Record<string, Call>
    const close = handle.close.bind(handle)
    for (const name of METHODS) {
      const method = (methods[name] as Call).bind(handle)
      methods[name] = (...given) => around(`handle.${name}`, [path], () => method(...given))
    }
    const watched = handle.close.bind(handle)
    // A call that fails closes the file all the same, as close(2) does.
    handle.close = async () => {
      try {
        await watched()
      } finally {
        await close()
      }
    }
    return handle
  }
  for (const [name, call] of real)
    functions[name] = async (...given) => {
      if (!String(given[0]).startsWith(folder)) return call(...given)
      const paths = given.filter((each) => typeof each === 'string' && each.startsWith('/'))
      let handle: FileHandle | undefined
      const proceed = async () => {
        const result = await call(...given)
        if (name === 'open') handle = result as FileHandle
        return result
      }
      try {
        const result = await around(name, paths as string[], proceed)
        return handle === undefined ? result : watchHandle(handle, String(given[0]))
      } catch (error) {
        await handle?.close()
        throw error
      }
    }
  syncBuiltinESMExports()
  return {
    [Symbol.dispose]() {
      for (const [name, call] of real) functions[name] = call
      syncBuiltinESMExports()
    },
  }
}
