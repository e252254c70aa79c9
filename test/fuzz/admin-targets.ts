// Fuzzing: bodies of the admin API, each of its addresses; promises a refusal with a sentence, or a body that goes on to the database.

import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { TocsinError } from '../../src/errors.ts'
import { adminRoutes } from '../../src/http/admin-routes.ts'
import type { Route } from '../../src/http/route.ts'
import { API_KEYS, openContext } from './authorize-context.ts'
import { mutatedJson } from './json.ts'
import { mutatedText } from './mutate.ts'
import { isClientError, target } from './target.ts'

const MEMBER = { displayName: 'Ann', roles: ['issue'], email: 'ann@example.org', provider: null }
const APP = {
  displayName: 'Care',
  platform: 'android',
  appId: 'org.example.care',
  storeUrl: '',
  fingerprints: [Array<string>(32).fill('AB').join(':')],
  redirects: true,
  headless: false,
}

/** A right body of each address that takes one. */
const BODIES: Readonly<Record<string, object>> = {
  changeRealm: { displayName: 'North', testTypes: ['confirmed'], shortLife: 600, dailyQuota: null },
  allowExtraCodes: { extra: 5 },
  addProvider: { name: 'lab', displayName: 'Lab' },
  changeProvider: { displayName: 'Lab', state: 'suspended' },
  invalidateCodesOfProvider: { retroactive: true },
  addStaff: { name: 'ann', ...MEMBER, dailyQuota: 7 },
  changeStaff: { ...MEMBER, state: 'closed' },
  addApiKey: { type: 'device', name: 'App', expiresAt: 1_900_000_000, dailyQuota: null },
  setApp: APP,
  rotateSigningKey: { purpose: 'certificate' },
  makeBatch: { provider: 'lab', label: 'Ward', testType: 'confirmed', size: 2, text: 'Hello' },
  invalidateBatch: { preview: true },
  activateCode: { code: '7KQ2-9FJD-X3VW-0ABC-M5TP', testDate: '2026-03-18', tzOffset: 0 },
  invalidateCode: { uuid: '01234567-89ab-cdef-0123-456789abcdef', retroactive: false },
}

export const adminTargets = adminRoutes(openContext()).flatMap((route) =>
  route.requestBody === undefined ? [] : [bodyTarget(route)],
)

function bodyTarget(route: Route) {
  const right = BODIES[route.operationId]
  assert.ok(right !== undefined, `${route.operationId} has a body to begin with`)
  const bodies = mutatedJson([right], Object.keys(right))
  const names = mutatedText(['lab', 'ann', 'care', '7KQ2'])
  return target(`body of ${route.operationId}`, fc.tuple(bodies, names), async ([body, name]) => {
    const request = {
      method: String(route.methods[0]),
      path: route.url,
      query: '',
      body,
      params: {
        name,
        id: name,
        prefix: name,
        kid: name,
      },
      headers: {
        'content-type': 'application/json',
        'x-api-key': API_KEYS.admin,
      },
      address: () => '192.0.2.1',
    }
    const refusal = await route.handle(request).then(
      () => assert.fail('nothing can be kept'),
      (error: unknown) => error,
    )
    // Of a right one the database is asked, and that is away.
    const isAway = refusal instanceof TocsinError && refusal.code === 'unavailable'
    if (!isAway && !isClientError(refusal)) throw refusal
    assert.match((refusal as TocsinError).message, /^[A-Za-z].{5,600}$/su)
  })
}
