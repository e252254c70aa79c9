// Http: batches of paper codes and single codes; promises that the codes of a batch are told in the reply that makes it and never again.

import { activateCode } from '../authorize/activate-code.ts'
import { bodyOf, flag, integer, oneOf, text } from '../authorize/admin-body.ts'
import {
  cardsAs,
  tellBatch,
  tryCards,
  type CardForm,
  type CardWishes,
} from '../authorize/batch-cards.ts'
import { CARD_LANGUAGES } from '../authorize/card-texts.ts'
import { listBatches, makeBatch, MOST_CODES, type BatchReport } from '../authorize/batches.ts'
import { refuseWhileClosed } from '../authorize/callers.ts'
import type { AuthorizeContext } from '../authorize/context.ts'
import type { InvalidationScope } from '../authorize/invalidation-scope.ts'
import { findRealm } from '../authorize/realms.ts'
import { TocsinError } from '../errors.ts'
import { INVALIDATE, INVALIDATION, invalidate, readInvalidation } from './admin-invalidation.ts'
import {
  changeRoute,
  listOf,
  listSchema,
  lookRoute,
  objectOf,
  streamed,
  type Admin,
} from './admin-route.ts'
import type { Route, RouteRequest, Schema } from './route.ts'

/** Batches and codes. */
export function adminCodeRoutes(authorize: AuthorizeContext): Route[] {
  return [...batchRoutes(authorize), ...codeRoutes(authorize)]
}

const LANGUAGE = text(
  `BCP 47 tag of the cards; left out: the realm's. As application/pdf one of ${CARD_LANGUAGES.join(', ')}`,
)
const LABEL = text('What people call it, 1 to 100 characters')
const NEEDS_ACTIVATION = flag('Whether each code works only once the laboratory has activated it')
const TEST_TYPE = oneOf(['confirmed', 'likely', 'negative'], 'One of those enabled in the realm')

const NEW_BATCH = bodyOf(
  {
    provider: text('Whose codes they are'),
    label: LABEL,
    testType: TEST_TYPE,
    size: integer(`How many codes, 1 to ${MOST_CODES}; as application/pdf at most 10,000`),
  },
  {
    life: integer(
      'Seconds for which they work, from 3,600; left out: as long as the realm lets them',
    ),
    language: LANGUAGE,
    needsActivation: NEEDS_ACTIVATION,
    text: text("The realm's own words on the cards, at most 300 characters"),
    paper: oneOf(['A4', 'letter'], 'Of application/pdf; left out: A4'),
  },
)

function batchRoutes(authorize: AuthorizeContext): Route[] {
  const params = { id: "The first four characters of the batch's codes" }
  return [
    lookRoute(authorize, {
      path: 'batches',
      operationId: 'listBatches',
      summary: 'Lists the batches of paper codes, with the states of their codes',
      reply: listSchema('batches', BATCH_REPORT),
      what: 'batches',
      look: async ({ zone, realm, now }) =>
        listOf('batches', (await listBatches(zone.db, realm.name, now)).map(describeBatch)),
    }),
    changeRoute(authorize, {
      method: 'POST',
      path: 'batches',
      operationId: 'makeBatch',
      summary: 'Makes a batch of paper codes and tells them, this once',
      body: NEW_BATCH,
      status: 201,
      contentTypes: 'application/pdf (sheets of cards) or text/csv',
      reply: CARDS,
      refusals: [400, 404],
      change: makeCards,
    }),
    lookRoute(authorize, {
      path: 'batches/:id',
      operationId: 'getBatch',
      summary: 'Tells one batch, with the states of its codes',
      params,
      reply: BATCH_REPORT,
      what: 'batch',
      async look({ zone, realm, now }, { id = '' }) {
        const batches = await listBatches(zone.db, realm.name, now)
        const batch = batches.find((each) => each.id === id.toUpperCase())
        if (batch === undefined) throw new TocsinError('batch_unknown')
        return describeBatch(batch)
      },
    }),
    changeRoute(authorize, {
      method: 'POST',
      path: 'batches/:id/invalidate',
      operationId: 'invalidateBatch',
      summary: 'Invalidates all codes of a batch, or tells what that would do',
      params,
      body: INVALIDATE,
      status: 200,
      reply: INVALIDATION,
      refusals: [400, 404, 409],
      change(admin, body, { params: { id: batch = '' } }) {
        const wanted = readInvalidation(body)
        if (!/^[0-9a-z]{4}$/i.test(batch)) throw new TocsinError('batch_unknown')
        return invalidate(admin, { realm: admin.realm.name, scope: 'batch', batch }, wanted)
      },
    }),
  ]
}

async function makeCards(
  { zone, realm: { name }, by, now }: Admin,
  body: ReturnType<typeof NEW_BATCH.read>,
  request: RouteRequest,
): Promise<unknown> {
  const realm = await findRealm(zone.db, name)
  if (realm === undefined) throw new TocsinError('unauthorized')
  refuseWhileClosed(realm)
  const form = formWanted(request)
  const { text: words = '', paper = 'A4', ...given } = body
  const wishes: CardWishes = { text: words, paper }
  const usual = { language: realm.settings.language, needsActivation: false }
  const asked = { ...usual, life: realm.settings.paperLife, ...given, realm: name }
  const expiresAt = Math.floor(now.getTime() / 1000) + Math.min(asked.life, MOST_LIFE)
  await tryCards({ ...asked, expiresAt }, realm, wishes, form)
  const { batch, codes } = await makeBatch(zone, asked, by, now)
  const headers = { 'content-type': CONTENT_TYPES[form], 'x-content-type-options': 'nosniff' }
  return streamed(201, headers, cardsAs(form, batch, codes, realm, wishes))
}

