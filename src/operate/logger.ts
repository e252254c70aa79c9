// Operate: what the process writes about itself; promises event names and counts, never a body, key, code, token or address.

import { pino, type Logger as PinoLogger } from 'pino'

/** Writes events. */
export interface Logger {
  /** Something that an operator may want to know. */
  info(event: string, counts?: Readonly<Record<string, number | string | boolean>>): void
  /** Something that went wrong; of the error only its kind, code, message and stack are written. */
  error(event: string, error: unknown, counts?: Readonly<Record<string, number | string>>): void
}

/** A logger that writes JSON lines to standard error. */
export function createLogger(level: string): Logger {
  const logger: PinoLogger = pino({ level, base: null }, pino.destination({ dest: 2, sync: true }))
  // A full disk or a closed pipe under standard error must not end the service.
  const quietly = (write: () => void) => {
    try {
      write()
    } catch {
      // There is nobody left to tell.
    }
  }
  return {
    info: (event, counts) => quietly(() => logger.info(counts ?? {}, event)),
    error: (event, error, counts) =>
      quietly(() => logger.error({ ...counts, error: describe(error) }, event)),
  }
}

/** PostgreSQL's errors carry values in their detail, so that only these fields are taken. */
function describe(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: 'not an error' }
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {}
  const cause = error.cause === undefined ? {} : { cause: describe(error.cause) }
  return { name: error.name, message: error.message, ...code, stack: error.stack, ...cause }
}
