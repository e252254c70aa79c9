// Http: the corrections API: what operators see of reports and how they correct them; promises that nobody gets there without a key of the zone's own, that each look is in the log, and that no correction is made without a preview of it.

import type { CorrectionResult } from '../correct/corrections-list.ts'
import { listCorrections, requireCorrection } from '../correct/corrections-list.ts'
import { noteLookUp, type LookUp } from '../correct/look-ups.ts'
import type { AdmitOperator, OperatorRole } from '../correct/operators.ts'
import { readReportLife } from '../correct/report-life.ts'
import type { CorrectedZone } from '../correct/zone.ts'
import { TocsinError } from '../errors.ts'
import {
  KEPT_NOWHERE,
  listOf,
  listSchema,
  objectOf,
  paramsSchema,
  REFUSAL,
  refuseUnkept,
} from './admin-route.ts'
import {
  CORRECTION_BODY,
  correctAs,
  PREVIEW_BODY,
  previewAs,
  readWanted,
} from './correction-bodies.ts'
import { CORRECTION, PREVIEW, REPORT_LIFE } from './correction-schemas.ts'
import { CLOSED, isJson, type Route, type RouteRequest, type Schema } from './route.ts'

/** What requests of operators need. */
export interface CorrectionContext {
  readonly zone: CorrectedZone
  readonly admit: AdmitOperator
  readonly now: () => Date
}

/** Lists of what is selected may be long: some 28,000 tracking ids. */
const MAX_BODY_BYTES = 1_000_000

/** Looking and correcting. */
export function correctionRoutes(context: CorrectionContext): Route[] {
  return [
    {
      ...describe('POST', 'corrections/preview', [400, 404, 415], PREVIEW),
      operationId: 'previewCorrection',
      summary: 'Tells what a correction would do, and does nothing',
      bodyLimit: MAX_BODY_BYTES,
      requestBody: PREVIEW_BODY.schema,
      async handle(request) {
        const { name } = await admit(context, request, 'look')
        if (!isJson(request)) throw new TocsinError('unsupported_media_type')
        const wanted = readWanted(PREVIEW_BODY.read(request.body))
        await noteLookUp(context.zone, 'preview', name, context.now())
        return told(await previewAs(context.zone, wanted))
      },
    },
    {
      ...describe('POST', 'corrections', [400, 404, 409, 415], CORRECTION),
      operationId: 'correct',
      summary: 'Withdraws, reinstates or amends reports, as a preview told; repeatable by its id',
      bodyLimit: MAX_BODY_BYTES,
      requestBody: CORRECTION_BODY.schema,
      async handle(request) {
        const { name: by } = await admit(context, request, 'correct')
        if (!isJson(request)) throw new TocsinError('unsupported_media_type')
        const { reason, previewId, id, ...body } = CORRECTION_BODY.read(request.body)
        const note = { reason, by, previewId, ...(id === undefined ? {} : { id }) }
        const wanted = readWanted(body)
        return told(await correctAs(context.zone, wanted, note, context.now()))
      },
    },
    look(context, {
      path: 'corrections',
      operationId: 'listCorrections',
      summary: 'Lists the corrections of the last year, the newest first',
      reply: listSchema('corrections', CORRECTION),
      what: 'corrections',
      read: async () => listOf('corrections', await listCorrections(context.zone.db)),
    }),
    look(context, {
      path: 'corrections/:id',
      operationId: 'getCorrection',
      summary: 'Tells one correction',
      params: { id: 'Its id, 32 hex digits' },
      reply: CORRECTION,
      what: 'correction',
      read: ({ id = '' }) => oneCorrection(context.zone, id),
    }),
    look(context, {
      path: 'reports/:trackingId',
      operationId: 'getReport',
      summary: 'Tells the life of an accepted report, without its keys',
      params: { trackingId: 'Its tracking id, 32 hex digits' },
      reply: REPORT_LIFE,
      what: 'report',
      read: ({ trackingId = '' }) =>
        readReportLife(
          context.zone.db,
          trackingId,
          false,
          Math.floor(context.now().getTime() / 1000),
        ),
    }),
  ]
}

function oneCorrection({ db }: Pick<CorrectedZone, 'db'>, id: string): Promise<CorrectionResult> {
  if (!/^[0-9a-f]{32}$/i.test(id)) throw new TocsinError('correction_unknown')
  return requireCorrection(db, id.toLowerCase())
}

/** An address that tells something. */
interface LookRow {
  /** Behind /api/v1/. */
  readonly path: string
  readonly operationId: string
  readonly summary: string
  readonly params?: Readonly<Record<string, string>>
  readonly reply: Schema
  readonly what: LookUp
  read(params: RouteRequest['params']): Promise<unknown>
}

function look(context: CorrectionContext, row: LookRow): Route {
  const { path, operationId, summary, params, reply, what, read } = row
  return {
    ...describe('GET', path, params === undefined ? [] : [404], reply),
    operationId,
    summary,
    ...(params === undefined ? {} : { params: paramsSchema(params) }),
    async handle(request) {
      const { name } = await admit(context, request, 'look')
      // Before it: whoever tries what there is leaves a line for each try.
      await noteLookUp(context.zone, what, name, context.now())
      return told(await read(request.params))
    },
  }
}

function admit(context: CorrectionContext, { headers }: RouteRequest, role: OperatorRole) {
  return context.admit(headers['x-api-key'], role)
}

function told(json: unknown) {
  return { status: 200, headers: KEPT_NOWHERE, json }
}

/** What all addresses have in common. */
function describe(
  method: 'GET' | 'POST',
  path: string,
  refusals: readonly (keyof typeof REFUSALS)[],
  reply: Schema,
): Omit<Route, 'operationId' | 'summary' | 'handle'> {
  const all = [...refusals, 401 as const, 429 as const, 503 as const]
  return {
    methods: [method],
    url: `/api/v1/${path}`,
    tag: 'key zone',
    headers: HEADERS,
    refuse: refuseUnkept,
    replies: {
      200: { description: 'Done', schema: reply },
      ...Object.fromEntries(
        all.map((status) => [status, { description: REFUSALS[status], schema: REFUSAL }]),
      ),
    },
  }
}

const REFUSALS = {
  400: 'Nothing was changed; `code` and `error` say what to mend',
  401: 'The API key was not accepted: it must be of an operator, and of the role that this takes',
  404: 'There is no such report or correction',
  409: 'What would be corrected has changed since the preview, or the id is taken; nothing was changed',
  415: 'The body must be application/json',
  429: CLOSED,
  503: 'Busy: try again after the seconds of Retry-After',
}

const HEADERS: Schema = objectOf({
  'x-api-key': { type: 'string', description: 'The API key of an operator (tocsin operator add)' },
})
