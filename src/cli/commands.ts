// Cli: the one table of commands; promises that a command's code is loaded only when it runs.

import type { Command } from './command.ts'

/** A row of the table. */
interface CommandRow {
  readonly summary: string
  load(): Promise<Command>
}

/** Every command, by the words that name it. */
export const COMMANDS: Readonly<Record<string, CommandRow>> = {
  start: {
    summary: 'serves everything on one port',
    load: async () => (await import('./start.ts')).startCommand,
  },
  demo: {
    summary: 'a simulated town: from positive tests to warned phones',
    load: async () => (await import('./demo.ts')).demoCommand,
  },
  'try-upload': {
    summary: 'uploads made-up keys to a demo as a phone does',
    load: async () => (await import('./try-upload.ts')).tryUploadCommand,
  },
  'check-config': {
    summary: 'every problem of the configuration at once',
    load: async () => (await import('./check-config.ts')).checkConfigCommand,
  },
  keygen: {
    summary: 'makes a signing key',
    load: async () => (await import('./keygen.ts')).keygenCommand,
  },
  'authority add': {
    summary: 'registers a health authority whose certificates are accepted',
    load: async () => (await import('./authority.ts')).authorityAddCommand,
  },
  'authority list': {
    summary: 'lists the health authorities',
    load: async () => (await import('./authority.ts')).authorityListCommand,
  },
  'authority disable': {
    summary: 'refuses the certificates of a health authority from now on',
    load: async () => (await import('./authority.ts')).authorityDisableCommand,
  },
  'authority enable': {
    summary: 'accepts the certificates of a disabled health authority again',
    load: async () => (await import('./authority.ts')).authorityEnableCommand,
  },
  'authority key': {
    summary: 'adds, revokes or reinstates a public key of a health authority',
    load: async () => (await import('./authority-key.ts')).authorityKeyCommand,
  },
  'authority jwks': {
    summary: 'changes or removes the address of public keys of a health authority',
    load: async () => (await import('./authority-jwks.ts')).authorityJwksCommand,
  },
  'stream add': {
    summary: 'adds a stream of signed files',
    load: async () => (await import('./stream-add.ts')).streamAddCommand,
  },
  'stream list': {
    summary: 'lists the streams',
    load: async () => (await import('./stream-list.ts')).streamListCommand,
  },
  'stream update': {
    summary: 'changes a stream, its signing keys among it',
    load: async () => (await import('./stream-update.ts')).streamUpdateCommand,
  },
  'stream retire': {
    summary: 'ends a stream; its files stay until their time',
    load: async () => (await import('./stream-retire.ts')).streamRetireCommand,
  },
  publish: {
    summary: 'makes the releases that are due',
    load: async () => (await import('./publish.ts')).publishCommand,
  },
  'store check': {
    summary: 'compares the published files with the log, and mends them',
    load: async () => (await import('./store.ts')).storeCheckCommand,
  },
  explain: {
    summary: 'why a key is not out yet, or where it is',
    load: async () => (await import('./explain.ts')).explainCommand,
  },
  verify: {
    summary: 'checks published files: signatures, digests, continuity',
    load: async () => (await import('./verify.ts')).verifyCommand,
  },
  analyze: {
    summary: 'what an export file gives away: counts, charts, conclusions',
    load: async () => (await import('./analyze.ts')).analyzeCommand,
  },
  'explain-submission': {
    summary: 'what the rules make of a captured request',
    load: async () => (await import('./explain-submission.ts')).explainSubmissionCommand,
  },
  'log verify': {
    summary: 'checks the log, its tree and every table against each other',
    load: async () => (await import('./log.ts')).logVerifyCommand,
  },
  'realm add': {
    summary: 'adds a realm of the authority zone',
    load: async () => (await import('./realm.ts')).realmAddCommand,
  },
  'realm list': {
    summary: 'lists the realms',
    load: async () => (await import('./realm.ts')).realmListCommand,
  },
  'api-key add': {
    summary: 'makes an API key of a realm, shown once',
    load: async () => (await import('./api-key.ts')).apiKeyAddCommand,
  },
}

/** The command that the first one or two words name, and how many they were. */
export function findCommand(
  args: readonly string[],
): (CommandRow & { readonly words: number }) | undefined {
  for (const words of [2, 1]) {
    const name = args.slice(0, words).join(' ')
    // Every object has words such as `constructor` beside its own.
    const row = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
    if (row !== undefined && args.length >= words) return { ...row, words }
  }
  return undefined
}
