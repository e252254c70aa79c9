// Authorize: hands text messages to an HTTP gateway; promises an end after a bounded time, one reference for each message however often it is tried, and errors without a word of the message.

import { createHmac } from 'node:crypto'
import { setTimeout as rest } from 'node:timers/promises'
import { TocsinError } from '../errors.ts'
import type { Clock } from '../operate/clock.ts'

/** A text message on its way. */
export interface TextMessage {
  /** E.164. */
  readonly to: string
  readonly text: string
  /** The same for the same message: whoever sends it on sends one reference once. */
  readonly reference: string
}

/** What sends text messages. */
export interface TextSender {
  /**
   * Sends one.
   *
   * @throws TocsinError `sms_failure`, `sms_queue_full` (the gateway has too many), `texts_not_offered` (none are sent)
   * @throws the reason of `signal` when it aborts; the message may have left by then
   */
  send(message: TextMessage, signal: AbortSignal): Promise<void>
}

/** How long a gateway is waited for, in milliseconds. */
export interface GatewayTimes {
  /** For one answer. */
  readonly attemptMs: number
  /** For all attempts with their rests. */
  readonly totalMs: number
  /** Before the second attempt; twice as long before each one after it. */
  readonly restMs: number
}

/** Whoever issues a code waits for it: 10 s are as long as people wait. */
export const GATEWAY_TIMES: GatewayTimes = { attemptMs: 5000, totalMs: 10_000, restMs: 250 }

/** A gateway and how it is reached. */
export interface GatewayOptions {
  readonly url: string
  /** Shared with the gateway; its UTF-8 bytes are the key of the signatures. */
  readonly secret: string
  readonly clock: Clock
  readonly times: GatewayTimes
}

/** How an attempt ended without the message being taken. */
type Failure = 'unreachable' | 'timeout' | number

const RETRIES = 3

/** As `docs/text-messages.md` has it. */
const BODY_VERSION = 1

/** Of an answer, to have the connection for the next message; a longer answer costs the connection. */
const MOST_ANSWER_BYTES = 16 * 1024

/** A sender that hands messages to an HTTP gateway, as `docs/text-messages.md` describes it. */
export function createHttpGateway(options: GatewayOptions): TextSender {
  return {
    async send({ to, text, reference }, signal) {
      const body = JSON.stringify({ to, text, reference, version: BODY_VERSION })
      const tooLate = AbortSignal.timeout(options.times.totalMs)
      const failure = await tryRepeatedly(options, body, AbortSignal.any([tooLate, signal]))
      signal.throwIfAborted()
      if (failure !== undefined) throw refusal(failure)
    },
  }
}

/** The sender of a realm that sends nothing: whoever asks for a code sends the text, or tells the code. */
export function createNoSender(): TextSender {
  return { send: () => Promise.reject(new TocsinError('texts_not_offered')) }
}

/** @returns undefined once the gateway has taken it */
async function tryRepeatedly(
  options: GatewayOptions,
  body: string,
  signal: AbortSignal,
): Promise<Failure | undefined> {
  for (let attempt = 0; ; attempt++) {
    const failure = await post(options, body, signal)
    if (failure === undefined || !mayPass(failure) || attempt === RETRIES) return failure
    try {
      await rest(options.times.restMs * 2 ** attempt, undefined, { signal })
    } catch {
      return failure
    }
  }
}

/** Whether another attempt may do better: what the gateway refused once it will refuse again. */
function mayPass(failure: Failure): boolean {
  return typeof failure === 'string' || failure === 429 || failure >= 500
}

async function post(
  { url, secret, clock, times }: GatewayOptions,
  body: string,
  signal: AbortSignal,
): Promise<Failure | undefined> {
  const timeout = AbortSignal.timeout(times.attemptMs)
  const timestamp = String(Math.floor(clock.now().getTime() / 1000))
  try {
    const response = await fetch(url, {
      method: 'POST',
      body,
      headers: {
        'content-type': 'application/json',
        'x-timestamp': timestamp,
        // With the time in it: what somebody overheard is of no use later.
        'x-signature': createHmac('sha512', secret).update(`${timestamp}.${body}`).digest('hex'),
      },
      // A number that is meant for this gateway goes to no other.
      redirect: 'manual',
      signal: AbortSignal.any([timeout, signal]),
    })
    await passOver(response)
    return response.ok ? undefined : response.status
  } catch {
    // What was caught may name the address, and the message with it: only its kind is kept.
    return timeout.aborted || signal.aborted ? 'timeout' : 'unreachable'
  }
}

/** Reads the rest of an answer whose status says it all. */
async function passOver(response: Response): Promise<void> {
  let size = 0
  try {
    // Leaving the loop early cancels the rest.
    for await (const piece of response.body ?? []) {
      size += piece.length
      if (size > MOST_ANSWER_BYTES) return
    }
  } catch {
    // The status was received: a message that was taken must not be sent again for a broken body.
  }
}

function refusal(failure: Failure): TocsinError {
  if (failure === 429) return new TocsinError('sms_queue_full')
  const reason =
    typeof failure === 'number'
      ? `answered with status ${failure}`
      : { unreachable: 'can not be reached', timeout: 'did not answer in time' }[failure]
  return new TocsinError('sms_failure', `The text could not be handed over: the gateway ${reason}.`)
}
