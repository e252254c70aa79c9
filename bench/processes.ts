// Bench: the processes of a benchmark; promises that none outlives it.

import { fork, type ChildProcess } from 'node:child_process'

/** Child processes; disposing kills them all. */
export class Processes implements Disposable {
  readonly #children: ChildProcess[] = []

  /** Starts a file of this folder. @param flags for Node.js @param environment beside this process's */
  fork(
    file: string,
    args: readonly string[],
    flags: readonly string[] = [],
    environment: Readonly<Record<string, string>> = {},
  ): ChildProcess {
    return this.add(
      fork(new URL(file, import.meta.url), args, {
        execArgv: [...flags],
        env: { ...environment, ...process.env },
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      }),
    )
  }

  /** Takes care of one that was started elsewhere. */
  add(child: ChildProcess): ChildProcess {
    this.#children.push(child)
    return child
  }

  [Symbol.dispose](): void {
    for (const child of this.#children) child.kill('SIGKILL')
  }
}

/** The next message of a process; rejects when the process ends instead. */
export function nextMessage<Value>(child: ChildProcess): Promise<Value> {
  return new Promise((resolve, reject) => {
    const fail = (code: number | null) => reject(new Error(`a process ended with ${code}`))
    child.once('exit', fail)
    child.once('message', (value) => {
      child.off('exit', fail)
      resolve(value as Value)
    })
  })
}
