// Http: opens a server's port; promises that one which can't be used is told with the name of its variable.

import type { FastifyInstance } from 'fastify'
import { TocsinError } from '../errors.ts'

/** @returns the address. @throws TocsinError `address_unusable` */
export async function listen(
  app: FastifyInstance,
  host: string,
  port: number,
  variable: string,
): Promise<string> {
  try {
    return await app.listen({ host, port })
  } catch (error) {
    throw new TocsinError(
      'address_unusable',
      `${host}:${port} can't be listened on (${(error as NodeJS.ErrnoException).code}): name another address in TOCSIN_HOST or ${variable}.`,
      { cause: error },
    )
  }
}
