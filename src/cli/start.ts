// Cli: runs the service until it is told to stop; promises that what it prints to try next works.

import { relative } from 'node:path'
import { parseConfig, type Config } from '../config.ts'
import { systemClock } from '../operate/clock.ts'
import { giveBackWhenIdle } from '../operate/give-back-memory.ts'
import { identityHint } from './archives.ts'
import { commandName, type Command } from './command.ts'
import { demoKeysFile, setUpDemo } from './demo-deployment.ts'
import { untilStopped } from './until-stopped.ts'

/** `tocsin start` */
export const startCommand: Command = {
  summary: 'Serves everything on one port, until it is told to stop.',
  usage: 'start',
  options: {},
  async run(context) {
    const config = parseConfig(context.env)
    await using server = await context.deployment.startServer({
      config,
      clock: systemClock,
      prepare: async (zones) => {
        if (zones.demo) await setUpDemo(config, zones, systemClock.now())
      },
    })
    context.print(`tocsin: ${server.where}`)
    context.print(
      `tocsin: serving ${server.url}${server.zones.demo ? ' (DEMO: made-up keys, short times)' : ''}`,
    )
    if (server.operatorUrl !== undefined)
      context.print(`tocsin: metrics for the operator alone ${server.operatorUrl}/metrics`)
    const hint = identityHint(config)
    if (hint !== undefined) context.print(`tocsin: ${hint}`)
    if (server.zones.demo) for (const line of nextSteps(server.url, config)) context.print(line)
    giveBackWhenIdle()
    await untilStopped(context.signal)
    context.print('tocsin: stopping')
    return { document: { stopped: true } }
  },
}

function nextSteps(url: string, config: Config): string[] {
  const file = relative('', demoKeysFile(config))
  const keys = file.startsWith('..') ? demoKeysFile(config) : file
  return [
    '',
    `Open      ${url}/`,
    '',
    'Try, in another terminal, from this folder:',
    '  1. upload keys as a phone does, with a code, a token and a certificate:',
    `       ${commandName()} try-upload ${url} --keys ${keys}`,
    '  2. some 20 seconds later, see the signed file:',
    `       curl -s ${url}/exports/demo/index.txt`,
    '  3. verify it:',
    `       curl -s -o demo-key.pem ${url}/exports/demo/key.pem`,
    `       ${commandName()} verify ${url}/exports/demo/index.txt --key demo-key.pem`,
    '',
    'Stop with Ctrl-C; the data stays.',
  ]
}
