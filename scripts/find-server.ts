// Script: prints the URL of a PostgreSQL server on the usual port that lets us make databases and logins; nothing when there is none.

import { userInfo } from 'node:os'
import { connectOnce } from '../src/db/database.ts'

for (const user of new Set([userInfo().username, 'postgres'])) {
  try {
    const client = await connectOnce({ host: '127.0.0.1', port: 5432, user, database: 'postgres' })
    const { rows } = await client.query<{ able: boolean }>(
      'select rolsuper or (rolcreatedb and rolcreaterole) as able from pg_roles where rolname = current_user',
    )
    await client.end()
    if (rows[0]?.able === true) {
      console.log(`postgres://${user}@127.0.0.1:5432/postgres`)
      break
    }
  } catch {
    // No server, or not for this user.
  }
}
