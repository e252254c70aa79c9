// Cli: checks the configuration without starting anything; promises every problem at once.

import { ALL_VARIABLES, ConfigError, parseConfig } from '../config.ts'
import type { Command } from './command.ts'

/** `tocsin check-config` */
export const checkConfigCommand: Command = {
  summary: `Checks the configuration. The variables, in the environment or in the JSON file that TOCSIN_CONFIG names:\n\n${Object.entries(
    ALL_VARIABLES,
  )
    .map(([name, { help }]) => `  ${name.padEnd(30)} ${help}`)
    .join('\n')}`,
  usage: 'check-config',
  options: {},
  async run(context) {
    try {
      const config = parseConfig(context.env)
      context.print('The configuration is good:')
      const { ofKinds, ...common } = config
      const values = { ...common, ...Object.fromEntries(ofKinds) }
      for (const [name, value] of Object.entries(values))
        context.print(`  ${name}: ${String(value)}`)
      return { document: { problems: [], config: values } }
    } catch (error) {
      if (!(error instanceof ConfigError) || !context.json) throw error
      return { document: { problems: error.problems }, exitCode: 1 }
    }
  },
}
