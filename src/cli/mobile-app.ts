// Cli: the apps that links of a realm open; promises that an app is registered as its file says, or refused with the field's name.

import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { listMobileApps, removeMobileApp, setMobileApp } from '../authorize/mobile-apps.ts'
import { TocsinError } from '../errors.ts'
import { printable } from '../format/printable.ts'
import type { Command } from './command.ts'
import {
  noteLookUp,
  REALM_OPTION,
  requiredArgument,
  requireRealm,
  withAuthority,
} from './with-authority.ts'
import { requiredOption } from './with-data.ts'

/** `tocsin app set` */
export const appSetCommand: Command = {
  summary: 'Adds an app to a realm, or replaces the one of that name.',
  usage: 'app set NAME --realm NAME --file JSON',
  positionals: 1,
  options: {
    realm: REALM_OPTION,
    file: {
      type: 'string',
      help: 'JSON with displayName, platform, appId, storeUrl, fingerprints, redirects and headless',
    },
  },
  async run(context) {
    const name = requiredArgument(context, 'NAME', 'app set')
    const realm = requiredOption(context, 'realm')
    const app = await readApp(requiredOption(context, 'file'), name)
    return withAuthority(context, async (zone, now) => {
      const document = await setMobileApp(zone, realm, app, 'command', now())
      context.print(`Links of realm ${realm} open ${name}.`)
      return { document }
    })
  },
}

/** `tocsin app list` */
export const appListCommand: Command = {
  summary: 'Lists the apps of a realm.',
  usage: 'app list --realm NAME',
  options: { realm: REALM_OPTION },
  async run(context) {
    const realm = requiredOption(context, 'realm')
    return withAuthority(context, async (zone, now) => {
      await requireRealm(zone, realm)
      const document = await listMobileApps(zone.db, realm)
      await noteLookUp(zone, 'apps', realm, now())
      if (document.length === 0) context.print('None yet: tocsin app set adds one.')
      for (const { name, platform, appId, displayName } of document)
        context.print(printable(`${name}  ${platform}, ${appId}, ${displayName}`))
      return { document }
    })
  },
}

/** `tocsin app remove` */
export const appRemoveCommand: Command = {
  summary: 'Removes an app from a realm.',
  usage: 'app remove NAME --realm NAME',
  positionals: 1,
  options: { realm: REALM_OPTION },
  async run(context) {
    const name = requiredArgument(context, 'NAME', 'app remove')
    const realm = requiredOption(context, 'realm')
    return withAuthority(context, async (zone, now) => {
      await removeMobileApp(zone, realm, name, 'command', now())
      context.print(`Links of realm ${realm} open ${printable(name)} no more.`)
      return { document: { realm, name, removed: true } }
    })
  },
}

/** @returns an app that nobody has checked yet @throws TocsinError `target_unreadable`, `app_invalid`, `usage` */
async function readApp(file: string, name: string): Promise<unknown> {
  const path = resolve(file)
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new TocsinError('target_unreadable', `${path} can't be read.`, { cause: error })
  })
  const app = parse(text, path)
  if ('name' in app && app['name'] !== name)
    throw new TocsinError('usage', `${path} is of another app: its name must be NAME, or left out.`)
  return { ...app, name }
}

function parse(text: string, path: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new TocsinError('app_invalid', `${path} is no JSON.`, { cause: error })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new TocsinError('app_invalid', `${path} must hold one JSON object.`)
  return value as Readonly<Record<string, unknown>>
}
