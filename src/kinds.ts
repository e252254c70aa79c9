// Kinds: the one table of kinds of key; promises that a kind is its row here and the files that it names, and that log, correction, archive, recovery, releases and verification know none of them.

import type { Variable } from './config-variables.ts'
import { earlierApiRoutes } from './http/earlier-api-routes.ts'
import { keyZoneRoutes } from './http/key-zone-routes.ts'
import type { Route } from './http/route.ts'
import type { RouteContext } from './http/routes.ts'
import type { Projection } from './log/projection.ts'
import { GAEN_ENCODER } from './publish/gaen-encoder.ts'
import type { StreamEncoder } from './publish/stream-encoder.ts'
import { publishV1 } from './submit/publish-v1.ts'
import { publishV1alpha1 } from './submit/publish-v1alpha1.ts'
import type { SubmissionApi } from './submit/submission-api.ts'

/** A kind of key. */
export interface Kind {
  /** As streams say it: lower-case letters. */
  readonly name: string
  /** The variables of the environment that are its own, by their names. */
  readonly variables: Readonly<Record<string, Variable<unknown>>>
  /** The APIs by which its reports come in. */
  readonly apis: readonly SubmissionApi[]
  /** The tables that are its own, which follow from events. */
  readonly projections: readonly Projection[]
  /** Its releases as files. */
  readonly encoder: StreamEncoder
  /** What it answers by HTTP. */
  routes(context: RouteContext): Route[]
}

/** Every kind. */
export const KINDS: readonly Kind[] = [
  {
    name: 'gaen',
    variables: {},
    apis: [
      { name: 'publish-v1', handle: publishV1 },
      { name: 'publish-v1alpha1', handle: publishV1alpha1 },
    ],
    projections: [],
    encoder: GAEN_ENCODER,
    routes: ({ submit, v1alpha1 }) => [
      ...keyZoneRoutes(submit),
      ...(v1alpha1 ? earlierApiRoutes(submit) : []),
    ],
  },
]

/** What makes the releases of each kind's streams. */
export const ENCODERS: ReadonlyMap<string, StreamEncoder> = new Map(
  KINDS.map(({ name, encoder }) => [name, encoder]),
)
