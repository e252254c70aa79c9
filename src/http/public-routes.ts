// Http: downloads of published files; promises to read no database.

import { publicKind } from '../distribute/public-paths.ts'
import type { Download, DownloadReply } from '../distribute/serve-files.ts'
import type { Route, RouteReply, RouteRequest } from './route.ts'

/** Published files. */
export function publicRoutes(serveFile: (download: Download) => Promise<DownloadReply>): Route[] {
  const serve = async ({ method, path, headers }: RouteRequest): Promise<RouteReply> => {
    const reply = await serveFile({
      method: method === 'HEAD' ? 'HEAD' : 'GET',
      path: path.slice(1),
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
  }
  const download = (url: string, operationId: string, summary: string, names: string[]): Route => {
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
      handle: serve,
      takesDirectly: (path) => publicKind(path.slice(1)) !== undefined,
    }
  }
  return [
    download(
      '/exports/:stream/:file',
      'download',
      'Published files: index.txt, key.pem and the signed zips that the index names',
      ['stream', 'file'],
    ),
    download(
      '/exports/:stream/:log/:file',
      'downloadOfLog',
      'Zips that were published after a recovery to an earlier point: the index names them with their folder',
      ['stream', 'log', 'file'],
    ),
  ]
}
