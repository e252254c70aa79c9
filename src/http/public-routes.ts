// Http: downloads of published files; promises to read no database.

import { publicKind } from '../distribute/public-paths.ts'
import type { Download, DownloadReply } from '../distribute/serve-files.ts'
import type { Route, RouteReply, RouteRequest } from './route.ts'

/** An address of published files. */
export interface FileAddress {
  readonly url: string
  readonly operationId: string
  readonly summary: string
  /** Of its parameters. */
  readonly names: readonly string[]
  /** Where what it asks for lies below the served root. @param path of a request */
  storePathOf(path: string): string
  takesDirectly(path: string): boolean
}

/** Serves published files at an address. */
export function fileRoute(
  serveFile: (download: Download) => Promise<DownloadReply>,
  { url, operationId, summary, names, storePathOf, takesDirectly }: FileAddress,
): Route {
  const properties = Object.fromEntries(names.map((name) => [name, { type: 'string' }]))
  return {
    methods: ['GET', 'HEAD'],
    url,
    operationId,
    summary,
    tag: 'public files',
    params: { type: 'object', properties, required: names },
    replies: {
      200: { description: 'The file', contentType: 'application/octet-stream' },
      206: { description: 'A part of it', contentType: 'application/octet-stream' },
      304: { description: 'Unchanged', contentType: 'application/octet-stream' },
      404: { description: 'There is no such file' },
      412: {
        description: 'Not the version that was asked for',
        contentType: 'application/octet-stream',
      },
      416: {
        description: 'The range lies beyond the file',
        contentType: 'application/octet-stream',
      },
    },
    async handle({ method, path, headers }: RouteRequest): Promise<RouteReply> {
      const reply = await serveFile({
        method: method === 'HEAD' ? 'HEAD' : 'GET',
        path: storePathOf(path),
        ifMatch: headers['if-match'],
        ifUnmodifiedSince: headers['if-unmodified-since'],
        ifNoneMatch: headers['if-none-match'],
        ifModifiedSince: headers['if-modified-since'],
        range: headers['range'],
        ifRange: headers['if-range'],
      })
      return reply.status === 404
        ? { ...reply, json: { error: 'There is no such file.', code: 'not_found' } }
        : reply
    },
    takesDirectly,
  }
}

/** Published files. */
export function publicRoutes(serveFile: (download: Download) => Promise<DownloadReply>): Route[] {
  const storePathOf = (path: string) => path.slice(1)
  const takesDirectly = (path: string) => publicKind(storePathOf(path)) !== undefined
  return [
    fileRoute(serveFile, {
      url: '/exports/:stream/:file',
      operationId: 'download',
      summary: 'Published files: index.txt, key.pem and the signed files that the index names',
      names: ['stream', 'file'],
      storePathOf,
      takesDirectly,
    }),
    fileRoute(serveFile, {
      url: '/exports/:stream/:log/:file',
      operationId: 'downloadOfLog',
      summary:
        'Files that were published after a recovery to an earlier point: the index names them with their folder',
      names: ['stream', 'log', 'file'],
      storePathOf,
      takesDirectly,
    }),
  ]
}
