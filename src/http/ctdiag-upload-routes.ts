// Http: uploads as ct-diag-server takes them; promises its statuses and texts, and that an upload whose proof is wrong is refused, never taken as one without.

import { randomInt } from 'node:crypto'
import { readTypedCode } from '../authorize/typed-code.ts'
import { TocsinError } from '../errors.ts'
import type { KeyCounts } from '../operate/metrics.ts'
import { randomPiece } from '../operate/random-piece.ts'
import { cleartextOf, CTDIAG_FORMS, type CtdiagName, type UploadProof } from '../submit/ctdiag.ts'
import { ctdiagUploadSettings, type CtdiagUploadSettings } from '../submit/ctdiag-variables.ts'
import {
  parseRecords,
  refuseLength,
  refuseUntakeable,
  tooManyRecords,
} from '../submit/parse-ctdiag.ts'
import {
  CHAFF_HEADER,
  CLOSED,
  type Chaff,
  type Route,
  type RouteReply,
  type RouteRequest,
} from './route.ts'
import type { RouteContext } from './routes.ts'
import { swapInPassing } from './swap-in-passing.ts'

/** An address for uploads. */
interface Address {
  readonly url: string
  readonly api: CtdiagName
  readonly operationId: string
  readonly summary: string
  /** The status of a body with too many records. */
  readonly tooLarge: 400 | 413
}

const ADDRESSES: readonly Address[] = [
  {
    url: '/diagnosis-keys',
    api: 'ctdiag',
    operationId: 'uploadDiagnosisKeys',
    summary: 'Uploads diagnosis keys as records of 21 bytes, whatever the content type',
    tooLarge: 400,
  },
  {
    url: '/v0/diagnosis-keys',
    api: 'ctdiag-v0',
    operationId: 'uploadDiagnosisKeysByDay',
    summary: 'Uploads diagnosis keys as records of 18 bytes, whatever the content type',
    tooLarge: 413,
  },
]

/** The addresses for uploads. */
export function ctdiagUploadRoutes(context: RouteContext): Route[] {
  const settings = ctdiagUploadSettings(context.ofKinds)
  return ADDRESSES.map((address) => {
    const { url, api, operationId, summary, tooLarge } = address
    return {
      methods: ['POST'],
      url,
      operationId,
      summary,
      tag: 'key zone',
      takesAnyType: true,
      bodyLimit: settings.maxKeys[api] * CTDIAG_FORMS[api].recordLength,
      headers: HEADERS,
      replies: {
        200: { description: 'The keys are durable', ...TEXT },
        400: { description: 'Nothing was stored; the text says why', ...TEXT },
        401: { description: 'The certificate or the code was not accepted', ...TEXT },
        ...(tooLarge === 413 ? { 413: { description: 'Too many records', ...TEXT } } : {}),
        429: { description: `${CLOSED}; or too many codes were wrong`, ...TEXT },
        503: { description: 'Busy: try again after the seconds of Retry-After', ...TEXT },
      },
      handle: (request) => upload(context, settings, api, request),
      refuse: (error) => refuse(error, tooLarge, settings.maxKeys[api]),
      chaff: CHAFF,
    }
  })
}

const TEXT = { contentType: 'text/plain', schema: { type: 'string' } } as const

const HEADERS = {
  type: 'object',
  properties: {
    ...CHAFF_HEADER,
    authorization: {
      type: 'string',
      description: 'Bearer, and a certificate over the keys or a one-time code',
    },
    'x-hmac-key': {
      type: 'string',
      description: "With a certificate: base64 of the secret of its keys' HMAC",
    },
  },
} as const

const CHAFF: Chaff = {
  typical: { latency: 20, length: 0, isRefusal: false },
  imitate: () => accepted(randomPiece(16).toString('hex')),
  pacesRefusals: true,
}

async function upload(
  context: RouteContext,
  settings: CtdiagUploadSettings,
  api: CtdiagName,
  request: RouteRequest,
): Promise<RouteReply> {
  const { body, headers } = request
  const maxKeys = settings.maxKeys[api]
  refuseLength(body, CTDIAG_FORMS[api], maxKeys)
  const sent = readProof(headers, settings)
  const proof =
    typeof sent === 'object' ? sent : await proveByCode(context, settings, api, sent, request)
  const fields = { ...proof, app: settings.app, maxKeys: String(maxKeys) }
  const reply = await context.submit(body, headers['user-agent'] ?? '', api, fields)
  const { error = '', code } = reply.body
  if (code === undefined) return accepted(reply.trackingId, reply.keys)
  return refused(statusOf(code, reply.status), code, error, reply.trackingId)
}

