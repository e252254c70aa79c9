// Http: the routes of the authority zone; promises that none of them sees a diagnosis key.

import type { AuthorizeContext } from '../authorize/context.ts'
import { issueCertificate } from '../authorize/issue-certificate.ts'
import { issueCode } from '../authorize/issue-code.ts'
import { certificateSchemas, issueSchemas, verifySchemas } from '../authorize/schemas.ts'
import { verifyCode } from '../authorize/verify-code.ts'
import type { Route } from './route.ts'

const AUTHORITY_REPLIES = {
  400: { description: 'Nothing was changed; `errorCode` says why' },
  401: { description: 'The API key was not accepted' },
}

const API_KEY_HEADER = {
  type: 'object',
  properties: { 'x-api-key': { type: 'string', description: 'An API key of the realm' } },
  required: ['x-api-key'],
}

/** From a code to a certificate. */
export function authorityZoneRoutes(authorize: AuthorizeContext): Route[] {
  const route = (
    name: string,
    summary: string,
    schemas: { readonly request: Route['requestBody']; readonly reply: Route['requestBody'] },
    handler: (
      context: AuthorizeContext,
      apiKey: string | undefined,
      body: Uint8Array,
    ) => Promise<{ status: number; body: Record<string, unknown> }>,
  ): Route => ({
    methods: ['POST'],
    url: `/api/${name}`,
    operationId: name,
    summary,
    tag: 'authority zone',
    headers: API_KEY_HEADER,
    requestBody: schemas.request ?? {},
    replies: { 200: { description: 'Done', schema: schemas.reply ?? {} }, ...AUTHORITY_REPLIES },
    async handle(request) {
      const reply = await handler(authorize, request.headers['x-api-key'], request.body)
      return { status: reply.status, json: reply.body }
    },
  })
  return [
    route('issue', 'Issues a verification code', issueSchemas, issueCode),
    route('verify', 'Swaps a verification code for a token', verifySchemas, verifyCode),
    route(
      'certificate',
      'Swaps a token for a certificate over keys',
      certificateSchemas,
      issueCertificate,
    ),
  ]
}
