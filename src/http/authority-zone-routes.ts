// Http: the routes of the authority zone; promises that none of them sees a diagnosis key.

import type { AuthorizeContext } from '../authorize/context.ts'
import { issueCertificate } from '../authorize/issue-certificate.ts'
import { issueCode } from '../authorize/issue-code.ts'
import { refuseRequest, type AuthorizeReply, type UnreadableCode } from '../authorize/reply.ts'
import {
  certificateSchemas,
  issueSchemas,
  refusalSchema,
  verifySchemas,
} from '../authorize/schemas.ts'
import { verifyCode } from '../authorize/verify-code.ts'
import { TocsinError } from '../errors.ts'
import { imitateFields } from '../operate/chaff.ts'
import {
  CHAFF_HEADER,
  CLOSED,
  isJson,
  type Chaff,
  type Route,
  type RouteReply,
  type Schema,
} from './route.ts'

const REFUSALS = {
  400: 'Nothing was changed; `errorCode` says why',
  401: 'The API key was not accepted',
  409: 'A code was issued under this uuid before',
  412: 'The code is of a test type that the app does not accept',
  429: CLOSED,
  503: 'Busy: try again after the seconds of Retry-After',
}

const API_KEY = {
  'x-api-key': { type: 'string', description: 'An API key of the realm' },
}

/** What differs between the three. */
interface Address {
  readonly name: string
  readonly summary: string
  readonly schemas: { readonly request: Schema; readonly reply: Schema }
  readonly refusals: readonly (keyof typeof REFUSALS)[]
  /** The code of a request that can't be read. */
  readonly unreadable: UnreadableCode
  /** What decoys are answered with, where phones send some; the first field is a text that makes up the length. */
  readonly decoy?: { readonly fields: Readonly<Record<string, unknown>>; readonly length: number }
  handle(
    context: AuthorizeContext,
    apiKey: string | undefined,
    body: Uint8Array,
  ): Promise<AuthorizeReply>
}

const ADDRESSES: readonly Address[] = [
  {
    name: 'issue',
    summary: 'Issues a verification code',
    schemas: issueSchemas,
    refusals: [400, 401, 409, 429, 503],
    unreadable: 'unparsable_request',
    handle: issueCode,
  },
  {
    name: 'verify',
    summary: 'Swaps a verification code for a token',
    schemas: verifySchemas,
    refusals: [400, 401, 412, 429, 503],
    unreadable: 'unparsable_request',
    decoy: { fields: { token: '', testtype: 'confirmed' }, length: 409 },
    handle: verifyCode,
  },
  {
    name: 'certificate',
    summary: 'Swaps a token for a certificate over keys',
    schemas: certificateSchemas,
    refusals: [400, 401, 429, 503],
    unreadable: 'token_invalid',
    decoy: { fields: { certificate: '' }, length: 449 },
    handle: issueCertificate,
  },
]

/** From a code to a certificate. */
export function authorityZoneRoutes(authorize: AuthorizeContext): Route[] {
  return ADDRESSES.map((address) => ({
    methods: ['POST'],
    url: `/api/${address.name}`,
    operationId: address.name,
    summary: address.summary,
    tag: 'authority zone',
    headers: {
      type: 'object',
      properties: { ...API_KEY, ...(address.decoy === undefined ? {} : CHAFF_HEADER) },
      required: Object.keys(API_KEY),
    },
    requestBody: address.schemas.request,
    replies: {
      200: { description: 'Done', schema: address.schemas.reply },
      ...Object.fromEntries(
        address.refusals.map((status) => [
          status,
          { description: REFUSALS[status], schema: refusalSchema },
        ]),
      ),
    },
    async handle(request) {
      if (!isJson(request)) throw new TocsinError('unsupported_media_type')
      return toReply(await address.handle(authorize, request.headers['x-api-key'], request.body))
    },
    refuse: (error) => toReply(refuseRequest(error, address.unreadable)),
    ...(address.decoy === undefined ? {} : { chaff: chaffOf(address.decoy) }),
  }))
}

function chaffOf({ fields, length: typical }: NonNullable<Address['decoy']>): Chaff {
  return {
    typical: { latency: 20, length: typical, isRefusal: false },
    imitate: (length) => toReply({ status: 200, body: imitateFields(fields, length) }),
  }
}

function toReply({ status, body }: AuthorizeReply): RouteReply {
  return { status, json: body }
}
