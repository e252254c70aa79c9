// Http: the routes of the authority zone; promises that none of them sees a diagnosis key.

import { prefixOf } from '../authorize/address-prefix.ts'
import { checkCodeStatus, expireCode } from '../authorize/code-status.ts'
import type { AuthorizeContext } from '../authorize/context.ts'
import { issueOne, issueSeveral } from '../authorize/issue-api.ts'
import { issueCertificate } from '../authorize/issue-certificate.ts'
import {
  padded,
  refuseRequest,
  type AuthorizeReply,
  type AuthorizeRequest,
  type UnreadableCode,
} from '../authorize/reply.ts'
import {
  certificateSchemas,
  issueSchemas,
  issueSeveralSchemas,
  expireSchemas,
  refusalSchema,
  statusSchemas,
  userReportSchemas,
  verifySchemas,
} from '../authorize/schemas.ts'
import { reportYourself } from '../authorize/user-report.ts'
import { verifyCode } from '../authorize/verify-code.ts'
import { TocsinError } from '../errors.ts'
import { imitateFields } from '../operate/chaff.ts'
import {
  CHAFF_HEADER,
  CLOSED,
  isJson,
  RETRY_AFTER_SECONDS,
  type Chaff,
  type Route,
  type RouteReply,
  type Schema,
} from './route.ts'

const REFUSALS = {
  400: 'Nothing was changed; `errorCode` says why',
  401: 'The API key was not accepted',
  409: 'A code was issued under this uuid before',
  404: 'The realm has no code of this uuid',
  412: 'The code is of a test type that the app does not accept',
  429: `${CLOSED}; or too many codes were wrong, or none may be issued today any more`,
  503: 'Busy: try again after the seconds of Retry-After',
}

const API_KEY = {
  'x-api-key': { type: 'string', description: 'An API key of the realm' },
}

/** What differs between them. */
interface Address {
  readonly name: string
  readonly summary: string
  readonly schemas: { readonly request: Schema; readonly reply: Schema }
  readonly refusals: readonly (keyof typeof REFUSALS)[]
  /** The code of a request that can't be read. */
  readonly unreadable: UnreadableCode
  /** What decoys are answered with, where phones send some; the first field is a text that makes up the length. */
  readonly decoy?: { readonly fields: Readonly<Record<string, unknown>>; readonly length: number }
  handle(context: AuthorizeContext, request: AuthorizeRequest): Promise<AuthorizeReply>
}

const ADDRESSES: readonly Address[] = [
  {
    name: 'issue',
    summary: 'Issues a verification code',
    schemas: issueSchemas,
    refusals: [400, 401, 409, 429, 503],
    unreadable: 'unparsable_request',
    handle: issueOne,
  },
  {
    name: 'batch-issue',
    summary: 'Issues several verification codes',
    schemas: issueSeveralSchemas,
    refusals: [400, 401, 409, 429, 503],
    unreadable: 'unparsable_request',
    handle: issueSeveral,
  },
  {
    name: 'checkcodestatus',
    summary: 'Tells whether a verification code was claimed',
    schemas: statusSchemas,
    refusals: [400, 401, 404, 429, 503],
    unreadable: '',
    handle: checkCodeStatus,
  },
  {
    name: 'expirecode',
    summary: 'Ends a verification code',
    schemas: expireSchemas,
    refusals: [400, 401, 404, 429, 503],
    unreadable: '',
    handle: expireCode,
  },
  {
    name: 'user-report',
    summary: 'Sends a verification code to somebody who reports themselves',
    schemas: userReportSchemas,
    refusals: [400, 401, 429, 503],
    unreadable: 'unparsable_request',
    decoy: { fields: { expiresAt: '', expiresAtTimestamp: 0 }, length: 100 },
    handle: reportYourself,
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
    decoy: { fields: { certificate: '' }, length: 501 },
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
      return toReply(
        await address.handle(authorize, {
          apiKey: request.headers['x-api-key'],
          body: request.body,
          addressPrefix: prefixOf(request.address()),
          userAgent: request.headers['user-agent'] ?? '',
        }),
      )
    },
    refuse: (error) => toReply(refuseRequest(error, address.unreadable)),
    ...(address.decoy === undefined ? {} : { chaff: chaffOf(address.decoy) }),
  }))
}

function chaffOf({ fields, length: typical }: NonNullable<Address['decoy']>): Chaff {
  return {
    pacesRefusals: true,
    typical: { latency: 20, length: typical, isRefusal: false },
    imitate(length) {
      const { padding: _, ...imitated } = imitateFields(fields, length)
      return toReply({ status: 200, body: padded(imitated) })
    },
  }
}

function toReply({ status, body, retryAfter }: AuthorizeReply): RouteReply {
  const seconds = retryAfter ?? RETRY_AFTER_SECONDS[status]
  if (seconds === undefined) return { status, json: body }
  return { status, json: body, retryAfter: seconds }
}
