// Chaos: starts processes of a world, asks them and kills them; promises that one which is killed answers nothing more, and that one which ends by itself is told.

import { fork, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import type { Answer, News, Question, WorkerOrder } from './worker.ts'

/** A process that is started anew after each kill. */
export interface Worker {
  readonly role: WorkerOrder['role']
  /** Resolves when it is ready to work. */
  ready(): Promise<void>
  /** Resolves when a recovery has written its first events, or it was killed. */
  begun(): Promise<void>
  /** Asks it, once it is ready; undefined when it was killed before it answered. */
  ask(question: Question): Promise<Answer | undefined>
  /** Kills it with SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
  /** Starts it again. */
  restart(): void
}

/** Starts one. @param complain hears what goes wrong without a kill */
export function startWorker(order: WorkerOrder, complain: (problem: string) => void): Worker {
  let running = start(order, complain)
  return {
    role: order.role,
    ready: () => running.ready,
    begun: () => running.begun,
    async ask(question) {
      const asked = running
      await asked.ready
      return asked.ask(question)
    },
    kill: () => running.kill(),
    restart: () => (running = start(order, complain)),
  }
}

function start(order: WorkerOrder, complain: (problem: string) => void) {
  const child: ChildProcess = fork(new URL('worker.ts', import.meta.url), {
    env: {
      ...process.env,
      TOCSIN_TEST_WORKER: JSON.stringify(order),
      NODE_COMPILE_CACHE: join(order.folder, 'compiled'),
    },
  })
  const waiting = new Map<number, (answer: Answer | undefined) => void>()
  let asked = 0
  let isDead = false
  let isKilled = false
  const exited = new Promise<void>((resolve) =>
    child.once('exit', (code, signal) => {
      isDead = true
      for (const answer of waiting.values()) answer(undefined)
      if (!isKilled) complain(`${order.role} ended by itself: ${code ?? signal}`)
      resolve()
    }),
  )
  const begun = new Promise<void>((resolve) => {
    void exited.then(resolve)
    child.on('message', (news: object) => 'begun' in news && resolve())
  })
  // A process that dies early is as ready as it will ever be: whoever asks it gets no answer.
  const ready = new Promise<void>((resolve) => {
    void exited.then(resolve)
    child.on('message', (news: News | { id: number; answer: Answer }) => {
      if ('ready' in news) resolve()
      else if ('complaint' in news) complain(`${order.role}: ${news.complaint}`)
      else if ('id' in news) {
        waiting.get(news.id)?.(news.answer)
        waiting.delete(news.id)
      }
    })
  })
  return {
    ready,
    begun,
    ask: (question: Question) =>
      new Promise<Answer | undefined>((resolve) => {
        if (isDead) return resolve(undefined)
        waiting.set(++asked, resolve)
        // What is sent to a process that was just killed is lost, as it would be on the way.
        child.send({ id: asked, question }, () => undefined)
        return undefined
      }),
    async kill() {
      isKilled = true
      child.kill('SIGKILL')
      await exited
    },
  }
}
