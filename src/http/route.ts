// Http: what a route is; promises that handlers see bytes and headers, and nothing of the web framework.

import type { Readable } from 'node:stream'
import type { TocsinError } from '../errors.ts'
import type { ObservedReply } from '../operate/chaff.ts'
import type { KeyCounts } from '../operate/metrics.ts'

/** A request as a handler sees it. */
export interface RouteRequest {
  readonly method: string
  readonly path: string
  /** Of the target, without its question mark; empty when there is none. */
  readonly query: string
  readonly params: Readonly<Record<string, string>>
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: Uint8Array
  /** Where it came from, as far as trusted proxies tell; never to be stored or logged. */
  address(): string
}

/** A handler's reply. */
export interface RouteReply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** A value becomes JSON; bytes, text and streams are sent as they are. */
  readonly json?: unknown
  readonly body?: Uint8Array | Readable | string
  /** Seconds after which trying again may help; what its status has when left out. */
  readonly retryAfter?: number
  /** What became of a submission, for the operator's metrics: `accepted` or a code. */
  readonly submission?: { readonly outcome: string; readonly keys: KeyCounts } | undefined
}

/** How an address answers decoys. */
export interface Chaff {
  /** What a real reply looks like, while there was none yet. */
  readonly typical: ObservedReply
  /** A reply with the status, the headers and the fields of a success. @param length of its JSON text without the padding's characters */
  imitate(length: number): RouteReply
  /** Whether refusals take as long as what is accepted. */
  readonly pacesRefusals?: true
  /** Whether the body is of the type that real requests must have; JSON when left out. */
  takes?(request: RouteRequest): boolean
}

/** JSON Schema, as OpenAPI 3.1 takes it. */
export type Schema = Readonly<Record<string, unknown>>

/** A row of the route table. */
export interface Route {
  readonly methods: readonly ('GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS')[]
  readonly url: string
  readonly operationId: string
  readonly summary: string
  readonly tag: 'key zone' | 'authority zone' | 'public files' | 'operate'
  /** The greatest body, in bytes. */
  readonly bodyLimit?: number
  /** Whether a body is taken whatever its content type says, be it nonsense. */
  readonly takesAnyType?: true
  readonly params?: Schema
  readonly headers?: Schema
  readonly requestBody?: Schema
  readonly replies: Readonly<
    Record<
      string,
      { readonly description: string; readonly schema?: Schema; readonly contentType?: string }
    >
  >
  handle(request: RouteRequest): Promise<RouteReply>
  /** The reply to what went wrong before or in `handle`, in the shape of this API; `{error, code}` when left out. */
  refuse?(error: TocsinError): RouteReply
  /** Where decoys are answered: requests with the header X-Chaff, which are read and then forgotten. */
  readonly chaff?: Chaff
  /**
   * Paths that are answered in front of the web framework, whose own work for a request is as long as that for a small file.
   * GET and HEAD alone, and nothing of a body is read.
   */
  takesDirectly?(path: string): boolean
}

/** The path of a request's target, which may be a whole URL (RFC 9112, section 3.2.2), without its query. */
export function pathOf(target: string): string {
  const query = target.indexOf('?')
  const path = query < 0 ? target : target.slice(0, query)
  return path.startsWith('/') ? path : path.replace(/^https?:\/\/[^/]*/i, '')
}

/** The query of a request's target, without its question mark; empty when there is none. */
export function queryOf(target: string): string {
  const query = target.indexOf('?')
  return query < 0 ? '' : target.slice(query + 1)
}

/** The header of decoys, for the OpenAPI document. */
export const CHAFF_HEADER = {
  'x-chaff': {
    type: 'string',
    description: 'Not empty: a decoy, which is answered like a real request and does nothing',
  },
} as const satisfies Schema

/** What the OpenAPI document says of an API that is closed. */
export const CLOSED = 'Closed for maintenance: try again after the seconds of Retry-After'

/** Says which methods an address takes, as the servers of some existing APIs do; nothing that would let a page of another site send any. */
export function optionsRoute(
  url: string,
  operationId: string,
  tag: Route['tag'],
  methods: readonly string[],
): Route {
  const headers = { allow: [...methods, 'OPTIONS'].join(', ') }
  return {
    methods: ['OPTIONS'],
    url,
    operationId,
    summary: 'Which methods the address takes',
    tag,
    replies: { 200: { description: '`Allow` says it' } },
    handle: async () => ({ status: 200, headers, body: '' }),
  }
}

/** Whether a request says that its body is JSON. */
export function isJson(request: RouteRequest): boolean {
  return (request.headers['content-type'] ?? '').startsWith('application/json')
}

/** When to try again, in seconds: long enough for a queue to drain or a database to come back, or for some maintenance. */
export const RETRY_AFTER_SECONDS: Readonly<Record<number, number>> = { 503: 10, 429: 60 }
