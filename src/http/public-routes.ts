// Http: downloads of published files; promises to read no database.

import type { Download, DownloadReply } from '../distribute/serve-files.ts'
import type { Route, RouteReply, RouteRequest } from './route.ts'

/** Published files. */
export function publicRoutes(serveFile: (download: Download) => Promise<DownloadReply>): Route[] {
  const serve = async (request: RouteRequest): Promise<RouteReply> => {
    const { headers } = request
    const reply = await serveFile({
      method: request.method === 'HEAD' ? 'HEAD' : 'GET',
      path: request.path.slice(1),
      ...header('ifNoneMatch', headers['if-none-match']),
      ...header('ifModifiedSince', headers['if-modified-since']),
      ...header('range', headers['range']),
      ...header('ifRange', headers['if-range']),
    })
    return reply.status === 404
      ? { ...reply, json: { error: 'There is no such file.', code: 'not_found' } }
      : reply
  }
  return [
    {
      methods: ['GET', 'HEAD'],
      url: '/exports/:stream/:file',
      operationId: 'download',
      summary: 'Published files: index.txt, key.pem and the signed zips that the index names',
      tag: 'public files',
      params: {
        type: 'object',
        properties: { stream: { type: 'string' }, file: { type: 'string' } },
        required: ['stream', 'file'],
      },
      replies: {
        200: { description: 'The file', contentType: 'application/octet-stream' },
        206: { description: 'A part of it', contentType: 'application/octet-stream' },
        304: { description: 'Unchanged', contentType: 'application/octet-stream' },
        404: { description: 'There is no such file' },
        416: {
          description: 'The range lies beyond the file',
          contentType: 'application/octet-stream',
        },
      },
      handle: serve,
    },
  ]
}

function header<Name extends string>(
  name: Name,
  value: string | undefined,
): { [_ in Name]?: string } {
  return value === undefined ? {} : ({ [name]: value } as { [_ in Name]?: string })
}
