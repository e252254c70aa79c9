// Chaos: kills processes of many worlds at random moments (test/chaos/); promises that a seed repeats what they are asked, and exit status 1 when something was lost.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startEmbedded } from '../src/db/embedded.ts'

const USAGE = `npm run test:chaos -- [--rounds N] [--seed S]

  --rounds N  how often somebody is killed; 200 when left out
  --seed S    what is drawn from; by chance when left out

  On the server of TOCSIN_TEST_DATABASE_URL, otherwise on an embedded one.
`

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '200' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    help: { type: 'boolean', default: false },
  },
})
const [rounds, seed] = [Number(values.rounds), Number(values.seed)]
if (values.help || !(Number.isSafeInteger(rounds) && rounds > 0) || !Number.isSafeInteger(seed)) {
  console.log(USAGE)
  process.exit(values.help ? 0 : 2)
}

console.log(`chaos: seed ${seed}, ${rounds} rounds`)
const folder = await mkdtemp(join(tmpdir(), 'tocsin-chaos-'))
const hasServer = process.env['TOCSIN_TEST_DATABASE_URL'] !== undefined
const embedded = hasServer ? undefined : await startEmbedded(folder)
try {
  const child = spawn(process.execPath, ['--test', join(import.meta.dirname, 'chaos.test.ts')], {
    stdio: 'inherit',
    env: {
      ...process.env,
      ...(embedded === undefined ? {} : { TOCSIN_TEST_EMBEDDED_URL: embedded.url }),
      TOCSIN_TEST_CHAOS_ROUNDS: String(rounds),
      TOCSIN_TEST_CHAOS_SEED: String(seed),
    },
  })
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => child.kill('SIGTERM'))
  const [code] = (await once(child, 'exit')) as [number | null]
  process.exitCode = code ?? 1
} finally {
  await embedded?.close()
  await rm(folder, { recursive: true, force: true })
}