/**
 * What a request brings to prove its keys; a code as it was typed.
 *
 * @throws TocsinError `unauthorized` when it brings nothing that is taken here
 */
function readProof(
  headers: RouteRequest['headers'],
  { proofs }: CtdiagUploadSettings,
): UploadProof | string {
  const header = headers['authorization']
  if (header === undefined && proofs.includes('none')) return { proof: 'none' }
  const bearer = /^bearer +(\S.*)$/i.exec(header ?? '')?.[1]?.trim()
  if (bearer !== undefined) {
    const isCertificate = proofs.includes('certificate') && bearer.split('.').length === 3
    if (isCertificate)
      return {
        proof: 'certificate',
        certificate: bearer,
        hmacKey: headers['x-hmac-key'] ?? '',
      }
    if (proofs.includes('code')) return bearer
  }
  const taken = proofs.flatMap((proof) => NAMES[proof] ?? []).join(' or ')
  throw new TocsinError(
    'unauthorized',
    taken === ''
      ? 'Send no Authorization: uploads are taken without one here.'
      : `Send Authorization: Bearer, with ${taken}.`,
  )
}

const NAMES: Readonly<Record<string, string | undefined>> = {
  certificate: 'a certificate over the keys',
  code: 'a one-time code',
}

/** Swaps a code for a certificate over the keys, unless no certificate could make them welcome. */
async function proveByCode(
  context: RouteContext,
  { realm, maxKeys }: CtdiagUploadSettings,
  api: CtdiagName,
  code: string,
  request: RouteRequest,
): Promise<UploadProof> {
  const keys = parseRecords(request.body, CTDIAG_FORMS[api], maxKeys[api])
  // Before the code is touched: what can't be taken costs nobody one.
  try {
    refuseUntakeable(keys, context.authorize.now())
  } catch (error) {
    if (!(error instanceof TocsinError)) throw error
    // The upload may repeat one that was accepted while its keys were younger.
    return {
      proof: 'refused code',
      code: readTypedCode(code)?.code ?? '',
      refusal: error.code,
      sentence: error.message,
    }
  }
  return swapInPassing(context, { code, realm, api, cleartext: cleartextOf(keys) }, request)
}

function accepted(trackingId: string, keys: KeyCounts = NO_KEYS): RouteReply {
  return {
    ...padded({ 'tocsin-tracking-id': trackingId }, 'OK'),
    status: 200,
    submission: { outcome: 'accepted', keys },
  }
}

function refuse(error: TocsinError, tooLarge: 400 | 413, maxKeys: number): RouteReply {
  const { code, status, message, retryAfter } = error
  const trackingId = randomPiece(16).toString('hex')
  const reply =
    code === 'request_too_large'
      ? refused(tooLarge, code, tooManyRecords(maxKeys), trackingId)
      : refused(statusOf(code, status), code, message, trackingId)
  return retryAfter === undefined ? reply : { ...reply, retryAfter }
}

function refused(status: number, code: string, sentence: string, trackingId: string): RouteReply {
  const headers = {
    'tocsin-tracking-id': trackingId,
    'tocsin-error': code,
    ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
  }
  return {
    ...padded(headers, sentence),
    status,
    submission: { outcome: code, keys: NO_KEYS },
  }
}

const NO_KEYS: KeyCounts = { inserted: 0, revised: 0, dropped: 0 }

const PADDING = 'tocsin-padding'

/** Characters of a reply's headers and text, from the first to less than twice as many: whoever sees the size learns nothing. */
const LEAST_LENGTH = 1_024

/** A text, and headers in which the padding is: the text has no room for any. */
function padded(
  headers: Readonly<Record<string, string>>,
  text: string,
): Pick<RouteReply, 'headers' | 'body'> {
  const said = { 'content-type': 'text/plain; charset=utf-8', ...headers }
  // A name, a colon, a space, the value, and the line's end.
  const rest = Object.entries(said).reduce(
    (sum, [name, value]) => sum + name.length + value.length + 4,
    text.length + PADDING.length + 4,
  )
  const wanted = LEAST_LENGTH * Math.ceil(rest / LEAST_LENGTH) + randomInt(LEAST_LENGTH)
  const padding = randomPiece(wanted - rest).toString('base64url')
  return { headers: { ...said, [PADDING]: padding.slice(0, wanted - rest) }, body: text }
}

/** Here a code stands in the place of a login. */
function statusOf(code: string, status: number): number {
  return code === 'code_invalid' || code === 'code_expired' ? 401 : status
}
