// Test helper: the whole service on a port, with a demo's realm, authority and stream; promises the real server, its clock moved by the test.

import { join } from 'node:path'
import { setUpDemo, type DemoKeys } from '../src/cli/demo-deployment.ts'
import type { RunningServer } from '../src/cli/deployment.ts'
import type { PhoneService } from '../src/cli/phone-client.ts'
import { parseConfig, type Config } from '../src/config.ts'
import { startServer } from '../src/main.ts'
import { movableClock } from './key-zone.ts'

/** A service that runs. */
export interface RunningService extends RunningServer {
  readonly config: Config
  readonly clock: ReturnType<typeof movableClock>
  /** What phones and doctors need of it. */
  readonly phones: PhoneService
}

/** Starts the service on a database, its files under `folder`; releases are made when the test says so. @param settings more variables */
export async function startService(
  databaseUrl: string,
  folder: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<RunningService> {
  const clock = movableClock('2026-03-10T08:00:00Z')
  const config = parseConfig({
    TOCSIN_DATABASE_URL: databaseUrl,
    TOCSIN_DATA: join(folder, 'data'),
    TOCSIN_PORT: '0',
    TOCSIN_LOG_LEVEL: 'silent',
    ...settings,
  })
  let keys: DemoKeys | undefined
  const server = await startServer({
    config,
    clock,
    publisher: 'manual',
    prepare: async (zones) => {
      keys = await setUpDemo(config, zones, clock.now(), { period: 3600 })
    },
  })
  return { ...server, config, clock, phones: { url: server.url, ...(keys as DemoKeys) } }
}
