// Cli: the address that the public keys of a health authority are fetched from; promises that removing it leaves the keys that are there.

import { TocsinError } from '../errors.ts'
import { setJwksUrl } from '../submit/health-authorities.ts'
import { textOption, type Command } from './command.ts'
import { withData } from './with-data.ts'

/** `tocsin authority jwks` */
export const authorityJwksCommand: Command = {
  summary:
    'Changes the address that the public keys of a health authority are fetched from, or removes it.',
  usage: 'authority jwks APP --url URL\n       tocsin authority jwks APP --remove',
  positionals: 1,
  options: {
    url: { type: 'string', help: 'https address of its public keys; asked every 2 minutes' },
    remove: { type: 'boolean', help: 'fetch them no longer; those that are there stay' },
  },
  async run(context) {
    const [app] = context.positionals
    const url = textOption(context, 'url')
    const remove = context.values['remove'] === true
    if (app === undefined || (url !== undefined) === remove)
      throw new TocsinError(
        'usage',
        'Say which, and what: tocsin authority jwks APP, with either --url URL or --remove.',
      )
    return withData(context, async ({ zones, now }) => {
      await zones.key.db.transaction((tx) => setJwksUrl(tx, zones.key.writer, app, url, now()))
      context.print(
        remove
          ? `The keys of ${app} are fetched no longer; those that are there stay.`
          : `The keys of ${app} are fetched from ${url} now: by a running server within seconds, and then every 2 minutes.`,
      )
      return { document: { app: app.toLowerCase(), jwksUrl: url ?? null } }
    })
  },
}
