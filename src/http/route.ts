// Http: what a route is; promises that handlers see bytes and headers, and nothing of the web framework.

import type { Readable } from 'node:stream'
import type { TocsinError } from '../errors.ts'

/** A request as a handler sees it. */
export interface RouteRequest {
  readonly method: string
  readonly path: string
  readonly params: Readonly<Record<string, string>>
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: Uint8Array
}

/** A handler's reply. */
export interface RouteReply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** A value becomes JSON; bytes, text and streams are sent as they are. */
  readonly json?: unknown
  readonly body?: Uint8Array | Readable | string
}

/** JSON Schema, as OpenAPI 3.1 takes it. */
export type Schema = Readonly<Record<string, unknown>>

/** A row of the route table. */
export interface Route {
  readonly methods: readonly ('GET' | 'HEAD' | 'POST')[]
  readonly url: string
  readonly operationId: string
  readonly summary: string
  readonly tag: 'key zone' | 'authority zone' | 'public files' | 'operate'
  /** The greatest body, in bytes. */
  readonly bodyLimit?: number
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
}

/** Whether a request says that its body is JSON. */
export function isJson(request: RouteRequest): boolean {
  return (request.headers['content-type'] ?? '').startsWith('application/json')
}

/** When to try again after 503, in seconds: long enough for a queue to drain or a database to come back. */
export const RETRY_AFTER_SECONDS = 10
