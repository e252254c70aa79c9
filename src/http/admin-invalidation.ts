// Http: invalidating codes, whatever their scope; promises that a body that doesn't say how invalidates nothing, and that whoever only looks leaves a line in the log.

import { bodyOf, flag } from '../authorize/admin-body.ts'
import {
  invalidateCodes,
  previewInvalidation,
  type Invalidation,
  type InvalidationPreview,
} from '../authorize/invalidate-codes.ts'
import type { InvalidationScope } from '../authorize/invalidation-scope.ts'
import { TocsinError } from '../errors.ts'
import { noteLook, type Admin } from './admin-route.ts'
import type { Schema } from './route.ts'

/** The body of those that have nothing else in it. */
export const INVALIDATE = bodyOf(
  {},
  {
    preview: flag('true: nothing is done, and the reply says what would be'),
    retroactive: flag(
      'Whether an order to withdraw the reports made with these codes is signed, too; false: the codes count no longer from now on',
    ),
  },
)

/**
 * How codes are to be invalidated: a body must say it.
 *
 * @throws TocsinError `bad_request`
 */
export function readInvalidation({
  preview = false,
  retroactive,
}: {
  readonly preview?: boolean
  readonly retroactive?: boolean
}): 'preview' | { readonly retroactive: boolean } {
  if (preview && retroactive === undefined) return 'preview'
  if (!preview && retroactive !== undefined) return { retroactive }
  throw new TocsinError('bad_request', 'Give either preview, true, or retroactive, true or false.')
}

/** Invalidates codes, or tells what that would do. */
export async function invalidate(
  admin: Admin,
  scope: InvalidationScope,
  wanted: ReturnType<typeof readInvalidation>,
): Promise<Invalidation | InvalidationPreview> {
  const { zone, by, now } = admin
  if (wanted !== 'preview') return invalidateCodes(zone, scope, wanted, by, now)
  const preview = await previewInvalidation(zone, scope, now)
  await noteLook(admin, 'invalidation')
  return preview
}

const COUNT: Schema = { type: 'integer' }

/** What invalidating did, or would do. */
export const INVALIDATION: Schema = {
  type: 'object',
  required: ['unused', 'used', 'handles', 'certificates', 'canWithdraw'],
  properties: {
    unused: { ...COUNT, description: 'Codes that count, and have brought no certificate' },
    used: { ...COUNT, description: 'Codes that have brought one' },
    handles: { ...COUNT, description: 'Issuer handles that stand for their certificates' },
    certificates: { ...COUNT, description: 'Certificates that carry these handles' },
    canWithdraw: { type: 'boolean', description: "Whether nobody else's carry them" },
    order: {
      type: ['string', 'null'],
      description:
        'The withdrawal order, signed and on its way; none in a preview, null where none was needed',
    },
  },
}
