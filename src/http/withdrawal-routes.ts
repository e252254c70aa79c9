// Http: the route of withdrawal orders; promises that an order is read as it was signed, whatever way it comes.

import { MAX_ORDER_BYTES, receiveOrder, type OrderContext } from '../correct/receive-order.ts'
import { TocsinError } from '../errors.ts'
import { parseJsonObject, readText } from '../operate/read-json.ts'
import { CLOSED, isJson, type Route, type RouteRequest, type Schema } from './route.ts'

/** Orders of issuers to withdraw what they vouched for. */
export function withdrawalRoutes(context: OrderContext): Route[] {
  return [
    {
      methods: ['POST'],
      url: '/v1/withdrawals',
      operationId: 'orderWithdrawal',
      summary:
        "Carries out an issuer's signed order to withdraw reports; also as the JWS alone with 'Content-Type: application/jwt' or text/plain",
      tag: 'key zone',
      bodyLimit: MAX_ORDER_BYTES,
      requestBody: ORDER_REQUEST,
      replies: {
        200: { description: 'Carried out; also when it was before', schema: ORDER_REPLY },
        400: { description: 'Nothing was changed; `code` says why', schema: REFUSAL },
        401: {
          description: 'No key that counts of a health authority with its iss and aud signed it',
          schema: REFUSAL,
        },
        413: { description: 'The body is too large', schema: REFUSAL },
        415: { description: 'The content type is none of the three', schema: REFUSAL },
        429: { description: CLOSED, schema: REFUSAL },
        503: { description: 'Busy: try again after the seconds of Retry-After', schema: REFUSAL },
      },
      handle: async (request) => ({
        status: 200,
        json: await receiveOrder(context, readOrder(request)),
      }),
    },
  ]
}

const ORDER_REQUEST: Schema = {
  type: 'object',
  required: ['order'],
  additionalProperties: false,
  properties: {
    order: { type: 'string', description: 'A JWS (compact, ES256, typ tocsin-withdrawal+jwt)' },
  },
}

const COUNT: Schema = { type: ['integer', 'null'] }

const ORDER_REPLY: Schema = {
  type: 'object',
  required: ['jti', 'reports', 'keys'],
  properties: {
    jti: { type: 'string', description: "The order's own" },
    reports: { ...COUNT, description: 'How many were withdrawn; null when fewer than 10' },
    keys: { ...COUNT, description: 'How many keys they brought; null when fewer than 10' },
  },
}

const REFUSAL: Schema = {
  type: 'object',
  required: ['error', 'code'],
  properties: {
    error: { type: 'string', description: 'What to mend' },
    code: { type: 'string', description: 'A stable code' },
  },
}

const ORDER_FIELDS = new Set(['order'])

/** The order of a request: what it says is not believed yet. */
function readOrder(request: RouteRequest): string {
  if (isJson(request))
    return readText(parseJsonObject(request.body, ORDER_FIELDS, 'order_invalid'), 'order')
  const [type = ''] = (request.headers['content-type'] ?? '').split(';')
  if (!['application/jwt', 'text/plain'].includes(type.trim().toLowerCase()))
    throw new TocsinError(
      'unsupported_media_type',
      'The content type must be application/jwt, text/plain or application/json.',
    )
  // Whatever is no ASCII is no JWS either.
  return Buffer.from(request.body).toString('latin1').trim()
}
