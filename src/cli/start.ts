// Cli: runs the service until it is told to stop; promises that what it prints to try next works.

import { parseConfig } from '../config.ts'
import { startServer, type RunningServer } from '../main.ts'
import { systemClock } from '../operate/clock.ts'
import type { Command } from './command.ts'

/** `tocsin start` */
export const startCommand: Command = {
  summary: 'Serves everything on one port, until it is told to stop.',
  usage: 'start',
  options: {},
  async run(context) {
    const config = parseConfig(context.env)
    await using server = await startServer({ config, clock: systemClock })
    context.print(`tocsin: ${server.where}`)
    context.print(
      `tocsin: serving ${server.url}${server.demo === undefined ? '' : ' (DEMO: made-up keys, short times)'}`,
    )
    for (const line of server.demo === undefined ? [] : nextSteps(server)) context.print(line)
    if (!context.signal.aborted)
      await new Promise<void>((resolve) =>
        context.signal.addEventListener('abort', () => resolve(), { once: true }),
      )
    context.print('tocsin: stopping')
    return { document: { stopped: true } }
  },
}

function nextSteps(server: RunningServer): string[] {
  const { url } = server
  return [
    '',
    `Open      ${url}/`,
    '',
    'Try, in another terminal, from this folder:',
    '  1. upload keys as a phone does, with a code, a token and a certificate:',
    `       bin/tocsin try-upload ${url}`,
    '  2. some 20 seconds later, see the signed file:',
    `       curl ${url}/exports/demo/index.txt`,
    '  3. verify it:',
    `       curl -so demo-key.pem ${url}/exports/demo/key.pem`,
    `       bin/tocsin verify ${url}/exports/demo/index.txt --key demo-key.pem`,
    '',
    'Stop with Ctrl-C; the data stays.',
  ]
}
