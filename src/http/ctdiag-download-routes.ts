// Http: downloads as ct-diag-server offers them; promises its addresses and headers, to read no database, and to tell a client that can't go on where to begin again.

import { createListServer, type ListDownload } from '../distribute/ctdiag-list.ts'
import { REFUSAL_CACHE_CONTROL } from '../distribute/public-paths.ts'
import { TocsinError } from '../errors.ts'
import { decodeHex } from '../format/bytes.ts'
import { KEY_LENGTH } from '../format/ctdiag.ts'
import { ctdiagDownloadSettings } from './ctdiag-download-variables.ts'
import type { Route, RouteReply, RouteRequest } from './route.ts'
import type { RouteContext } from './routes.ts'

/** Where the whole list is. */
const LIST_URL = '/diagnosis-keys'

/** The addresses for downloads. */
export function ctdiagDownloadRoutes(context: RouteContext): Route[] {
  const { exposureConfig, ...settings } = ctdiagDownloadSettings(context.ofKinds)
  const serveList = createListServer({ root: context.publicFolder, ...settings })
  const bytes = { contentType: 'application/octet-stream' }
  const download = (
    url: string,
    operationId: string,
    summary: string,
    handle: Route['handle'],
  ): Route => ({
    methods: ['GET', 'HEAD'],
    url,
    operationId,
    summary,
    tag: 'public files',
    replies: {
      200: { description: 'Records, back to back', ...bytes },
      206: { description: 'A part of them', ...bytes },
      304: { description: 'Unchanged', ...bytes },
      412: { description: 'Not the version that was asked for', ...bytes },
      416: { description: 'The range lies beyond the records', ...bytes },
    },
    handle,
    takesDirectly: (path) => path === url,
  })
  const list = download(
    LIST_URL,
    'downloadDiagnosisKeys',
    'The diagnosis keys that count now, in the order of their releases, as records of 21 bytes; with after=<32 hex digits> those behind this key',
    async (request) => {
      const after = readAfter(request.query)
      return serveList({ ...conditionsOf(request), form: 'records', after })
    },
  )
  return [
    {
      ...list,
      replies: {
        ...list.replies,
        400: { description: 'after is no key' },
        410: { description: 'The key of after is not in the list: `restart` says where to begin' },
      },
      refuse,
    },
    download(
      `/v0${LIST_URL}`,
      'downloadDiagnosisKeysByDay',
      'The same keys in the same order, as records of 18 bytes',
      (request) => serveList({ ...conditionsOf(request), form: 'dayRecords' }),
    ),
    {
      methods: ['GET', 'HEAD'],
      url: '/exposure-config',
      operationId: 'exposureConfig',
      summary: 'How phones weigh an exposure',
      tag: 'public files',
      replies: {
        200: {
          description: "Fields of Apple's ENExposureConfiguration",
          schema: { type: 'object', required: ['minimumRiskScore'] },
        },
      },
      handle: async () => ({
        status: 200,
        headers: { 'x-content-type-options': 'nosniff' },
        json: exposureConfig,
      }),
    },
  ]
}

/**
 * The key that a client has already; undefined when it wants everything. Other parameters mean nothing.
 *
 * @throws TocsinError `bad_request`
 */
function readAfter(query: string): Uint8Array | undefined {
  const [text = '', ...others] = new URLSearchParams(query).getAll('after')
  if (others.length > 0) throw new TocsinError('bad_request', 'Give after once.')
  if (text === '') return undefined
  const key = decodeHex(text)
  if (key?.length === KEY_LENGTH) return key
  throw new TocsinError(
    'bad_request',
    `after must be the ${2 * KEY_LENGTH} hexadecimal digits of the last key that you have.`,
  )
}

function conditionsOf({ method, headers }: RouteRequest): Omit<ListDownload, 'form'> {
  return {
    method: method === 'HEAD' ? 'HEAD' : 'GET',
    ifMatch: headers['if-match'],
    ifUnmodifiedSince: headers['if-unmodified-since'],
    ifNoneMatch: headers['if-none-match'],
    ifModifiedSince: headers['if-modified-since'],
    range: headers['range'],
    ifRange: headers['if-range'],
  }
}

function refuse({ code, status, message }: TocsinError): RouteReply {
  const kept = { 'cache-control': REFUSAL_CACHE_CONTROL, 'x-content-type-options': 'nosniff' }
  if (code !== 'cursor_gone') return { status, headers: kept, json: { error: message, code } }
  return {
    status,
    headers: { ...kept, location: LIST_URL },
    json: { error: message, code, restart: LIST_URL },
  }
}