/** Longer than any life that a batch can have, seconds: what is longer has no date on a card. */
const MOST_LIFE = 366 * 86_400

const CONTENT_TYPES: Readonly<Record<CardForm, string>> = {
  'application/pdf': 'application/pdf',
  'text/csv': 'text/csv; charset=utf-8',
  'application/json': 'application/json',
}

/** The first form that a request names among what it accepts. */
function formWanted({ headers }: RouteRequest): CardForm {
  const accepted = (headers['accept'] ?? '')
    .split(',')
    .map((range) => range.split(';')[0]?.trim().toLowerCase())
  const forms = Object.keys(CONTENT_TYPES) as CardForm[]
  return (
    accepted.flatMap((range) => forms.find((form) => form === range) ?? [])[0] ?? 'application/json'
  )
}

function codeRoutes(authorize: AuthorizeContext): Route[] {
  return [
    changeRoute(authorize, {
      method: 'POST',
      path: 'codes/activate',
      operationId: 'activateCode',
      summary: 'Activates the code on a card; again with other dates until a phone has claimed it',
      body: bodyOf(
        { code: text('As it stands on the card; case, spaces and hyphens do not matter') },
        {
          testDate: text('YYYY-MM-DD; this or symptomDate must be given'),
          symptomDate: text('YYYY-MM-DD'),
          tzOffset: integer('Minutes from UTC; left out: 0'),
        },
      ),
      status: 200,
      reply: ACTIVATION,
      refusals: [400, 409],
      // Of a laboratory: it has the card.
      providersToo: true,
      change({ zone, realm, by, now }, { code, testDate = '', symptomDate = '', tzOffset = 0 }) {
        const dates = { testDate, symptomDate, tzOffset }
        return activateCode(zone, realm.name, code, dates, by, now)
      },
    }),
    changeRoute(authorize, {
      method: 'POST',
      path: 'codes/invalidate',
      operationId: 'invalidateCode',
      summary: 'Invalidates one code, or tells what that would do',
      body: INVALIDATE_CODE,
      status: 200,
      reply: INVALIDATION,
      refusals: [400, 409],
      change(admin, { uuid, code, ...body }) {
        const wanted = readInvalidation(body)
        if ((uuid === undefined) === (code === undefined))
          throw new TocsinError('bad_request', 'Give either uuid or code.')
        const realm = admin.realm.name
        const scope: InvalidationScope =
          code === undefined
            ? { realm, scope: 'code', uuid: uuid ?? '' }
            : { realm, scope: 'paper-code', code }
        return invalidate(admin, scope, wanted)
      },
    }),
  ]
}

const INVALIDATE_CODE = bodyOf(
  {},
  {
    uuid: text('Of a code that was issued with POST /api/issue; this or code'),
    code: text('As it stands on a card'),
    preview: flag('true: nothing is done, and the reply says what would be'),
    retroactive: flag(
      'false: it counts no longer from now on. true is refused: its handle is that of other codes, too',
    ),
  },
)

function describeBatch(batch: BatchReport): unknown {
  const { invalidated, unused, used, invalid, expired } = batch
  return { ...tellBatch(batch), invalidated, unused, used, invalid, expired }
}

const COUNT: Schema = { type: 'integer' }
const BATCH_PROPERTIES: Readonly<Record<string, Schema>> = {
  id: { type: 'string', description: 'The first four characters of its codes' },
  provider: { type: 'string' },
  label: LABEL.schema,
  language: { type: 'string' },
  testType: TEST_TYPE.schema,
  needsActivation: NEEDS_ACTIVATION.schema,
  size: COUNT,
  expiresAt: { type: 'integer', description: 'Unix seconds' },
}
const BATCH_REPORT: Schema = objectOf({
  ...BATCH_PROPERTIES,
  invalidated: { type: 'boolean' },
  unused: { ...COUNT, description: 'No certificate yet, and there may be one' },
  used: { ...COUNT, description: 'A certificate was issued' },
  invalid: { ...COUNT, description: 'Invalidated before one was' },
  expired: { ...COUNT, description: 'Expired before one was' },
})

const CARDS: Schema = objectOf({
  batch: objectOf(BATCH_PROPERTIES),
  cards: {
    type: 'array',
    items: objectOf({
      number: { type: 'integer', description: 'From 1' },
      code: { type: 'string', description: 'As it is to be printed' },
      link: { type: 'string', description: 'What the QR code of the card says' },
    }),
  },
})

const ACTIVATION: Schema = objectOf({
  batch: { type: 'string' },
  testDate: { type: ['string', 'null'] },
  symptomDate: { type: ['string', 'null'] },
  expiresAt: { type: 'integer', description: 'Unix seconds' },
})
