// Test helper: talks to a process that takes submissions (submit-process.ts); promises that a process that dies answers nothing more.

import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { START } from './submitting-zone.ts'

/** What a process answers. */
export interface ProcessReply {
  readonly status?: number
  readonly trackingId?: string
  readonly code?: string
  readonly insertedExposures?: number
  /** The keys in the token, hex. */
  readonly held?: readonly string[]
  /** What it threw, when it did. */
  readonly problem?: string
}

/** A process that takes submissions. */
export interface SubmittingProcess extends AsyncDisposable {
  /** The reply, or undefined when the process died before it gave one. */
  submit(body: Uint8Array): Promise<ProcessReply | undefined>
  /** Kills it with SIGKILL. */
  kill(): Promise<void>
}

/** Starts a process on a database and the folder that holds its master key. */
export async function startSubmitting(
  ownerUrl: string,
  folder: string,
  start = START,
): Promise<SubmittingProcess> {
  const child = fork(new URL('submit-process.ts', import.meta.url), [ownerUrl, folder, start])
  const waiting = new Map<number, (reply: ProcessReply | undefined) => void>()
  let sent = 0
  let dead = false
  const exited = once(child, 'exit').then(() => {
    dead = true
    for (const resolve of waiting.values()) resolve(undefined)
    waiting.clear()
  })
  await Promise.race([once(child, 'message'), exited])
  if (dead) throw new Error('the process ended before it was ready')
  child.on('message', ({ id, reply }: { id: number; reply: ProcessReply }) => {
    waiting.get(id)?.(reply)
    waiting.delete(id)
  })
  const kill = async () => {
    child.kill('SIGKILL')
    await exited
  }
  return {
    submit: (body) =>
      new Promise((resolve) => {
        if (dead) return resolve(undefined)
        waiting.set(++sent, resolve)
        return tell(child, { id: sent, body: Buffer.from(body).toString('base64') })
      }),
    kill,
    [Symbol.asyncDispose]: kill,
  }
}

/** Sends a message; one to a process that was just killed is lost, as it would be on the way. */
function tell(child: ChildProcess, message: object): void {
  if (child.connected) child.send(message, () => undefined)
}
