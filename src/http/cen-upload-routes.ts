// Http: uploads of contact event numbers, by Tocsin's own API and by the two of the CovidWatch backend; promises that an upload whose proof is wrong is refused and never taken as one without, and that no address is kept.

import { TocsinError } from '../errors.ts'
import { CEN_BYTES, MOST_CENS, parseCell } from '../format/cen.ts'
import type { KeyCounts } from '../operate/metrics.ts'
import { randomPiece } from '../operate/random-piece.ts'
import { replyPadding } from '../operate/reply-padding.ts'
import type { Secret } from '../operate/secret.ts'
import type { CenFields, CenName } from '../submit/cen.ts'
import { cenSettings, type CenSettings } from '../submit/cen-variables.ts'
import { MISSING_STORED_VALUE } from '../submit/parse-cen.ts'
import { refusePublish, type PublishReply } from '../submit/publish-v1.ts'
import { isSecret, proveByCode, readProof, readSecret } from './cen-proof.ts'
import {
  CENS_REPLY,
  CENS_REQUEST,
  CEN_LIST_REQUEST,
  STORED_VALUE_REQUEST,
  UPLOAD_HEADERS,
} from './cen-schemas.ts'
import {
  CLOSED,
  optionsRoute,
  type Chaff,
  type Route,
  type RouteReply,
  type RouteRequest,
} from './route.ts'
import type { RouteContext } from './routes.ts'

/**
 * The addresses for uploads.
 *
 * @throws TocsinError `configuration_invalid` when something is to let uploads in that was not said
 */
export function cenUploadRoutes(context: RouteContext): Route[] {
  const settings = cenSettings(context.ofKinds)
  const upload = (api: CenName) => (request: RouteRequest) =>
    submitCens(context, settings, api, request)
  const secret = settings.uploads.includes('shared-secret') ? readSecret(settings) : undefined
  return [
    numbersRoute(upload('cens-v1')),
    ...['', '/'].map((end) => successorRoute(end, upload('covidwatch-successor'))),
    ...(secret === undefined
      ? []
      : ['', '/'].flatMap((end) => [
          interactionRoute(end, secret, upload('covidwatch')),
          optionsRoute(
            `/api/interaction${end}`,
            end === '' ? 'interactionOptions' : 'interactionOptionsWithSlash',
            'key zone',
            ['POST'],
          ),
        ])),
  ]
}

const CLOSED_OR_TOO_MANY = `${CLOSED}; or too many codes were wrong, or too many reports came that nobody vouched for`

type Upload = (request: RouteRequest) => Promise<PublishReply>

function numbersRoute(upload: Upload): Route {
  return {
    methods: ['POST'],
    url: '/v1/cens',
    operationId: 'uploadCens',
    summary: `Uploads contact event numbers, ${CEN_BYTES} bytes each, with a permission number or a certificate`,
    tag: 'key zone',
    bodyLimit: MOST_CENS * CEN_BYTES,
    headers: UPLOAD_HEADERS,
    requestBody: CENS_REQUEST,
    replies: {
      200: { description: 'The numbers are durable', schema: CENS_REPLY },
      400: { description: 'Nothing was stored; `code` says why', schema: CENS_REPLY },
      401: { description: 'Nothing lets this upload in', schema: CENS_REPLY },
      413: { description: 'Too many numbers', schema: CENS_REPLY },
      415: { description: 'The content type is another one', schema: CENS_REPLY },
      429: {
        description: CLOSED_OR_TOO_MANY,
        schema: CENS_REPLY,
      },
      503: { description: 'Busy: try again after the seconds of Retry-After', schema: CENS_REPLY },
    },
    async handle(request) {
      if (request.query !== '') throw invalid('There are no query parameters at this address.')
      if (!isBytes(request))
        throw new TocsinError(
          'unsupported_media_type',
          'The content type must be application/octet-stream.',
        )
      return toReply(await upload(request))
    },
    refuse: (error) => toReply(refusePublish(error)),
    chaff: CHAFF,
  }
}

const CHAFF: Chaff = {
  typical: { latency: 40, length: 0, isRefusal: false },
  imitate: () =>
    makeReply(200, randomPiece(16).toString('hex'), {
      insertedNumbers: MOST_LIKELY_CENS,
      padding: replyPadding(),
    }),
  pacesRefusals: true,
  takes: isBytes,
}

function isBytes({ headers }: RouteRequest): boolean {
  return /^application\/octet-stream *(;|$)/i.test(headers['content-type'] ?? '')
}

/** Those of 21 days. */
const MOST_LIKELY_CENS = 9_072

function toReply({ status, trackingId, keys, retryAfter, body }: PublishReply): RouteReply {
  const { code = 'accepted' } = body
  const inserted = keys === undefined ? {} : { insertedNumbers: keys.inserted }
  return {
    ...makeReply(statusOf(body.code, status), trackingId, {
      ...inserted,
      ...body,
      padding: replyPadding(),
    }),
    ...(retryAfter === undefined ? {} : { retryAfter }),
    submission: { outcome: code, keys: NO_KEYS },
  }
}

function makeReply(status: number, trackingId: string, json: object): RouteReply {
  return { status, headers: { 'tocsin-tracking-id': trackingId }, json }
}

/** Numbers are no keys: what is counted of those says nothing of them. */
const NO_KEYS: KeyCounts = { inserted: 0, revised: 0, dropped: 0 }

