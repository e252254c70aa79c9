// Http: the admin API: what an admin key may see and change of its realm; promises that nothing of it reaches another realm.

import type { AuthorizeContext } from '../authorize/context.ts'
import { adminAccessRoutes } from './admin-access-routes.ts'
import { adminCodeRoutes } from './admin-code-routes.ts'
import { adminMemberRoutes } from './admin-member-routes.ts'
import { adminRealmRoutes } from './admin-realm-routes.ts'
import type { Route } from './route.ts'

/** Everything below /api/v1/. */
export function adminRoutes(authorize: AuthorizeContext): Route[] {
  return [
    ...adminRealmRoutes(authorize),
    ...adminMemberRoutes(authorize),
    ...adminAccessRoutes(authorize),
    ...adminCodeRoutes(authorize),
  ]
}
