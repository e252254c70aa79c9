// Http: downloads of contact event numbers, as files and as CovidWatch's second backend lists them; promises to read no database.

import { Readable } from 'node:stream'
import { listNumbers, type ListedNumber } from '../distribute/cen-list.ts'
import { publicKind, REFUSAL_CACHE_CONTROL } from '../distribute/public-paths.ts'
import { TocsinError } from '../errors.ts'
import { encodeHex } from '../format/bytes.ts'
import { formatTimestamp } from '../operate/timestamp.ts'
import { cenStream } from './cen-download-variables.ts'
import { fileRoute } from './public-routes.ts'
import { optionsRoute, type Route, type RouteReply } from './route.ts'
import type { RouteContext } from './routes.ts'

const FILES_URL = '/v1/cens'

/** What readers of lists may take up. */
export interface ListLimits {
  /** Lists that are being sent at once: each reads all files. */
  readonly atOnce: number
  /** A list whose reader takes nothing for so long is broken off, in milliseconds: it keeps others from theirs. */
  readonly patience: number
}

const LIMITS: ListLimits = { atOnce: 32, patience: 15_000 }

/** The addresses for downloads. */
export function cenDownloadRoutes(context: RouteContext, limits: ListLimits = LIMITS): Route[] {
  const { serveFile, publicFolder } = context
  const stream = cenStream(context.ofKinds)
  const storePathOf = (path: string) => path.replace(FILES_URL, 'exports')
  const files = {
    storePathOf,
    takesDirectly: (path: string) =>
      path.startsWith(`${FILES_URL}/`) && publicKind(storePathOf(path)) !== undefined,
  }
  const lists = { root: publicFolder, stream, ...limits, sending: 0 }
  return [
    fileRoute(serveFile, {
      ...files,
      url: `${FILES_URL}/:stream/:file`,
      operationId: 'downloadCens',
      summary:
        'Contact event numbers: index.txt, key.pem, and the sorted files that the index names, each with its signatures',
      names: ['stream', 'file'],
    }),
    fileRoute(serveFile, {
      ...files,
      url: `${FILES_URL}/:stream/:log/:file`,
      operationId: 'downloadCensOfLog',
      summary:
        'Files that were published after a recovery to an earlier point: the index names them with their folder',
      names: ['stream', 'log', 'file'],
    }),
    ...['', '/'].flatMap((end) => [
      listRoute(end, lists),
      optionsRoute(
        `/api/v1/cens${end}`,
        end === '' ? 'cenListOptionsWithoutSlash' : 'cenListOptions',
        'public files',
        ['GET', 'HEAD', 'POST'],
      ),
    ]),
  ]
}

/** What the lists of a server have in common. */
interface Lists extends ListLimits {
  /** The served one. */
  readonly root: string
  readonly stream: string
  /** How many are being sent. */
  sending: number
}

function listRoute(end: string, lists: Lists): Route {
  return {
    methods: ['GET', 'HEAD'],
    url: `/api/v1/cens${end}`,
    operationId: end === '' ? 'listCensWithoutSlash' : 'listCens',
    summary:
      "Contact event numbers that were published since a time, as apps of CovidWatch's second backend ask for them",
    tag: 'public files',
    replies: {
      200: { description: 'cens, with the end of the window in which each was published' },
      400: { description: '`msg` says what is wrong' },
      503: { description: 'Busy: try again after the seconds of Retry-After' },
    },
    async handle({ method, query }) {
      const since = readSince(query)
      // How long the list is can't be told without making it.
      if (method === 'HEAD') return { status: 200, headers: LIST_HEADERS }
      const { root, stream, atOnce, patience } = lists
      if (lists.sending >= atOnce) throw new TocsinError('unavailable')
      lists.sending += 1
      const body = Readable.from(jsonOf(listNumbers(root, stream, since)), { objectMode: false })
      endWhenUnread(body, patience)
      body.once('close', () => (lists.sending -= 1))
      return { status: 200, headers: LIST_HEADERS, body }
    },
    refuse: ({ status, message }): RouteReply => ({
      status,
      headers: { 'cache-control': REFUSAL_CACHE_CONTROL, 'x-content-type-options': 'nosniff' },
      json: { msg: message },
    }),
  }
}

const LIST_HEADERS = {
  'content-type': 'application/json',
  'cache-control': 'no-cache, max-age=0',
  'x-content-type-options': 'nosniff',
}

/** Breaks a stream off whose reader has stopped reading. @param patience milliseconds */
function endWhenUnread(body: Readable, patience: number): void {
  let timer: NodeJS.Timeout | undefined
  const wait = () => {
    clearTimeout(timer)
    // While it flows it is the reader who waits: what counts may lie behind much that does not.
    timer = setTimeout(
      () => (body.readableFlowing === true ? wait() : body.destroy()),
      patience,
    ).unref()
  }
  wait()
  body.on('data', wait)
  body.once('close', () => clearTimeout(timer))
  // Who listens makes it flow; it flows when the answer is sent.
  body.pause()
}

// A date, or a date and a time of day; always UTC. A plus in a query is a space.
const TIME =
  /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.\d{1,9})?)?(?: ?Z| ?UTC|[+ ]00:?00)?$/

/** @returns unix seconds @throws TocsinError `bad_request` */
function readSince(query: string): number {
  const [text = '', ...others] = new URLSearchParams(query).getAll('since')
  const moment = others.length > 0 ? NaN : (readListed(text) ?? readTime(text))
  if (!Number.isNaN(moment)) return Math.floor(moment / 1000)
  throw new TocsinError(
    'bad_request',
    'since must be a time in UTC such as 2027-01-31T12:00:00, or as lists have it, given once.',
  )
}

/** A time as it is in lists, which apps send back; undefined when it is none. */
function readListed(text: string): number | undefined {
  const moment = Date.parse(text)
  return !Number.isNaN(moment) && listedTime(moment / 1000) === text ? moment : undefined
}

function readTime(text: string): number {
  const [, day, time = '00:00'] = TIME.exec(text) ?? []
  const moment = day === undefined ? NaN : Date.parse(`${day}T${time}Z`)
  // JavaScript takes the 30th of February for the 2nd of March.
  const isDay = !Number.isNaN(moment) && formatTimestamp(moment / 1000).startsWith(day ?? '')
  return isDay ? moment : NaN
}

/** The form of times in lists: that of HTTP, in which the framework of CovidWatch's second backend writes them. @param seconds unix time */
function listedTime(seconds: number): string {
  return new Date(seconds * 1000).toUTCString()
}

const CHUNK_LENGTH = 1 << 16

async function* jsonOf(numbers: AsyncIterable<ListedNumber>): AsyncGenerator<Buffer> {
  let chunk = '{"cens":['
  let separator = ''
  const times = new Map<number, string>()
  for await (const { number, published } of numbers) {
    let time = times.get(published)
    if (time === undefined) times.set(published, (time = listedTime(published)))
    chunk += `${separator}{"uuid":"${encodeHex(number)}","created_at":"${time}","published_at":"${time}"}`
    separator = ','
    if (chunk.length < CHUNK_LENGTH) continue
    yield Buffer.from(chunk)
    chunk = ''
  }
  yield Buffer.from(`${chunk}]}`)
}
