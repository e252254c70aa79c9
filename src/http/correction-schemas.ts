// Http: the shapes of the corrections API for the OpenAPI document; promises to say what its replies tell.

import { objectOf } from './admin-route.ts'
import type { Schema } from './route.ts'

const text = (description: string): Schema => ({ type: 'string', description })
const textOrNull = (description: string): Schema => ({ type: ['string', 'null'], description })
const count = (description: string): Schema => ({ type: 'integer', description })
const flag = (description: string): Schema => ({ type: 'boolean', description })
const listOf = (items: Schema, description: string): Schema => ({
  type: 'array',
  items,
  description,
})
const texts = (description: string): Schema => listOf({ type: 'string' }, description)

/** What a correction is meant for. */
export const SELECTION: Schema = {
  type: 'object',
  additionalProperties: false,
  minProperties: 1,
  description:
    'Conditions, which hold together; of several values of one any. Left out for a reinstatement: all that the withdrawal holds',
  properties: {
    trackingIds: texts('32 hex digits each'),
    keys: texts('Single keys, and not their reports: 16 bytes in base64, or 32 hex digits'),
    issuerHandles: texts('22 characters of base64url each'),
    healthAuthority: {
      type: ['string', 'array'],
      items: { type: 'string' },
      description: 'healthAuthorityID as apps send it; several for an issuer of several apps',
    },
    source: text('Which API brought it, such as publish-v1'),
    regions: texts('Of any of these'),
    acceptedFrom: count('Unix seconds: accepted then or later'),
    acceptedBefore: count('Unix seconds: accepted earlier'),
  },
}

/** What a correction would do. What is not required belongs to one kind of correction. */
export const PREVIEW: Schema = {
  type: 'object',
  required: ['id', 'reports', 'keys', 'published', 'publishedKeys', 'warnings'],
  properties: {
    id: text('previewId of the correction; it counts while the same is selected'),
    reports: count('How many reports it concerns, padding not among them'),
    keys: count('How many keys'),
    published: listOf(
      objectOf({ stream: text('Its name'), release: count('Its number'), keys: count('How many') }),
      'Which releases brought how many of the keys',
    ),
    publishedKeys: count('How many of the keys were published, counted in each stream'),
    padding: count('Withdrawal, reinstatement: how many padding devices go along'),
    alreadyWithdrawn: count('Withdrawal: how many another one holds already'),
    revisedByOthers: count('Withdrawal: how many of the keys other reports have changed since'),
    staysWithdrawn: count('Reinstatement: how many other withdrawals go on holding'),
    endsRule: flag('Reinstatement: whether a rule for what comes from now on ends'),
    tooFar: count('Amendment: how many keys are too far from the new onset, and leave'),
    alreadyAmended: count('Amendment: how many of the reports were amended before'),
    withdrawn: count('Amendment: how many of the reports are withdrawn, and stay so'),
    warnings: texts('What to think of first'),
  },
}

/** A correction that was made. */
export const CORRECTION: Schema = objectOf({
  id: text('32 hex digits'),
  kind: { type: 'string', enum: ['withdrawal', 'reinstatement', 'amendment'] },
  scope: {
    type: ['string', 'null'],
    enum: ['retroactive', 'from-now-on', 'both', null],
    description: 'Null for what is no withdrawal',
  },
  by: text("Who made it: an operator's name, `command`, or `order of` an issuer"),
  reason: text('Why'),
  reports: count('How many reports it concerns'),
  keys: count('How many keys'),
  published: count('How many of the keys were published before, counted in each stream'),
  padding: count('How many padding devices go with them'),
  acceptedAt: count('Unix seconds, at a time grain'),
})

const RELATED = objectOf({
  trackingId: textOrNull('Null when it was erased'),
  accepted: textOrNull('Null when it was erased'),
  keys: count('How many keys were changed'),
})

const LIFE_CORRECTION: Schema = {
  type: 'object',
  required: ['kind', 'id', 'at', 'by', 'reason'],
  properties: {
    kind: { type: 'string', enum: ['withdrawal', 'reinstatement', 'amendment'] },
    id: textOrNull('32 hex digits; null when it was erased'),
    at: text('ISO 8601, UTC'),
    by: textOrNull('Null when it was erased'),
    reason: textOrNull('Null when it was erased'),
    fromNowOn: flag('Of a withdrawal: it stood before the report came'),
    withdrawal: textOrNull('Of a reinstatement: the withdrawal that it ends'),
    keys: count('How many single keys, where it is not the report as a whole'),
    reportType: textOrNull('Of an amendment; null for what the report said'),
    onset: textOrNull('Of an amendment: YYYY-MM-DD; null for what the report said'),
  },
}

/** The life of a report. */
export const REPORT_LIFE: Schema = objectOf({
  trackingId: text('32 hex digits'),
  padding: flag("Made here so that small numbers tell nothing, and nobody's"),
  accepted: text('ISO 8601, UTC, at a time grain'),
  source: textOrNull('Which API brought it; null for padding'),
  app: text('healthAuthorityID as the app sent it'),
  issuer: textOrNull('The issuer of the certificate; null for padding'),
  reportType: text('confirmed, likely, user-report or negative, as it was sent'),
  regions: texts('Where it is published'),
  traveler: flag('As the app sent it'),
  outcomes: {
    type: 'object',
    additionalProperties: { type: 'integer' },
    description: 'How many keys of the request had which outcome',
  },
  embargoedUntil: textOrNull('Until when its last key is kept back; null when none was'),
  published: listOf(
    objectOf({
      stream: text(''),
      release: count(''),
      file: text('As the index names it'),
      list: { type: 'string', enum: ['keys', 'revisedKeys'] },
      state: { type: 'string', enum: ['listed', 'unlisted', 'removed'] },
      keys: count("How many of the report's keys"),
    }),
    'Where its keys are',
  ),
  revisedBy: listOf(RELATED, 'Later reports that changed keys of it'),
  revises: listOf(RELATED, 'Earlier reports of which it changed keys'),
  withdrawn: flag('Whether it is withdrawn now'),
  withdrawnKeys: count('How many of the keys that it brought are withdrawn now as single keys'),
  corrections: listOf(LIFE_CORRECTION, 'Oldest first'),
})