/** Here a permission number stands in the place of a login. */
function statusOf(code: string | undefined, status: number): number {
  return code === 'code_invalid' || code === 'code_expired' ? 401 : status
}

// What a number takes in the longest way of writing it, with white space.
const LISTED_BYTES = 150

function successorRoute(end: string, upload: Upload): Route {
  const answer = (reply: PublishReply) => textReply(reply, 201, 'msg')
  return {
    methods: ['POST'],
    url: `/api/v1/cens${end}`,
    operationId: end === '' ? 'uploadCenListWithoutSlash' : 'uploadCenList',
    summary: "Uploads contact event numbers as apps of CovidWatch's second backend do",
    tag: 'key zone',
    bodyLimit: MOST_CENS * LISTED_BYTES,
    headers: UPLOAD_HEADERS,
    requestBody: CEN_LIST_REQUEST,
    replies: {
      201: { description: 'The numbers are durable' },
      400: { description: 'Nothing was stored; `msg` says why' },
      401: { description: 'Nothing lets this upload in' },
      413: { description: 'Too many numbers' },
      415: { description: 'The content type is another one' },
      429: { description: CLOSED_OR_TOO_MANY },
      503: { description: 'Busy: try again after the seconds of Retry-After' },
    },
    async handle(request) {
      if (!isAnyJson(request)) throw new TocsinError('unsupported_media_type')
      return answer(await upload(request))
    },
    refuse: (error) => answer(refusePublish(error)),
  }
}

/** As their framework judges it: JSON, or a form of it that has a name of its own. */
function isAnyJson({ headers }: RouteRequest): boolean {
  return /^application\/([\w.!#$&^-]+\+)?json *(;|$)/i.test(headers['content-type'] ?? '')
}

const INTERACTION_BYTES = 10_000

function interactionRoute(end: string, secret: Secret, upload: Upload): Route {
  const answer = (reply: PublishReply) => textReply(reply, 200, 'error')
  return {
    methods: ['POST'],
    url: `/api/interaction${end}`,
    operationId: end === '' ? 'storeInteraction' : 'storeInteractionWithSlash',
    summary: "Uploads one contact event number as apps of CovidWatch's first backend do",
    tag: 'key zone',
    bodyLimit: INTERACTION_BYTES,
    requestBody: STORED_VALUE_REQUEST,
    replies: {
      200: { description: 'The number is durable' },
      400: { description: 'Nothing was stored; `error` says why' },
      413: { description: 'The body is too large' },
      429: { description: CLOSED_OR_TOO_MANY },
      503: { description: 'Busy: try again after the seconds of Retry-After' },
    },
    async handle(request) {
      if (!isSecret(request.headers['x-app-secret-key'] ?? '', secret))
        throw invalid('Missing/wrong secret key header')
      const { 'content-type': type = '', 'transfer-encoding': coding } = request.headers
      const isMultipart = /^multipart\/form-data *;/i.test(type)
      const isForm = isMultipart || /^application\/x-www-form-urlencoded *(;|$)/i.test(type)
      // Their framework reads the body of neither.
      if (!isForm || coding !== undefined) throw invalid(MISSING_STORED_VALUE)
      return answer(await upload(isMultipart ? await asPlainForm(request, type) : request))
    },
    refuse: (error) => answer(refusePublish(error)),
  }
}

/** A form in parts as one in pairs; a part that is a file is no field, as there. */
async function asPlainForm(request: RouteRequest, type: string): Promise<RouteRequest> {
  // At most 10,000 bytes: what a parser makes of the worst of them takes some milliseconds.
  const body = new Uint8Array(request.body)
  const form = await new Response(body, { headers: { 'content-type': type } })
    .formData()
    .catch(() => undefined)
  const values = form?.getAll('stored_value').filter((value) => typeof value === 'string') ?? []
  const fields = new URLSearchParams()
  for (const value of values) fields.append('stored_value', value)
  return { ...request, body: Buffer.from(fields.toString()) }
}

/** An answer in the words of an existing API: nothing when all is well, else a sentence. */
function textReply(reply: PublishReply, success: number, field: 'msg' | 'error'): RouteReply {
  const { status, trackingId, retryAfter, body } = reply
  const { error = '', code = 'accepted' } = body
  const headers = { 'tocsin-tracking-id': trackingId }
  const submission = { outcome: code, keys: NO_KEYS }
  if (status === 200) return { status: success, headers, body: '', submission }
  return {
    status: statusOf(body.code, status),
    headers,
    json: { [field]: error },
    submission,
    ...(retryAfter === undefined ? {} : { retryAfter }),
  }
}

async function submitCens(
  context: RouteContext,
  settings: CenSettings,
  api: CenName,
  request: RouteRequest,
): Promise<PublishReply> {
  const { headers, body } = request
  const given = headers['cen-cell'] ?? ''
  const cell = given === '' ? '' : parseCell(given)
  if (cell === undefined) throw invalid('Cen-Cell must be 1 to 4 characters of a geohash.')
  const sent = readProof(settings, api, request)
  const proof =
    typeof sent === 'object' ? sent : await proveByCode(context, settings.realm, api, sent, request)
  const { app, dailyCap } = settings
  const fields: CenFields = { ...proof, app, cell, cap: String(dailyCap) }
  return context.submit(body, '', api, { ...fields })
}

function invalid(sentence: string): TocsinError {
  return new TocsinError('bad_request', sentence)
}
