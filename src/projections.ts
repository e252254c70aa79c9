// Main: the projections of each zone, for the log to write and to check; promises that no table is left out.

import { releaseProjection } from './publish/releases.ts'
import { streamProjection } from './publish/streams.ts'
import { healthAuthorityProjection } from './submit/health-authorities.ts'
import { reportProjection } from './submit/report.ts'
import type { Projection } from './log/projection.ts'

/** Every table of the key zone that follows from events. */
export const keyProjections: readonly Projection[] = [
  healthAuthorityProjection,
  streamProjection,
  reportProjection,
  releaseProjection,
]
