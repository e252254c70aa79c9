// Kinds: the one table of kinds of key; promises that a kind is its row here and the files that it names, and that log, correction, archive, recovery, releases and verification know none of them.

import type { KindExplanation } from './cli/kind-explanation.ts'
import type { TownProtocol } from './cli/town-protocols.ts'
import type { ConfigProblem, Variable } from './config-variables.ts'
import { cenDownloadRoutes } from './http/cen-download-routes.ts'
import { CEN_DOWNLOAD_VARIABLES, CEN_LIST } from './http/cen-download-variables.ts'
import { cenUploadRoutes } from './http/cen-upload-routes.ts'
import { ctdiagDownloadRoutes } from './http/ctdiag-download-routes.ts'
import { CTDIAG_DOWNLOAD_VARIABLES, CTDIAG_LIST } from './http/ctdiag-download-variables.ts'
import { ctdiagUploadRoutes } from './http/ctdiag-upload-routes.ts'
import { earlierApiRoutes } from './http/earlier-api-routes.ts'
import { keyZoneRoutes } from './http/key-zone-routes.ts'
import type { Route } from './http/route.ts'
import type { RouteContext } from './http/routes.ts'
import type { Projection } from './log/projection.ts'
import { CEN_ENCODER } from './publish/cen-encoder.ts'
import { CTDIAG_ENCODER } from './publish/ctdiag-encoder.ts'
import { GAEN_ENCODER } from './publish/gaen-encoder.ts'
import type { StreamEncoder } from './publish/stream-encoder.ts'
import { CEN_APIS } from './submit/cen.ts'
import { cenProjection } from './submit/cen-report.ts'
import { CEN_VARIABLES, cenProblems } from './submit/cen-variables.ts'
import { CTDIAG_APIS } from './submit/ctdiag.ts'
import { CTDIAG_VARIABLES, ctdiagProblems } from './submit/ctdiag-variables.ts'
import { publishV1 } from './submit/publish-v1.ts'
import { publishV1alpha1 } from './submit/publish-v1alpha1.ts'
import type { SubmissionApi } from './submit/submission-api.ts'
import type { FeedForm } from './verify/feed-form.ts'
import { NUMBER_FEED } from './verify/number-feed.ts'

/** The address of a list of keys, which shows those of one stream. */
export interface KindList {
  readonly address: string
  /** Names the stream. */
  readonly variable: string
  /** Its name. @param given values of the kind's variables by name */
  stream(given: ReadonlyMap<string, unknown>): string
}

/** A kind of key. */
export interface Kind {
  /** As streams say it: lower-case letters. */
  readonly name: string
  /** The variables of the environment that are its own, by their names. */
  readonly variables: Readonly<Record<string, Variable<unknown>>>
  /** What is wrong with their values taken together. @param given by name */
  problems(given: ReadonlyMap<string, unknown>): readonly ConfigProblem[]
  /** The APIs by which its reports come in. */
  readonly apis: readonly SubmissionApi[]
  /** The tables that are its own, which follow from events. */
  readonly projections: readonly Projection[]
  /** Its releases as files. */
  readonly encoder: StreamEncoder
  /** How `tocsin verify` reads its files; left out where they are signed export zips. */
  readonly feed?: FeedForm
  /** What its phones read in the place of files; left out where they read these. */
  readonly list?: KindList
  /** What it answers by HTTP. */
  routes(context: RouteContext): Route[]
  /** Loads how `tocsin explain` tells of its reports and identifiers; left out where they are diagnosis keys. */
  explanation?(): Promise<KindExplanation>
  /** Loads how the phones of `tocsin demo` speak it; left out where none do. */
  town?(): Promise<TownProtocol>
}

/** Every kind. */
export const KINDS: readonly Kind[] = [
  {
    name: 'gaen',
    variables: {},
    problems: () => [],
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
    town: async () => (await import('./cli/town-phones.ts')).GAEN_PROTOCOL,
  },
  {
    name: 'ctdiag',
    variables: { ...CTDIAG_VARIABLES, ...CTDIAG_DOWNLOAD_VARIABLES },
    problems: ctdiagProblems,
    apis: CTDIAG_APIS,
    projections: [],
    encoder: CTDIAG_ENCODER,
    list: CTDIAG_LIST,
    routes: (context) => [...ctdiagDownloadRoutes(context), ...ctdiagUploadRoutes(context)],
    town: async () => (await import('./cli/town-ctdiag.ts')).CTDIAG_PROTOCOL,
  },
  {
    name: 'cen',
    variables: { ...CEN_VARIABLES, ...CEN_DOWNLOAD_VARIABLES },
    problems: cenProblems,
    apis: CEN_APIS,
    projections: [cenProjection],
    encoder: CEN_ENCODER,
    feed: NUMBER_FEED,
    list: CEN_LIST,
    routes: (context) => [...cenUploadRoutes(context), ...cenDownloadRoutes(context)],
    explanation: async () => (await import('./cli/explain-cen.ts')).CEN_EXPLANATION,
    town: async () => (await import('./cli/town-cen.ts')).CEN_PROTOCOL,
  },
]

/** What makes the releases of each kind's streams. */
export const ENCODERS: ReadonlyMap<string, StreamEncoder> = new Map(
  KINDS.map(({ name, encoder }) => [name, encoder]),
)

/** Forms of published files beside signed export zips. */
export const FEED_FORMS: readonly FeedForm[] = KINDS.flatMap(({ feed }) => feed ?? [])
