// Http: the environment variables of downloads of contact event numbers; promises that nothing is taken for a stream's name that is none.

import { STREAM_NAME } from '../distribute/public-paths.ts'

/** The variables. */
export const CEN_DOWNLOAD_VARIABLES = {
  TOCSIN_CEN_STREAM: {
    help: 'stream whose contact event numbers GET /api/v1/cens/ lists; default cen',
    expected: 'the name of a stream',
    parse: (given: string) => (STREAM_NAME.test(given) ? given : undefined),
  },
} as const

/** Where phones read a stream's numbers beside its files. */
export const CEN_LIST = {
  address: '/api/v1/cens/',
  variable: 'TOCSIN_CEN_STREAM',
  stream: cenStream,
} as const

/** The stream that follows from what was given. @param given values of {@link CEN_DOWNLOAD_VARIABLES} by name */
export function cenStream(given: ReadonlyMap<string, unknown>): string {
  return (given.get('TOCSIN_CEN_STREAM') as string | undefined) ?? 'cen'
}
