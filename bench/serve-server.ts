// Bench: the server that `serve` and `ctdiag-download` measure, in a process of its own; promises the real web server, counting as it does in service.

import { createFileServer } from '../src/distribute/serve-files.ts'
import { buildApp } from '../src/http/app.ts'
import { ctdiagDownloadRoutes } from '../src/http/ctdiag-download-routes.ts'
import { publicRoutes } from '../src/http/public-routes.ts'
import type { RouteContext } from '../src/http/routes.ts'
import { createLogger } from '../src/operate/logger.ts'
import { createMetrics } from '../src/operate/metrics.ts'

const [root = ''] = process.argv.slice(2)
// Nobody else would end it when the benchmark is gone.
process.once('disconnect', () => process.exit())

const metrics = createMetrics()
const logger = createLogger('error')
const context = { ofKinds: new Map(), publicFolder: root } as unknown as RouteContext
const routes = [...publicRoutes(createFileServer(root)), ...ctdiagDownloadRoutes(context)]
const app = await buildApp(routes, 'bench', logger, { metrics })
const url = await app.listen({ host: '127.0.0.1', port: 0 })
process.send?.(Number(new URL(url).port))
